"""Open exercises on planted truth: choose a world, a penalty, a threshold; predict; and see what it does.

Losses are closed-form, SAEs are set by hand on planted words. Any choice with the asked property is right.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from absorption.chapters.exercises import Feedback, beside_guess, open_exercise
from absorption.chapters.remedies import WORLDS
from absorption.chapters.without_a_probe.planted_pairs import planted_truth, planted_view
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.planted.alphabet import Alphabet
from absorption.planted.cases import SILENCED
from absorption.planted.saes import Case, absorbing
from absorption.planted.study import PlantedStudy, study_case
from absorption.toy import measure, theory
from absorption.toy.worlds import World

WORDS = Alphabet(n_words=60, families=(3,) * 4, d_model=220, seed=5)
SAVED, AS_FREQUENT = 0.3, 2.0
"""Chapter 7: share of the penalty to be saved, and how much more frequent than its child the parent is at least."""
CLOSE, PARTIAL, APART = 0.02, (0.2, 0.8), 0.05
"""Chapter 8: absorption that counts as the same and as partial; distance of the two P(parent | child)."""
UNSEEN, NEVER_ALONE = 0.99, 1
"""Chapter 9: explained variance that hides what is left out, and the feature that is: the child f1."""


@open_exercise
def check_saving(p_both: float, p_parent: float, guess: float) -> Feedback:
    """Chapter 7: rates at which full absorption saves at least 30% of the penalty, of a parent twice as frequent."""
    if not 0 < p_both <= p_parent <= 1 or p_parent < AS_FREQUENT * p_both:
        return Feedback(
            False,
            f"f0 and f1 on: {p_both:g}, f0 on: {p_parent:g}; allowed: above 0, and f0 at least {AS_FREQUENT:g} times "
            "as often as both, at most 1.",
        )
    losses = theory.closed_form_losses(np.array([0.0, 1.0]), p_both, p_parent - p_both)["sparsity"]
    saved = 1 - float(losses.iloc[1] / losses.iloc[0])
    said = f"The penalty falls from {losses.iloc[0]:.3f} to {losses.iloc[1]:.3f}."
    return beside_guess(saved >= SAVED, said, "Share saved", saved, guess)


@open_exercise
def check_same_absorption(first: tuple[float, float], second: tuple[float, float], guess: float) -> Feedback:
    """Chapter 8: two pairs of P(parent | child) and L1 coefficient with the same partial absorption."""
    for p_parent, l1 in (first, second):
        if not (0 < p_parent <= 1 and l1 > 0):
            return Feedback(
                False, f"{p_parent:g} and {l1:g}: allowed are a P of at most 1 and a penalty above 0."
            )
    if abs(first[0] - second[0]) < APART - 1e-9:
        return Feedback(
            False, f"P(f0 | f1) is {first[0]:g} and {second[0]:g}; allowed: at least {APART:g} apart."
        )
    absorbed = [theory.imperfect(*pair).absorbed for pair in (first, second)]
    said = f"Absorbed are {absorbed[0]:.3f} and {absorbed[1]:.3f} of the parent."
    same = abs(absorbed[0] - absorbed[1]) <= CLOSE and all(
        PARTIAL[0] <= one <= PARTIAL[1] for one in absorbed
    )
    return beside_guess(same, said, "Second coefficient over the first", second[1] / first[1], guess)


@open_exercise
def check_left_out(rate: float, guess: float) -> Feedback:
    """Chapter 9: a rate of the child at which an SAE that leaves it out explains 99% of the variance."""
    pair = WORLDS["pair"]
    if not 0 < rate <= pair.rates[0]:
        return Feedback(
            False, f"A rate of {rate:g}; allowed: above 0, at most the parent's {pair.rates[0]:g}."
        )
    world = replace(pair, rates=(pair.rates[0], float(rate), *pair.rates[2:]))
    found = measure.quality(_without(world, NEVER_ALONE), world)
    explained = found["explained_variance"]
    said = f"Without a latent for the child, {explained:.4f} of the variance is explained."
    return beside_guess(explained >= UNSEEN, said, "MCC", found["mcc"], guess)


def _without(world: World, feature: int) -> StandardSAE:
    """An SAE with a latent for every feature but one."""
    rows = torch.cat([world.directions[:feature], world.directions[feature + 1 :]])
    sae = StandardSAE(StandardSAEConfig(d_in=world.d_in, d_sae=len(rows)))
    with torch.no_grad():
        sae.W_enc.copy_(rows.T)
        sae.W_dec.copy_(rows)
        sae.b_enc.zero_()
        sae.b_dec.zero_()
    return sae.requires_grad_(False)


@cache
def absorbing_case() -> Case:
    """Two small families of each letter carry it, and the letter's latent is off."""
    return absorbing(WORDS, 1.0, hole=SILENCED)


@cache
def absorbing_study() -> PlantedStudy:
    """The same under the definitions, studied once: seconds."""
    return study_case(absorbing_case())


def recalls(thresholds: Thresholds) -> dict[str, float]:
    """Share of the planted absorbed words that each definition finds."""
    judged = absorbing_study().apply_definitions(thresholds)
    found = judged[judged["truth"]].groupby("definition")["absorbed"].mean()
    return {str(name): float(share) for name, share in found.items()}


@open_exercise
def check_one_threshold(thresholds: Thresholds, guess: float) -> Feedback:
    """Chapter 10: thresholds that blind two definitions and leave the absorption fraction as it is."""
    usual, moved = recalls(Thresholds()), recalls(thresholds)
    told = ", ".join(f"{name} {usual[name]:.2f} to {moved[name]:.2f}" for name in usual)
    blind = all(moved[name] < usual[name] / 2 for name in (ABLATION, FULL_ABSORPTION))
    same = moved[FRACTION] == usual[FRACTION]
    said = f"Recall changes: {told}."
    return beside_guess(blind and same, said, "Recall by full absorption", moved[FULL_ABSORPTION], guess)


def found_above(level: float) -> tuple[float, float]:
    """Precision and recall of calling a pair absorbing where carried times exclusion is above a level."""
    view, truth = planted_view(absorbing_case()), planted_truth(absorbing_case())
    pairs = ~np.eye(len(truth), dtype=bool)
    said, true = (view.carried * view.exclusion > level)[pairs], truth[pairs]
    return (float(true[said].mean()) if said.any() else float("nan")), float(said[true].mean())


@open_exercise
def check_cut(level: float, guess: float) -> Feedback:
    """Chapter 11: a level of the score above which all pairs absorb, and hardly an absorbing pair is lost."""
    precision, recall = found_above(level)
    said = f"Above {level:g}, precision is {precision:.3f} and recall {recall:.3f}."
    return beside_guess(
        precision >= 0.95 and recall >= 0.95, said, "Precision above 0.3", found_above(0.3)[0], guess
    )
