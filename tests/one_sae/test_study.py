"""Whole SAEs on planted words: main latents, rates, the case, trends and tables, all known by construction."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import GAIN, KINDS, planted
from tests.planted_model import planted_engine as engine

from absorption import ablation, definitions, one_sae, several_saes
from absorption.ablation.ranking import NO_LEAD
from absorption.chapters.absorption.case import tell_case
from absorption.definitions.control import FILTER_OUT, PATTERN_OUT, RANDOM_OUT, WRONG_OUT
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FRACTION, FULL, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.latents.main import K_SPARSE, unconverged_probe
from absorption.latents.score import MeanSamples
from absorption.one_sae.study import Study, few_of
from absorption.one_sae.words import StudyWords
from absorption.probes.fit import ProbeSet
from absorption.probes.words import PROBES, ProbedWords

pytestmark = pytest.mark.usefixtures("own_cache")

THRESHOLDS = Thresholds(max_candidates=100)


@cache
def words() -> StudyWords:
    """Every second word is a test word; the probes are the letters' own features, cut at one half."""
    truth = planted()
    split = np.where(np.arange(len(truth.words)) % 2 == 0, "test", "train")
    probes = ProbeSet(weights=truth.directions, biases=torch.full((26,), -0.5))
    return StudyWords(
        truth.model,
        truth.prompts,
        ProbedWords(truth.words.assign(split=split), truth.features, probes),
        seed=0,
    )


@cache
def mine() -> Study:
    return one_sae.study_saes(words(), [planted().sae])[0]


@cache
def true_subject() -> definitions.Subject:
    return mine().subject_of(planted().main_latents())


@cache
def judged() -> pd.DataFrame:
    return definitions.judge(engine(), true_subject(), THRESHOLDS, mean_metric=GAIN)


@cache
def found() -> pd.DataFrame:
    return definitions.absorbed_words(engine(), true_subject(), judged(), RELATIVE)


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
    (item,) = several_saes.judge_saes([mine()], THRESHOLDS, mean_metric=GAIN)
    whole = definitions.judge(engine(), mine().subject(), THRESHOLDS, mean_metric=GAIN)
    names = ["definition", "word", "absorbed"]
    both = item.table[names].merge(whole[names], on=["definition", "word"], suffixes=("_label", "_whole"))
    assert len(both) == len(whole)
    assert (both["absorbed_label"] == both["absorbed_whole"]).all()
    assert both["absorbed_whole"].sum() > 10


def test_rates_by_selection_cover_every_selection_and_say_how_many_words_are_candidates() -> None:
    letters = words().good_letters(0.6)
    rates = several_saes.rates_by_selection(mine(), THRESHOLDS, letters, mean_metric=GAIN)
    few = {one_sae.CONVERGED, one_sae.UNCONVERGED}
    assert set(rates["selection"]) == {K_SPARSE, "encoder cosine", "best F1"} | few
    assert (rates["candidates"].between(0, 1)).all()
    mean = rates[(rates["letter"] == MEAN) & (rates["definition"] == FULL)].set_index("selection")["rate"]
    assert mean[one_sae.UNCONVERGED] != mean[one_sae.CONVERGED]


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
    hits = {n: sum(subject.main[a][0] == truth[a][0] for a in plain) for n, subject in found.items()}
    assert hits[one_sae.CONVERGED] == len(plain) > hits[one_sae.UNCONVERGED]


def test_a_larger_jump_keeps_fewer_main_latents_and_calls_more_words_absorbed() -> None:
    letters = words().good_letters(0.6)
    table = several_saes.rates_by_jump(engine(), mine(), THRESHOLDS, [0.03, 0.9], letters, mean_metric=GAIN)
    full = table[table["definition"] == FULL].set_index("setting")["rate"]
    assert set(table["threshold"]) == {"f1_jump"}
    assert full[0.9] >= full[0.03] > 0


def test_the_case_is_the_word_with_the_largest_lead_and_its_planted_absorber() -> None:
    words_ = definitions.judged_words(judged())
    effects = ablation.stored_effects(engine(), mine().acts.csr, words_, progress=False)
    case = tell_case(mine(), found(), effects)
    row = planted().words.iloc[int(case.row["word"])]
    assert case.word == row["word"]
    assert KINDS[case.letter] == "full"
    assert int(case.row["latent"]) == planted().latent("child", case.letter, int(row["child"]))
    assert case.bars["effect"].iloc[0] == pytest.approx(-GAIN, abs=0.1)
    assert case.bars["latent"].iloc[0] == case.row["latent"]
    assert case.next_share < 0.05


def test_without_an_absorbed_word_there_is_an_empty_case() -> None:
    case = tell_case(mine(), found().head(0), pd.DataFrame(columns=["word", "effect"]))
    assert (case.word, len(case.bars), int(case.row["latent"])) == ("none", 0, -1)
    control = definitions.control_table(engine(), true_subject(), found().head(0))
    assert (len(control), definitions.control_of(control, PATTERN_OUT)) == (0, "not measured")
    assert definitions.case_ratios(found().head(0))["share"].isna().all()


def test_what_the_absorber_does_it_does_along_the_letter() -> None:
    """This subject's probe is the letter's own feature, so its weights are what the model reads."""
    table = definitions.control_table(engine(), true_subject(), found()).set_index("taken_out")
    assert table.loc[FILTER_OUT, "share"] == pytest.approx(0, abs=0.02)
    assert table.loc[WRONG_OUT, "share"] == pytest.approx(1, abs=0.02)
    assert table.loc[RANDOM_OUT, "share"] == pytest.approx(1, abs=0.02)
    assert definitions.control_of(table.reset_index(), FILTER_OUT).startswith(("0.0", "-0.0"))


def test_ratios_of_the_case_are_ratios_of_means_by_hand() -> None:
    table = pd.DataFrame(
        {
            "cosine": [0.1, 0.3], "main_cosine": [1.0, 1.0], "activation": [4.0, 6.0],
            "main_activation": [2.0, 3.0], "projection": [1.0, 1.0], "main_projection": [2.0, 2.0],
        }
    )  # fmt: skip
    shares = definitions.case_ratios(table).set_index("quantity")["share"]
    assert shares.to_dict() == pytest.approx({"cosine": 0.2, "activation": 2.0, "projection": 0.5})


def test_partial_words_are_the_planted_ones_with_their_fraction() -> None:
    partial = definitions.partial_words(true_subject(), judged())
    kinds = planted().words.iloc[partial["word"].to_numpy()]
    assert set(kinds["kind"]) == {"partial"}
    assert (kinds["child"] >= 0).all()
    assert partial["fraction"].to_numpy() == pytest.approx(0.6, abs=0.02)
    assert partial["strength"].to_numpy() == pytest.approx(0.4, abs=0.02)


def test_the_panels_rows_are_the_rates_with_null_gate_and_stems_of_a_single_setting() -> None:
    strict = replace(THRESHOLDS, min_main_recall=0.95)  # letters with absorbed words fail the gate
    letters = words().good_letters(0.6)
    given = {"letters": letters, "stems": words().stems}
    panel = several_saes.rates_by_jump(engine(), mine(), strict, [0.9], letters, mean_metric=GAIN)
    subject = mine().subject_of(mine().k_sparse.main_latents(0.9))
    valid = definitions.valid_letters(one_sae.gate_table(mine(), subject.main, strict))
    assert 0 < len(valid) < len(letters)
    table = definitions.judge(engine(), subject, strict, mean_metric=GAIN)
    null = definitions.judge_null(engine(), subject, strict, mean_metric=GAIN, per_letter=100)
    wanted = definitions.absorption_rates(table, valid=valid, null=null, n_resamples=400, **given)
    names = [
        "definition",
        "rate",
        "low",
        "high",
        "null",
        "null_low",
        "null_high",
        "p",
        "all_letters",
        "valid",
    ]
    rows = wanted.loc[wanted["letter"] == MEAN, names].reset_index(drop=True)
    assert rows["null"].notna().all()
    pd.testing.assert_frame_equal(panel[names], rows, check_exact=True)


def test_degrees_over_letters_that_pass_stand_beside_their_null_and_the_ungated_share() -> None:
    null = definitions.null_by_projection(true_subject(), THRESHOLDS)
    found_ = definitions.degree_table(judged(), ["a", "t"], valid=["t"], null=null, stems=words().stems)
    table = found_.set_index("degree")
    whole = definitions.degree_table(judged(), ["a", "t"]).set_index("degree")
    assert whole["null"].isna().all()
    assert table["all_letters"].tolist() == whole["share"].tolist()
    fraction = judged()[judged()["definition"] == FRACTION].reset_index(drop=True)
    mine_ = (fraction["letter"] == "t").to_numpy()
    assert table.loc["partial", "share"] == pytest.approx((fraction["value"][mine_] > 0).mean())
    assert table.loc["partial", "n_words"] == (fraction["value"][mine_] > 0).sum()
    draws = np.concatenate([drawn[:, mine_] for drawn in null.values[FRACTION].values()])
    partial_ = ((draws > 0) & (draws < 1)).mean()
    assert table.loc["partial", "null"] == pytest.approx(partial_)
    assert table["null"].sum() == pytest.approx(1)
    assert table.loc["partial", "p"] < 0.05
    assert np.isnan(table.loc["none", "p"])


def test_degrees_count_words_within_letters_and_sum_to_one() -> None:
    fraction = judged()[judged()["definition"] == FRACTION]
    table = definitions.degree_table(judged(), ["a", "t"]).set_index("degree")
    partial = (fraction[fraction["letter"] == "t"]["value"] > 0).mean() / 2  # no word of "a" is absorbed
    assert table["share"].sum() == pytest.approx(1)
    assert table.loc["partial", "share"] == pytest.approx(partial)
    assert partial > 0


def test_disputed_words_are_the_twins_that_no_single_latent_carries() -> None:
    table = definitions.disputed_words(judged())
    kinds = planted().words.iloc[table["word"].to_numpy(dtype=int)]["kind"]
    assert set(kinds) == {"two"}
    assert set(table["absorbed_by"]) == {"full absorption"}
    assert set(table["refused_because"]) == {NO_LEAD}


def test_denominators_add_up() -> None:
    rates = definitions.absorption_rates(judged())
    table = definitions.denominators(rates).set_index("letter")
    assert table.loc["all", "n_right"] == len(words().right)
    assert table.drop(index="all")["n_right"].sum() == table.loc["all", "n_right"]
    assert (table["n_ablated"] <= table["n_candidates"]).all()


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


def test_rates_by_probe_have_every_probe_and_the_studys_own_probe_gives_the_studys_rates() -> None:
    letters = words().good_letters(0.6)
    valid = letters[:3]
    table = one_sae.rates_by_probe(engine(), mine(), THRESHOLDS, letters, mean_metric=GAIN, valid=valid)
    assert table["probe"].drop_duplicates().tolist() == list(PROBES)
    projected = table[table["projection"] == "centred"]["definition"].unique()
    assert set(projected) == {FULL, FRACTION}
    judged_ = definitions.judge(engine(), mine().subject(), THRESHOLDS, mean_metric=GAIN)
    null = definitions.judge_null(
        engine(), mine().subject(), THRESHOLDS, mean_metric=GAIN, per_letter=THRESHOLDS.max_candidates
    )
    wanted = definitions.absorption_rates(
        judged_, letters=letters, valid=valid, null=null, stems=words().stems
    )
    assert wanted["null"].notna().all()
    assert table.loc[table["letter"] == "mean", "null"].notna().all()
    found_ = table[(table["probe"] == "converged") & (table["projection"] == "raw")]
    pd.testing.assert_frame_equal(
        found_[wanted.columns].reset_index(drop=True), wanted.reset_index(drop=True), check_exact=True
    )


def test_the_probe_table_has_the_offset_and_the_total_of_the_planted_words() -> None:
    letters = words().good_letters(0.6)
    table = one_sae.probe_table(mine(), letters).set_index("probe")
    assert table.loc["converged", "cosine"] == pytest.approx(1.0)
    assert table.loc["converged", "f1"] == 1.0
    # A letter's feature is 1 on its words, one in 26 of the training words, and 0 elsewhere.
    assert table.loc["converged", "offset"] == pytest.approx(1 / 26)
    assert table.loc["converged", "total"] == pytest.approx(1 - 1 / 26)
