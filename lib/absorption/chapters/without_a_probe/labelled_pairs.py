"""Pairs of a language model's SAE that the labelled metric calls absorbing, and how the scores rank them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.loading import words_of
from absorption.chapters.settings import WithoutProbeSettings
from absorption.chapters.without_a_probe.planted_pairs import RankedPairs
from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.evidence import Evidence
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.latents.sparse import SparseActs
from absorption.latents.unlabelled import SCORES, SaeView
from absorption.models.language_model import LanguageModel
from absorption.one_sae.study import Study, study_saes
from absorption.probes.l1 import to_scipy
from absorption.saes.loaded import LoadedSae
from absorption.toy import roc

MIN_PROBE_F1 = Thresholds().min_probe_f1
"""Letters whose LR probe does worse are left out, as everywhere."""
FIRST_K = [5, 10, 20, 50, 100, 200, 500, 1000]
"""Numbers of first pairs among which labelled ones are counted."""
SHOWN = 50
"""First pairs named in the text."""
LANGUAGE, TRAINED_TOYS, LOOK_ALIKES = "language model", "trained", "planted"


@dataclass(frozen=True)
class Labelled:
    """A language model's SAE: pairs that the labelled metric calls absorbing, among all that could be."""

    pairs: pd.DataFrame
    """``letter``, ``words`` (absorbed by j) and ``COLUMNS`` less ``source``; i is a main latent of the letter."""
    n_all: int
    """Ordered pairs of latents that fire, of the whole SAE."""
    quantiles: pd.DataFrame
    """``score, quantile``: for each labelled pair, the share of *all* ordered pairs of the SAE that score below it."""
    top_words: pd.Series | None = None
    """Latent -> the words on which it is strongest, as text; not needed to rank pairs."""


def label_pairs(model: LanguageModel, sae: LoadedSae, settings: WithoutProbeSettings) -> Labelled:
    """Pairs of a language model's SAE, labelled on the words of the vocabulary."""
    words = words_of(model, sae, settings)
    (mine,) = study_saes(words, [sae], f1_jump=settings.f1_jump)
    found = labelled_pairs(sae, mine.evidence(), mine.acts, words.good_letters(MIN_PROBE_F1))
    return replace(found, top_words=top_words(mine))


def labelled_pairs(
    sae: LoadedSae,
    evidence: Evidence,
    acts: SparseActs,
    letters: list[str],
    thresholds: Thresholds | None = None,
) -> Labelled:
    """Compare scores with full absorption by projection (the labelled metric that needs no model run).

    Args:
        sae: the SAE.
        evidence: words, probes and main latents.
        acts: the SAE's latents on all words.
        letters: letters whose probe is good enough.
        thresholds: of the labelled metric.

    Returns:
        Pairs of a main latent and any other latent that fires and is no main latent of its letter.
    """
    judged = apply_projection_rules(evidence, thresholds or Thresholds())
    found = judged[
        (judged["definition"] == FULL_ABSORPTION) & judged["absorbed"] & judged["letter"].isin(letters)
    ]
    counts = found.groupby(["letter", "latent"]).size()
    view = SaeView(
        sae.encoder_directions.float().cpu().numpy(), sae.W_dec.float().cpu().numpy(), to_scipy(acts.csr)
    )
    scores = view.scores()
    tables = list(_letter_pairs(evidence, letters, counts, view, scores))
    pairs = pd.concat(tables, ignore_index=True).assign(sae=sae.name)
    alive = int(view.alive.sum())
    return Labelled(pairs, alive * (alive - 1), _quantiles(pairs[pairs["truth"]], view, scores))


def _letter_pairs(
    evidence: Evidence, letters: list[str], counts: pd.Series, view: SaeView, scores: dict[str, np.ndarray]
) -> Iterator[pd.DataFrame]:
    alive = np.flatnonzero(view.alive)
    for letter in letters:
        main = list(evidence.main[letter])
        others = np.setdiff1d(alive, main)
        words = np.array([counts.get((letter, latent), 0) for latent in others])
        for i in main:
            values = {name: matrix[i, others] for name, matrix in scores.items()}
            yield pd.DataFrame(
                {"letter": letter, "i": i, "j": others, "words": words, "truth": words > 0, **values}
            )


def _quantiles(labelled: pd.DataFrame, view: SaeView, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    alive = np.flatnonzero(view.alive)
    tables = []
    for name, matrix in scores.items():
        everything = matrix[np.ix_(alive, alive)].ravel()
        values = labelled[name].to_numpy()
        below = np.array([(everything < value).mean() for value in values])
        tables.append(pd.DataFrame({"score": name, "quantile": below}))
    return pd.concat(tables, ignore_index=True)


def strongest(labelled: Labelled, score: str, n: int = 40) -> pd.DataFrame:
    """The pairs that a score ranks first: ``letter, i, j, score, words`` and the words on which each is strongest.

    Args:
        labelled: with top words.
        score: which score.
        n: rows.
    """
    assert labelled.top_words is not None, "labelled without top words"
    words = labelled.top_words
    best = labelled.pairs.sort_values(score, ascending=False).head(n)
    table = best[["letter", "i", "j", "words"]].assign(score=best[score])
    for side in ("i", "j"):
        table[f"{side}_words"] = table[side].map(words).fillna("")
    return table.reset_index(drop=True)


def all_areas(toys: dict[str, pd.DataFrame], labelled: Labelled, *, seed: int = 0) -> pd.DataFrame:
    """``pairs`` (the set) and the columns of ``roc.areas``: the toys' tables, and the language model's over letters."""
    language = roc.areas(labelled.pairs, list(SCORES), unit="letter", seed=seed)
    tables = [table.assign(pairs=name) for name, table in (*toys.items(), (LANGUAGE, language))]
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class ComparedScores(Findings):
    """Every score on trained toys, look-alikes and the language model; the best on planted truth in detail."""

    labelled: Labelled
    areas: pd.DataFrame
    """From ``all_areas``."""
    best: str
    """The score with the highest average precision on planted truth."""
    first: pd.DataFrame
    """From ``roc.precision_at``: labelled pairs among the best score's first."""

    @property
    def strongest(self) -> pd.DataFrame:
        """The best score's first pairs, from ``strongest``."""
        return strongest(self.labelled, self.best)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Areas, and the best score's first pairs."""
        return {"blind-areas": self.areas, "blind-first-k": self.first}

    def numbers(self) -> Mapping[str, Any]:
        """What the page says of the best score."""
        return numbers_in_text(self.areas, self.labelled, self.first, self.best)


def compare_scores(
    trained: RankedPairs, look_alikes: RankedPairs, labelled: Labelled, *, seed: int = 0
) -> ComparedScores:
    """Areas of every score on all three sets of pairs; ``seed`` is the bootstrap's."""
    toys = {TRAINED_TOYS: trained.areas, LOOK_ALIKES: look_alikes.areas}
    areas = all_areas(toys, labelled, seed=seed)
    best = best_score(areas)
    first = roc.precision_at(labelled.pairs, best, FIRST_K)
    return ComparedScores(labelled, areas, best, first)


def best_score(areas: pd.DataFrame) -> str:
    """The score with the highest average precision on planted truth, mean of both sets: no label has a say."""
    toys = areas[areas["pairs"] != LANGUAGE]
    return str(toys.groupby("score", sort=False)["precision"].mean().idxmax())


def numbers_in_text(
    areas: pd.DataFrame, labelled: Labelled, first: pd.DataFrame, best: str
) -> dict[str, Any]:
    """What the page says of the best score, by name."""
    rows = {str(row["pairs"]): row for row in areas[areas["score"] == best].to_dict("records")}
    language = rows[LANGUAGE]
    there = areas[areas["pairs"] == LANGUAGE].sort_values("auc", ascending=False).to_dict("records")[0]
    quantile = float(labelled.quantiles.query("score == @best")["quantile"].median())
    shown = [
        (int(k), float(share)) for k, share in zip(first["k"], first["precision"], strict=True) if k <= SHOWN
    ]
    first_k, first_precision = shown[-1] if shown else (0, float("nan"))
    return {
        "best": best,
        "planted_precision": float(rows[LOOK_ALIKES]["precision"]),
        "trained_precision": float(rows[TRAINED_TOYS]["precision"]),
        "n_labelled": int(language["n_true"]),
        "n_pairs": f"{int(language['n_pairs']):,}",
        "language_auc": _with_interval(language, "auc"),
        "language_precision": _with_interval(language, "precision"),
        "base_rate": float(language["base_rate"]),
        "top_language": str(there["score"]),
        "top_language_auc": _with_interval(there, "auc"),
        "first_k": first_k,
        "first_precision": first_precision,
        "median_quantile": quantile,
        "pairs_above": f"{round((1 - quantile) * labelled.n_all) if quantile == quantile else 0:,}",
        "conclusion": conclusion(language),
    }


def _with_interval(row: Mapping[Any, Any], name: str) -> str:
    return f"{row[name]:.3g} [{row[f'{name}_low']:.3g}, {row[f'{name}_high']:.3g}]"


def conclusion(row: Mapping[Any, Any]) -> str:
    """What may be said of a score, given its row of ``roc.areas``."""
    if not row["auc_low"] > 0.5:
        return "Here it does no better than chance."
    if row["precision"] < 0.5:
        return "It is better than chance, and no detector: most of what it ranks first is not labelled."
    return "It finds most of what the labels find."


def top_words(mine: Study, n: int = 5) -> pd.Series:
    """Latent -> the words on which it is strongest, for the latents that fire."""
    matrix = to_scipy(mine.acts.csr).tocsc()
    words = mine.words.table["word"].str.strip().to_numpy()
    texts = {}
    for latent in np.flatnonzero(np.diff(matrix.indptr)):
        span = slice(matrix.indptr[latent], matrix.indptr[latent + 1])
        rows = matrix.indices[span][np.argsort(-matrix.data[span], kind="stable")[:n]]
        texts[int(latent)] = ", ".join(dict.fromkeys(words[rows]))
    return pd.Series(texts, dtype=str)
