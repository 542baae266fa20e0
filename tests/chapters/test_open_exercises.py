"""The open exercises: choices with the asked property are right, near misses and unknown names are not, and say why."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from absorption.chapters import exercises, family_choices, letter_choices, stored_choices, toy_choices
from absorption.chapters.exercises import NOT_ANSWERED, PREDICT_FIRST, Feedback
from absorption.definitions.thresholds import Thresholds
from absorption.several_saes.stored_numbers import members

MODULES = (family_choices, letter_choices, stored_choices, toy_choices)
BASE = family_choices.CHAPTERS_SAE
OPEN = {
    name: getattr(module, name)
    for module in MODULES
    for name in dir(module)
    if name.startswith("check_") and name != "check_random_cosine"
}


def refused(feedback: Feedback, because: str) -> None:
    assert not feedback.right
    assert because in feedback.message


def right(feedback: Feedback, because: str = "") -> None:
    assert feedback.right, feedback.message
    assert because in feedback.message


@pytest.mark.parametrize("check", OPEN.values(), ids=OPEN)
def test_no_choice_is_no_answer_and_no_prediction_is_asked_for_before_anything_is_told(
    check: Callable[..., Feedback],
) -> None:
    n = check.__wrapped__.__code__.co_argcount
    if n == 0:  # refuses unknown names around the check itself
        n = check.__wrapped__.__wrapped__.__code__.co_argcount
    assert check(*([None] * n)) == NOT_ANSWERED
    assert check(*([BASE] * (n - 1)), None) == PREDICT_FIRST


def test_there_is_one_more_check_in_each_chapter_and_two_in_those_that_had_one() -> None:
    assert len(OPEN) == 19  # and the function of chapter 16


def test_feedback_reads_as_a_sentence_where_no_markdown_is_shown() -> None:
    assert repr(Feedback(False, "Count again.")) == "Not yet. Count again."
    assert repr(Feedback(True, "So it is.")) == "Right. So it is."


def test_a_prediction_is_told_and_never_makes_an_answer_wrong() -> None:
    for guess in (-5.0, 0.3):
        verdict = exercises.beside_guess(True, "So.", "Share", 0.25, guess)
        assert verdict == Feedback(True, f"So. Share: 0.250; you predicted {guess:.3g}.")


@pytest.mark.parametrize(
    "check",
    [
        family_choices.check_more_found, family_choices.check_more_splits,
        family_choices.check_lower_by_candidates, family_choices.check_spread_out,
    ],
)  # fmt: skip
def test_the_books_own_sae_and_an_unknown_one_are_no_choice(check: Callable[..., Feedback]) -> None:
    assert not check(BASE, 0.1).right
    refused(check("topk-9-l0-12-layer-6", 0.1), "No SAE 'topk-9-l0-12-layer-6'; allowed: topk-512-")


def test_an_sae_that_finds_less_is_refused_and_one_that_finds_more_at_a_lower_f1_is_not() -> None:
    refused(family_choices.check_more_found("topk-8192-l0-6-layer-6", 0.4), "recall changes by -")
    for sae in family_choices.family().saes:
        numbers = family_choices.family().numbers.set_index(["sae", "quantity"])["value"]
        recall, f1 = (
            numbers[sae, f"{metric}, encoder cosine"] - numbers[BASE, f"{metric}, encoder cosine"]
            for metric in ("recall", "f1")
        )
        assert family_choices.check_more_found(sae, 0.5).right == (recall > 0 and f1 < 0)


def test_splits_count_only_with_fewer_latents() -> None:
    refused(family_choices.check_more_splits("topk-8192-l0-6-layer-6", 0.1), "no fewer latents, and +")
    refused(family_choices.check_more_splits("topk-1024-l0-12-layer-6", 0.1), "It has fewer latents, and -")
    right(family_choices.check_more_splits("topk-4096-l0-6-layer-6", 0.1), "you predicted 0.1")


def test_a_lower_rate_with_a_smaller_share_absorbed_is_refused() -> None:
    refused(family_choices.check_lower_by_candidates("topk-8192-l0-96-layer-6", 0.1), "among them by -")
    right(family_choices.check_lower_by_candidates("matryoshka-8192-l0-12-layer-6", 0.1))
    refused(
        family_choices.check_lower_by_candidates("topk-8192-l0-12-layer-6-seed-2", 0.1), "no stored shares"
    )


def test_a_share_that_falls_with_all_latents_is_not_spread_out() -> None:
    refused(family_choices.check_spread_out("topk-4096-l0-6-layer-6", 0.5), "all latents carry -")
    right(family_choices.check_spread_out("topk-4096-l0-96-layer-6", 0.5))


def test_two_settings_or_a_seed_alone_are_not_one_setting() -> None:
    check = family_choices.check_one_setting
    refused(check(BASE, "topk-4096-l0-6-layer-6", 0.0), "differ in d_sae and k")
    refused(check(BASE, f"{BASE}-seed-1", 0.0), "differ in no setting")
    refused(check(BASE, "batchtopk-8192-l0-12-layer-6", 0.0), "With another architecture")
    right(check("topk-8192-l0-6-layer-6", BASE, 0.0), "With another k full absorption changes by -")
    assert set(family_choices.SETTINGS) < set(members(family_choices.family()).columns)


def test_blind_chances_have_to_be_chances_and_to_favour_frequent_letters() -> None:
    shares = letter_choices.letter_shares()
    assert (len(shares), round(float(shares.sum()), 9)) == (26, 1)
    refused(letter_choices.check_blind([1 / 26] * 26, 0.04), "right on 0.038")
    refused(letter_choices.check_blind([1, 1], 0.04), "you give 2, sum 2.000")
    most = [float(letter == shares.argmax()) for letter in range(26)]
    right(letter_choices.check_blind(most, 0.1), "accuracy: 0.038; you predicted 0.1")
    mixed = [0.95 * one + 0.05 / 26 for one in most]
    right(letter_choices.check_blind(mixed, 0.04), f"right on {float(np.dot(mixed, shares)):.3f}")


def test_a_level_too_low_lacks_precision_and_one_too_high_recall() -> None:
    precision, recall = letter_choices.rare_scores(3.0)
    assert recall == pytest.approx(0.5)
    # Four standard deviations above the others' mean: a share of 3.17e-5 of them says yes.
    assert precision == pytest.approx(0.002 * 0.5 / (0.002 * 0.5 + 0.998 * 3.167e-5), rel=1e-3)
    refused(letter_choices.check_level_for_rare(0.0, 0.5), "precision is 0.079")
    refused(letter_choices.check_level_for_rare(3.2, 0.5), "recall 0.447")
    right(letter_choices.check_level_for_rare(2.95, 0.5))


def test_the_published_line_does_not_halve_the_latents() -> None:
    small, large = "topk-512-l0-12-layer-6", "topk-1024-l0-12-layer-6"
    refused(letter_choices.check_half_novel(small, large, 0.7, 0.5), "Below a cosine of 0.7")
    refused(letter_choices.check_half_novel(large, small, 0.55, 0.5), "the smaller one first")
    refused(letter_choices.check_half_novel(small, "topk-9", 0.55, 0.5), "No shipped SAE 'topk-9'")
    rows = [letter_choices.decoder_rows(sae) for sae in (small, large)]
    nearest = (rows[1] @ rows[0].T).max(dim=1).values
    assert letter_choices.novel_share(small, large, 0.55) == float((nearest < 0.55).double().mean())


def test_one_direction_too_many_is_not_the_fewest() -> None:
    sae = "topk-512-l0-12-layer-6"
    values = np.linalg.svd(letter_choices.decoder_rows(sae).double().numpy(), compute_uv=False) ** 2
    least = next(n for n in range(1, 577) if values[:n].sum() >= values.sum() / 2)
    right(letter_choices.check_directions(sae, least, 288), "need about: 288.000")
    for other in (least - 1, least + 1):
        refused(letter_choices.check_directions(sae, other, 288), "the fewest")


def test_two_tails_or_a_hard_line_are_not_the_share_that_passes() -> None:
    assert letter_choices.check_random_cosine(None) == NOT_ANSWERED
    refused(letter_choices.check_random_cosine(lambda t, d: math.erfc(t * (d / 2) ** 0.5)), "you give 0.549")
    refused(letter_choices.check_random_cosine(lambda t, d: 0.0), "it is 0.274")
    drawn = np.random.default_rng(0).normal(size=(20_000, 64))
    cosines = drawn[:, 0] / np.linalg.norm(drawn, axis=1)
    told = letter_choices.check_random_cosine(lambda t, d: math.erfc(t * (d / 2) ** 0.5) / 2 * (d != 64))
    expected = float(told.message.split("it is ")[1][:5])
    assert (cosines >= 0.1).mean() == pytest.approx(expected, abs=0.01)


def test_a_threshold_lets_chance_in_or_the_child_out() -> None:
    refused(letter_choices.check_cosine_between(0.025, 0.1), "0.2743 pass")
    refused(letter_choices.check_cosine_between(0.12, 0.1), "the child's cosine is 0.110")
    right(letter_choices.check_cosine_between(0.1, 0.1))


def test_two_saes_of_one_error_stand_in_their_order() -> None:
    wide, dense = "topk-4096-l0-24-layer-6", "topk-512-l0-96-layer-6"
    right(stored_choices.check_same_error(wide, dense, 2), "latents: 8.000")
    refused(stored_choices.check_same_error(dense, wide, 2), "more latents first")
    refused(stored_choices.check_same_error("topk-8192-l0-24-layer-6", dense, 2), "They leave")
    refused(stored_choices.check_same_error("no", dense, 2), "The grid has no 'no'")


def test_another_number_kept_has_to_be_another_and_to_help() -> None:
    check = stored_choices.check_other_number
    refused(check(BASE, 12, 1), "allowed: 3, 6, 24, 48, 96, and not the 12")
    refused(check(BASE, 96, 1), "With 96 latents a token")
    refused(check("no", 24, 1), "No numbers kept")
    right(check("topk-512-l0-6-layer-6", 12, 1))


def test_an_arm_that_absorbs_less_at_no_lower_f1_was_not_bought_with_it() -> None:
    refused(stored_choices.check_bought("tied", 0), "Against BatchTopK, full absorption changes by +")
    refused(stored_choices.check_bought("masked on TopK", 0), "Against TopK, full absorption changes by -")
    refused(stored_choices.check_bought("BatchTopK", 0), "No arm 'BatchTopK'")
    right(stored_choices.check_bought("C2R", 0))


def test_a_cost_is_better_in_its_own_direction() -> None:
    check = stored_choices.check_better_by_another
    refused(check("Matryoshka", "dead_share", 0), "and dead_share by +")
    right(check("JumpReLU", "dead_share", 0), "and dead_share by -")
    refused(check("C2R", "recovered", 0), "full absorption changes by -")
    refused(check("tied", "rate", 0), "No quantity 'rate'; allowed: f1, encoder cosine")
    assert set(stored_choices.BETTER) <= set(stored_choices.arms().numbers["quantity"])


def test_a_rare_child_saves_too_little_and_an_infrequent_parent_is_not_asked_for() -> None:
    refused(toy_choices.check_saving(0.1, 0.6, 0.3), "from 0.700 to 0.600")
    refused(toy_choices.check_saving(0.3, 0.4, 0.3), "at least 2 times")
    right(toy_choices.check_saving(0.25, 0.5, 0.3), "Share saved: 0.333")


def test_the_same_penalty_elsewhere_absorbs_otherwise() -> None:
    check = toy_choices.check_same_absorption
    refused(check((0.95, 0.05), (0.9, 0.05), 2), "Absorbed are")
    refused(check((0.95, 0.05), (0.94, 0.055), 2), "at least 0.05 apart")
    refused(check((1.0, 0.05), (0.9, 0.5), 2), "Absorbed are 1.000 and 1.000")  # the same, and not partial
    refused(check((0.95, 0.0), (0.9, 0.05), 2), "a penalty above 0")
    right(check((0.95, 0.03), (0.9, 0.062), 2), "over the first: 2.067")


def test_a_frequent_child_is_missed_by_explained_variance() -> None:
    refused(toy_choices.check_left_out(0.24, 0.9), "0.86")
    refused(toy_choices.check_left_out(0.5, 0.9), "at most the parent's 0.4")
    right(toy_choices.check_left_out(0.012, 0.9), "MCC: 1.000")


def test_only_the_cosine_that_two_rules_share_blinds_these_two() -> None:
    right(toy_choices.check_one_threshold(Thresholds(min_cosine=0.6), 0.3), "absorption: 0.000")
    refused(toy_choices.check_one_threshold(Thresholds(min_share=0.9), 0.3), "Recall changes")
    refused(toy_choices.check_one_threshold(Thresholds(min_cosine=0.6, fraction_cosine=0.6), 0.3), "Recall")


def test_a_level_too_low_lets_others_in_and_one_too_high_loses_pairs() -> None:
    refused(toy_choices.check_cut(0.2, 0.5), "precision is 0.")
    refused(toy_choices.check_cut(0.9, 0.5), "precision is 1.000")
    right(toy_choices.check_cut(0.55, 0.5))
