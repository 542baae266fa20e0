"""What becomes of a letter's latent in a wider SAE: kept, split, narrower, absorbed, or gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.definitions.thresholds import Thresholds
from absorption.latents.select import on_f1
from absorption.latents.sparse import ACTIVE, SparseActs, encode_words, take_rows
from absorption.one_sae.study import train_rows
from absorption.one_sae.words import StudyWords
from absorption.saes.loader import LoadedSae
from absorption.spelling.vocab import LETTERS
from absorption.stitching.pairs import THRESHOLD, Pair, directions

KEPT, SPLIT, NARROWER, ABSORBED, GONE = FATES = ("kept", "split", "narrower", "absorbed", "gone")
"""``kept``: one successor has the latent's F1. ``split``: several together have it. ``absorbed``: they miss words that
it had, and most of these another single latent carries. ``narrower``: they miss words, and none carries most of them.
``gone``: there is no successor."""
TIE = 0.05
"""F1 that a successor may lack and still count as good as the latent."""


@dataclass(frozen=True)
class OnWords:
    """One SAE on the words."""

    sae: LoadedSae
    words: StudyWords

    @cached_property
    def acts(self) -> SparseActs:
        """Latent activations of every word."""
        return encode_words(self.sae, self.words.acts)

    @cached_property
    def main(self) -> Int[Tensor, " letter"]:
        """Each letter's latent: the best F1 of "it is on" over training words."""
        train = train_rows(self.words)
        return on_f1(take_rows(self.acts.csr, train), self.words.probed.labels[train]).argmax(dim=1)

    def on(self, latents: Int[Tensor, " latent"]) -> Bool[Tensor, "test latent"]:
        """Whether latents are on at the test words."""
        return self.acts.dense(latents)[torch.from_numpy(self.words.probed.test)] > ACTIVE


def follow_letters(words: StudyWords, series: Sequence[LoadedSae], pairs: Sequence[Pair]) -> pd.DataFrame:
    """The letters' latents of every SAE but the last, in the next wider one.

    Args:
        words: at the SAEs' hook.
        series: narrow to wide.
        pairs: their neighbours, in order.

    Returns:
        ``pair, letter, latent, f1`` (on test words), ``nearest, cosine`` (in the wider SAE), ``successors`` (latents
        there with a cosine of at least ``THRESHOLD``), ``f1_best`` (of one), ``f1_all`` (any is on), ``lost`` (test
        words of the letter that the latent is on for and no successor), ``taken`` (share of these that another single
        latent carries), ``own, f1_own`` (the letter's latent of the wider SAE) and ``fate``.
    """
    on_words = [OnWords(sae, words) for sae in series]
    probes = words.probed.probes.directions.float()
    rows = [
        {"pair": pair.name, "letter": letter, **_follow(pair, small, large, number, probes[number])}
        for pair, small, large in zip(pairs, on_words, on_words[1:], strict=False)
        for number, letter in enumerate(LETTERS)
    ]
    return pd.DataFrame(rows)


def _follow(
    pair: Pair, small: OnWords, large: OnWords, letter: int, direction: Float[Tensor, " d_model"]
) -> dict[str, Any]:
    latent, own = int(small.main[letter]), int(large.main[letter])
    cosines = directions(pair.larger) @ directions(pair.smaller)[latent]
    successors = (cosines >= THRESHOLD).nonzero()[:, 0]
    truth = small.words.probed.labels[torch.from_numpy(small.words.probed.test)][:, letter]
    mine, theirs = small.on(torch.tensor([latent]))[:, 0], large.on(successors)
    lost = truth & mine & ~theirs.any(dim=1)
    found = {
        "latent": latent, "f1": _f1(mine, truth), "nearest": int(cosines.argmax()), "cosine": float(cosines.max()),
        "successors": len(successors), "f1_best": max([_f1(on, truth) for on in theirs.T], default=0.0),
        "f1_all": _f1(theirs.any(dim=1), truth), "lost": int(lost.sum()),
        "taken": _taken_over(small, large, successors, lost, direction),
        "own": own, "f1_own": _f1(large.on(torch.tensor([own]))[:, 0], truth),
    }  # fmt: skip
    return found | {"fate": fate(found)}


def _f1(on: Bool[Tensor, " test"], truth: Bool[Tensor, " test"]) -> float:
    return float(2 * (on & truth).sum() / (on.sum() + truth.sum()).clamp_min(1))


def _taken_over(small: OnWords, large: OnWords, successors: Tensor, lost: Tensor, direction: Tensor) -> float:
    """Share of lost words that one other latent carries, by the thresholds of full absorption; NaN if none is lost.

    It has at least ``min_share`` of the word's projection on the probe, and a decoder cosine of ``min_cosine`` with it.
    """
    if not bool(lost.any()):
        return float("nan")
    thresholds = Thresholds()
    rows = torch.from_numpy(small.words.probed.test)[lost]
    projection = small.words.acts[rows].float() @ direction
    write = large.sae.W_dec.float().cpu() @ direction
    write[directions(large.sae) @ direction < thresholds.min_cosine] = 0
    write[successors] = 0
    strongest = (take_rows(large.acts.csr, rows).to_dense() * write).amax(dim=1)
    return float(((projection > 0) & (strongest >= thresholds.min_share * projection)).double().mean())


def fate(found: dict[str, Any]) -> str:
    """One of ``FATES``, from the columns of ``follow_letters``."""
    if found["successors"] == 0:
        return GONE
    if found["f1_best"] >= found["f1"] - TIE:
        return KEPT
    if found["f1_all"] >= found["f1"] - TIE:
        return SPLIT
    return ABSORBED if found["taken"] > 0.5 else NARROWER


def count_fates(table: pd.DataFrame) -> pd.DataFrame:
    """Letters by fate: a row a pair, a column a fate, and the mean F1 before and after (any successor on)."""
    counts = pd.crosstab(table["pair"], table["fate"]).reindex(columns=list(FATES), fill_value=0)
    means = table.groupby("pair")[["f1", "f1_best", "f1_all", "f1_own"]].mean()
    order = list(dict.fromkeys(table["pair"]))
    return counts.join(means).loc[order].reset_index().rename_axis(columns=None)
