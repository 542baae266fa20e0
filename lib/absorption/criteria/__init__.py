"""The three definitions of absorption: by ablation, by projection, and as a fraction."""

from absorption.criteria.agreement import agreement, panel_rows, sensitivity, wide
from absorption.criteria.case import absorbed_words, case_ratios, others_share, with_next
from absorption.criteria.control import control_of, control_share, control_table
from absorption.criteria.gate import gate, valid_letters
from absorption.criteria.judge import (
    ABLATION,
    FRACTION,
    FULL,
    RELATIVE,
    judge,
    judge_by_effects,
    judge_by_labels,
    judge_by_projection,
    judge_null,
    model_accuracy,
    model_scale,
    null_effects,
    with_main,
)
from absorption.criteria.nulls import Null, null_by_effects, null_by_projection
from absorption.criteria.partial import degree_table, partial_words
from absorption.criteria.rates import MEAN, Rate, absorption_rates, mean_rate, mean_rate_samples
from absorption.criteria.rules import DEFINITIONS, Verdict, ablation_rule, fraction_rule, full_rule
from absorption.criteria.subject import Subject, WordLatents, letters_probed_well, probed_right
from absorption.criteria.tables import (
    denominators,
    disputed_words,
    join_panels,
    judged_words,
    mean_rows,
    share_above,
    with_cap,
    with_lead,
)
from absorption.criteria.thresholds import Thresholds

__all__ = [
    "ABLATION",
    "DEFINITIONS",
    "FRACTION",
    "FULL",
    "MEAN",
    "RELATIVE",
    "Null",
    "Rate",
    "Subject",
    "Thresholds",
    "Verdict",
    "WordLatents",
    "ablation_rule",
    "absorbed_words",
    "absorption_rates",
    "agreement",
    "case_ratios",
    "control_of",
    "control_share",
    "control_table",
    "degree_table",
    "denominators",
    "disputed_words",
    "fraction_rule",
    "full_rule",
    "gate",
    "join_panels",
    "judge",
    "judge_by_effects",
    "judge_by_labels",
    "judge_by_projection",
    "judge_null",
    "judged_words",
    "letters_probed_well",
    "mean_rate",
    "mean_rate_samples",
    "mean_rows",
    "model_accuracy",
    "model_scale",
    "null_by_effects",
    "null_by_projection",
    "null_effects",
    "others_share",
    "panel_rows",
    "partial_words",
    "probed_right",
    "sensitivity",
    "share_above",
    "valid_letters",
    "wide",
    "with_cap",
    "with_lead",
    "with_main",
    "with_next",
]
