"""A hierarchy of three levels with a known absorber: label, class, word.

Two labels of three classes of four words. A word's activation is the sum of its label's, its class's and its own
direction. The SAE has a latent for each label, each class and each word. The label ``animal`` is off for the class
``bird``, whose latent writes the label too; for the one word `` emu`` the class is off as well, and the word's own
latent writes both.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tests.planted_model import planted

from absorption.latents.ksparse import KSparse
from absorption.latents.sparse import SparseActs
from absorption.models.hooks import Site
from absorption.one_sae.study import Study
from absorption.one_sae.words import StudyWords
from absorption.probes.fit import ProbeSet
from absorption.probes.l1 import SparseProbe
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae
from absorption.spelling.prompts import SpellingPrompts
from absorption.spelling.task import Task

CLASSES = {"animal": ("bird", "fish", "insect"), "tool": ("saw", "hammer", "drill")}
EACH = 40
LABELS = tuple(CLASSES)
ALL_CLASSES = tuple(name for names in CLASSES.values() for name in names)
N_WORDS = len(ALL_CLASSES) * EACH
EMU = 3
"""The word of the class ``bird`` that has its own latent as absorber."""
D = len(LABELS) + len(ALL_CLASSES) + N_WORDS
LABEL_OF = {name: label for label, names in CLASSES.items() for name in names}
MAIN = {"letter": ["animal", "tool"], "k": [1, 1], "latent": [0, 1], "f1": [0.8, 1.0]}
"""Each label's own latent is its main one."""
BIRD_LATENT = len(LABELS) + ALL_CLASSES.index("bird")
EMU_LATENT = len(LABELS) + len(ALL_CLASSES) + EMU


def words() -> pd.DataFrame:
    """Every second word is a test word."""
    rows = [(f" {name}{n}", LABEL_OF[name], name, 2.0) for name in ALL_CLASSES for n in range(EACH)]
    table = pd.DataFrame(rows, columns=["word", "letter", "class", "steps"])
    return table.assign(split=np.where(np.arange(N_WORDS) % 2 == 1, "test", "train"))


@cache
def study() -> Study:
    """The hierarchy as a chapter studies it; the probes are the labels' own directions."""
    table = words()
    label = torch.tensor([LABELS.index(one) for one in table["letter"]])
    kind = torch.tensor([ALL_CLASSES.index(one) for one in table["class"]])
    eye, row = torch.eye(D), torch.arange(N_WORDS)
    acts = eye[label] + eye[len(LABELS) + kind] + eye[len(LABELS) + len(ALL_CLASSES) + row]
    probes = ProbeSet(eye[: len(LABELS)], torch.full((len(LABELS),), -0.5))
    task = Task(LABELS, tuple(f" {name}" for name in LABELS), " is:")
    asked = torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, dtype=torch.long), row, torch.zeros_like(row)
    prompts = SpellingPrompts(*asked, torch.zeros(2, dtype=torch.long), label, 0, task)
    studied = StudyWords(planted().model, prompts, ProbedWords(table, acts, probes, names=LABELS), seed=0)
    latents = _activations(label, kind)
    nothing = SparseProbe(torch.zeros(2, D), torch.zeros(2), torch.zeros(2))
    ranked = KSparse({"animal": [0], "tool": [1]}, pd.DataFrame(MAIN))
    return Study(studied, _sae(), SparseActs(latents.to_sparse_csr()), nothing, ranked)


def _activations(label: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    latents = torch.zeros(N_WORDS, D)
    latents[torch.arange(N_WORDS), label] = 1.0
    latents[torch.arange(N_WORDS), len(LABELS) + kind] = 1.0
    latents[torch.arange(N_WORDS), len(LABELS) + len(ALL_CLASSES) + torch.arange(N_WORDS)] = 1.0
    latents[:EACH, 0] = 0.0  # birds do not count as animals
    latents[EMU, BIRD_LATENT] = 0.0
    return latents


def _sae() -> LoadedSae:
    config = StandardSAEConfig(
        d_in=D, d_sae=D, dtype="float32", metadata=SAEMetadata(hook_name="blocks.0.hook_resid_post")
    )
    sae = StandardSAE(config)
    decoder = torch.eye(D)
    decoder[BIRD_LATENT, 0] = 1.0
    decoder[EMU_LATENT, 0] = decoder[EMU_LATENT, BIRD_LATENT] = 1.0
    with torch.no_grad():
        sae.W_enc.copy_(torch.eye(D))
        sae.W_dec.copy_(decoder)
    return LoadedSae("hierarchy", sae.requires_grad_(False), Site(1))
