"""Chapter 14's findings on the planted SAE, whose meta-latents are known: what its text says its tables hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.composition.planted_rows import meta_of
from tests.planted_model import D_MODEL, GAIN, planted
from tests.planted_study import mine, true_evidence
from tests.settings_of import settings_of

from absorption.chapters import exercises
from absorption.chapters import meta_saes as chapter
from absorption.chapters.meta_saes import basis as basis_module
from absorption.chapters.meta_saes import matched as matched_module
from absorption.chapters.meta_saes import trained as trained_module
from absorption.chapters.meta_saes.basis import Basis
from absorption.chapters.meta_saes.trained import GAUSSIAN, META, OWN, PCA, RANDOM, MetaSet, Trained
from absorption.chapters.settings import MetaSettings
from absorption.composition.asked import ABSORBING, asked_latents, hear
from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds

LETTERS = list("mnopqrsyz")
"""Letters whose words the planted SAE absorbs, and which are counted here."""


def settings(**changed: Any) -> MetaSettings:
    return settings_of(MetaSettings, scale_words=20, ablated_latents=8, **changed)


@cache
def trained() -> Trained:
    """The planted features as meta-latents, so that every row is exactly a sum of them."""
    rows = planted().sae.decoder_directions
    meta = meta_of(torch.eye(D_MODEL), rows)
    nothing = pd.DataFrame(columns=["meta_latents", "directions", "value", "low", "high"])
    return Trained(planted().sae, rows, (MetaSet(1.0, (meta, meta), meta),), nothing, 4)


@cache
def basis() -> Basis:
    evidence, thresholds = true_evidence(), Thresholds()
    words, heard = apply_projection_rules(evidence, thresholds), hear(evidence)
    asked = asked_latents(evidence, heard, words, LETTERS)
    return Basis(trained(), mine(), evidence, thresholds, LETTERS, words, heard, asked)


@cache
def letters() -> Any:
    return chapter.look_for_letters(basis(), settings())


def test_the_text_counts_absorbing_latents_and_their_words() -> None:
    told = basis().numbers()
    absorbing = basis().asked[basis().asked["group"] == ABSORBING]
    assert told["n_absorbing"] == str(len(absorbing))
    full = basis().words[(basis().words["definition"] == FULL_ABSORPTION) & basis().words["absorbed"]]
    assert told["n_absorbing_words"] == str(full["letter"].isin(LETTERS).sum())
    assert told["n_letters"] == 9


def test_every_planted_absorber_holds_its_letter_by_direction() -> None:
    told = letters().numbers()
    assert told["by_direction_absorbing_first"] == "100% [100%, 100%]"
    claims = letters().claims().set_index("part")
    assert claims.loc["by-direction", "value"] == 1.0
    assert set(claims.index) == {
        "by-latents", "by-direction", "by-latents-above-others", "by-direction-above-others",
    }  # fmt: skip


def test_the_letters_parts_have_the_effect_of_the_planted_absorbers() -> None:
    found = chapter.remove_parts(basis(), letters(), settings())
    assert found.lead == pytest.approx(GAIN / 6, abs=0.05)
    told = found.numbers()
    assert told["by_ablation_absorbing_first"] == "100% [100%, 100%]"
    assert told["effect_letter_first"] == "100% [100%, 100%]"
    assert told["effect_left_first"] == "0% [0%, 0%]"
    assert told["n_matter_absorbing"] <= 8
    assert found.claims()["part"].tolist() == ["by-ablation"]


def test_rates_before_and_after_are_of_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    n = planted().sae.d_sae
    chosen = {
        name: [*latents, n + number] for number, (name, latents) in enumerate(true_evidence().main.items())
    }
    from absorption.chapters.meta_saes import rates

    monkeypatch.setattr(rates, "_main_anew", lambda *_given: chosen)
    found = chapter.replace_absorbing(basis(), settings())
    table = found.table.set_index(["parts", "main", "definition"])["value"]
    name = trained().first.name
    before = basis().words.query("definition == @FULL_ABSORPTION").groupby("letter")["absorbed"].mean()
    assert table[rates.BEFORE, rates.KEPT, FULL_ABSORPTION] == pytest.approx(before[LETTERS].mean())
    assert table[name, rates.KEPT, FULL_ABSORPTION] == table[rates.BEFORE, rates.KEPT, FULL_ABSORPTION]
    assert table[name, rates.ANEW, FULL_ABSORPTION] == 0
    # y and z have twins that carry half of the letter each on 4 of 20 words; only one of the two is an absorbing latent
    assert table[name, rates.ANEW, FRACTION] == pytest.approx(0.5 * 4 / 20 * 2 / 9)
    claims = found.claims().set_index("part")["value"]
    assert claims["full"] == pytest.approx(-before[LETTERS].mean())
    kept = table[name, rates.KEPT, FULL_ABSORPTION] - table[rates.RANDOM, rates.KEPT, FULL_ABSORPTION]
    assert claims["full-beyond-random-kept"] == pytest.approx(kept)
    assert found.table.query("main == 'chosen anew' and parts == @name")["letters"].tolist() == [26, 26]


def test_the_list_names_the_parts_and_the_other_latents_of_each() -> None:
    listed = chapter.list_latents(basis(), letters(), settings(shown_rows=7))
    assert len(listed.table) == 7
    first = listed.table.iloc[0]
    latent = int(first["latent"])
    mine_only = listed.table[listed.table["latent"] == latent]
    assert np.square(mine_only["weight"]).sum() == pytest.approx(1.0)
    assert first["letter"] in set(mine_only["points_to"])
    assert listed.said["n_all_absorbing"] == (basis().asked["group"] == ABSORBING).sum() > 0
    kept = listed.tables()["explorer-meta-latents"]
    assert kept.drop(columns="sae").equals(listed.table)
    assert set(kept["sae"]) == {basis().study.sae.name}


@pytest.fixture
def small() -> Any:
    """A quick training: three meta-latents a seed of the first 40 latents' rows."""
    return settings(ratios=[0.05, 0.1], n_seeds=[2, 1], steps=3, k=2)


def test_every_baseline_stands_beside_the_meta_saes(
    small: MetaSettings, monkeypatch: Any, tmp_path: Any
) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    found = chapter.train(planted().sae, small)
    n = planted().sae.d_sae
    assert [one.n_latents for one in found.sets] == [-(-n // 20), -(-n // 10)]
    assert [len(one.metas) for one in found.sets] == [2, 1]
    assert {META, GAUSSIAN, PCA, RANDOM, OWN} <= set(found.variance["directions"])
    first = found.variance[found.variance["meta_latents"] == found.first.name].set_index("directions")
    above = first.loc[META, "value"] - first.loc[RANDOM, "value"]  # type: ignore[operator]
    assert first.loc[RANDOM, "above"] == pytest.approx(above)
    claims = found.claims().set_index("part")
    assert claims.loc["above-random", "value"] == pytest.approx(above)
    assert claims["value"]["share"] == first["value"][META]
    assert found.numbers()["meta_first"].startswith(f"{first.loc[META, 'value']:.1%}")


def test_without_a_smaller_sae_the_match_is_not_measured(small: MetaSettings, monkeypatch: Any) -> None:
    monkeypatch.setattr(matched_module, "smaller_saes", lambda *_given: [])
    found = chapter.match_smaller(trained(), planted().model, small)
    assert found.table.empty
    assert found.claims()["value"].isna().all()
    assert found.numbers()["cosine_meta"] == "not measured"


def test_an_sae_is_its_own_best_match(small: MetaSettings, monkeypatch: Any) -> None:
    monkeypatch.setattr(matched_module, "smaller_saes", lambda *_given: [planted().sae])
    found = chapter.match_smaller(trained(), planted().model, small)
    own = found.table[found.table["kind"] == matched_module.OF_SAE]
    assert own["value"].tolist() == pytest.approx([1.0])
    assert own["similar"].tolist() == [1.0]


def test_what_cannot_be_trained_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_module, "train_meta", lambda *_given: pytest.fail("trained"))
    monkeypatch.setattr(basis_module.loading, "load", lambda _settings: (planted().model, planted().sae))
    n = planted().sae.d_sae
    with pytest.raises(
        ValueError, match=f"of {2 * n:,} latents is asked of SAE 'planted', which has {n:,} decoder"
    ):
        chapter.load(settings(ratios=[2.0], n_seeds=[1]))
    with pytest.raises(ValueError, match=r"^k is 4 and the meta-SAE has 2 latents"):
        chapter.load(settings(ratios=[1.5 / n], n_seeds=[1]))
    with pytest.raises(ValueError, match="n_seeds has 1 numbers and ratios has 2; allowed: one for each"):
        settings(ratios=[0.1, 0.2], n_seeds=[1])


def test_a_wrong_share_is_no_answer() -> None:
    assert exercises.check_seen(lambda c, t: c**2 * (c > t) + (1 - c**2) * ((1 - c**2) ** 0.5 > t)).right
    wrong = exercises.check_seen(lambda c, _t: 1 - c**2)
    assert not wrong.right
    assert "At a cosine of 0.5 and a threshold of 0.2 it is 1.000 of the row" in wrong.message
    assert not exercises.check_seen(None).right


def test_an_sae_that_absorbs_nothing_leaves_every_question_unmeasured() -> None:
    nothing = replace(basis(), asked=basis().asked.iloc[:0])
    assert nothing.numbers()["n_absorbing"] == "0"
    found = chapter.look_for_letters(nothing, settings())
    assert found.claims()["value"].isna().all()
    assert found.numbers()["by_direction_absorbing_first"] == "(not measured)"
    ablated = chapter.remove_parts(nothing, found, settings())
    assert ablated.claims()["value"].isna().all()
    assert ablated.numbers()["effect_letter_first"] == "(not measured)"
    assert ablated.parts.empty
    rates = chapter.replace_absorbing(nothing, settings())
    assert rates.n_replaced == 0
    assert rates.claims()["value"].tolist() == pytest.approx([0.0] * 4)
    assert chapter.list_latents(nothing, found, settings()).table.empty
