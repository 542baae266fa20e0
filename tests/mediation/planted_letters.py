"""The planted words with true probes, and the latents that stand for their letters."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from tests.planted_model import planted

from absorption.latents.sparse import SparseActs
from absorption.mediation.setting import LetterLatents, letter_latents
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords


def probed() -> ProbedWords:
    """The planted words with the true probes; every second word is a test word."""
    words = planted().words.assign(split=np.where(np.arange(1040) % 2 == 0, "test", "train"))
    probes = ProbeSet(planted().directions, torch.full((26,), -0.5))
    return ProbedWords(words, planted().features, probes)


@cache
def found() -> LetterLatents:
    return letter_latents(planted().sae, probed(), SparseActs(planted().csr))


@cache
def of_kind(kind: str, child: bool) -> torch.Tensor:
    """Up to 24 planted words whose letter is of a kind, with a feature of their own or without."""
    words = planted().words
    mine = (words["kind"] == kind) & ((words["child"] >= 0) == child)
    return torch.from_numpy(np.flatnonzero(mine.to_numpy()))[:24]
