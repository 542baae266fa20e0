"""Exact effects of removing latents on the model's answer, many times faster than whole forward passes."""

from absorption.ablation.baselines import effects_by_baseline, margin_metric, same_strongest
from absorption.ablation.bench import Contest, cost_table, race
from absorption.ablation.effects import (
    all_effects,
    clean_metrics,
    direction_effects,
    patch_effects,
    removal_effects,
    set_effects,
    shift_effects,
    stored_effects,
)
from absorption.ablation.engine import AblationEngine, RemovalEngine, StateEngine, answer_metric
from absorption.ablation.gradients import integrated_gradients
from absorption.ablation.labels import label_words
from absorption.ablation.ranking import MAGNITUDE, MOST_NEGATIVE, RANKINGS, AblationRule
from absorption.ablation.rows import LatentRows, active_rows

__all__ = [
    "MAGNITUDE",
    "MOST_NEGATIVE",
    "RANKINGS",
    "AblationEngine",
    "AblationRule",
    "Contest",
    "LatentRows",
    "RemovalEngine",
    "StateEngine",
    "active_rows",
    "all_effects",
    "answer_metric",
    "clean_metrics",
    "cost_table",
    "direction_effects",
    "effects_by_baseline",
    "integrated_gradients",
    "label_words",
    "margin_metric",
    "patch_effects",
    "race",
    "removal_effects",
    "same_strongest",
    "set_effects",
    "shift_effects",
    "stored_effects",
]
