"""The checks of the exercises on the language model refuse the wrong answers that suggest themselves, and say why."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from absorption.chapters import letter_exercises as exercises
from absorption.chapters.exercises import Feedback


def refused(feedback: Feedback, because: str) -> None:
    assert not feedback.right
    assert because in feedback.message


def test_a_mean_over_all_letters_is_not_the_metric() -> None:
    refused(
        exercises.check_metric(lambda logits, letter: logits[letter] - logits.mean()), "25 wrong letters only"
    )
    refused(exercises.check_metric(lambda logits, letter: logits[letter]), "compare right with wrong")


def test_precision_without_the_share_of_the_words_fails_on_a_rare_letter() -> None:
    refused(exercises.check_precision(lambda r, f, s: r / (r + f)), "share 0.002")


def test_a_level_of_zero_is_not_the_best() -> None:
    refused(exercises.check_level(lambda acts, truth: 0.0), "above the best")
    refused(exercises.check_level(lambda acts, truth: float(np.median(acts))), "above the best")


def test_counting_every_jump_is_not_the_papers_rule() -> None:
    def every_jump(f1: Sequence[float], jump: float) -> int:
        return 1 + sum(b > a + jump for a, b in pairwise(f1))

    refused(exercises.check_main_latents(every_jump), "For F1 of 0.5, 0.7, 0.71, 0.9 you count 3, the rule 2")


def test_each_clause_of_the_ablation_rule_is_asked_for() -> None:
    def rule(main_on, effects, cosines, lead, cosine, *, skip):
        if len(effects) == 0 or (main_on and skip != "main"):
            return False
        strength = np.abs(effects) if skip == "sign" else -effects
        top = int(np.argmax(strength))
        rival = max(0.0, *np.delete(strength, top)) if len(effects) > 1 else 0.0
        leads = strength[top] - (0 if skip == "rival" else rival) >= lead
        return bool(leads and (skip == "cosine" or cosines[top] >= cosine))

    def answering(skip: str):
        return lambda *word: rule(*word, skip=skip)

    assert exercises.check_absorbed(answering("")).right
    refused(exercises.check_absorbed(answering("main")), "A main latent is on: the word is not absorbed")
    refused(exercises.check_absorbed(answering("cosine")), "The leading latent's cosine is 0.01")
    refused(exercises.check_absorbed(answering("rival")), "Effects of -3 and -2.5")
    refused(exercises.check_absorbed(answering("sign")), "Effects of -2 and +5")


def test_the_true_effect_is_not_what_integrated_gradients_say() -> None:
    refused(exercises.check_gradients(lambda t, n: 1 - t), "At t = 0.9 and 6 steps you give 0.100")


def test_a_slope_in_l0_itself_is_not_one_a_doubling() -> None:
    refused(exercises.check_slope(lambda l0, rates: np.polyfit(l0, rates, 1)[0]), "log2 of L0")


def test_nothing_answered_is_said_as_such() -> None:
    checks = [getattr(exercises, name) for name in dir(exercises) if name.startswith("check_")]
    assert len(checks) == 8
    answers = [check(None) for check in checks]
    assert answers == [exercises.NOT_ANSWERED] * 8
