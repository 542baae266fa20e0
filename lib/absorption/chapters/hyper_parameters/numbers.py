"""Chapter 12: the family's stored numbers, along each setting, and every rate beside its null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.quantities import rate
from absorption.chapters.findings import Findings
from absorption.chapters.hyper_parameters.claims import claims_table
from absorption.explorer.address import of_saes
from absorption.several_saes.contrasts import (
    ARCHITECTURE,
    L0,
    LAYER,
    SEED,
    WIDTH,
    base_setting,
    differences,
    steps,
    trends,
)
from absorption.several_saes.quantities import QUANTITIES, RATES, RATES_UNGATED, TITLES, quantities
from absorption.several_saes.rate_factors import FACTORS, rate_factors
from absorption.several_saes.stored_numbers import SaeFamily, along, members, read_sae_family

FIRST = "ablation, relative lead"
"""The rate by which the text says where the first seed is among the others."""
ARCHITECTURE_NAMES = {
    "standard": "standard", "jumprelu": "JumpReLU", "topk": "TopK", "batchtopk": "BatchTopK",
    "matryoshka": "Matryoshka",
}  # fmt: skip
"""What texts call the architectures of recipes."""


@dataclass(frozen=True)
class Numbers(Findings):
    """The family's SAEs and their stored numbers."""

    family: SaeFamily
    members: pd.DataFrame

    @property
    def links(self) -> dict[str, Sequence[str]]:
        """The explorer's states of the SAEs that it shows."""
        return {"sae": of_saes(self.members["sae"])}

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row an SAE."""
        return {"family-members": self.members}

    def claims(self) -> pd.DataFrame:
        """What the whole family says of the paper's claims."""
        return claims_table(self.family)

    def numbers(self) -> Mapping[str, Any]:
        """SAEs, words, and where the first seed is among the others."""
        n_seeds, n_lower = below_first_seed(self.family, RATES[FIRST][""])
        n_words = self.family.parameters["n_words"]
        return {
            "base": named(base_setting(self.family)),
            "n_seeds": n_seeds,
            "n_lower": n_lower,
            "n_saes": len(self.members),
            "n_words": f"{n_words:,} words" if n_words else "the whole vocabulary",
            "max_candidates": self.family.parameters["max_candidates"],
        }


def read_numbers() -> Numbers:
    """The stored numbers of the shipped SAEs and of their further seeds."""
    family = read_sae_family()
    return Numbers(family, members(family))


def below_first_seed(family: SaeFamily, quantity: str) -> tuple[int, int]:
    """How many seeds the base setting has, and in how many of the later ones a quantity is lower than in the first."""
    first, *others = [family.value(sae, quantity) for sae in steps(family, SEED)["sae"]]
    return 1 + len(others), sum(other < first for other in others)


def named(setting: Mapping[str, Any]) -> str:
    """A setting in words: ``TopK, 8,192 latents, L0 12, layer 6``."""
    architecture = ARCHITECTURE_NAMES.get(setting[ARCHITECTURE], setting[ARCHITECTURE])
    return f"{architecture}, {setting[WIDTH]:,} latents, L0 {setting[L0]:g}, layer {setting[LAYER]}"


@dataclass(frozen=True)
class Setting:
    """The SAEs that differ in one setting alone: their numbers, and how these change."""

    along: pd.DataFrame
    """Columns as in ``several_saes.along``."""
    changes: pd.DataFrame
    """Columns as in ``several_saes.trends`` for L0 and width, as in ``several_saes.differences`` for the others."""

    def shown(self, setting: str) -> pd.DataFrame:
        """The columns of differences that a reader sees."""
        return self.changes[[setting, "quantity", "value", "low", "high"]]


@dataclass(frozen=True)
class Varied(Findings):
    """Numbers along each setting, first seed of each."""

    l0: Setting
    width: Setting
    layer: Setting
    architecture: Setting

    @property
    def other_layers(self) -> list[int]:
        """Layers besides the base's, sorted."""
        return sorted(set(self.layer.changes["layer"]))

    @property
    def other_architectures(self) -> list[str]:
        """Architectures besides the base's, as texts call them, in the family's order."""
        others = map(str, dict.fromkeys(self.architecture.changes[ARCHITECTURE]))
        return [ARCHITECTURE_NAMES.get(name, name) for name in others]

    @property
    def named_layers(self) -> pd.DataFrame:
        """Numbers by layer, with the layer as a legend calls it."""
        return self.layer.along.assign(layer=self.layer.along["layer"].map("layer {}".format))

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Two tables a setting."""
        return {
            "family-by-l0": self.l0.along,
            "family-trends-l0": self.l0.changes,
            "family-by-width": self.width.along,
            "family-trends-width": self.width.changes,
            "family-by-layer": self.layer.along,
            "family-layers": self.layer.changes,
            "family-by-architecture": self.architecture.along,
            "family-architectures": self.architecture.changes,
        }

    def numbers(self) -> Mapping[str, Any]:
        """The other layers and architectures, in words."""
        blocks = " and ".join(map(str, self.other_layers))
        others = ", ".join(self.other_architectures)
        no_layer = "No SAE of the family reads another layer, so nothing is said of layers here."
        no_other = "The family has no SAE of another architecture, so nothing is said of architectures here."
        return {
            "layers": f"The base behind other blocks: {blocks}." if blocks else no_layer,
            "architectures": f"The base's width and L0 in other architectures: {others}."
            if others
            else no_other,
        }


def vary(family: SaeFamily) -> Varied:
    """Take the SAEs of each setting, and their changes: slopes for what doubles, differences for the rest."""

    def numbers(setting: str) -> pd.DataFrame:
        return along(family, steps(family, setting), QUANTITIES)

    return Varied(
        l0=Setting(numbers(L0), trends(family, L0)),
        width=Setting(numbers(WIDTH), trends(family, WIDTH)),
        layer=Setting(numbers(LAYER), differences(family, LAYER)),
        architecture=Setting(numbers(ARCHITECTURE), differences(family, ARCHITECTURE)),
    )


@dataclass(frozen=True)
class Rates(Findings):
    """Every SAE's rate under every rule, with and without the gate."""

    table: pd.DataFrame

    @property
    def shown(self) -> pd.DataFrame:
        """What a reader sees, the lowest first."""
        columns = ["sae", "quantity", *FACTORS, "value", "low", "high", "null", "null_low", "null_high", "p"]
        return self.table[columns].sort_values(["quantity", "value"])

    @property
    def links(self) -> dict[str, Sequence[str]]:
        """The explorer's states of the SAEs that it shows, each judged by the row's definition."""
        definitions = {rate(one, gated=gated): one for one in TITLES.values() for gated in (True, False)}
        return {"sae": of_saes(self.shown["sae"], self.shown["quantity"].map(definitions))}

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row an SAE and rule."""
        return {"family-rates": self.table}


def every_rate(family: SaeFamily) -> Rates:
    """The rates of all SAEs, those over valid letters with their two factors where rates by letter are kept."""
    wanted = quantities({**RATES, **RATES_UNGATED})
    rates = family.numbers[family.numbers["quantity"].isin(wanted)]
    return Rates(rates.merge(rate_factors(family), on=["sae", "quantity"], how="left"))
