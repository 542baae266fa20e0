"""Chapter 2, probe baselines: a linear probe for each letter, by split of the words, by kind of probe and by depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.settings import ProbeSettings, every_depth
from absorption.models.hooks import Site
from absorption.models.language_model import LanguageModel
from absorption.probes.fit import ProbeSet, one_hot
from absorption.probes.scores import METRICS, mean_scores, prevalence_f1, score_layers, score_splits
from absorption.probes.words import CONVERGED, PATTERN, probe_words
from absorption.spelling.activations import word_activations
from absorption.spelling.prompts import make_prompts
from absorption.spelling.vocab import BY_STEM, BY_WORD, LETTERS, load_vocab, sample_words

LR = "LR probe"
"""What scores call the converged probe."""
DIRECTIONS = {"weights": CONVERGED, "patterns": PATTERN}
"""Which probe each kind of direction is of."""


@dataclass(frozen=True)
class Words(Findings):
    """The words, and the residual stream at their token."""

    table: pd.DataFrame
    here: Site
    """Where the later chapters' SAEs read."""
    acts: Float[Tensor, "word d_model"]

    def numbers(self) -> Mapping[str, Any]:
        """How many words, and where."""
        return {"n_words": f"{len(self.table):,}", "here": self.here.label}


def read_words(model: LanguageModel, settings: ProbeSettings) -> Words:
    """Put every word into its prompt and read the residual stream at the hook."""
    table = sample_words(load_vocab(model.tokenizer), settings.n_words, settings.seed)
    here = model.site(settings.hook_name)
    return Words(table, here, _activations(model, table, [here.name], settings)[here.name])


def _activations(
    model: LanguageModel, words: pd.DataFrame, hooks: list[str], settings: ProbeSettings
) -> dict[str, Tensor]:
    prompts = make_prompts(model, words, n_sets=settings.n_sets, seed=settings.seed)
    return word_activations(model, prompts, hooks)


@dataclass(frozen=True)
class ByLetter(Findings):
    """Scores at the hook, one split of the words a seed; the first is shown letter by letter."""

    scores: pd.DataFrame
    first: pd.DataFrame
    letters: pd.DataFrame
    """One row a letter, for readers."""
    means: pd.DataFrame
    """Means over letters: ``method, metric, seed, value, low, high``."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Scores of every split."""
        return {"probe-scores": self.scores}

    def numbers(self) -> Mapping[str, Any]:
        """Means over the splits, and the range of F1."""
        values = self.means[self.means["method"] == LR].groupby("metric")["value"]
        means = {f"probe_{metric}": float(values.get_group(metric).mean()) for metric in METRICS}
        f1 = values.get_group("f1")
        return means | {"f1_min": float(f1.min()), "f1_max": float(f1.max())}


def score_letters(words: Words, model: LanguageModel, settings: ProbeSettings) -> ByLetter:
    """Probe and difference in means at the hook, over several splits of the words."""
    seeds = list(range(settings.seed, settings.seed + settings.n_seeds))
    scores = score_layers(words.table, {words.here.name: words.acts}, model, seeds=seeds)
    first = scores[scores["seed"] == settings.seed]
    split = probe_words(words.table, words.acts, seed=settings.seed).words
    means = mean_scores(scores).sort_values(["method", "metric", "seed"])
    shown = means[["method", "metric", "seed", "value", "low", "high"]]
    return ByLetter(scores, first, letter_table(first, split), shown)


def letter_table(scores: pd.DataFrame, words: pd.DataFrame, method: str = LR) -> pd.DataFrame:
    """One row a letter for readers: number of test words and every metric as ``value [low, high]``.

    Args:
        scores: from ``probes.score_layers``, of one split.
        words: the vocabulary table with a ``split`` column.
        method: whose scores.
    """
    rows = scores[(scores["method"] == method) & (scores["letter"] != "mean")]
    text = rows.apply(lambda row: f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]", axis=1)
    wide = rows.assign(text=text).pivot(index="letter", columns="metric", values="text")
    n_test = words.loc[words["split"] == "test", "letter"].value_counts()
    counted = wide[list(METRICS)].assign(**{"test words": n_test.reindex(wide.index).astype(int)})
    return counted.reset_index().rename_axis(columns=None)


@dataclass(frozen=True)
class Directions(Findings):
    """How alike the letters' directions are: of the probes' weights, and of the patterns they are written along."""

    cosines: pd.DataFrame
    """``direction, letter, other, cosine``; letters in the order of a clustering of the patterns."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every pair's cosine."""
        return {"direction-cosines": self.cosines}

    def numbers(self) -> Mapping[str, Any]:
        """The most alike pair of either kind of direction, by name: the figure has the cosines."""
        rows = self.cosines[self.cosines["letter"] < self.cosines["other"]].dropna().sort_values("cosine")
        most = rows.groupby("direction").last()
        return {
            f"alike_{kind}": f"{row['letter'].upper()} and {row['other'].upper()}"
            for kind, row in most.iterrows()
        }


def compare_directions(words: Words, settings: ProbeSettings) -> Directions:
    """Cosines between the 26 probes' weights, and between their patterns, of the first split."""
    filters = probe_words(words.table, words.acts, seed=settings.seed)
    return Directions(
        direction_cosines({kind: filters.under(name).probes for kind, name in DIRECTIONS.items()})
    )


def direction_cosines(probes: Mapping[str, ProbeSet]) -> pd.DataFrame:
    """Cosine of every pair of letters, by kind of direction.

    Args:
        probes: by kind; the last one's clustering (average linkage of 1 - cosine, alike letters side by side) orders
            the letters of all.
    """
    found = {kind: (one.directions @ one.directions.T).double().numpy() for kind, one in probes.items()}
    alike = np.nan_to_num(list(found.values())[-1])  # a letter without words has no direction
    distances = squareform(np.clip(1 - alike, 0, None), checks=False)
    order = leaves_list(linkage(distances, "average", optimal_ordering=True))
    return pd.DataFrame(
        [
            {"direction": kind, "letter": LETTERS[i], "other": LETTERS[j], "cosine": cosines[i, j]}
            for kind, cosines in found.items()
            for i in order
            for j in order
        ]
    )


@dataclass(frozen=True)
class BySplit(Findings):
    """Four kinds of probe under both splits of the words."""

    scores: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Mean F1 by probe and split."""
        return {"probe-scores-by-split": self.scores}

    def numbers(self) -> Mapping[str, Any]:
        """The share of variants, and the converged probe's F1 under either split."""
        rows = self.scores[self.scores["probe"] == CONVERGED].set_index("split").to_dict("index")
        by_split = {f"f1_by_{split}": float(rows[split]["value"]) for split in (BY_WORD, BY_STEM)}
        return {"variants": float(rows[BY_WORD]["variants"])} | by_split


def compare_splits(words: Words, settings: ProbeSettings) -> BySplit:
    """Score every kind of probe under both splits."""
    return BySplit(score_splits(words.table, words.acts, seed=settings.seed))


@dataclass(frozen=True)
class ByDepth(Findings):
    """Scores from the embedding to the last layer, on a sample of the words."""

    scores: pd.DataFrame
    n_words: int
    floor: float
    """F1 of always saying yes."""

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return mean_scores(self.scores)

    @property
    def f1(self) -> pd.DataFrame:
        """The LR probe's mean F1 by depth, lowest first."""
        rows = self.means
        return rows[(rows["method"] == LR) & (rows["metric"] == "f1")].sort_values("value")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Scores by depth."""
        return {"probe-scores-by-layer": self.scores}

    def claims(self) -> pd.DataFrame:
        """Whether the probe finds the letter at every depth: its lowest F1."""
        worst = self.f1.iloc[0]
        note = f"lowest at depth {worst['depth']}; {len(self.f1)} depths, {self.n_words:,} words"
        lowest = Estimate(worst["value"], worst["low"], worst["high"])
        return claim("probe", lowest, part="every-layer", note=note)

    def numbers(self) -> Mapping[str, Any]:
        """The lowest and the highest F1, where they are, and the floor."""
        ends = {"worst": self.f1.iloc[0], "best": self.f1.iloc[-1]}
        values = {name: float(row["value"]) for name, row in ends.items()}
        depths = {f"{name}_depth": int(row["depth"]) for name, row in ends.items()}
        return values | depths | {"floor": self.floor, "n_some": f"{self.n_words:,}"}


def score_depths(words: Words, model: LanguageModel, settings: ProbeSettings) -> ByDepth:
    """Probe at every n-th depth and at the hook, on a seeded sample of the words."""
    some = sample_words(words.table, settings.curve_words, settings.seed)
    depths = sorted({*every_depth(model.n_layers, settings.every), words.here.depth})
    acts = _activations(model, some, [Site(depth).name for depth in depths], settings)
    scores = score_layers(some, acts, model, seeds=[settings.seed])
    return ByDepth(scores, len(some), prevalence_f1(one_hot(some)))
