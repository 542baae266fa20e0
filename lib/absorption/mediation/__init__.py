"""Ablation mediation: through which latents, and in which layers, the model reads the first letter."""

from absorption.mediation.curve import curve_shares, removal_curve
from absorption.mediation.removed_parts import choose_words, mediate, mediation_shares
from absorption.mediation.setting import words_a_letter
