"""Open exercises with thresholds, chances and decoder rows: choose, predict, and see what the choice does.

Rates are closed-form; decoder rows are those of the shipped SAEs. Any choice with the asked property is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import norm
from scipy.stats import t as student

from absorption.base.settings import EMBEDDED_MODEL
from absorption.chapters.exercises import NOT_ANSWERED, Feedback, beside_guess, open_exercise
from absorption.chapters.family_choices import CHAPTERS_SAE, family
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.models.before_loading import model_size
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import shipped_ids
from absorption.spelling.vocab import LETTERS
from absorption.stitching.pairs import THRESHOLD, Pair, directions

CHANCE = 1 / 26
APART, SPREAD, RARE = 3.0, 1.5, 0.002
"""Chapter 2: mean logit of a letter's words (others have its negative), standard deviation, share of the words."""
HALF = (0.45, 0.55)
"""Shares of novel latents that count as half of them."""
STRENGTH, PASSING = 9.0, 0.01
"""Chapter 16: how strong a family is beside its label, and the share of random directions that may pass."""


@cache
def letter_shares() -> Float[np.ndarray, " letter"]:
    """Share of each letter, A to Z, among the words that chapter 5 judges, from the stored numbers."""
    table = family().letters
    rows = table[(table["sae"] == CHAPTERS_SAE) & (table["definition"] == FULL_ABSORPTION)]
    counts = (
        rows[rows["letter"] != MEAN].set_index("letter").loc[list(LETTERS), "n_right"].to_numpy(dtype=float)
    )
    return counts / counts.sum()


@open_exercise
def check_blind(chances: Sequence[float], guess: float) -> Feedback:
    """Chapter 1: with which chance to name each letter, unseen, to be right on twice as many words as one in 26."""
    given = np.asarray(chances, dtype=float)
    if given.shape != (26,) or (given < 0).any() or abs(given.sum() - 1) > 1e-6:
        return Feedback(
            False, f"Allowed: 26 chances that add up to 1; you give {given.size}, sum {given.sum():.3f}."
        )
    right = float(given @ letter_shares())
    said = f"You are right on {right:.3f} of the words, chance by letters is {CHANCE:.3f}."
    return beside_guess(
        right >= 2 * CHANCE, said, "Mean over letters of the accuracy", float(given.mean()), guess
    )


def rare_scores(level: float) -> tuple[float, float]:
    """Precision and recall of a balanced probe on a rare letter's words, saying yes above a logit."""
    recall, false_rate = (float(norm.sf((level - mean) / SPREAD)) for mean in (APART, -APART))
    return recall * RARE / (recall * RARE + false_rate * (1 - RARE)), recall


@open_exercise
def check_level_for_rare(level: float, guess: float) -> Feedback:
    """Chapter 2: a level of the logit at which a rare letter has a precision of .9 and half of its words."""
    precision, recall = rare_scores(float(level))
    said = f"At a level of {level:g} precision is {precision:.3f} and recall {recall:.3f}."
    return beside_guess(
        precision >= 0.9 and recall >= 0.5, said, "Precision at 0", rare_scores(0.0)[0], guess
    )


@cache
def shipped(sae: str) -> LoadedSae:
    """A shipped SAE, read once; the language model is not needed."""
    return load_sae("shipped", sae, model_size(EMBEDDED_MODEL))


def decoder_rows(sae: str) -> Float[torch.Tensor, "latent d_model"]:
    """Decoder rows of a shipped SAE, of unit norm."""
    return directions(shipped(sae))


def _not_shipped(*saes: str) -> Feedback | None:
    odd = [sae for sae in saes if sae not in shipped_ids()]
    return (
        Feedback(False, f"No shipped SAE {odd[0]!r}; allowed: {', '.join(shipped_ids())}.") if odd else None
    )


def novel_share(smaller: str, larger: str, threshold: float = THRESHOLD) -> float:
    """Share of the larger SAE's latents whose largest decoder cosine with the smaller's is below the threshold."""
    return float((Pair(shipped(smaller), shipped(larger)).cosines < threshold).mean())


@open_exercise
def check_half_novel(smaller: str, larger: str, threshold: float, guess: float) -> Feedback:
    """Chapter 13: two shipped SAEs and a threshold at which half of the larger one's latents are novel."""
    if refused := _not_shipped(smaller, larger):
        return refused
    if shipped(smaller).d_sae >= shipped(larger).d_sae:
        return Feedback(
            False, f"{larger} has no more latents than {smaller}; allowed: the smaller one first."
        )
    share = novel_share(smaller, larger, threshold)
    said = f"Below a cosine of {threshold:g} are {share:.3f} of the latents of {larger}."
    published = novel_share(smaller, larger)
    return beside_guess(HALF[0] <= share <= HALF[1], said, f"Share below {THRESHOLD:g}", published, guess)


@open_exercise
def check_directions(sae: str, n: int, guess: float) -> Feedback:
    """Chapter 14: the fewest directions, the same for all rows, that hold half of a shipped SAE's decoder rows."""
    if refused := _not_shipped(sae):
        return refused
    rows = decoder_rows(sae).double()
    held = torch.linalg.eigvalsh(rows.T @ rows).flip(0).cumsum(0)  # squared singular values, largest first
    least = int((held < held[-1] / 2).sum()) + 1
    share = float(held[min(max(int(n), 1), len(held)) - 1] / held[-1])
    said = f"{n} directions hold {share:.3f} of the rows' squared norm."
    if n != least:
        return Feedback(False, f"{said} Asked are the fewest that hold half of it.")
    return beside_guess(True, said, "Rows without structure need about", len(held) / 2, guess)


def check_random_cosine(answer: Callable[[float, int], float] | None) -> Feedback:
    """Chapter 16: share of random directions whose cosine with a given one is at least a threshold."""
    if answer is None:
        return NOT_ANSWERED
    for threshold, d in ((0.025, 576), (0.1, 576), (0.025, 2304), (0.1, 64)):
        # The cosine c of a random direction: c * sqrt((d - 1) / (1 - c^2)) has Student's distribution, d - 1 degrees.
        expected = float(student.sf(threshold * np.sqrt((d - 1) / (1 - threshold**2)), d - 1))
        given = float(answer(threshold, d))
        if abs(given - expected) > 0.01:
            return Feedback(
                False,
                f"At a threshold of {threshold:g} in {d} dimensions it is {expected:.3f}; you give {given:.3f}. "
                "One coordinate of a random unit vector is nearly normal, with a variance of 1 over the dimensions.",
            )
    least = Thresholds().min_cosine
    passing = float(norm.sf(least * np.sqrt(576)))
    return Feedback(
        True,
        f"{passing:.0%} of random directions in 576 dimensions pass the published {least:g}: hence the nulls.",
    )


@open_exercise
def check_cosine_between(threshold: float, guess: float) -> Feedback:
    """Chapter 16: a cosine threshold that random directions fail and a strong child that carries its label passes."""
    d = model_size(EMBEDDED_MODEL).d_model
    passing, published = (float(norm.sf(at * np.sqrt(d))) for at in (threshold, Thresholds().min_cosine))
    child = float(1 / np.hypot(1, STRENGTH))
    said, right = (
        f"Of random directions {passing:.4f} pass; the child's cosine is {child:.3f}.",
        passing <= PASSING,
    )
    return beside_guess(
        right and threshold <= child, said, "Share that passes the published one", published, guess
    )
