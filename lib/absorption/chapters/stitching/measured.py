"""Chapter 13: the series of SAEs, and one pass over held-out text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

from absorption.chapters.findings import Findings
from absorption.chapters.loading import load_alone
from absorption.chapters.settings import StitchingSettings
from absorption.models.language_model import LanguageModel
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED
from absorption.stitching import measure, paths
from absorption.stitching.measure import Plan, Sums
from absorption.stitching.pairs import THRESHOLD
from absorption.stitching.series import find_series
from absorption.training.held_out import held_out_text


@dataclass(frozen=True)
class Measured(Findings):
    """SAEs that differ in width, and the sums over the text."""

    model: LanguageModel
    plan: Plan
    sums: Sums
    windows: Tensor
    """The text, ``window position``."""

    @property
    def trained(self) -> pd.DataFrame:
        """The SAEs: width, squared error, L0."""
        return paths.trained(self.plan, self.sums)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The SAEs on the text."""
        return {"stitching-saes": self.trained}

    def numbers(self) -> Mapping[str, Any]:
        """SAEs, tokens, and where the line is drawn."""
        widths = [f"{sae.d_sae:,}" for sae in self.plan.saes[: len(self.plan.neighbours) + 1]]
        return {
            "n_series": len(widths), "widths": ", ".join(widths), "threshold": f"{THRESHOLD:g}",
            "n_tokens": f"{int(self.sums.tokens.sum()):,}", "hook": self.plan.saes[0].hook_name,
            "control": next((pair.name for pair in self.plan.pairs if pair.control), "no two seeds"),
        }  # fmt: skip


def load(settings: StitchingSettings) -> tuple[LanguageModel, Plan]:
    """The model, and the pairs of the series.

    Raises:
        ValueError: SAEs that are no series or were trained on another model.
        ConnectionError: the model cannot be had.
    """
    series = find_series(settings.sae_ids)
    if settings.text_tokens > series.n_held_out:
        raise ValueError(
            f"text_tokens is {settings.text_tokens:,}; allowed: at most {series.n_held_out:,}, "
            f"what {series.ids[0]} and its like were not trained on."
        )
    model = load_alone(settings)
    saes = {name: load_sae(SHIPPED, name, model) for name in dict.fromkeys([*series.ids, *series.control])}
    for sae in saes.values():
        if (hashed := sae.card["model_weights_hash"]) != model.weights_hash:
            raise ValueError(
                f"model {model.name!r} has weights {model.weights_hash}, but SAE {sae.name!r} was trained on {hashed}."
            )
    ours, control = ([saes[name] for name in names] for names in (series.ids, series.control))
    return model, measure.make_plan(ours, control, seed=settings.seed)


def measure_text(model: LanguageModel, plan: Plan, settings: StitchingSettings) -> Measured:
    """Read the held-out text once with all SAEs.

    Raises:
        ConnectionError: the text cannot be had; without it there is nothing to measure.
    """
    text = held_out_text(model, settings.text_tokens)
    if len(text.windows) == 0:
        raise ConnectionError(text.note)
    return Measured(model, plan, measure.measure_text(model, plan, text.windows), text.windows)
