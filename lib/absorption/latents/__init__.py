"""Latents as first-letter classifiers: which latent stands for a letter, how good it is, what it misses."""

from absorption.latents.score import (
    doubling_weights,
    latent_samples,
    probe_samples,
    score_latents,
    slope_per_doubling,
)
from absorption.latents.select import SELECTIONS, select_latents
from absorption.latents.sparse import ACTIVE, SparseActs, encode_words
from absorption.latents.words import missed_words, top_words

__all__ = [
    "ACTIVE",
    "SELECTIONS",
    "SparseActs",
    "doubling_weights",
    "encode_words",
    "latent_samples",
    "missed_words",
    "probe_samples",
    "score_latents",
    "select_latents",
    "slope_per_doubling",
    "top_words",
]
