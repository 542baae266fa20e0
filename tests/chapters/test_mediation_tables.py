"""Chapter 6's tables: estimates beside exact effects, and published edits through several SAEs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.mediation.planted_letters import found, of_kind, probed
from tests.planted_model import planted
from tests.planted_model import planted_engine as engine
from tests.planted_model import planted_evidence as evidence
from tests.plots.reading import drawn_series

from absorption import plots
from absorption.ablation.effects import all_effects
from absorption.ablation.engine import AblationEngine
from absorption.ablation.gradients import integrated_gradients
from absorption.chapters.mediation.edit_tables import (
    best_sparsity,
    edited_by_letter,
    follows_f1,
    rate_texts,
    set_by_sae,
    set_rates,
)
from absorption.chapters.mediation.estimates import compare_estimates
from absorption.definitions.apply import apply_ablation_rule
from absorption.definitions.thresholds import Thresholds
from absorption.mediation.setting import STRENGTHS, set_letters, words_a_letter
from absorption.one_sae.words import StudyWords


def effect_rows(effects: list[float], word: int = 1) -> pd.DataFrame:
    n = len(effects)
    return pd.DataFrame(
        {"word": word, "letter": "a", "latent": range(n), "activation": 1.0, "metric": 5.0, "effect": effects}
    )


def test_estimates_are_compared_by_rank_sign_top_and_size() -> None:
    exact, guess = effect_rows([-4.0, -1.0, 1.0, 0.01]), effect_rows([-2.0, 1.0, 3.0, -0.01])
    row = compare_estimates(exact, guess).iloc[0]
    # Ranks 1 2 4 3 against 1 3 4 2.
    assert row["rank_agreement"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    # Of the three effects above 5% of the strongest, one has the wrong sign.
    assert row["sign_errors"] == pytest.approx(1 / 3)
    assert not row["same_top"]
    assert row["error"] == pytest.approx(np.sqrt((4 + 4 + 4 + 0.0004) / (16 + 1 + 1 + 0.0001)))
    assert (row["top_exact"], row["top_estimated"]) == (-4.0, 3.0)
    with pytest.raises(ValueError, match="different words or latents"):
        compare_estimates(exact, guess.iloc[1:])


def test_gradients_find_the_absorber_of_the_planted_model() -> None:
    """The planted model is close to linear, where estimates are as good as the real thing."""
    words = of_kind("full", child=True)
    exact = all_effects(engine(), planted().csr, words, progress=False)
    guess = integrated_gradients(engine(), planted().csr, words)
    table = compare_estimates(exact, guess)
    assert table["same_top"].all()
    assert table["error"].max() < 0.1
    for effects in (exact, guess):
        labels = apply_ablation_rule(evidence(), effects, Thresholds(), 1.0)
        assert labels.loc[labels["judged"], "absorbed"].tolist() == [True] * len(words)


def test_edits_by_sae_are_means_of_the_words_with_intervals() -> None:
    words = StudyWords(planted().model, planted().prompts, probed(), 0)
    chosen = words_a_letter(words.right, words.letters, 2, 0)
    table = set_by_sae(words, [planted().sae], chosen, strengths=(1.0,))
    alone = set_letters(
        AblationEngine(words.model, planted().sae, words.prompts), found(), chosen, strengths=(1.0,)
    )
    assert table["edited"].tolist() == alone["edited"].tolist()
    rates = set_rates(table).set_index("quantity")
    assert rates.loc["edited", "value"] == pytest.approx(table["edited"].mean())
    low, value, high = rates[["low", "value", "high"]].loc["p_own"].to_numpy(dtype=float).tolist()
    assert low < value < high
    assert rates["words"].tolist() == [len(chosen)] * 4
    assert rates["l0_text"].isna().all()


def cells(edited: list[float]) -> pd.DataFrame:
    """Two SAEs and four letters: F1 .1 to .8, with shares edited given in that order."""
    f1 = np.arange(1, 9) / 10
    return pd.DataFrame(
        {"sae": list("xy") * 4, "new": list("aabbccdd"), "f1": f1, "edited": edited, "words": 1}
    )


def test_edits_that_follow_f1_have_rank_correlation_one_and_those_against_it_minus_one() -> None:
    rising = follows_f1(cells([0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.9]))
    assert (rising.value, rising.low, rising.high) == pytest.approx((1, 1, 1))
    assert follows_f1(cells([0.9, 0.8, 0.6, 0.5, 0.3, 0.2, 0.1, 0.0])).high == pytest.approx(-1)
    mixed = follows_f1(cells([0.2, 0.9, 0.1, 0.8, 0.3, 0.7, 0.0, 0.6]))
    assert mixed.low < 0 < mixed.high
    assert np.isnan(follows_f1(cells([0.5] * 8).iloc[:2]).value)


def test_shares_by_letter_are_of_the_letter_put_in() -> None:
    table = pd.DataFrame(
        {
            "sae": "x", "letter": list("abab"), "new": list("ccdd"), "strength": [1.0, 1.0, 1.0, 3.0],
            "edited": [True, False, True, False], "f1_new": [0.4, 0.4, 0.6, 0.6], "word": range(4),
        }
    )  # fmt: skip
    rows = edited_by_letter(table, 1.0).set_index("new")
    assert rows["edited"].to_dict() == {"c": 0.5, "d": 1.0}
    assert rows["f1"].to_dict() == {"c": 0.4, "d": 0.6}


def edits_at(shares: dict[float, int]) -> pd.DataFrame:
    """100 words an SAE, of which so many are edited; SAEs by L0."""
    tables = [
        pd.DataFrame({"sae": f"l{l0}", "d_sae": 64, "l0_text": l0, "strength": 1.0, "word": range(100),
                      "edited": np.arange(100) < n})
        for l0, n in shares.items()
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_the_best_sparsity_lies_between_the_neighbours_of_the_best_tried() -> None:
    found = best_sparsity(edits_at({10.0: 10, 20.0: 90, 40.0: 30}), 100)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.1, 0.4))
    edge = best_sparsity(edits_at({10.0: 90, 20.0: 50, 40.0: 30}), 100)
    assert (edge.value, edge.low, edge.high) == pytest.approx((0.1, 0.0, 0.2))
    top = best_sparsity(edits_at({10.0: 10, 20.0: 50, 40.0: 90}), 100)
    assert (top.value, top.low, top.high) == pytest.approx((0.4, 0.2, 1.0))
    assert np.isnan(best_sparsity(edits_at({10.0: 10}), 100).value)


def test_the_figures_show_every_sae_strength_and_letter() -> None:
    words = StudyWords(planted().model, planted().prompts, probed(), 0)
    chosen = words_a_letter(words.right, words.letters, 1, 0)
    table = set_by_sae(words, [planted().sae], chosen)
    rates = set_rates(table)
    drawn = drawn_series(plots.mediation.set_edits(rates))
    assert len(drawn) == 3 * len(STRENGTHS)
    shown = {name: values[0] for name, (values, _) in drawn.items()}
    wanted = rates[(rates["quantity"] == "p_new") & (rates["strength"] == 3)]["value"].iloc[0]
    assert shown["P(new letter), 3 times the mean"] == pytest.approx(wanted)
    points = drawn_series(plots.mediation.edited_by_f1(edited_by_letter(table, 1.0)))
    assert sum(len(f1) for f1, _ in points.values()) == table["new"].nunique()
    texts = rate_texts(rates)
    assert texts["strength"].tolist() == [1.0, 3.0]
    assert texts["p_new"].iloc[1].startswith(f"{wanted:.2f} [")
