"""Chapter 6: at which depth the word's token stops mattering for the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.mediation.parts_removed import Studied
from absorption.chapters.settings import MediationSettings, every_depth
from absorption.one_sae.layers import departure_depth, layer_effects, layer_shares, probes_by_depth
from absorption.one_sae.words import prepare_words, thin


@dataclass(frozen=True)
class Depths(Findings):
    """Share of the metric lost when the word's token is changed at each depth."""

    table: pd.DataFrame
    departure: Estimate
    """Depth at which the effect of another state falls to half of its largest."""
    n_words: int
    n_layers: int
    depth: int
    """That the SAE reads."""

    @property
    def share(self) -> Estimate:
        """The departure over the number of layers."""
        return Estimate(
            *(x / self.n_layers for x in (self.departure.value, self.departure.low, self.departure.high))
        )

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row a depth and change."""
        return {"layer-effects": self.table}

    def claims(self) -> pd.DataFrame:
        """Whether the letter leaves the word's token in the upper part of the model."""
        return claim("info-moves", self.share, note=f"depth {self.departure} of {self.n_layers}")

    def numbers(self) -> Mapping[str, Any]:
        """The departure, and the depth that the SAE reads."""
        return {
            "departure": str(self.departure),
            "departure_share": self.share.value,
            "n_layers": self.n_layers,
            "depth": self.depth,
        }


def change_depths(studied: Studied, settings: MediationSettings) -> Depths:
    """Change the word's token at every n-th depth; means and directions are fitted at that depth."""
    model, sae = studied.mine.words.model, studied.mine.sae
    depths = [depth for depth in every_depth(model.n_layers, settings.every) if depth < model.n_layers]
    words = prepare_words(
        model, sae.hook_name, n_words=settings.n_curve_words, n_sets=settings.n_sets, seed=settings.seed
    )
    acts, lines = probes_by_depth(words, depths)
    some = thin(words.right, settings.layer_words)
    effects = layer_effects(model, words.prompts, some, acts, lines=lines, seed=settings.seed)
    departure, table = departure_depth(effects, seed=settings.seed), layer_shares(effects, seed=settings.seed)
    return Depths(table, departure, len(some), model.n_layers, sae.site.depth)
