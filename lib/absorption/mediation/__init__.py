"""Ablation mediation: through which latents, and in which layers, the model reads the first letter."""

from absorption.mediation.by_sae import EDITED, edit_rates, edit_samples, edits_by_sae
from absorption.mediation.curve import COUNTS, ORDERS, curve_shares, removal_curve
from absorption.mediation.editing import METHODS, SWAP_MAIN, edit_letters, letter_levels
from absorption.mediation.estimates import compare_estimates, compare_labels, estimate_summary, paired_effects
from absorption.mediation.layers import departure_depth, layer_effects, layer_shares, probes_by_depth
from absorption.mediation.parts import PARTS, both_shares, choose_words, mediate, mediation_shares

__all__ = [
    "COUNTS",
    "EDITED",
    "METHODS",
    "ORDERS",
    "PARTS",
    "SWAP_MAIN",
    "both_shares",
    "choose_words",
    "compare_estimates",
    "compare_labels",
    "curve_shares",
    "departure_depth",
    "edit_letters",
    "edit_rates",
    "edit_samples",
    "edits_by_sae",
    "estimate_summary",
    "layer_effects",
    "layer_shares",
    "letter_levels",
    "mediate",
    "mediation_shares",
    "paired_effects",
    "probes_by_depth",
    "removal_curve",
]
