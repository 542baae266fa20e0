"""Whole SAEs on planted words: main latents, rates, the case, trends and tables, all known by construction."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from tests.planted_model import GAIN, KINDS, planted
from tests.planted_model import planted_engine as engine
from tests.planted_study import THRESHOLDS, found, mine, true_evidence, words

from absorption import definitions, one_sae, several_saes
from absorption.definitions.control import FILTER_OUT, RANDOM_OUT, WRONG_OUT
from absorption.latents.main import K_SPARSE, unconverged_probe
from absorption.latents.score import MeanSamples
from absorption.one_sae.study import Study, few_of

pytestmark = pytest.mark.usefixtures("own_cache")


def test_only_test_words_that_their_own_probe_gets_are_judged() -> None:
    assert words().right.tolist() == list(range(0, len(words().table), 2))
    assert words().good_letters(0.6) == sorted(KINDS)
    with pytest.raises(ValueError, match=r"best: 1\.00"):
        words().good_letters(1.0)


def test_k_sparse_main_latents_of_the_study_are_the_planted_ones_for_plain_letters() -> None:
    main, truth = mine().main[K_SPARSE], planted().main_latents()
    plain = [letter for letter, kind in KINDS.items() if kind == "none"]
    assert {letter: main[letter][0] for letter in plain} == {letter: truth[letter][0] for letter in plain}
    assert mine().violation <= 1e-3


def test_labels_of_a_study_are_those_of_all_effects() -> None:
    (item,) = several_saes.label_saes([mine()], THRESHOLDS, mean_metric=GAIN)
    whole = definitions.apply_definitions(engine(), mine().evidence(), THRESHOLDS, mean_metric=GAIN)
    names = ["definition", "word", "absorbed"]
    both = item.table[names].merge(whole[names], on=["definition", "word"], suffixes=("_label", "_whole"))
    assert len(both) == len(whole)
    assert (both["absorbed_label"] == both["absorbed_whole"]).all()
    assert both["absorbed_whole"].sum() > 10


def test_few_words_are_drawn_with_the_seed_from_the_training_words_in_order() -> None:
    rows = torch.arange(10, 40, 3)
    found = few_of(rows, 4, seed=1)
    assert len(found) == 4
    assert set(found.tolist()) < set(rows.tolist())
    assert found.tolist() == sorted(found.tolist()) == few_of(rows, 4, seed=1).tolist()
    assert few_of(rows, 99, seed=1).tolist() == rows.tolist()


def test_both_rankings_on_few_words_see_the_same_words_and_only_one_of_them_converged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def note(csr: torch.Tensor, labels: torch.Tensor, **options: Any) -> Any:
        seen.append((csr.shape[0], options["steps"]))
        return unconverged_probe(csr, labels, **options)

    monkeypatch.setattr("absorption.one_sae.study.FEW_WORDS", 300)
    monkeypatch.setattr("absorption.one_sae.study.unconverged_probe", note)
    found = mine().on_few_words()
    assert seen == [(300, 50)]
    plain = [letter for letter, kind in KINDS.items() if kind == "none"]
    truth = planted().main_latents()
    hits = {n: sum(evidence.main[a][0] == truth[a][0] for a in plain) for n, evidence in found.items()}
    assert hits[one_sae.CONVERGED] == len(plain) > hits[one_sae.UNCONVERGED]


def test_what_the_absorber_does_it_does_along_the_letter() -> None:
    """The probe here is the letter's own feature, so its weights are what the model reads."""
    table = definitions.control_table(engine(), true_evidence(), found()).set_index("taken_out")
    assert table.loc[FILTER_OUT, "share"] == pytest.approx(0, abs=0.02)
    assert table.loc[WRONG_OUT, "share"] == pytest.approx(1, abs=0.02)
    assert table.loc[RANDOM_OUT, "share"] == pytest.approx(1, abs=0.02)
    assert definitions.control_of(table.reset_index(), FILTER_OUT).startswith(("0.0", "-0.0"))


def test_thinning_keeps_ends_and_order() -> None:
    assert one_sae.thin(torch.arange(10), 3).tolist() == [0, 4, 9]
    assert one_sae.thin(torch.arange(3), 5).tolist() == [0, 1, 2]


def fake(name: str, width: int, l0: float) -> Study:
    return cast(Study, SimpleNamespace(sae=SimpleNamespace(name=name, d_sae=width), l0_text=l0))


def samples(**values: float) -> dict[str, MeanSamples]:
    return {
        name: MeanSamples(name, {"rate": value}, {"rate": np.array([value - 0.1, value + 0.1])})
        for name, value in values.items()
    }


def test_the_slope_is_per_doubling_over_the_commonest_width() -> None:
    saes = [fake("a", 64, 16), fake("b", 64, 32), fake("c", 64, 64), fake("d", 128, 32)]
    found = several_saes.slope(saes, samples(a=0.4, b=0.3, c=0.2, d=9.0), "rate")
    assert found.value == pytest.approx(-0.1)
    assert [s.sae.name for s in several_saes.at_one_width(saes)] == ["a", "b", "c"]


def test_widths_are_compared_at_the_same_l0_only() -> None:
    saes = [fake("a", 64, 16), fake("b", 64, 32), fake("c", 1024, 90), fake("d", 128, 33)]
    pair = several_saes.widest_pair(saes)
    assert pair is not None
    assert [s.sae.name for s in pair] == ["b", "d"]
    change = several_saes.difference(samples(a=1.0, b=0.3, c=1.0, d=0.5), pair, "rate")
    assert (change.value, change.low, change.high) == pytest.approx((0.2, 0.2, 0.2))
    assert several_saes.widest_pair(saes[:1]) is None


def test_an_sae_without_a_measured_l0_has_no_part_in_trends() -> None:
    saes: list[Any] = [fake("a", 64, float("nan")), fake("b", 64, 32)]
    assert [s.sae.name for s in several_saes.at_one_width(saes)] == ["b"]
    assert np.isnan(several_saes.slope(saes, samples(a=1.0, b=2.0), "rate").value)
