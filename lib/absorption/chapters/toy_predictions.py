"""Checks of the exercises that ask for a prediction first, in the chapters on planted truth and on SAEs of SAEs.

Each takes any right answer: what is built is judged on vectors, what is written by worlds and drawn rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from absorption.chapters.exercises import NOT_ANSWERED, Feedback
from absorption.chapters.remedies import WORLDS
from absorption.latents.unlabelled import SaeView
from absorption.stitching.pairs import THRESHOLD

N_SAMPLES = 200_000
CLOSE = 1e-6


def check_least_k(apart: float | None, absorbed: float | None) -> Feedback:
    """Chapter 9: the mean number of latents that the world "pair" needs, without and with absorption."""
    if apart is None or absorbed is None:
        return NOT_ANSWERED
    world = WORLDS["pair"]
    on = (world.sample(N_SAMPLES, 0) > 0).float()
    needed = float(on.sum(1).mean())
    saved = float((on[:, 0] * on[:, 1]).mean())
    for name, given, expected in (
        ("a latent a feature", apart, needed),
        ("absorption", absorbed, needed - saved),
    ):
        if abs(given - expected) > 0.01:
            return Feedback(
                False,
                f"With {name} the world's samples need {expected:.2f} latents on average; you give {given:.2f}. "
                "Add up the features' rates, and think of the inputs on which f0 needs no latent of its own.",
            )
    return Feedback(
        True, "Between the two an SAE of that k loses nothing by absorbing and something by not doing so."
    )


def check_lost_strength(answer: Callable[[float], float] | None) -> Feedback:
    """Chapter 10: the strength of a family beside its letter from which a cosine threshold loses its latent."""
    if answer is None:
        return NOT_ANSWERED
    letter, family = np.eye(2)
    for threshold in (0.1, 0.025, 0.5, 0.9):
        given = float(answer(threshold))
        row = letter + given * family
        cosine = float(row @ letter / np.linalg.norm(row))
        if given <= 0 or abs(cosine - threshold) > 1e-4:
            return Feedback(
                False,
                f"At a strength of {given:.3f} the latent's cosine with the letter is {cosine:.3f}, not {threshold:g}. "
                "The row is the letter's direction plus the strength times the family's.",
            )
    return Feedback(
        True, "At 0.1 a family 10 times as strong as the letter is lost, though it carries all of it."
    )


def check_split_pair(
    decoder: Sequence[Sequence[float]] | None, acts: Sequence[Sequence[float]] | None
) -> Feedback:
    """Chapter 11: two latents that split a letter by case: decoder rows, and activations on the two kinds of words."""
    if decoder is None or acts is None:
        return NOT_ANSWERED
    rows, on = np.array(decoder, dtype=float), np.array(acts, dtype=float)
    words = np.array([[1.0, 0.5, 0.0], [1.0, 0.0, 0.5]])
    if rows.shape != (2, 3) or on.shape != (2, 2):
        return Feedback(False, f"Allowed: shapes (2, 3) and (2, 2); yours are {rows.shape} and {on.shape}.")
    if (off := float(np.abs(on @ rows - words).max())) > CLOSE:
        return Feedback(False, f"The words come out wrong by up to {off:.2f}.")
    if not ((on > 0).sum(0) == 1).all() or not ((on > 0).sum(1) == 1).all():
        return Feedback(False, "One latent must be on for each kind of word, and another for either.")
    view = SaeView(rows, rows, csr_matrix(on))
    score = float((view.carried * view.exclusion)[0, 1])
    return Feedback(
        True, f"Nothing is absorbed, and carried times exclusion is {score:.2f}: it looks like absorption."
    )


def check_several_carriers(
    decoder: Sequence[Sequence[float]] | None, acts: Sequence[float] | None
) -> Feedback:
    """Chapter 13: a smaller SAE with no like of d = (1, 0, 0, ...) into which inserting d raises the error."""
    if decoder is None or acts is None:
        return NOT_ANSWERED
    rows, on = np.array(decoder, dtype=float), np.array(acts, dtype=float)
    if rows.ndim != 2 or len(rows) != len(on):
        return Feedback(
            False, f"Allowed: a row a latent; you give {len(rows)} rows and {len(on)} activations."
        )
    norms = np.linalg.norm(rows, axis=1)
    if np.abs(norms - 1).max() > 1e-3 or (on < 0).any():
        return Feedback(False, "Allowed: rows of unit norm, and no negative activation.")
    nearest = float(rows[:, 0].max())
    if nearest >= THRESHOLD:
        return Feedback(False, f"A latent has a cosine of {nearest:.2f} with d, so d is no novel latent.")
    feature = np.eye(rows.shape[1])[0]
    left = feature - on @ rows
    change = float(((left - feature) ** 2).sum() - (left**2).sum())
    if change <= 0:
        return Feedback(
            False, f"Inserting d changes the error by {change:+.2f}. Let several latents write it together."
        )
    return Feedback(
        True,
        f"The largest cosine is {nearest:.2f}, so d is novel, and inserting it changes the error by {change:+.2f}.",
    )


def check_largest_coordinates(answer: Callable[[np.ndarray, int], float] | None) -> Feedback:
    """Chapter 14: share of the rows' squared norm that their own k largest coordinates hold."""
    if answer is None:
        return NOT_ANSWERED
    generator = np.random.default_rng(4)
    for d, k in ((20, 1), (20, 20), (576, 4)):
        rows = generator.normal(size=(200, d))
        squares = np.sort(rows**2, axis=1)[:, ::-1]
        expected, given = float(squares[:, :k].sum() / squares.sum()), float(answer(rows.copy(), k))
        if abs(given - expected) > CLOSE:
            return Feedback(
                False,
                f"Of {d} dimensions, {k} a row: the share is {expected:.4f}, you give {given:.4f}. "
                f"The same {k} directions for all rows would have {k / d:.4f}.",
            )
    return Feedback(
        True,
        f"Four of 576 directions hold {expected:.1%} of rows without any structure, {4 / 576:.1%} if fixed.",
    )
