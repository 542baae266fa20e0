"""Checks of the exercises in the chapters on the language model: a student's function passes or fails, with a hint.

Each compares with the library's own rule on drawn inputs, so that nothing has to be loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from absorption.base.statistics import confusion_scores
from absorption.chapters.exercises import NOT_ANSWERED, Feedback
from absorption.definitions.evidence import WordLatents
from absorption.definitions.rates import mean_rate
from absorption.definitions.rules import FULL_ABSORPTION, ablation_rule
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import kept_by_jump
from absorption.spelling.answers import answer_metric

CLOSE = 1e-6
F1_JUMP = 0.03
"""The published rise of F1 by which a further latent is a main one."""


def check_metric(answer: Callable[[np.ndarray, int], float] | None) -> Feedback:
    """Chapter 1: the metric of one answer, from the logits of the 26 letters and the right letter's position."""
    if answer is None:
        return NOT_ANSWERED
    generator = np.random.default_rng(0)
    for letter in (0, 18, 25):
        logits = generator.normal(0, 4, 26)
        expected = float(answer_metric(torch.tensor(logits)[None], torch.tensor([letter]))[0])
        given = float(answer(logits, letter))
        if not np.isclose(given, expected, atol=CLOSE):
            over_all = bool(np.isclose(given, logits[letter] - logits.mean(), atol=CLOSE))
            hint = (
                "the mean is over the 25 wrong letters only"
                if over_all
                else "compare right with wrong letters"
            )
            return Feedback(False, f"You give {given:.3f}, the metric is {expected:.3f}: {hint}.")
    return Feedback(
        True, "A constant added to every logit changes nothing: the metric asks which letter, not how sure."
    )


def check_precision(answer: Callable[[float, float, float], float] | None) -> Feedback:
    """Chapter 2: a classifier's precision, from recall, false-positive rate and the letter's share of the words."""
    if answer is None:
        return NOT_ANSWERED
    for recall, false_rate, share in (
        (0.9, 0.05, 0.5),
        (0.9, 0.05, 0.002),
        (1.0, 0.0, 0.1),
        (0.3, 0.001, 0.04),
    ):
        expected = recall * share / (recall * share + false_rate * (1 - share))
        given = float(answer(recall, false_rate, share))
        if not np.isclose(given, expected, atol=CLOSE):
            return Feedback(
                False,
                f"At recall {recall:g}, false-positive rate {false_rate:g}, share {share:g} you give {given:.3f}; "
                "count, of 1,000 words, those of the letter and the others that it says yes to.",
            )
    return Feedback(
        True,
        "With 5% false positives, precision for 2 words in 1,000 is 3%: rare letters need better probes.",
    )


def check_level(answer: Callable[[np.ndarray, np.ndarray], float] | None) -> Feedback:
    """Chapter 3: the level above which being on is the best classifier by F1, from activations and truth."""
    if answer is None:
        return NOT_ANSWERED
    generator = np.random.default_rng(1)
    for shift in (0.0, 1.0, 3.0):
        truth = generator.random(400) < 0.2
        acts = np.maximum(generator.normal(0, 1, 400) + shift * truth, 0)
        best = max(_f1(acts > level, truth) for level in (0.0, *acts))
        given = _f1(acts > float(answer(acts, truth)), truth)
        if given < best - CLOSE:
            return Feedback(
                False,
                f"Above your level F1 is {given:.3f}, above the best {best:.3f}; try 0 and each activation.",
            )
    return Feedback(True, "A level of its own can only help a latent. It does not make one out of two.")


def check_main_latents(answer: Callable[[Sequence[float], float], int] | None) -> Feedback:
    """Chapter 4: how many main latents a letter has, from F1 with the best 1, 2, 3, ... latents and the jump."""
    if answer is None:
        return NOT_ANSWERED
    curves = ((0.9, 0.91, 0.92), (0.5, 0.7, 0.71, 0.9), (0.4, 0.5, 0.6, 0.7), (0.8, 0.7, 0.9), (0.6,))
    for f1 in curves:
        table = pd.DataFrame({"k": np.arange(1, len(f1) + 1), "latent": np.arange(len(f1)), "f1": f1})
        expected, given = len(kept_by_jump(table, F1_JUMP)), int(answer(list(f1), F1_JUMP))
        if given != expected:
            return Feedback(
                False,
                f"For F1 of {', '.join(f'{value:g}' for value in f1)} you count {given}, the rule {expected}; "
                "it stops at the first latent that adds too little, whatever comes after.",
            )
    return Feedback(
        True,
        "The rule does not look further: a second split can hide behind a latent that adds nothing.",
    )


def check_absorbed(answer: Callable[[bool, np.ndarray, np.ndarray, float, float], bool] | None) -> Feedback:
    """Chapter 5: whether a word is absorbed by the ablation metric, from its latents' effects and cosines."""
    if answer is None:
        return NOT_ANSWERED
    lead, cosine = 1.0, 0.025
    for about, main_on, effects, cosines in _words(lead, cosine):
        expected = _absorbed(main_on, effects, cosines, lead, cosine)
        if bool(answer(main_on, effects, cosines, lead, cosine)) != expected:
            verdict = "absorbed" if expected else "not absorbed"
            return Feedback(False, f"{about}: the word is {verdict}, and you say otherwise.")
    return Feedback(True, "Four clauses, and each of them leaves words out: the rate is a lower bound.")


def _words(lead: float, cosine: float) -> list[tuple[str, bool, np.ndarray, np.ndarray]]:
    """Words that try one clause each, then drawn ones."""
    cases = [
        ("A main latent is on", True, [-3.0, -0.5], [0.3, 0.1]),
        ("One effect of -3, the next of -0.5", False, [-3.0, -0.5], [0.3, 0.1]),
        ("The leading latent's cosine is 0.01", False, [-3.0, -0.5], [0.01, 0.1]),
        ("Effects of -3 and -2.5", False, [-3.0, -2.5], [0.3, 0.1]),
        (
            "Effects of -2 and +5: what speaks against the letter does not compete",
            False,
            [-2.0, 5.0],
            [0.3, -0.2],
        ),
        ("One latent, effect -0.8: the runner-up counts as 0", False, [-0.8], [0.3]),
        ("One latent, effect -1.2: the runner-up counts as 0", False, [-1.2], [0.3]),
        ("All effects positive", False, [0.5, 3.0], [0.3, 0.3]),
        ("No latent is on", False, [], []),
    ]
    generator = np.random.default_rng(2)
    for number in range(50):
        n = int(generator.integers(1, 6))
        effects, cosines = generator.normal(-1, 1.5, n), generator.normal(0.1, 0.1, n)
        cases.append(
            (f"Drawn word {number + 1}", bool(generator.random() < 0.1), list(effects), list(cosines))
        )
    return [(about, on, np.array(effects), np.array(cosines)) for about, on, effects, cosines in cases]


def _absorbed(main_on: bool, effects: np.ndarray, cosines: np.ndarray, lead: float, cosine: float) -> bool:
    """The library's rule, a main latent added where one is on."""
    is_main = np.zeros(len(effects) + main_on, dtype=bool)
    is_main[len(effects) :] = True
    padded = np.concatenate([cosines, np.ones(int(main_on))])
    word = WordLatents(np.arange(len(padded)), np.ones(len(padded)), padded, padded, is_main)
    all_effects = np.concatenate([effects, np.zeros(int(main_on))])
    return bool(ablation_rule(word, all_effects, Thresholds(min_cosine=cosine), lead).value)


def check_gradients(answer: Callable[[float, int], float] | None) -> Feedback:
    """Chapter 6: what integrated gradients say of relu(x - t) from x = 0 to 1, in n steps at their right ends."""
    if answer is None:
        return NOT_ANSWERED
    for t, n in ((0.5, 6), (0.9, 6), (0.9, 100), (0.0, 3), (0.25, 4)):
        expected = float(np.mean(np.arange(1, n + 1) / n > t))
        given = float(answer(t, n))
        if not np.isclose(given, expected, atol=CLOSE):
            return Feedback(
                False,
                f"At t = {t:g} and {n} steps you give {given:.3f}; the gradient at 1/n, 2/n, ..., 1 is 0 or 1.",
            )
    return Feedback(
        True,
        "At t = .9 six steps say 1/6 where the change is 1/10. The exact effect needs one pass.",
    )


def check_slope(answer: Callable[[Sequence[float], Sequence[float]], float] | None) -> Feedback:
    """Chapter 12: the change of a rate with each doubling of L0, by least squares."""
    if answer is None:
        return NOT_ANSWERED
    for l0, rates in (
        ((6, 12, 24), (0.3, 0.2, 0.1)),
        ((8, 16, 64), (0.2, 0.25, 0.1)),
        ((10, 70), (0.01, 0.02)),
    ):
        expected = float(np.polyfit(np.log2(l0), rates, 1)[0])
        given = float(answer(list(l0), list(rates)))
        if not np.isclose(given, expected, atol=CLOSE):
            return Feedback(
                False,
                f"For L0 {', '.join(map(str, l0))} you give {given:.4f}; fit a line against log2 of L0.",
            )
    return Feedback(
        True,
        "With one seed a point, its interval means nothing until the seeds' own spread is known.",
    )


def _f1(said: np.ndarray, truth: np.ndarray) -> float:
    counts = ((said & truth).sum(), (said & ~truth).sum(), (~said & truth).sum())
    return float(confusion_scores(*(np.array(count) for count in counts))["f1"])


def check_mean_over_labels(answer: Callable[[Sequence[str], Sequence[bool]], float] | None) -> Feedback:
    """Chapter 16: the rate of a concept, from each word's label and whether it is absorbed."""
    if answer is None:
        return NOT_ANSWERED
    generator = np.random.default_rng(0)
    for sizes in ({"animal": 4, "artifact": 40}, {"animal": 3, "food": 9, "person": 60}):
        labels = [label for label, n in sizes.items() for _ in range(n)]
        absorbed = [bool(generator.random() < 2 / sizes[label]) for label in labels]
        table = pd.DataFrame(
            {
                "definition": FULL_ABSORPTION, "letter": labels, "word": range(len(labels)), "candidate": True,
                "judged": True, "absorbed": absorbed, "value": np.array(absorbed, dtype=float),
            }
        )  # fmt: skip
        expected = mean_rate(table, list(sizes)).value
        given = float(answer(labels, absorbed))
        if not np.isclose(given, expected, atol=CLOSE):
            pooled = bool(np.isclose(given, np.mean(absorbed), atol=CLOSE))
            hint = (
                "that is the share of all words, whatever their label"
                if pooled
                else "one share a label first"
            )
            return Feedback(False, f"You give {given:.3f}, the rate is {expected:.3f}: {hint}.")
    return Feedback(
        True,
        "A label with four words weighs as much as one with forty; so does the chance in its four words.",
    )
