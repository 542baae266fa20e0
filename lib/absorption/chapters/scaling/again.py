"""Chapter 15: a part of the stored numbers, measured again in this build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.scaling.latents_kept import TOPK
from absorption.chapters.scaling.numbers import Numbers
from absorption.chapters.settings import ScalingSettings
from absorption.models.language_model import LanguageModel, load_model
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED, shipped_ids
from absorption.scaling.again import TOLERANCE, check_again, check_effects, read_part
from absorption.training.held_out import held_out_text
from absorption.training.recipe import BASE

N_CONTEXTS = 8
"""Tokens at which latents are removed again, half of those that the stored numbers are of."""


@dataclass(frozen=True)
class Again(Findings):
    """Stored numbers and new ones of some shipped SAEs; nothing where none was measured."""

    model: LanguageModel | None
    saes: list[LoadedSae]
    table: pd.DataFrame

    @property
    def shown(self) -> pd.DataFrame:
        """Batches measured again and the largest difference, by SAE and quantity."""
        groups = self.table.assign(size=self.table["difference"].abs()).groupby(
            ["sae", "quantity"], sort=False
        )
        return groups.agg(numbers=("size", "size"), largest_difference=("size", "max")).reset_index()

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row a number."""
        return {"grid-check": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """What was measured again."""
        return {
            "grid_tolerance": f"{TOLERANCE:.1%}", "n_again": len(self.table),
            "again": ", ".join(sae.name for sae in self.saes) or "none",
            "quality_again": self.saes[0].name if self.saes else "none",
        }  # fmt: skip


def measure_again(numbers: Numbers, settings: ScalingSettings) -> Again:
    """Measure the SAE of the figure on latents kept, and one drawn with the seed, on the beginning of the text.

    Of the first also what removing its latents does to the logits, one of the measures of quality.

    Raises:
        StaleGridError: a number comes out differently.
        ConnectionError: the text cannot be had.
    """
    grid = numbers.grid
    if settings.checked_tokens == 0:
        return Again(None, [], pd.DataFrame(columns=["sae", "quantity", "difference"]))
    shipped = [sae for sae in grid.points if sae in shipped_ids() and sae != TOPK.sae_id]
    drawn = np.random.default_rng(settings.seed).permutation(shipped)[:1].tolist()
    model = load_model(grid.text["model"], settings.device, "float32")
    # As many tokens are asked for as were held out: then it is the beginning of the same text.
    text = held_out_text(model, BASE.n_held_out)
    if len(text.windows) == 0:
        raise ConnectionError(text.note)
    part = read_part(model, grid, text.windows, settings.checked_tokens)
    saes = [load_sae(SHIPPED, sae, model) for sae in (TOPK.sae_id, *drawn)]
    checked = [check_again(grid, sae, part) for sae in saes]
    effects = check_effects(grid, model, saes[0], text.windows, N_CONTEXTS)
    return Again(model, saes, pd.concat([*checked, effects], ignore_index=True))
