"""Exact effects of removing latents on the model's answer, many times faster than whole forward passes."""

from absorption.ablation.baselines import effects_by_baseline, margin_metric, same_strongest
from absorption.ablation.bench import cost_table, race
from absorption.ablation.effects import all_effects, stored_effects
from absorption.ablation.engine import AblationEngine
from absorption.ablation.gradients import integrated_gradients
