"""Chapter 5 on planted words, where absorbed, partly absorbed and disputed words are known by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.planted_model import GAIN, KINDS, planted
from tests.planted_model import planted_engine as engine
from tests.planted_study import THRESHOLDS, found, judged, mine, true_evidence, words
from tests.plots.reading import drawn_series
from tests.settings_of import settings_of

from absorption import ablation, definitions, one_sae, plots
from absorption.ablation.ranking import NO_LEAD
from absorption.chapters import absorption as chapter
from absorption.chapters.absorption.case import tell_case
from absorption.chapters.absorption.count import judged_words
from absorption.chapters.absorption.degrees import degree_table, partial_words
from absorption.chapters.absorption.disputes import disputed_words
from absorption.chapters.absorption.filters import filter_example
from absorption.chapters.absorption.panels import rates_by_jump
from absorption.chapters.absorption.probes import probe_table, rates_by_probe
from absorption.chapters.absorption.ratios import case_ratios, others_share, with_next
from absorption.chapters.absorption.selections import rates_by_selection
from absorption.chapters.absorption.tables import denominators
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.control import PATTERN_OUT
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION
from absorption.latents.main import K_SPARSE
from absorption.probes.words import PROBES

pytestmark = pytest.mark.usefixtures("own_cache")

SETTINGS = settings_of(
    AbsorptionSettings, min_lead=1.5, max_candidates=30, scale_words=60, baseline_words=3, text_tokens=0
)


def test_rates_by_selection_cover_every_selection_and_say_how_many_words_are_candidates() -> None:
    letters = words().good_letters(0.6)
    rates = rates_by_selection(mine(), THRESHOLDS, letters, mean_metric=GAIN)
    few = {one_sae.CONVERGED, one_sae.UNCONVERGED}
    assert set(rates["selection"]) == {K_SPARSE, "encoder cosine", "best F1"} | few
    assert (rates["candidates"].between(0, 1)).all()
    mean = rates[(rates["letter"] == MEAN) & (rates["definition"] == FULL_ABSORPTION)].set_index("selection")[
        "rate"
    ]
    assert mean[one_sae.UNCONVERGED] != mean[one_sae.CONVERGED]


def test_a_larger_jump_keeps_fewer_main_latents_and_calls_more_words_absorbed() -> None:
    letters = words().good_letters(0.6)
    table = rates_by_jump(engine(), mine(), THRESHOLDS, [0.03, 0.9], letters, mean_metric=GAIN)
    full = table[table["definition"] == FULL_ABSORPTION].set_index("setting")["rate"]
    assert set(table["threshold"]) == {"f1_jump"}
    assert full[0.9] >= full[0.03] > 0


def test_the_case_is_the_word_with_the_largest_lead_and_its_planted_absorber() -> None:
    words_ = judged_words(judged())
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
    control = definitions.control_table(engine(), true_evidence(), found().head(0))
    assert (len(control), definitions.control_of(control, PATTERN_OUT)) == (0, "not measured")
    assert case_ratios(found().head(0))["share"].isna().all()


def test_ratios_of_the_case_are_ratios_of_means_by_hand() -> None:
    table = pd.DataFrame(
        {
            "cosine": [0.1, 0.3], "main_cosine": [1.0, 1.0], "activation": [4.0, 6.0],
            "main_activation": [2.0, 3.0], "projection": [1.0, 1.0], "main_projection": [2.0, 2.0],
        }
    )  # fmt: skip
    shares = case_ratios(table).set_index("quantity")["share"]
    assert shares.to_dict() == pytest.approx({"cosine": 0.2, "activation": 2.0, "projection": 0.5})


def test_partial_words_are_the_planted_ones_with_their_fraction() -> None:
    partial = partial_words(true_evidence(), judged())
    kinds = planted().words.iloc[partial["word"].to_numpy()]
    assert set(kinds["kind"]) == {"partial"}
    assert (kinds["child"] >= 0).all()
    assert partial["fraction"].to_numpy() == pytest.approx(0.6, abs=0.02)
    assert partial["strength"].to_numpy() == pytest.approx(0.4, abs=0.02)


def test_the_panels_rows_are_the_rates_with_null_gate_and_stems_of_a_single_setting() -> None:
    strict = replace(THRESHOLDS, min_main_recall=0.95)  # letters with absorbed words fail the gate
    letters = words().good_letters(0.6)
    given = {"letters": letters, "stems": words().stems}
    panel = rates_by_jump(engine(), mine(), strict, [0.9], letters, mean_metric=GAIN)
    evidence = mine().evidence_under(mine().k_sparse.main_latents(0.9))
    valid = definitions.valid_letters(one_sae.gate_table(mine(), evidence.main, strict))
    assert 0 < len(valid) < len(letters)
    table = definitions.apply_definitions(engine(), evidence, strict, mean_metric=GAIN)
    null = definitions.null_of_definitions(engine(), evidence, strict, mean_metric=GAIN, per_letter=100)
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
    null = definitions.null_by_projection(true_evidence(), THRESHOLDS)
    found_ = degree_table(judged(), ["a", "t"], valid=["t"], null=null, stems=words().stems)
    table = found_.set_index("degree")
    whole = degree_table(judged(), ["a", "t"]).set_index("degree")
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
    assert table["p"].to_dict()["partial"] < 0.05
    assert np.isnan(table["p"].to_dict()["none"])


def test_degrees_count_words_within_letters_and_sum_to_one() -> None:
    fraction = judged()[judged()["definition"] == FRACTION]
    table = degree_table(judged(), ["a", "t"]).set_index("degree")
    partial = (fraction[fraction["letter"] == "t"]["value"] > 0).mean() / 2  # no word of "a" is absorbed
    assert table["share"].sum() == pytest.approx(1)
    assert table.loc["partial", "share"] == pytest.approx(partial)
    assert partial > 0


def test_disputed_words_are_the_twins_that_no_single_latent_carries() -> None:
    table = disputed_words(judged())
    kinds = planted().words.iloc[table["word"].to_numpy(dtype=int)]["kind"]
    assert set(kinds) == {"two"}
    assert set(table["absorbed_by"]) == {"full absorption"}
    assert set(table["refused_because"]) == {NO_LEAD}


def test_denominators_add_up() -> None:
    rates = definitions.absorption_rates(judged())
    table = denominators(rates).set_index("letter")
    assert table.loc["all", "n_right"] == len(words().right)
    assert table.drop(index="all")["n_right"].sum() == table.loc["all", "n_right"]
    assert (table["n_ablated"] <= table["n_candidates"]).all()


def test_rates_by_probe_have_every_probe_and_the_studys_own_probe_gives_the_studys_rates() -> None:
    letters = words().good_letters(0.6)
    valid = letters[:3]
    table = rates_by_probe(engine(), mine(), THRESHOLDS, letters, mean_metric=GAIN, valid=valid)
    assert table["probe"].drop_duplicates().tolist() == list(PROBES)
    projected = table[table["projection"] == "centred"]["definition"].unique()
    assert set(projected) == {FULL_ABSORPTION, FRACTION}
    judged_ = definitions.apply_definitions(engine(), mine().evidence(), THRESHOLDS, mean_metric=GAIN)
    null = definitions.null_of_definitions(
        engine(), mine().evidence(), THRESHOLDS, mean_metric=GAIN, per_letter=THRESHOLDS.max_candidates
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
    table = probe_table(mine(), letters).set_index("probe")
    assert table.loc["converged", "cosine"] == pytest.approx(1.0)
    assert table.loc["converged", "f1"] == 1.0
    # A letter's feature is 1 on its words, one in 26 of the training words, and 0 elsewhere.
    assert table.loc["converged", "offset"] == pytest.approx(1 / 26)
    assert table.loc["converged", "total"] == pytest.approx(1 - 1 / 26)


def test_the_next_largest_effect_counts_by_size_whatever_its_sign() -> None:
    absorbed = pd.DataFrame({"word": [4, 2], "letter": ["a", "b"], "latent": [7, 8], "effect": [-6.0, -1.2]})
    effects = pd.DataFrame(
        {
            "word": [4, 4, 4, 2, 2, 2, 9], "latent": [7, 1, 2, 8, 1, 2, 1],
            "effect": [-6.0, -0.2, 0.49, -1.2, -0.3, 0.6, -50.0],
        }
    )  # fmt: skip
    told = with_next(absorbed, effects)
    assert told["next_share"].tolist() == pytest.approx([0.49 / 6, 0.5])
    share = others_share(told)
    assert (share.value, share.low, share.high) == (0.5, 0.0, 1.0)
    alone = with_next(absorbed.iloc[:1], effects.iloc[:1])
    assert alone["next_share"].tolist() == [0.0]


def test_the_example_in_the_plane_has_the_filter_and_the_pattern_of_theory() -> None:
    example = filter_example(20_000, correlation=0.6)
    places = example.arrows[["x", "y"]].to_numpy().tolist()
    arrows = dict(zip(example.arrows["name"], places, strict=True))
    # Inverse covariance times (1, 0) is (1, -.6) up to a factor; the pattern is the shift itself.
    assert arrows["filter (weights)"] == pytest.approx([1 / 1.36**0.5, -0.6 / 1.36**0.5], abs=0.02)
    assert arrows["pattern"] == pytest.approx([1.0, 0.0], abs=0.03)
    assert arrows["difference in means"] == pytest.approx([1.0, 0.0], abs=0.03)
    assert example.cosine == pytest.approx(1 / 1.36**0.5, abs=0.02)
    assert example.left == pytest.approx(1 - 1 / 1.36, abs=0.03)
    assert example.left_pattern < 0.01


def test_the_figure_of_the_example_has_both_kinds_of_points_and_an_arrow_a_direction() -> None:
    example = filter_example(50)
    series = drawn_series(plots.filters.filter_and_pattern(example.points, example.arrows))
    assert set(series) == {*example.points["kind"], *example.arrows["name"]}
    (x, end_x), (y, end_y) = series["pattern"]
    drawn = np.array([end_x - x, end_y - y]) / plots.filters.LENGTH
    assert drawn == pytest.approx(example.arrows.set_index("name").loc["pattern"].to_numpy(dtype=float))


def test_the_basis_holds_the_settings_thresholds_and_the_planted_scale() -> None:
    basis = chapter.prepare_basis([mine()], SETTINGS)
    assert (basis.thresholds.min_lead, basis.thresholds.max_candidates) == (1.5, 30)
    assert basis.scale.value == pytest.approx(GAIN, rel=0.02)
    assert basis.lead == pytest.approx(basis.scale.value / 6)
    assert basis.letters == sorted(KINDS)
    assert set(basis.failing["letter"]) == set(basis.letters) - set(basis.valid)
    assert basis.numbers()["min_main_recall"] == basis.thresholds.min_main_recall


def test_the_chapters_steps_find_the_planted_words_and_claim_what_they_found() -> None:
    """The main latents are the planted ones, so that all 28 fully absorbed words are candidates."""
    basis = replace(chapter.prepare_basis([mine()], SETTINGS), evidence=true_evidence())
    counted = chapter.count(basis, SETTINGS)
    kinds = planted().words.iloc[counted.absorbed["word"].to_numpy()]
    held = words().right.tolist()
    full = planted().words.query("kind == 'full' and child >= 0").index
    assert sorted(counted.absorbed["word"]) == [row for row in full if row in held]
    assert set(counted.effects["word"]) >= set(counted.absorbed["word"])
    case = chapter.tell_case(mine(), counted.absorbed, counted.effects)
    claims = case.claims().set_index("part")
    assert claims.loc["others", "note"] == f"{len(kinds)} words"
    assert claims.loc["others", "value"] == 1.0
    assert claims.loc["projection", "value"] == pytest.approx(1.0, abs=0.05)
    two = chapter.two_latents(basis, counted.absorbed, SETTINGS)
    child = int(planted().words["child"].iloc[int(case.row["word"])])
    main, absorbing = planted().latent("main", case.letter), planted().latent("child", case.letter, child)
    assert two.pair == {"main": main, "absorbing": absorbing}
    assert set(two.tables()) == {"case-prompt", "case-cosines", "letter-cosines"}


def test_without_an_absorbed_word_nothing_is_written_of_two_latents() -> None:
    basis = chapter.prepare_basis([mine()], SETTINGS)
    assert chapter.two_latents(basis, found().head(0), SETTINGS).tables() == {}
    baselines = chapter.other_baseline(basis, found().head(0), SETTINGS)
    assert baselines.numbers() == {"same_strongest": "not measured, no word was absorbed"}
    control = chapter.take_the_letter_out(basis, found().head(0), SETTINGS)
    assert control.claims()["value"].isna().all()
    assert control.numbers()["control_means"] == "not measured"
