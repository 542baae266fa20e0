"""Checks of the exercises in the toy chapters: a student's answer passes or fails, with a hint.

A check compares with the library's own result or trains a small SAE; it never compares with a stored number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from absorption.chapters.is_the_metric_right import split_share
from absorption.chapters.remedies import WORLDS, scores
from absorption.chapters.without_a_probe.planted_pairs import planted_truth, planted_view
from absorption.composition.weights import share_seen
from absorption.latents.sparse import ACTIVE
from absorption.latents.unlabelled import SaeView
from absorption.planted.alphabet import Alphabet
from absorption.planted.saes import absorbing
from absorption.scaling.law import Law
from absorption.stitching.insertion import change_by_insertion
from absorption.toy import measure, theory
from absorption.toy.recipes import Recipe, fast
from absorption.toy.train import Run, train_settled
from absorption.toy.worlds import four_features

N_SAMPLES = 4_000_000
"""Samples of an SAE that a check trains: a few seconds."""
MOST_ABSORBED, LEAST_MCC, LEAST_VARIANCE = 0.1, 0.98, 0.9
"""What the exercises ask for."""


@dataclass(frozen=True, repr=False)
class Feedback:
    """Whether an answer is right, and why not."""

    right: bool
    message: str

    def __repr__(self) -> str:
        """For a terminal, and for a page of its own, which shows no Markdown of cells."""
        return f"{'Right.' if self.right else 'Not yet.'} {self.message}"

    def _repr_markdown_(self) -> str:
        return f"**{'Right.' if self.right else 'Not yet.'}** {self.message}"


NOT_ANSWERED = Feedback(False, "Put your answer in place of `None` and run this cell again.")
PREDICT_FIRST = Feedback(
    False,
    "Write down what you expect before you look, and run this cell again: the difference is the lesson.",
)


def open_exercise(check: Callable[..., Feedback]) -> Callable[..., Feedback]:
    """A check of a choice that has many right answers; its last argument is the reader's prediction."""

    @wraps(check)
    def checked(*given: Any) -> Feedback:
        if any(one is None for one in given[:-1]):
            return NOT_ANSWERED
        return PREDICT_FIRST if given[-1] is None else check(*given)

    return checked


def beside_guess(right: bool, said: str, what: str, value: float, guess: float) -> Feedback:
    """An open exercise's answer: a choice is right or not, a prediction is only set beside what came out."""
    return Feedback(right, f"{said} {what}: {value:.3f}; you predicted {guess:.3g}.")


def check_sparsity(answer: Callable[[float, float, float], float] | None) -> Feedback:
    """Exercise 1: the family's expected sum of activations, as a function of d, p11 and p10."""
    if answer is None:
        return NOT_ANSWERED
    for d, p_both, p_only in ((0.0, 0.05, 0.2), (1.0, 0.05, 0.2), (0.3, 0.2, 0.1), (0.8, 0.4, 0.0)):
        expected = theory.closed_form_losses(np.array([d]), p_both, p_only)["sparsity"].iloc[0]
        given = float(answer(d, p_both, p_only))
        if not np.isclose(given, expected, atol=1e-6):
            return Feedback(
                False,
                f"At d = {d:g}, p11 = {p_both:g}, p10 = {p_only:g} you give {given:.3f}; "
                "add up both latents' activations on each of the two inputs.",
            )
    return Feedback(True, "The slope in d is -p11: every bit of absorption saves activation.")


def check_weights(encoder: list[list[float]] | None, decoder: list[list[float]] | None) -> Feedback:
    """Exercise 2: rows (f0's latent, f1's latent) in the (f0, f1) plane that absorb fully at no error."""
    if encoder is None or decoder is None:
        return NOT_ANSWERED
    inputs = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    acts = torch.relu(inputs @ torch.tensor(encoder, dtype=torch.float32).T)
    error = (acts @ torch.tensor(decoder, dtype=torch.float32) - inputs).abs().amax(dim=1)
    for name, missed in zip(("f0 alone", "f0 and f1"), error.tolist(), strict=True):
        if missed > 1e-5:
            return Feedback(False, f"On {name} the reconstruction is off by {missed:.2f}.")
    if acts[1, 0] > ACTIVE:
        return Feedback(False, f"On f0 and f1, f0's latent still fires with {acts[1, 0]:.2f}.")
    return Feedback(
        True, "No error, one active latent on either input: the loss cannot tell that f0 went missing."
    )


def check_coefficient(l1: float | None) -> Feedback:
    """Exercise 3: an L1 coefficient that keeps absorption low at P(parent | child) = .95; trains one SAE."""
    if l1 is None:
        return NOT_ANSWERED
    world = four_features(hierarchy=True, p_parent=0.95)
    sae = train_settled([Run(world, fast("standard", 4, float(l1), N_SAMPLES))])[0]
    absorbed = measure.absorption(sae, world)["absorbed"].iloc[0]
    mcc = measure.quality(sae, world)["mcc"]
    said = f"Trained at {l1:g}: absorbed {absorbed:.3f}, MCC {mcc:.3f}."
    if absorbed > MOST_ABSORBED:
        return Feedback(False, f"{said} The penalty is still worth more than the error on lone children.")
    if mcc < LEAST_MCC:
        return Feedback(False, f"{said} Too weak: nothing holds the latents to the features.")
    return Feedback(True, said)


def check_magnitude(answer: Callable[[float], float] | None) -> Feedback:
    """Exercise 4: what the child's latent writes along f0 per unit along f1, given the child's magnitude."""
    if answer is None:
        return NOT_ANSWERED
    for magnitude in (0.5, 2.0, 5.0):
        # The child's latent alone, as active as the child is strong: its output along f0 and f1.
        written = magnitude * np.array([float(answer(magnitude)), 1.0])
        missed = abs(written[0] - 1.0)
        if missed > 0.01:
            return Feedback(
                False,
                f"With a child of magnitude {magnitude:g} your latent writes {written[0]:.2f} of f0, where it is 1.",
            )
    return Feedback(True, "The child's latent writes the whole parent, whatever its own length.")


def check_remedy(recipe: Recipe | None) -> Feedback:
    """Exercise 5: a recipe that neither absorbs nor pays with reconstruction in the world "pair"."""
    if recipe is None:
        return NOT_ANSWERED
    if recipe.n_samples > N_SAMPLES or recipe.d_sae > 2 * WORLDS["pair"].n_features:
        return Feedback(False, f"Allowed: at most {N_SAMPLES:,} samples, and two latents for each feature.")
    found = scores(train_settled([Run(WORLDS["pair"], recipe)])[0], WORLDS["pair"])
    said = f"absorbed {found['absorbed']:.3f}, explained variance {found['explained_variance']:.3f}."
    if not found["absorbed"] <= MOST_ABSORBED:  # NaN where no latent writes the parent
        return Feedback(False, f"The child still carries its parent: {said}")
    if found["explained_variance"] < LEAST_VARIANCE:
        return Feedback(False, f"Too much is lost: {said}")
    return Feedback(True, f"{said[0].upper()}{said[1:]}")


def check_split_share(answer: Callable[[float], float] | None) -> Feedback:
    """Exercise 6: from which share of a letter's words on k-sparse probing takes an absorbing latent for a split."""
    if answer is None:
        return NOT_ANSWERED
    for jump in (0.03, 0.01, 0.1):
        expected = split_share(jump)
        given = float(answer(jump))
        if abs(given - expected) > 0.002:
            return Feedback(
                False,
                f"With an F1 jump of {jump:g} it is {expected:.3f} of the words; you give {given:.3f}. "
                "What is F1 at a precision of 1 and a recall of 1 - s?",
            )
    return Feedback(
        True, "A latent that absorbs more words than that is kept as a main latent, and counts as none."
    )


def check_novel(answer: Callable[[float], bool] | None) -> Feedback:
    """Exercise 8: whether inserting a latent lowers the error, from its cosine with the latent that stands for it."""
    if answer is None:
        return NOT_ANSWERED
    for cosine in (0.0, 0.5, 0.65, 0.7, 0.71, 0.75, 0.95):
        lowers = change_by_insertion(cosine) < 0
        if bool(answer(cosine)) != lowers:
            return Feedback(
                False,
                f"At a cosine of {cosine:g} the insertion {'lowers' if lowers else 'raises'} the error. "
                "How much of the feature does the smaller SAE leave over, and how much of that lies along the latent?",
            )
    return Feedback(
        True, "The sign turns at the square root of one half, which is where the published line is drawn."
    )


def check_seen(answer: Callable[[float, float], float] | None) -> Feedback:
    """Exercise 9: share of a word-and-letter row that a meta-SAE writes, from the letter's cosine and its threshold."""
    if answer is None:
        return NOT_ANSWERED
    for cosine, threshold in ((0.5, 0.2), (0.1, 0.2), (0.3, 0.2), (0.95, 0.4), (0.6, 0.9)):
        expected, given = share_seen(cosine, threshold), float(answer(cosine, threshold))
        if abs(given - expected) > 1e-6:
            return Feedback(
                False,
                f"At a cosine of {cosine:g} and a threshold of {threshold:g} it is {expected:.3f} of the row; "
                f"you give {given:.3f}. Which of the two weights is kept, and what is its square?",
            )
    return Feedback(
        True,
        "A letter whose cosine is below the threshold is not seen, and costs hardly any of the variance.",
    )


def check_times(answer: Callable[[float, float, float, float], float] | None) -> Feedback:
    """Exercise 10: how many times as many latents divide the law's first term by a factor, from two exponents and k."""
    if answer is None:
        return NOT_ANSWERED
    for beta_n, gamma, k, factor in (
        (-0.1, 0.0, 12.0, 2.0),
        (-0.017, -0.042, 96.0, 1.5),
        (-0.05, -0.02, 6.0, 2.0),
    ):
        law = Law(
            alpha=0.0, beta_k=0.3, beta_n=beta_n, gamma=gamma, zeta=-500.0, eta=0.0
        )  # a floor of nothing
        times = float(answer(beta_n, gamma, k, factor))
        n, at = np.array([1024.0]), np.array([k])
        found = float((law.loss(n, at) / law.loss(n * times, at))[0]) if times > 0 else float("nan")
        if not abs(found / factor - 1) < 1e-6:
            return Feedback(
                False,
                f"With beta_n = {beta_n:g}, gamma = {gamma:g} and k = {k:g}, {times:.4g} times the latents divide it "
                f"by {found:.3f}, not by {factor:g}. Which power of n is the first term at this k?",
            )
    return Feedback(True, "The power of n is the slope at this k; gamma is what makes it depend on k.")


def check_seeds(answer: Callable[[float, float], int] | None) -> Feedback:
    """Exercise 11: seeds an arm so that a difference of two means is seen, from the spread over seeds and its size."""
    if answer is None:
        return NOT_ANSWERED
    for sd, size in ((0.02, 0.05), (0.02, 0.01), (0.01, 0.02), (0.03, 0.015)):
        n = int(answer(sd, size))
        reach = [1.96 * sd * np.sqrt(2 / m) if m > 0 else np.inf for m in (n, n - 1)]
        if not reach[0] <= size < reach[1]:
            return Feedback(
                False,
                f"With a spread of {sd:g} and a difference of {size:g} you ask for {n} seeds, of which the interval's "
                f"half-width is {reach[0]:.3f}. The variances of two means over n seeds add up.",
            )
    return Feedback(True, "Half the difference needs four times the seeds: small remedies are dear to prove.")


def check_score(score: Callable[[SaeView], np.ndarray] | None) -> Feedback:
    """Exercise 7: a score of latent pairs that beats the decoder cosine on a planted alphabet."""
    if score is None:
        return NOT_ANSWERED
    case = absorbing(Alphabet(n_words=80, families=(3,) * 4, seed=5), 1.0, hole=1.5)
    view, truth = planted_view(case), planted_truth(case)
    given = np.asarray(score(view), dtype=np.float64)
    if given.shape != truth.shape:
        return Feedback(False, f"Give one number a pair, shape {truth.shape}; yours is {given.shape}.")
    others = ~np.eye(len(truth), dtype=bool)
    yours, cosine = (
        float(average_precision_score(truth[others], values[others])) for values in (given, view.cosine)
    )
    said = f"Average precision {yours:.3f}; the decoder cosine alone has {cosine:.3f}."
    if yours < cosine + (1 - cosine) / 2:
        return Feedback(False, f"{said} Close at least half of the gap to 1.")
    return Feedback(True, said)
