"""The three definitions of absorption: by ablation, by projection, and as a fraction."""

from absorption.criteria.agreement import agreement, sensitivity, wide
from absorption.criteria.case import absorbed_words
from absorption.criteria.judge import (
    ABLATION,
    DEFINITIONS,
    FRACTION,
    FULL,
    RELATIVE,
    judge,
    judge_by_effects,
    judge_by_labels,
    judge_by_projection,
    model_scale,
    with_main,
)
from absorption.criteria.rates import MEAN, absorption_rates
from absorption.criteria.rules import Verdict, ablation_rule, fraction_rule, full_rule
from absorption.criteria.subject import Subject, WordLatents, letters_probed_well, probed_right
from absorption.criteria.thresholds import Thresholds

__all__ = [
    "ABLATION",
    "DEFINITIONS",
    "FRACTION",
    "FULL",
    "MEAN",
    "RELATIVE",
    "Subject",
    "Thresholds",
    "Verdict",
    "WordLatents",
    "ablation_rule",
    "absorbed_words",
    "absorption_rates",
    "agreement",
    "fraction_rule",
    "full_rule",
    "judge",
    "judge_by_effects",
    "judge_by_labels",
    "judge_by_projection",
    "letters_probed_well",
    "model_scale",
    "probed_right",
    "sensitivity",
    "wide",
    "with_main",
]
