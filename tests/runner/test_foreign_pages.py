"""On an SAE of somebody else the pages say what is true of it, and an empty table why it is empty."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from absorption import plots
from absorption.base import repository
from absorption.base.statistics import Estimate
from absorption.chapters.recall_gap import NO_TREND
from absorption.several_saes import l0_trends

ROOT = repository.root()
PAGES = (
    "03-the-recall-gap",
    "04-feature-splitting",
    "05-absorption",
    "06-ablation-mediation",
    "your-sae",
    "side-by-side",
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_runs_on_any_sae_does_not_call_its_saes_shipped(name: str) -> None:
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert not re.findall(r"shipped (?:SAE|ones)|[Oo]ne small model", text)


def test_an_empty_table_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list = []
    monkeypatch.setattr(sys.modules["absorption.plots.show"], "display", shown.append)
    table = pd.DataFrame(columns=["selection", "value"])
    plots.show_table(table, caption="Slopes.", empty=NO_TREND)
    assert f'<td colspan="2">{NO_TREND}</td>' in shown[0].data
    plots.show_table(pd.DataFrame({"value": [1]}), caption="Slopes.", empty=NO_TREND)
    assert NO_TREND not in shown[1].data


def test_a_change_that_no_saes_show_says_so_and_is_no_nan() -> None:
    assert str(Estimate(math.nan, math.nan, math.nan)) == "(not measured)"
    assert str(Estimate(0.1, 0.0, 0.25)) == "0.100 [0.000, 0.250]"
    found = l0_trends.rate_trends([], list("ab"))
    assert set(found["saes"]) == {l0_trends.TOO_FEW, l0_trends.NO_PAIR}
    assert found["value"].isna().all()


def test_the_page_on_your_own_model_names_what_it_takes() -> None:
    text = Path(ROOT / "book" / "rerun.md").read_text(encoding="utf-8")
    own = text.split("## Your own model")[1].split("\n## ")[0]
    for needed in ("absorption convert model.gguf", "need an SAE", "n_words", "139,533"):
        assert needed in own
