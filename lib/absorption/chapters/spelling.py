"""Chapter 1, can the model spell? How often it names the first letter, of which words, and where the letter sits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.ablation.engine import StateEngine
from absorption.base.statistics import Estimate, mean_interval, rate_table
from absorption.chapters.findings import Findings
from absorption.chapters.settings import SpellingSettings, every_depth
from absorption.models.hooks import Site
from absorption.models.language_model import LanguageModel
from absorption.one_sae.layers import other_words
from absorption.spelling import full_spelling
from absorption.spelling.answers import answer_by_examples, answer_metric, answer_words
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.vocab import load_vocab, sample_words

SHIPPED_DEPTH = 9
"""Blocks before the place that the shipped SAEs read."""
MEAN, OTHER = "mean of all words", "another word's"
"""What takes the place of the word's residual stream: the mean over the patched words, or another word's."""


@dataclass(frozen=True)
class Words(Findings):
    """The whole vocabulary, and the words that are asked."""

    vocab: pd.DataFrame
    asked: pd.DataFrame

    def numbers(self) -> Mapping[str, Any]:
        """How many of each."""
        return {"n_vocab": f"{len(self.vocab):,}", "n_asked": f"{len(self.asked):,}"}


def draw_words(model: LanguageModel, settings: SpellingSettings) -> Words:
    """Draw the words from the tokenizer's vocabulary, with the seed."""
    vocab = load_vocab(model.tokenizer)
    return Words(vocab, sample_words(vocab, settings.n_words, settings.seed))


def short_prompt(model: LanguageModel, words: Words, settings: SpellingSettings) -> str:
    """The prompt of the word in the middle of the list, cut to two examples."""
    prompts = make_prompts(model, words.asked, n_examples=2, n_sets=settings.n_sets, seed=settings.seed)
    middle = prompts.word_ids.new_tensor([len(words.asked) // 2])
    return f"{model.tokenizer.decode(prompts.tokens(middle)[0][1:])} ..."


@dataclass(frozen=True)
class ByExamples(Findings):
    """Accuracy by number of in-context examples."""

    accuracy: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Accuracy, one row a number of examples."""
        return {"accuracy-by-examples": self.accuracy}


def by_examples(model: LanguageModel, words: Words, settings: SpellingSettings) -> ByExamples:
    """Ask a few words with few and many examples."""
    few = sample_words(words.vocab, settings.curve_words, settings.seed)
    counts, n_sets, seed = settings.curve_examples, settings.n_sets, settings.seed
    answers = answer_by_examples(model, few, counts=counts, n_sets=n_sets, seed=seed)
    return ByExamples(rate_table(answers, "correct", ["n_examples"], seed=seed))


@dataclass(frozen=True)
class Asked(Findings):
    """The answers with all examples, and accuracy by letter, by length and by how common the word is."""

    answers: pd.DataFrame
    accuracy: Estimate
    by_letter: pd.DataFrame
    by_length: pd.DataFrame
    by_rank: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Answers word by word, and accuracies."""
        return {
            "answers": self.answers,
            "accuracy-by-letter": self.by_letter,
            "accuracy-by-length": self.by_length,
            "accuracy-by-commonness": self.by_rank,
        }

    def numbers(self) -> Mapping[str, Any]:
        """Accuracy with its interval, and against the whole vocabulary of tokens."""
        accuracy = {f"accuracy_{end}": getattr(self.accuracy, end) for end in ("value", "low", "high")}
        return accuracy | {"accuracy_top": float(self.answers["top_correct"].mean())}


def ask(model: LanguageModel, words: Words, settings: SpellingSettings) -> Asked:
    """Ask every word with all examples."""
    n_examples, n_sets, seed = settings.n_examples, settings.n_sets, settings.seed
    answers = group_words(answer_words(model, words.asked, n_examples=n_examples, n_sets=n_sets, seed=seed))
    groups = (["letter"], ["length", "leading_space"], ["commonness", "leading_space"])
    rates = (rate_table(answers, "correct", by, seed=seed) for by in groups)
    return Asked(answers, mean_interval(answers["correct"].to_numpy(), seed=seed), *rates)


def group_words(words: pd.DataFrame, n_groups: int = 5) -> pd.DataFrame:
    """Adds ``length`` (letters, longest pooled) and ``commonness`` (fifths of the token ids, common first)."""
    length = words["n_letters"].clip(upper=full_spelling.LONGEST)
    rank = words["token_id"].rank(pct=True)
    fifth = np.ceil(rank * n_groups).astype(int).clip(1, n_groups)
    return words.assign(length=length, commonness=fifth)


@dataclass(frozen=True)
class Spelled(Findings):
    """Words spelled letter by letter, beside their first letter alone."""

    words: pd.DataFrame
    by_length: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Both accuracies by length."""
        return {"full-spelling": self.by_length}

    def numbers(self) -> Mapping[str, Any]:
        """Share of words spelled right, and of letters."""
        shares = {"full_share": "spelled", "full_letters": "letters_right"}
        return {name: float(self.words[column].mean()) for name, column in shares.items()}


def spell_in_full(model: LanguageModel, words: Words, asked: Asked, settings: SpellingSettings) -> Spelled:
    """Let the model spell some of the words that were asked."""
    some = sample_words(asked.answers, settings.full_words, settings.seed)
    n_examples, seed = settings.n_examples, settings.seed
    spelled = full_spelling.spell_words(model, some, words.vocab, n_examples=n_examples, seed=seed)
    return Spelled(spelled, full_spelling.by_length(asked.answers, spelled, seed=seed))


@dataclass(frozen=True)
class Patched(Findings):
    """What the model answers after the word's residual stream was replaced, by depth."""

    outcomes: pd.DataFrame
    n_layers: int

    @property
    def hook_depth(self) -> int:
        """The depth that the shipped SAEs read, or the last of a model with fewer blocks."""
        return min(SHIPPED_DEPTH, self.n_layers)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Outcomes by patch and depth."""
        return {"patching": self.outcomes}

    def numbers(self) -> Mapping[str, Any]:
        """The last depth that matters, and how many there are."""
        return {"last_depth": last_depth_that_matters(self.outcomes), "n_layers": self.n_layers}


def patch(model: LanguageModel, words: Words, settings: SpellingSettings) -> Patched:
    """Replace the word's residual stream at every n-th depth."""
    depths, n_words = every_depth(model.n_layers, settings.patch_every), settings.patch_words
    n_sets, seed = settings.n_sets, settings.seed
    found = patch_layers(model, words.asked, depths=depths, n_words=n_words, n_sets=n_sets, seed=seed)
    return Patched(patch_outcomes(found, seed=seed), model.n_layers)


def patch_layers(
    model: LanguageModel,
    words: pd.DataFrame,
    *,
    depths: list[int],
    n_words: int,
    n_sets: int = 4,
    seed: int = 0,
) -> pd.DataFrame:
    """Where the letter sits: the answer after the word's residual stream was replaced at one depth.

    Only words that the model spells right are patched. The other word comes from the same example set, so that
    nothing else of the prompt changes.

    Returns:
        ``word, letter, depth, patch, metric_clean, metric, still_correct, says_other``.
    """
    asked = answer_words(model, words, n_sets=n_sets, seed=seed).assign(row=np.arange(len(words)))
    known = sample_words(asked[asked["correct"]].reset_index(drop=True), n_words, seed)
    prompts = make_prompts(model, words, n_sets=n_sets, seed=seed).rows(torch.tensor(known["row"].to_numpy()))
    donors = other_words(prompts, torch.arange(len(known)), seed)
    about = known[["word", "letter"]].assign(metric_clean=known["metric"])
    tables = []
    for depth in tqdm(depths, desc="Patching"):
        for name, logits in patched_logits(model, prompts, depth, donors).items():
            said = logits.argmax(1)
            found = {
                "metric": answer_metric(logits, prompts.letters),
                "still_correct": said == prompts.letters,
                "says_other": said == prompts.letters[donors],
            }
            found = {column: values.numpy() for column, values in found.items()}
            tables.append(about.assign(depth=depth, patch=name, **found))
    return pd.concat(tables, ignore_index=True)


def patched_logits(
    model: LanguageModel, prompts: SpellingPrompts, depth: int, donors: Int[Tensor, " word"]
) -> dict[str, Float[Tensor, "word 26"]]:
    """Answer logits of every prompt after each patch; behind the last block none reaches the answer any more."""
    engine = StateEngine(model, prompts, Site(min(depth, model.n_layers - 1)))
    words = torch.arange(len(donors))
    states = engine.states(words)
    if depth == model.n_layers:
        return dict.fromkeys((MEAN, OTHER), engine.logits(words, states))
    mean = states.mean(dim=0).expand_as(states)
    return {MEAN: engine.logits(words, mean), OTHER: engine.logits(words, states[donors])}


def patch_outcomes(patched: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Shares of words by patch, outcome and depth, with intervals: ``patch, outcome, depth, value, low, high``."""
    still = rate_table(patched, "still_correct", ["patch", "depth"], seed=seed)
    swapped = patched[patched["patch"] == OTHER]
    other = rate_table(swapped, "says_other", ["patch", "depth"], seed=seed)
    return pd.concat(
        [still.assign(outcome="still right"), other.assign(outcome="says the other word's letter")],
        ignore_index=True,
    )


def last_depth_that_matters(outcomes: pd.DataFrame, share: float = 0.5) -> int:
    """Deepest depth at which giving a word another word's residual stream leaves fewer than ``share`` of the
    answers right; -1 if there is none."""
    rows = outcomes[(outcomes["patch"] == OTHER) & (outcomes["outcome"] == "still right")]
    deep = rows.loc[rows["value"] < share, "depth"]
    return int(deep.max()) if len(deep) else -1
