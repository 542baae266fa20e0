"""What absorption is: rules, thresholds, evidence, labels, rates, controls and nulls."""

from absorption.definitions.apply import (
    apply_definitions,
    apply_projection_rules,
    model_accuracy,
    model_scale,
    null_effects,
    null_of_definitions,
)
from absorption.definitions.case import absorbed_words
from absorption.definitions.control import control_of, control_share, control_table
from absorption.definitions.evidence import Evidence, probed_right
from absorption.definitions.gate import gate, valid_letters
from absorption.definitions.nulls import Null, null_by_projection
from absorption.definitions.rates import absorption_rates
from absorption.definitions.rules import ABLATION, DEFINITIONS, RELATIVE
from absorption.definitions.thresholds import Thresholds
