"""Exercises on the grid of TopK SAEs and on the arms of remedies: choose, predict, look it up in the stored numbers.

Any choice with the asked property is right; a check says by which numbers, and sets the prediction beside them.
"""

from __future__ import annotations

from functools import cache

from absorption.base.quantities import score
from absorption.chapters.exercises import Feedback, beside_guess, open_exercise
from absorption.remedies.arms import BASELINE, baseline_of
from absorption.remedies.measure import FULL
from absorption.remedies.stored import Remedies, read_remedies
from absorption.scaling.measure import KEPT_ERROR
from absorption.scaling.points import unexplained
from absorption.scaling.stored import Grid, read_grid

SAME_ERROR = 0.03
"""Errors whose ratio is nearer to 1 count as the same."""
SELECTION = "encoder cosine"
BETTER = {
    score("f1", SELECTION): 1, score("recall", SELECTION): 1, score("precision", SELECTION): 1,
    "explained_variance_text": 1, "explained_variance_words": 1, "recovered": 1, "dead_share": -1,
}  # fmt: skip
"""Costs of a remedy, and whether more (1) or less of them is better."""


@cache
def grid() -> Grid:
    """The grid's stored numbers, read once."""
    return read_grid()


@cache
def arms() -> Remedies:
    """The arms' stored numbers without SAEs that missed their L0, read once."""
    return read_remedies().matched()


def left(sae: str, kept: int = 0) -> float:
    """Share of the variance that an SAE of the grid leaves, with ``kept`` latents a token; 0: as in training."""
    return float(unexplained(grid(), [sae], n_resamples=1, seed=0, kept=kept)[0, 0])


@open_exercise
def check_same_error(wide: str, dense: str, guess: float) -> Feedback:
    """Chapter 15: two SAEs of the same error, one with more latents, the other with more of them active."""
    if odd := [sae for sae in (wide, dense) if sae not in grid().points]:
        return Feedback(False, f"The grid has no {odd[0]!r}; allowed: {', '.join(grid().points)}.")
    more, fewer = grid().points[wide], grid().points[dense]
    if not (more.d_sae > fewer.d_sae and more.k < fewer.k):
        return Feedback(
            False, "Name the one with more latents first; the second must have more of them active."
        )
    errors = left(wide), left(dense)
    said = f"They leave {errors[0]:.3f} and {errors[1]:.3f} of the variance."
    same = abs(errors[0] / errors[1] - 1) <= SAME_ERROR
    return beside_guess(same, said, "Times as many latents", more.d_sae / fewer.d_sae, guess)


@open_exercise
def check_other_number(sae: str, kept: int, guess: float) -> Feedback:
    """Chapter 15: an SAE that leaves less with another number of latents kept than with its own."""
    known = {name: grid().kept(name, KEPT_ERROR) for name in grid().points}
    known = {name: numbers for name, numbers in known.items() if int(grid().points[name].k) in numbers}
    if sae not in known:
        return Feedback(False, f"No numbers kept are stored for {sae!r}; allowed: {', '.join(known)}.")
    own = int(grid().points[sae].k)
    if kept not in known[sae] or kept == own:
        rest = ", ".join(str(number) for number in known[sae] if number != own)
        return Feedback(False, f"You keep {kept}; allowed: {rest}, and not the {own} of its training.")
    ratio = left(sae, kept) / left(sae, own)
    said = f"With {kept} latents a token it leaves {left(sae, kept):.4f}, with its own {own} {left(sae, own):.4f}."
    return beside_guess(ratio < 1, said, "Error over that at its own number", ratio, guess)


@open_exercise
def check_bought(arm: str, guess: float) -> Feedback:
    """Chapter 17: an arm that absorbs less than its baseline and whose latents stand for letters less well."""
    if refused := _unknown_arm(arm):
        return refused
    less, worse = _difference(arm, FULL), _difference(arm, score("f1", SELECTION))
    said = f"Against {baseline_of(arm)}, full absorption changes by {less:+.3f} and F1 by {worse:+.3f}."
    return beside_guess(less < 0 and worse < 0, said, "Change of F1", worse, guess)


@open_exercise
def check_better_by_another(arm: str, quantity: str, guess: float) -> Feedback:
    """Chapter 17: an arm that absorbs more than its baseline and is better by another number."""
    if refused := _unknown_arm(arm):
        return refused
    if quantity not in BETTER:
        return Feedback(False, f"No quantity {quantity!r}; allowed: {', '.join(BETTER)}.")
    more, change = _difference(arm, FULL), _difference(arm, quantity)
    said = (
        f"Against {baseline_of(arm)}, full absorption changes by {more:+.3f} and {quantity} by {change:+.3f}."
    )
    return beside_guess(more > 0 and change * BETTER[quantity] > 0, said, "Change", change, guess)


def _unknown_arm(arm: str) -> Feedback | None:
    allowed = [name for name in arms().arms if name != BASELINE]
    return None if arm in allowed else Feedback(False, f"No arm {arm!r}; allowed: {', '.join(allowed)}.")


def _difference(arm: str, quantity: str) -> float:
    """Mean over the arm's seeds minus mean over its baseline's."""
    means = []
    for name in (arm, baseline_of(arm)):
        values = [arms().value(sae, quantity) for sae in arms().of(name)]
        means.append(sum(values) / len(values))
    return means[0] - means[1]
