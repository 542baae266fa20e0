"""One concept on one SAE: does the model know the labels, and are they absorbed more often than chance has it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
import torch

from absorption.base.statistics import Estimate, mean_interval
from absorption.concepts.concept import Concept
from absorption.definitions.rates import Rate, mean_rate
from absorption.definitions.thresholds import Thresholds
from absorption.models.language_model import LanguageModel
from absorption.one_sae.study import Study, study_saes
from absorption.one_sae.summary import Absorption, measure_absorption
from absorption.one_sae.words import StudyWords, prepare_words
from absorption.saes.loaded import LoadedSae
from absorption.spelling.answers import ask

LEAST_SKILL = 0.1
"""Share of the way from chance to all right below which a model does not do the task."""
UNABLE = "the model does not do the task"


@dataclass(frozen=True)
class Skill:
    """How well the model names labels of words drawn evenly by label."""

    accuracy: Estimate
    chance: float
    """One over the number of labels."""

    @property
    def able(self) -> bool:
        """Whether the whole interval is above chance by ``LEAST_SKILL`` of the way to 1."""
        return (self.accuracy.low - self.chance) / (1 - self.chance) > LEAST_SKILL


@dataclass(frozen=True)
class Measured:
    """What was measured of a concept."""

    concept: Concept
    """With all its words."""
    study: Study
    """The SAE on the words that were drawn."""
    skill: Skill
    found: Absorption | None
    """None where no label's probe is good enough."""
    reason: str
    """Why nothing was ablated, or nothing measured; empty where all was."""

    @property
    def valid(self) -> list[str]:
        """Labels over which means are taken: probed well, and with main latents that stand for them."""
        if self.found is None:
            return []
        passed = set(self.found.valid)
        return [label for label in self.found.letters if label in passed]

    def rate(self, definition: str) -> Rate | None:
        """Mean rate over the labels that count, beside both nulls; None where there is none."""
        if self.found is None or not self.valid:
            return None
        table = self.found.judged[self.found.judged["definition"] == definition]
        if table.empty:
            return None
        asked: Any = {"valid": self.valid, "null": self.found.null, "seed": self.study.words.seed}
        return mean_rate(table, self.found.letters, **asked)


def prepare(
    model: LanguageModel,
    sae: LoadedSae,
    concept: Concept,
    *,
    n_words: int,
    n_sets: int = 4,
    seed: int = 0,
    f1_jump: float,
) -> Study:
    """Words, probes, latents and main latents of a concept; activations and probes are kept on disk.

    Args:
        model: a loaded model.
        sae: where it reads is where words are probed.
        concept: with all its words.
        n_words: words drawn, as evenly by label as they go; 0: all.
        n_sets: seeded sets of in-context examples.
        seed: of the draw, the examples and the split.
        f1_jump: rise of F1 by which a further latent counts as a main one.

    Raises:
        ValueError: two labels' answers begin with one token.
    """
    drawn = concept.drawn(n_words, seed)
    words = prepare_words(
        model, sae.hook_name, n_sets=n_sets, seed=seed,
        vocabulary=drawn.words, task=concept.task, test_share=drawn.test_share,
    )  # fmt: skip
    return study_saes(words, [sae], f1_jump=f1_jump, allow_none=True)[0]


def skill_of(words: StudyWords, *, n_words: int, seed: int = 0) -> Skill:
    """Accuracy on about ``n_words`` words, as many of each label."""
    letters, n_labels = words.letters.numpy(), len(words.names)
    draw = np.random.default_rng(seed).random(len(letters))
    rank = pd.Series(draw).groupby(letters).rank(method="first").to_numpy()
    index = torch.from_numpy(np.flatnonzero(rank <= ceil(n_words / n_labels)))
    said = ask(words.model, words.prompts, index).letter_logits.argmax(dim=1)
    right = (said == words.letters[index]).numpy()
    return Skill(mean_interval(right, seed=seed), 1 / n_labels)


def measure(
    model: LanguageModel,
    sae: LoadedSae,
    concept: Concept,
    thresholds: Thresholds,
    *,
    n_words: int,
    asked_words: int,
    ablated_words: int,
    probe: str,
    centred: bool,
    n_sets: int = 4,
    f1_jump: float,
    seed: int = 0,
) -> Measured:
    """Everything about one concept.

    Args:
        model: a loaded model.
        sae: one SAE.
        concept: words, labels and question.
        thresholds: of all definitions; the cap on candidates is ``ablated_words`` over the labels.
        n_words: words drawn; 0: all.
        asked_words: words of which the model's answer is asked.
        ablated_words: candidates that are ablated, over all labels.
        probe: of the rates, one of ``probes.PROBES``.
        centred: project activations less the training words' mean.
        n_sets: seeded sets of in-context examples.
        f1_jump: as in ``prepare``.
        seed: of every choice.
    """
    study = prepare(model, sae, concept, n_words=n_words, n_sets=n_sets, seed=seed, f1_jump=f1_jump)
    skill = skill_of(study.words, n_words=asked_words, seed=seed)
    each = ceil(ablated_words / len(concept.labels))
    limits = Thresholds(**{**vars(thresholds), "max_candidates": each})
    try:
        found = measure_absorption(
            study,
            limits,
            scale_words=asked_words,
            probe=probe,
            ablate=skill.able,
            null_candidates=each,
            centred=centred,
            seed=seed,
        )
    except ValueError as error:  # no label is probed well
        return Measured(concept, study, skill, None, str(error))
    reason = found.missing if skill.able else UNABLE
    return Measured(concept, study, skill, replace(found, scaled=None), reason)  # the engine holds a model
