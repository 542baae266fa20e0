"""Chapter 1's findings: groups and outcomes by hand, and what the text is told."""

import pandas as pd
import pytest
from tests.planted_model import GAIN, plant

from absorption.base.statistics import Estimate
from absorption.chapters.spelling import (
    Asked,
    Patched,
    Spelled,
    Words,
    group_words,
    last_depth_that_matters,
    patch_layers,
    patch_outcomes,
)


def test_outcomes_are_shares_of_the_patched_words() -> None:
    table = pd.DataFrame(
        {
            "patch": ["another word's"] * 8 + ["mean of all words"] * 4,
            "depth": [3] * 4 + [5] * 4 + [3] * 4,
            "still_correct": [True, False, False, False, True, True, True, False, True, True, False, False],
            "says_other": [False, True, True, False] + [False] * 8,
        }
    )
    found = patch_outcomes(table).set_index(["outcome", "patch", "depth"])["value"].to_dict()
    assert found == {
        ("still right", "another word's", 3): 0.25,
        ("still right", "another word's", 5): 0.75,
        ("still right", "mean of all words", 3): 0.5,
        ("says the other word's letter", "another word's", 3): 0.5,
        ("says the other word's letter", "another word's", 5): 0.0,
    }
    outcomes = patch_outcomes(table)
    assert last_depth_that_matters(outcomes) == 3
    assert last_depth_that_matters(outcomes, share=0.8) == 5
    assert last_depth_that_matters(outcomes, share=0.2) == -1


def test_words_are_grouped_by_length_and_by_fifths_of_commonness() -> None:
    words = pd.DataFrame({"n_letters": [2, 12, 15, 3, 4] * 4, "token_id": range(100, 120)})
    grouped = group_words(words.iloc[::-1])
    assert set(grouped["length"]) == {2, 3, 4, 12}
    assert grouped["commonness"].value_counts().to_dict() == {1: 4, 2: 4, 3: 4, 4: 4, 5: 4}
    assert grouped.sort_values("token_id")["commonness"].is_monotonic_increasing


def outcomes(still_right: dict[int, float]) -> pd.DataFrame:
    rows = [("another word's", "still right", depth, value) for depth, value in still_right.items()]
    return pd.DataFrame(rows, columns=["patch", "outcome", "depth", "value"])


def test_the_depth_of_the_shipped_saes_is_marked_in_a_deep_model_and_the_last_in_a_shallow_one() -> None:
    table = outcomes({0: 0.1, 3: 0.4, 6: 0.9})
    assert (Patched(table, 30).hook_depth, Patched(table, 4).hook_depth) == (9, 4)
    assert dict(Patched(table, 30).numbers()) == {"last_depth": 3, "n_layers": 30}


def test_the_text_has_the_accuracy_with_its_interval_and_the_share_of_first_tokens() -> None:
    answers = pd.DataFrame({"top_correct": [True, False, False, True, True]})
    numbers = Asked(answers, Estimate(0.8, 0.7, 0.9), answers, answers, answers).numbers()
    assert dict(numbers) == pytest.approx(
        {"accuracy_value": 0.8, "accuracy_low": 0.7, "accuracy_high": 0.9, "accuracy_top": 0.6}
    )


def test_the_text_has_shares_of_words_and_of_letters() -> None:
    words = pd.DataFrame({"spelled": [True, False], "letters_right": [1.0, 0.5]})
    assert dict(Spelled(words, words).numbers()) == {"full_share": 0.5, "full_letters": 0.75}
    assert dict(Words(words.loc[words.index.repeat(600)], words).numbers()) == {
        "n_vocab": "1,200",
        "n_asked": "2",
    }


def test_patching_finds_where_the_planted_letter_leaves_the_word() -> None:
    """Block 1 of two copies the letter to the answer: up to depth 1 a patch decides, at depth 2 none does."""
    planted = plant()
    patched = patch_layers(planted.model, planted.words, depths=[0, 1, 2], n_words=130)
    gain = GAIN * 39 / 87
    drop = (patched["metric_clean"] - patched["metric"]).groupby([patched["patch"], patched["depth"]])
    assert (patched["metric_clean"] > 0).all()  # only words that are spelt right
    words = patched[(patched["depth"] == 0) & (patched["patch"] == "mean of all words")]
    share = words["letter"].map(words["letter"].value_counts() / len(words))
    for depth in (0, 1):
        swapped = drop.get_group(("another word's", depth))
        assert swapped.to_numpy() == pytest.approx(gain * 26 / 25, rel=0.02)
        averaged = drop.get_group(("mean of all words", depth))
        assert averaged.to_numpy() == pytest.approx((gain * (1 - share) * 26 / 25).to_numpy(), rel=0.02)
    late = patched[patched["depth"] == 2]
    assert late["metric"].to_numpy() == pytest.approx(late["metric_clean"].to_numpy(), abs=1e-4)
    assert late["still_correct"].all()
    assert not late["says_other"].any()
    assert last_depth_that_matters(patch_outcomes(patched)) == 1
