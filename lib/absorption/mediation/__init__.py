"""Ablation mediation: through which latents, and in which layers, the model reads the first letter."""

from absorption.mediation.by_sae import edit_rates, edits_by_sae
from absorption.mediation.curve import COUNTS, ORDERS, curve_shares, removal_curve
from absorption.mediation.editing import METHODS, SWAP_MAIN, edit_letters, letter_levels
from absorption.mediation.estimates import compare_estimates, estimate_summary, paired_effects
from absorption.mediation.layers import departure_depth, layer_effects, layer_shares, probes_by_depth
from absorption.mediation.parts import PARTS, both_shares, choose_words, mediate, mediation_shares
from absorption.mediation.published import (
    best_sparsity,
    edited_by_letter,
    follows_f1,
    rate_texts,
    set_by_sae,
    set_rates,
)
from absorption.mediation.setting import LetterLatents, letter_latents, set_letters, words_a_letter

__all__ = [
    "COUNTS",
    "METHODS",
    "ORDERS",
    "PARTS",
    "SWAP_MAIN",
    "LetterLatents",
    "best_sparsity",
    "both_shares",
    "choose_words",
    "compare_estimates",
    "curve_shares",
    "departure_depth",
    "edit_letters",
    "edit_rates",
    "edited_by_letter",
    "edits_by_sae",
    "estimate_summary",
    "follows_f1",
    "layer_effects",
    "layer_shares",
    "letter_latents",
    "letter_levels",
    "mediate",
    "mediation_shares",
    "paired_effects",
    "probes_by_depth",
    "rate_texts",
    "removal_curve",
    "set_by_sae",
    "set_letters",
    "set_rates",
    "words_a_letter",
]
