"""Open exercises on the SAE family: choose another SAE, predict what it does, look it up in the stored numbers.

Any SAE with the asked property is right; a check says by which numbers, and sets the prediction beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps

from absorption.base.quantities import SPLITS, rate, score
from absorption.base.statistics import interval
from absorption.chapters.exercises import Feedback, beside_guess, open_exercise
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.silence import AT_ZERO
from absorption.several_saes.stored_numbers import SaeFamily, members, read_sae_family
from absorption.training.recipe import BASE

CHAPTERS_SAE = BASE.sae_id
"""The SAE that the chapters measure unless they are told another."""
SELECTION = "encoder cosine"
EFFECT = "share of the effect, {}"
SETTINGS = ("architecture", "d_sae", "k", "layer")
"""What a pair may differ in, one at a time."""


@cache
def family() -> SaeFamily:
    """The stored numbers, read once."""
    return read_sae_family()


def of_known_saes(check: Callable[..., Feedback]) -> Callable[..., Feedback]:
    """Refuse a name that no stored SAE has, by naming those that there are; all but the last argument are names."""

    @wraps(check)
    def checked(*given: str) -> Feedback:
        odd = [sae for sae in given[:-1] if sae not in family().saes]
        if odd:
            return Feedback(False, f"No SAE {odd[0]!r}; allowed: {', '.join(family().saes)}.")
        return check(*given)

    return checked


@open_exercise
@of_known_saes
def check_more_found(sae: str, guess: float) -> Feedback:
    """Chapter 3: an SAE whose letters' latents have a higher recall than the chapter's and yet a lower F1."""
    more, worse = (_change(sae, score(metric, SELECTION)) for metric in ("recall", "f1"))
    said = f"Against {CHAPTERS_SAE}, recall changes by {more:+.3f} and F1 by {worse:+.3f}."
    return beside_guess(
        more > 0 > worse, said, "Its precision", _value(sae, score("precision", SELECTION)), guess
    )


@open_exercise
@of_known_saes
def check_more_splits(sae: str, guess: float) -> Feedback:
    """Chapter 4: an SAE with fewer latents than the chapter's that splits its letters into more parts."""
    width = {row["sae"]: int(row["d_sae"]) for row in members(family()).to_dict("records")}
    fewer, more = width[sae] < BASE.d_sae, _change(sae, SPLITS)
    said = f"It has {'fewer' if fewer else 'no fewer'} latents, and {more:+.3f} splits a letter."
    return beside_guess(fewer and more > 0, said, "Splits of a letter", _value(sae, SPLITS), guess)


@open_exercise
@of_known_saes
def check_lower_by_candidates(sae: str, guess: float) -> Feedback:
    """Chapter 5: an SAE with a lower rate, though more of its candidates are absorbed than of the chapter's SAE."""
    table = family().silences
    rows = {row["sae"]: row for row in table[table["silence"] == AT_ZERO].to_dict("records")}
    if sae not in rows:
        return Feedback(False, f"{sae} has no stored shares; allowed: {', '.join(rows)}.")
    lower, more, candidates = (
        float(rows[sae][name] - rows[CHAPTERS_SAE][name])
        for name in ("rate", "share_absorbed", "share_candidates")
    )
    said = (
        f"Against {CHAPTERS_SAE}, the rate changes by {lower:+.3f}: candidates by {candidates:+.3f}, the share "
        f"absorbed among them by {more:+.3f}."
    )
    share = float(rows[sae]["share_candidates"])
    return beside_guess(lower < 0 < more, said, "Its share of candidates", share, guess)


@open_exercise
@of_known_saes
def check_spread_out(sae: str, guess: float) -> Feedback:
    """Chapter 6: an SAE whose latents together carry more of the letter's effect, and main and absorbing ones less."""
    together, named = (_change(sae, EFFECT.format(part)) for part in ("all latents", "main + absorbing"))
    said = f"Against {CHAPTERS_SAE}, all latents carry {together:+.3f}, main and absorbing ones {named:+.3f}."
    share = _value(sae, EFFECT.format("main + absorbing"))
    return beside_guess(together > 0 > named, said, "Share of main and absorbing latents", share, guess)


@open_exercise
@of_known_saes
def check_one_setting(first: str, second: str, guess: float) -> Feedback:
    """Chapter 12: two SAEs that differ in one setting and in full absorption by more than words can explain."""
    about = {row["sae"]: row for row in members(family()).to_dict("records")}
    differing = [name for name in SETTINGS if about[first][name] != about[second][name]]
    if len(differing) != 1:
        return Feedback(
            False,
            f"They differ in {' and '.join(differing) or 'no setting'}; allowed: one of {', '.join(SETTINGS)}.",
        )
    quantity = rate(FULL_ABSORPTION)
    low, high = interval(family().samples(second, quantity) - family().samples(first, quantity))
    change = _value(second, quantity) - _value(first, quantity)
    said = f"With another {differing[0]} full absorption changes by {change:+.3f} [{low:+.3f}, {high:+.3f}]."
    return beside_guess(low > 0 or high < 0, said, "Change", change, guess)


def _value(sae: str, quantity: str) -> float:
    return family().value(sae, quantity)


def _change(sae: str, quantity: str) -> float:
    return _value(sae, quantity) - _value(CHAPTERS_SAE, quantity)
