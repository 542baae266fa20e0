"""Chapter 6's findings: the numbers, claims and tables that the page takes from them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.mediation.planted_letters import of_kind
from tests.planted_model import planted_engine as engine
from tests.planted_model import planted_evidence as evidence

from absorption.base.statistics import Estimate
from absorption.chapters.mediation.depths import Depths
from absorption.chapters.mediation.edit_tables import QUANTITIES
from absorption.chapters.mediation.edits import Edited
from absorption.chapters.mediation.parts_removed import Mediated, both_shares
from absorption.claims import catalogue
from absorption.mediation import removed_parts as parts

EMPTY = pd.DataFrame()


def test_the_text_gets_each_share_by_side_and_no_negative_zero() -> None:
    rows = [(parts.MAIN, True, 0.9), (parts.MAIN, False, -0.0), (parts.ABSORBING, False, 0.2)]
    shares = pd.DataFrame(rows, columns=["part", "main_on", "share"])
    told = Mediated(torch.arange(2), EMPTY, shares, EMPTY).numbers()
    assert (told["main_on"], told["absorbing_off"]) == (0.9, 0.2)
    assert math.copysign(1, told["main_off"]) == 1
    assert math.isnan(told["absorbing_on"])


def test_shares_of_the_pattern_stand_beside_those_of_the_whole_state() -> None:
    table = parts.mediate(engine(), evidence(), of_kind("full", child=True))
    found = both_shares(table).set_index("part")
    effect = table.groupby("part")["effect"].mean()
    for part in (parts.ABSORBING, parts.ALL):
        assert found.loc[part, "share"] == pytest.approx(effect[part] / effect[parts.STATE])
        assert found.loc[part, "of_pattern"] == pytest.approx(effect[part] / effect[parts.PATTERN])


def test_the_departure_is_claimed_as_a_share_of_the_layers() -> None:
    found = Depths(EMPTY, Estimate(18.0, 15.0, 24.0), n_words=3, n_layers=30, depth=9)
    (row,) = found.claims().to_dict("records")
    assert (row["claim"], row["part"], row["note"]) == (
        "info-moves",
        "",
        "depth 18.000 [15.000, 24.000] of 30",
    )
    assert (row["value"], row["low"], row["high"]) == pytest.approx((0.6, 0.5, 0.8))
    assert found.numbers()["departure_share"] == pytest.approx(0.6)


def edited() -> Edited:
    """Two SAEs at two strengths; each rate is 1 for the other SAE, and 2 at the other strength."""
    values = {("mine", 1.0): (-0.3, 0.2, 0.1), ("mine", 3.0): (2, 2, 2), ("other", 1.0): (1, 1, 1)}
    rows = [
        {
            "sae": sae,
            "strength": at,
            "quantity": name,
            "value": value,
            "low": value - 0.1,
            "high": value + 0.1,
        }
        for (sae, at), three in values.items()
        for name, value in zip(("p_own", "p_new", "edited"), three, strict=True)
    ]
    cells = pd.DataFrame({"sae": ["mine", "other", "other"], "new": list("aab")})
    nothing = Estimate(np.nan, np.nan, np.nan)
    return Edited(
        torch.arange(5), "mine", pd.DataFrame(rows), cells, Estimate(0.4, 0.1, 0.6), nothing, n_saes=2
    )


def test_edits_lead_to_the_saes_that_the_explorer_shows() -> None:
    names = ["mine", "other", "topk-8192-l0-6-layer-6", "topk-8192-l0-96-layer-6"]
    about = {"d_sae": 64, "l0_text": 6.0, "f1": 0.5, "strength": 1.0, "value": 0.5, "low": 0.4, "high": 0.6}
    rates = [{"sae": sae, "quantity": name, **about} for sae in names for name in QUANTITIES]
    links = replace(edited(), rates=pd.DataFrame(rates)).links
    assert links == {"sae": ["#sae=mine", "", "#sae=topk-8192-l0-6-layer-6", ""]}


def test_edits_are_judged_by_the_chapters_sae_at_the_published_strength() -> None:
    claims: Any = edited().claims().set_index("part")
    assert claims.loc["works", ["value", "low", "high"]].tolist() == pytest.approx([0.2, 0.1, 0.3])
    assert claims["note"].to_dict() == {"works": "mine", "follows-f1": "3 latents", "best-l0": "2 SAEs"}
    assert claims.loc["follows-f1", ["value", "low", "high"]].tolist() == [0.4, 0.1, 0.6]
    assert {part.name for part in catalogue.find("edit").parts} == set(claims.index)


def test_the_text_on_edits_is_of_the_chapters_sae_at_the_published_strength() -> None:
    told = edited().numbers()
    assert (told["edit_p_own"], told["edit_p_new"], told["edit_edited"]) == (-0.3, 0.2, 0.1)
    assert (told["n_edited"], told["edit_follows"]) == (5, "0.400 [0.100, 0.600]")
