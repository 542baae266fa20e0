"""The checks of the exercises that ask for a prediction refuse the guess that suggests itself, and say why."""

from __future__ import annotations

import math

import numpy as np
import pytest

from absorption.chapters import letter_predictions as letters
from absorption.chapters import toy_predictions as toys
from absorption.chapters.exercises import NOT_ANSWERED, Feedback


def refused(feedback: Feedback, because: str) -> None:
    assert not feedback.right
    assert because in feedback.message


def test_a_right_answer_or_a_small_metric_is_no_confident_mistake() -> None:
    refused(letters.check_confident_and_wrong([0] * 18 + [7] + [0] * 7), "Another letter must be on top")
    refused(letters.check_confident_and_wrong([0] * 18 + [4, 5] + [0] * 6), "metric of S is 3.80")
    refused(letters.check_confident_and_wrong([1, 2]), "you give 2 logits")
    assert letters.check_confident_and_wrong([20] + [0] * 17 + [19] + [0] * 7).right  # metric 19 - 20 / 25


def test_a_balanced_probes_own_chance_is_not_that_of_a_rare_letter() -> None:
    refused(letters.check_share_of_words(lambda z, s: 1 / (1 + math.exp(-z))), "share of 0.002")
    refused(letters.check_share_of_words(lambda z, s: s / (1 + math.exp(-z))), "share of 0.5")


def test_recalls_neither_add_up_past_one_nor_stay_the_larger() -> None:
    def f1(recall: float) -> float:
        return 2 * recall / (1 + recall)

    refused(letters.check_either_on(lambda r, s: (f1(max(r, s)), f1(r + s))), "0.6 and 0.7")
    refused(letters.check_either_on(lambda r, s: (f1(max(r, s)), f1(max(r, s)))), "0.3 and 0.5")
    refused(letters.check_either_on(lambda r, s: (max(r, s), min(1, r + s))), "Which words")


def test_a_split_that_hides_rises_first_too_little_and_only_then_enough() -> None:
    refused(letters.check_hidden_split([0.5, 0.6, 0.7, 0.9]), "counts 4, one of 0.01 counts 4")
    refused(letters.check_hidden_split([0.5, 0.505, 0.7, 0.9]), "one of 0.01 counts 1")
    refused(letters.check_hidden_split([0.5, 0.52, 0.5, 0.9]), "four numbers from 0 to 1 that do not fall")
    assert letters.check_hidden_split([0.1, 0.12, 0.15, 0.18]).right


def test_one_carrier_and_carriers_too_weak_for_either_rule_are_refused() -> None:
    refused(letters.check_two_carriers([(0.9, 0.2, -3.0), (0.1, 0.2, -0.2)]), "says absorbed too")
    refused(letters.check_two_carriers([(0.3, 0.2, -3.0), (0.3, 0.2, -2.9)]), "too small a share")
    refused(letters.check_two_carriers([(0.5, 0.2, -0.5)]), "largest effect is -0.5")
    refused(letters.check_two_carriers([(0.5, 0.2, -3.0), (0.6, -0.1, -2.9)]), "above 0")


def test_the_filter_is_not_the_pattern() -> None:
    refused(letters.check_filter_and_pattern([1, 0], [1, 0]), "What does x2 know?")
    refused(letters.check_filter_and_pattern([1, -1], [1, -1]), "Which of the two changes with y?")
    assert letters.check_filter_and_pattern([1, -1], [0.3, 0]).right  # a direction, whatever its length


def test_two_standard_deviations_are_not_enough_for_a_few_seeds() -> None:
    refused(
        letters.check_least_difference(lambda rates: 1.96 * 2**0.5 * float(np.std(rates, ddof=1))),
        "with 3 seeds",
    )
    refused(letters.check_least_difference(lambda rates: max(rates) - min(rates)), "4.30 times")


def test_the_number_of_features_is_not_the_number_that_fire() -> None:
    refused(toys.check_least_k(2.14, 2.14 - 0.6), "With absorption the world's samples need 1.90")
    refused(toys.check_least_k(2.14 - 0.24, 1.9), "With a latent a feature")


def test_one_over_the_threshold_is_close_and_not_it() -> None:
    refused(toys.check_lost_strength(lambda c: 1 / c), "is 0.100, not 0.1")
    refused(toys.check_lost_strength(lambda c: -1.0), "strength of -1.000")


def test_a_pair_that_absorbs_or_writes_something_else_is_no_split() -> None:
    both = [[1, 0], [1, 1]]
    refused(toys.check_split_pair([[1, 0.5, 0], [0, -0.5, 0.5]], both), "One latent must be on")
    refused(toys.check_split_pair([[1, 0, 0], [1, 0, 0.5]], [[1, 0], [0, 1]]), "wrong by up to 0.50")
    refused(toys.check_split_pair([[1, 0]], [[1]]), "shapes (2, 3) and (2, 2)")
    right = toys.check_split_pair([[2, 1, 0], [0.5, 0, 0.25]], [[0.5, 0], [0, 2]])
    assert right.right
    assert "is 0.80" in right.message  # 1 / 1.25, whatever the rows' lengths


def test_one_carrier_below_the_line_leaves_too_much_missing() -> None:
    c = 0.65
    refused(toys.check_several_carriers([[c, (1 - c**2) ** 0.5]], [c]), "changes the error by -0.1")
    refused(toys.check_several_carriers([[1.0, 0.0]], [1.0]), "cosine of 1.00")
    refused(toys.check_several_carriers([[0.5, 0.5]], [1.0]), "unit norm")
    refused(toys.check_several_carriers([[0.5, 0.75**0.5], [0.5, -(0.75**0.5)]], [0.1, 0.1]), "Let several")


def test_the_same_coordinates_for_all_rows_hold_less() -> None:
    refused(toys.check_largest_coordinates(lambda rows, k: k / rows.shape[1]), "you give 0.0500")
    refused(
        toys.check_largest_coordinates(lambda rows, k: float((rows[:, :k] ** 2).sum() / (rows**2).sum())),
        "20 dim",
    )


@pytest.mark.parametrize("module", [letters, toys])
def test_nothing_answered_is_said_as_such(module: object) -> None:
    checks = {name: getattr(module, name) for name in dir(module) if name.startswith("check_")}
    assert len(checks) == (7 if module is letters else 5)
    two = {"check_filter_and_pattern", "check_least_k", "check_split_pair", "check_several_carriers"}
    for name, check in checks.items():
        assert check(*([None] * (2 if name in two else 1))) == NOT_ANSWERED
