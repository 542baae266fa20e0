"""What absorption is: rules, thresholds, evidence, labels, rates, controls and nulls."""

from absorption.definitions.agreement import agreement, sensitivity
from absorption.definitions.case import absorbed_words, case_ratios, others_share, with_next
from absorption.definitions.control import control_of, control_share, control_table
from absorption.definitions.evidence import Subject, probed_right
from absorption.definitions.gate import gate, valid_letters
from absorption.definitions.judge import (
    judge,
    judge_by_projection,
    judge_null,
    model_accuracy,
    model_scale,
    null_effects,
)
from absorption.definitions.nulls import Null, null_by_projection
from absorption.definitions.partial import degree_table, partial_words
from absorption.definitions.rates import absorption_rates
from absorption.definitions.rules import ABLATION, DEFINITIONS, RELATIVE
from absorption.definitions.tables import (
    denominators,
    disputed_words,
    join_panels,
    judged_words,
    mean_rows,
    with_cap,
    with_lead,
)
from absorption.definitions.thresholds import Thresholds
