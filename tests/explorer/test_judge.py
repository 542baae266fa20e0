"""The page's judge and the library's say the same of every word, at the thresholds of the run and at others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.explorer import javascript
from tests.explorer.evidence_at_random import LEADS, THRESHOLDS, AtRandom, at_random
from tests.planted_model import GAIN, planted_engine
from tests.planted_study import mine

from absorption import definitions
from absorption.definitions.apply import NOT_CHOSEN, REFUTED
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION, MAIN_ON, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.explorer.leaders import leaders_of_labels
from absorption.explorer.script import as_script, sae_value
from absorption.explorer.tables import Subject, tables_of

pytestmark = pytest.mark.usefixtures("own_cache")

JUDGE = """
const judge = require(SCRIPTS + "/judge.js");
const sae = judge.open(VALUE);
const said = ASKED.map(([definition, limits]) => {
  const found = judge.judge(sae, definition, { ...judge.limitsOf(sae), ...limits });
  const order = Array.from({ length: sae.n }, (_, i) => i);
  const rates = judge.rates(sae, found);
  return {
    mean: rates.mean,
    letters: Object.fromEntries(rates.letters.map((row) => [row.letter, row.rate])),
    words: order.map((i) => {
      const { reason, latent, cosine, strength, lead, value } = found.labels[i];
      const id = latent < 0 ? -1 : sae.latents.id[latent];
      const numbers = [value, cosine, strength, lead].map((x) => (x === undefined || Number.isNaN(x) ? null : x));
      return [sae.text[i], Boolean(found.candidate[i]), Boolean(found.judged[i]), reason, id, ...numbers];
    }),
  };
});
console.log(JSON.stringify(said));
"""
LIMITS = {"lead": "min_lead", "cosine": "min_cosine", "share": "min_share"}


def said(subject: Subject, asked: list[tuple[str, dict[str, float]]], folder: Path) -> list[dict[str, Any]]:
    """What the page's script makes of the tables of one SAE."""
    value = as_script(sae_value(tables_of(subject)))
    return javascript.run(f"const VALUE={value};\nconst ASKED={json.dumps(asked)};\n{JUDGE}", folder)


def compare(found: dict[str, Any], table: pd.DataFrame, texts: pd.Series) -> None:
    """Label for label: reasons and latents equal, numbers equal but for their last digits."""
    mine = table.assign(text=texts.loc[table["word"]].to_numpy()).set_index("text")
    assert len(found["words"]) == len(mine)
    for text, candidate, judged, reason, latent, value, cosine, strength, lead in found["words"]:
        row: Any = mine.loc[text]
        assert (candidate, judged, reason) == (row["candidate"], row["judged"], row["reason"]), text
        assert value == pytest.approx(row["value"], abs=1e-12)
        assert latent == row["latent"]
        for number, name in ((cosine, "cosine"), (strength, "strength"), (lead, "lead")):
            expected = row[name] if row["latent"] >= 0 or name == "strength" else np.nan
            assert (np.nan if number is None else number) == pytest.approx(expected, rel=1e-9, nan_ok=True)


def settings(known: AtRandom) -> list[tuple[str, dict[str, float]]]:
    """Every definition at the thresholds of the run, and with each of them moved, also onto a value that occurs."""
    leads = known.subject().leaders["lead"]
    exact = float(leads[leads > 0.3].iloc[0])
    by_lead = [{"lead": LEADS[RELATIVE]}, {"lead": 0.2}, {"lead": 2.5, "cosine": 0.0}, {"lead": exact}]
    by_share = [{"share": 0.2}, {"share": 0.6, "cosine": 0.1}]
    jumps = [{"jump": jump} for jump in (0.01, 0.02, 0.05, 0.1)]
    asked = [(ABLATION, limits) for limits in ({}, *by_lead, *jumps, {"cosine": 0.3})]
    return asked + [
        (name, limits) for name in (FULL_ABSORPTION, FRACTION) for limits in ({}, *by_share, *jumps)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_page_judges_every_word_as_the_library_does_at_any_threshold(seed, tmp_path) -> None:
    known = at_random(seed)
    asked, texts = settings(known), known.study.words.table["word"]
    effects = known.known()
    reasons = set()
    for (definition, limits), found in zip(asked, said(known.subject(), asked, tmp_path), strict=True):
        moved = {LIMITS[name]: value for name, value in limits.items() if name in LIMITS}
        thresholds = replace(THRESHOLDS, **moved)
        table, mean = known.labels(definition, limits.get("jump", 0.03), thresholds, effects)
        compare(found, table, texts)
        assert found["mean"] == pytest.approx(mean, abs=1e-9, nan_ok=True)
        reasons |= set(table["reason"])
    assert len(reasons) >= 8  # nearly every clause is met
    assert {"", MAIN_ON, NOT_CHOSEN} <= reasons


def test_thresholds_move_the_rate(tmp_path) -> None:
    known = at_random(0)
    asked = [(ABLATION, {"lead": lead}) for lead in (0.2, 1.0, 2.5)]
    means = [found["mean"] for found in said(known.subject(), asked, tmp_path)]
    assert means[0] > means[1] > means[2]


def test_labels_made_in_few_passes_are_judged_as_they_were_and_stricter_thresholds_exactly(tmp_path) -> None:
    study, engine = mine(), planted_engine()
    evidence = study.evidence()
    limits = Thresholds(max_candidates=4, min_lead=1.5)
    leads = {ABLATION: limits.min_lead, RELATIVE: limits.relative_lead(GAIN)}
    asked: Any = {"mean_metric": GAIN}
    labels = definitions.apply_definitions(engine, evidence, limits, every_effect=False, **asked)
    letters = sorted(labels["letter"].unique())
    subject = Subject(
        study=study,
        evidence=evidence,
        letters=letters,
        rates=definitions.absorption_rates(labels, letters=letters).assign(null=np.nan),
        leaders=leaders_of_labels(labels),
        effects=pd.DataFrame({"word": [], "latent": [], "effect": []}),
        thresholds=limits,
        leads=leads,
        command="",
    )
    texts = study.words.table["word"]
    moved = [(name, {"lead": lead}) for name, lead in leads.items()] + [
        (ABLATION, {"lead": 4.0, "cosine": 0.5})
    ]
    found = said(subject, moved, tmp_path)
    for (definition, _), one in zip(moved[:2], found[:2], strict=True):
        mine_ = labels[labels["definition"] == definition].set_index("word")
        by_text = dict(zip(texts.loc[mine_.index], mine_["absorbed"], strict=True))
        assert {row[0]: row[3] == "" for row in one["words"]} == by_text
        assert sum(by_text.values()) > 5
    exact = definitions.apply_definitions(
        engine, evidence, replace(limits, min_lead=4.0, min_cosine=0.5), **asked
    )
    strict = exact[exact["definition"] == ABLATION].set_index("word")["absorbed"]
    assert {row[0]: row[3] == "" for row in found[2]["words"]} == dict(
        zip(texts.loc[strict.index], strict, strict=True)
    )
    assert REFUTED in {row[3] for row in found[0]["words"]}
