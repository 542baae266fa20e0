"""Checks of the exercises that ask for a prediction first, in the chapters on the language model.

Each takes any right answer: what is built is judged by the library's own rule, what is written by drawn inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm, t

from absorption.chapters.exercises import NOT_ANSWERED, Feedback
from absorption.definitions.evidence import WordLatents
from absorption.definitions.rules import ablation_rule, full_rule
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import kept_by_jump
from absorption.spelling.answers import answer_metric

CLOSE = 1e-6
LEAST_METRIC, LETTER = 5.0, 18
"""Chapter 1: what the metric of S must reach although the model answers with another letter."""
LEAD = 1.0
"""The published lead, in logits."""


def check_confident_and_wrong(logits: Sequence[float] | None) -> Feedback:
    """Chapter 1: logits of the 26 letters with a large metric for S and another answer."""
    if logits is None:
        return NOT_ANSWERED
    given = torch.tensor([float(value) for value in logits], dtype=torch.float64)
    if len(given) != 26:
        return Feedback(False, f"There are 26 letters; you give {len(given)} logits.")
    metric, answer = float(answer_metric(given[None], torch.tensor([LETTER]))[0]), int(given.argmax())
    said = f"The metric of S is {metric:.2f} and the answer is {chr(ord('A') + answer)}."
    if answer == LETTER:
        return Feedback(False, f"{said} Another letter must be on top.")
    if metric < LEAST_METRIC:
        return Feedback(False, f"{said} How much does one wrong letter count among 25?")
    return Feedback(
        True, f"{said} A large metric says that the letter is there, not that the word is spelled right."
    )


def check_share_of_words(answer: Callable[[float, float], float] | None) -> Feedback:
    """Chapter 2: the chance of a letter from a class-balanced probe's logit and the letter's share of the words."""
    if answer is None:
        return NOT_ANSWERED
    for x, share in ((0.0, 0.5), (1.0, 0.002), (3.2, 0.002), (-0.5, 0.1)):
        # Logits of words of the letter are normal around 1, of others around -1: a balanced probe's logit is 2x.
        of_letter, of_others = share * norm.pdf(x, 1), (1 - share) * norm.pdf(x, -1)
        expected, given = of_letter / (of_letter + of_others), float(answer(2 * x, share))
        if not np.isclose(given, expected, atol=1e-4):
            return Feedback(
                False,
                f"At a logit of {2 * x:g} and a share of {share:g} the chance is {expected:.4f}; you give {given:.4f}. "
                "The balanced probe takes both classes for equally frequent: by what are its odds too high?",
            )
    return Feedback(True, "With 2 words in 1,000 the chance passes one half at a logit of 6.2, not of 0.")


def check_either_on(answer: Callable[[float, float], tuple[float, float]] | None) -> Feedback:
    """Chapter 3: lowest and highest F1 of "either of two latents is on", from their recalls at a precision of 1."""
    if answer is None:
        return NOT_ANSWERED
    n = 100
    for r, s in ((0.3, 0.5), (0.6, 0.7), (0.4, 0.4), (0.05, 0.9)):
        first, inside = np.arange(n) < round(r * n), np.arange(n) < round(s * n)
        unions = [(first | inside).mean(), (first | inside[::-1]).mean()]
        expected = tuple(2 * recall / (1 + recall) for recall in unions)
        low, high = (float(value) for value in answer(r, s))
        if not np.allclose((low, high), expected, atol=1e-4):
            return Feedback(
                False,
                f"With recalls of {r:g} and {s:g} it lies between {expected[0]:.3f} and {expected[1]:.3f}; you give "
                f"{low:.3f} and {high:.3f}. Which words can both be on for?",
            )
    return Feedback(True, "Two halves of a letter make a whole; two latents for the same half make none.")


def check_hidden_split(f1: Sequence[float] | None) -> Feedback:
    """Chapter 4: F1 by number of latents in which a jump of 0.03 counts one main latent and one of 0.01 all four."""
    if f1 is None:
        return NOT_ANSWERED
    values = [float(value) for value in f1]
    if len(values) != 4 or values != sorted(values) or not 0 <= values[0] <= values[-1] <= 1:
        return Feedback(False, f"Allowed: four numbers from 0 to 1 that do not fall; you give {values}.")
    table = pd.DataFrame({"k": range(1, 5), "latent": range(4), "f1": values})
    counts = {jump: len(kept_by_jump(table, jump)) for jump in (0.03, 0.01)}
    said = f"A jump of 0.03 counts {counts[0.03]}, one of 0.01 counts {counts[0.01]}."
    if (counts[0.03], counts[0.01]) != (1, 4):
        return Feedback(False, f"{said} Only the first rise that is too small ends the count.")
    return Feedback(
        True,
        f"{said} F1 rises by {values[-1] - values[0]:.2f} in all, behind a first step that is too small.",
    )


def check_two_carriers(word: Sequence[tuple[float, float, float]] | None) -> Feedback:
    """Chapter 5: latents (projection, cosine, effect) of a word that full absorption calls absorbed, ablation not."""
    if word is None:
        return NOT_ANSWERED
    projections, cosines, effects = (np.array(values, dtype=float) for values in zip(*word, strict=True))
    if (cosines * projections <= 0).any() or (cosines > 1).any():
        return Feedback(False, "Allowed: cosines and projections above 0, cosines up to 1.")
    if effects.min() > -LEAD:
        return Feedback(
            False, f"The largest effect is {effects.min():g}; let the removal of one latent cost {LEAD:g}."
        )
    given = WordLatents(
        np.arange(len(cosines)),
        projections / cosines,
        cosines,
        projections,
        np.zeros(len(cosines), dtype=bool),
    )
    full, ablation = full_rule(given, 1.0, Thresholds()), ablation_rule(given, effects, Thresholds(), LEAD)
    if full.value != 1:
        return Feedback(False, f"Full absorption says no: {full.reason}.")
    if ablation.value == 1:
        return Feedback(
            False, "The ablation metric says absorbed too. Which of its clauses asks for a single latent?"
        )
    return Feedback(True, f"Full absorption says absorbed, the ablation metric does not: {ablation.reason}.")


def check_filter_and_pattern(weights: Sequence[float] | None, pattern: Sequence[float] | None) -> Feedback:
    """Chapter 6: how y is read from x1 = y + n and x2 = n, and along which direction it is written."""
    if weights is None or pattern is None:
        return NOT_ANSWERED
    generator = np.random.default_rng(3)
    y, noise = np.sign(generator.normal(size=4000)), generator.normal(size=4000)
    x = np.stack([y + noise, noise], axis=1)
    error = float(np.abs(x @ np.array(weights, dtype=float) - y).max())
    if error > CLOSE:
        return Feedback(False, f"Read with your weights, y is off by up to {error:.2f}. What does x2 know?")
    moved = np.array(pattern, dtype=float)
    off = float(np.abs(moved[1]) / max(np.linalg.norm(moved), 1e-12))
    if moved[0] <= 0 or off > 0.01:
        return Feedback(
            False,
            "Your weights are right; along your pattern x2 moves as well. Which of the two changes with y?",
        )
    return Feedback(
        True, "The filter uses x2, where nothing is written: an edit along it would move x2 for nothing."
    )


def check_least_difference(answer: Callable[[Sequence[float]], float] | None) -> Feedback:
    """Chapter 12: the difference of two single SAEs that 95% of pairs of seeds stay below, from seeds' rates."""
    if answer is None:
        return NOT_ANSWERED
    for rates in ((0.04, 0.06, 0.05), (0.1, 0.12), (0.02, 0.03, 0.05, 0.04, 0.02)):
        spread = float(np.std(rates, ddof=1)) * np.sqrt(2)
        expected, given = t.ppf(0.975, len(rates) - 1) * spread, float(answer(list(rates)))
        if not np.isclose(given, expected, rtol=1e-3):
            factor = given / spread
            return Feedback(
                False,
                f"For rates of {', '.join(f'{rate:g}' for rate in rates)} you give {given:.4f}, which is {factor:.2f} "
                f"times the spread of a difference; with {len(rates)} seeds Student's t says "
                f"{expected / spread:.2f} times.",
            )
    return Feedback(
        True,
        "With three seeds it takes six standard deviations, with two eighteen, where 2.8 is the usual guess.",
    )
