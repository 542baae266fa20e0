"""The words of a chapter, with everything that does not depend on the SAE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.definitions.evidence import letters_probed_well, probed_right
from absorption.models.language_model import LanguageModel
from absorption.probes.scores import letter_scores
from absorption.probes.words import CONVERGED, ProbedWords, probe_words
from absorption.spelling.activations import word_activations
from absorption.spelling.prompts import SpellingPrompts, letter_index, make_prompts
from absorption.spelling.task import FIRST_LETTER, Task
from absorption.spelling.vocab import BY_WORD, TEST_SHARE, load_vocab, sample_words, stems


@dataclass(frozen=True)
class StudyWords:
    """Words, their prompts, and the probes at one hook; SAEs of that hook share all of it."""

    model: LanguageModel
    prompts: SpellingPrompts
    probed: ProbedWords
    seed: int

    @property
    def table(self) -> pd.DataFrame:
        """The words; row numbers are positions in the prompts."""
        return self.probed.words

    @property
    def acts(self) -> Float[Tensor, "word d_model"]:
        """Residual stream at each word's token."""
        return self.probed.acts

    @property
    def names(self) -> tuple[str, ...]:
        """The letters, or the labels of another task."""
        return self.probed.names

    @cached_property
    def letters(self) -> Int[Tensor, " word"]:
        """Index of each word's letter."""
        return letter_index(self.table, self.names)

    @cached_property
    def right(self) -> Int[Tensor, " right"]:
        """Test words that the probe of their letter gets right: the denominator of every rate."""
        predicted = self.probed.probes.predict(self.acts)
        return probed_right(predicted, self.letters, torch.from_numpy(self.probed.test))

    @cached_property
    def probe_f1(self) -> pd.DataFrame:
        """F1 of each letter's probe on the test words, with intervals: ``letter, value, low, high``."""
        test = self.probed.test
        logits = self.probed.probes.logits(self.acts[test])
        scores = letter_scores(logits, self.probed.labels[test], seed=self.seed, names=self.names)
        return scores[(scores["metric"] == "f1") & (scores["letter"] != "mean")].reset_index(drop=True)

    @cached_property
    def stems(self) -> np.ndarray:
        """Each word without case and space: what intervals resample."""
        return stems(self.table).to_numpy()

    @cached_property
    def filters(self) -> Float[Tensor, "letter d_model"]:
        """Unit weights of the converged probes, whatever probe judges: their patterns are what controls take out.

        The published training stops between a difference in means and a filter, so its own pattern is neither."""
        return self.probed.under(CONVERGED).probes.directions

    def under(self, probe: str) -> StudyWords:
        """The same words and split under another kind of probe (``probes.PROBES``)."""
        return replace(self, probed=self.probed.under(probe))

    def good_letters(self, min_probe_f1: float) -> list[str]:
        """Letters whose probe is good enough for a rate.

        Raises:
            ValueError: there is none.
        """
        f1 = dict(zip(self.probe_f1["letter"], self.probe_f1["value"], strict=True))
        good = letters_probed_well(f1, min_probe_f1)
        if not good:
            raise ValueError(
                f"no letter's probe has an F1 above {min_probe_f1:g} (best: {max(f1.values()):.2f}); "
                "use more words (n_words) or another layer."
            )
        return good


def prepare_words(
    model: LanguageModel,
    hook_name: str,
    *,
    n_words: int = 0,
    n_sets: int = 4,
    seed: int = 0,
    probe: str = CONVERGED,
    split: str = BY_WORD,
    vocabulary: pd.DataFrame | None = None,
    task: Task = FIRST_LETTER,
    test_share: float = TEST_SHARE,
) -> StudyWords:
    """Choose the words, read their activations, fit the probes; each step is kept on disk.

    Args:
        model: a loaded model.
        hook_name: where the SAEs read it.
        n_words: words used, drawn with the seed; 0: the whole vocabulary.
        n_sets: seeded sets of in-context examples.
        seed: of words, examples and split.
        probe: kind of probe, one of ``probes.PROBES``.
        split: by ``word`` or by ``stem``.
        vocabulary: words to draw from, as ``load_vocab`` gives them; default all of the tokenizer's.
        task: what is asked of the words, whose labels stand in the column ``letter``; default the first letter.
        test_share: share of the words that everything is scored on.
    """
    words = sample_words(load_vocab(model.tokenizer) if vocabulary is None else vocabulary, n_words, seed)
    prompts = make_prompts(model, words, n_sets=n_sets, seed=seed, task=task)
    acts = word_activations(model, prompts, [hook_name])[hook_name]
    probed = probe_words(
        words, acts, seed=seed, probe=probe, split=split, names=task.names, test_share=test_share
    )
    return StudyWords(model, prompts, probed, seed)


def thin(words: Int[Tensor, " word"], n: int) -> Int[Tensor, " some"]:
    """At most ``n`` of the words, evenly spaced in the order of the vocabulary."""
    if len(words) <= n:
        return words
    return words[torch.linspace(0, len(words) - 1, n).round().long()]
