"""Latents as first-letter classifiers: which latent stands for a letter, how good it is, what it misses."""

from absorption.latents.by_split import f1_by_split, splits_in_words
from absorption.latents.contexts import TextActivations, favoured_tokens, strongest_contexts, text_activations
from absorption.latents.cosines import all_cosines, cosines_by_letter, decoder_cosines
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
    "TextActivations",
    "all_cosines",
    "cosines_by_letter",
    "decoder_cosines",
    "doubling_weights",
    "encode_words",
    "f1_by_split",
    "favoured_tokens",
    "latent_samples",
    "missed_words",
    "probe_samples",
    "score_latents",
    "select_latents",
    "slope_per_doubling",
    "splits_in_words",
    "strongest_contexts",
    "text_activations",
    "top_words",
]
