"""What chapter 5 keeps for the explorer: the page finds the chapter's own labels and rates in it."""

from __future__ import annotations

import pytest
from tests.explorer import javascript
from tests.planted_study import mine
from tests.settings_of import settings_of

from absorption.chapters import absorption as chapter
from absorption.chapters.absorption.thresholds import JUMPS
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.rates import MEAN
from absorption.explorer.script import TABLES, as_script, sae_value

pytestmark = pytest.mark.usefixtures("own_cache")

SETTINGS = settings_of(
    AbsorptionSettings, min_lead=1.5, max_candidates=3, max_candidates_others=2, scale_words=60, text_tokens=0
)
READ = """
const judge = require(SCRIPTS + "/judge.js");
const sae = judge.open(VALUE);
console.log(JSON.stringify(judge.DEFINITIONS.map((definition) => {
  const limits = { ...judge.limitsOf(sae), lead: sae.about.leads[definition] };
  const found = judge.judge(sae, definition, limits);
  const words = found.labels.map((label, i) => [sae.text[i], label.reason, Boolean(found.judged[i])]);
  return { definition, mean: judge.rates(sae, found).mean, words };
})));
"""


def test_the_page_finds_the_labels_and_rates_of_the_chapter_in_what_it_keeps(tmp_path) -> None:
    basis = chapter.prepare_basis([mine()], SETTINGS)
    counted = chapter.count(basis, SETTINGS)
    by_sae = chapter.apply_to_every_sae(basis, SETTINGS)
    tables = chapter.keep_evidence(basis, counted, by_sae, SETTINGS).tables()
    assert set(tables) == set(TABLES)
    texts = mine().words.table["word"]
    for found in javascript.run(f"const VALUE={as_script(sae_value(tables))};{READ}", tmp_path):
        rates = counted.rates[counted.rates["definition"] == found["definition"]].set_index("letter")
        assert found["mean"] == pytest.approx(rates.loc[MEAN, "rate"], abs=1e-9)
        words = counted.words[counted.words["definition"] == found["definition"]]
        said = {text: (reason, judged) for text, reason, judged in found["words"]}
        expected = zip(words["reason"], words["judged"], strict=True)
        assert said == dict(zip(texts.loc[words["word"]], expected, strict=True))
    # An F1 jump of the panel finds its candidates ablated as well.
    for jump in JUMPS:
        evidence = mine().evidence_under(mine().k_sparse.main_latents(jump))
        chosen = evidence.words.numpy()[evidence.chosen(SETTINGS.max_candidates, SETTINGS.seed)]
        assert set(chosen) <= set(tables["explorer-leaders"]["word"])
    assert tables["explorer-leaders"]["exact"].all()
    assert "-p max_candidates 3 " in tables["explorer-saes"]["command"].iloc[0]
