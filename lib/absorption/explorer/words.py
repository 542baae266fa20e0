"""Words and the few of their latents on which every definition rests, at any threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from absorption.definitions.evidence import Evidence, WordLatents
from absorption.definitions.thresholds import Thresholds

MOST_RANKED = 16
"""Ranked latents of a letter that ``on`` has room for."""
N_BARS = 8
"""Effects of a word that are kept: the largest."""
WORD_COLUMNS = ["word", "text", "letter", "total", "place", "on"]
"""One row a test word that the probe gets right. ``word``: row number in the prompts' table; ``total``: projection of
its activation on the probe; ``place``: in the letter's random order, by which candidates are ablated (0: first);
``on``: which of the letter's ranked latents are on, the first as 1, the second as 2, the third as 4."""
ROW_COLUMNS = ["word", "latent", "activation", "cosine", "effect"]
"""One row a word and kept latent, sorted by both; ``effect`` is NaN where the latent was not removed."""

Ranking = Mapping[str, Sequence[int]]
"""Latents of each letter that a rise of F1 may make main latents, in their order."""


def words_table(evidence: Evidence, texts: Sequence[str], ranking: Ranking, *, seed: int = 0) -> pd.DataFrame:
    """The judged words; columns as in ``WORD_COLUMNS``.

    Args:
        evidence: words and latents.
        texts: of all words.
        ranking: latents that may be main latents.
        seed: of the choice among too many candidates.

    Raises:
        ValueError: more ranked latents than there is room for.
    """
    longest = max((len(latents) for latents in ranking.values()), default=0)
    if longest > MOST_RANKED:
        raise ValueError(f"a letter has {longest} ranked latents; allowed: at most {MOST_RANKED}.")
    draw = np.random.default_rng(seed).random(len(evidence.letters))[evidence.words.numpy()]
    table = evidence.frame().drop(columns="candidate")
    place = table.assign(draw=draw).groupby("letter")["draw"].rank(method="first").astype(int) - 1
    bits = [
        sum(
            1 << k for k, latent in enumerate(ranking.get(letter, ())) if latent in set(mine.latents.tolist())
        )
        for letter, mine in zip(table["letter"], evidence.active_latents, strict=True)
    ]
    text = [str(texts[word]) for word in table["word"].tolist()]
    return table.assign(text=text, total=evidence.totals, place=place, on=bits)[WORD_COLUMNS]


def latents_table(
    evidence: Evidence, ranking: Ranking, effects: pd.DataFrame, thresholds: Thresholds
) -> pd.DataFrame:
    """The kept latents of the judged words; columns as in ``ROW_COLUMNS``.

    Kept are the latents that may be main ones, the one that carries most of the letter, as many of the others as the
    absorption fraction counts, and those with the largest effects.

    Args:
        evidence: words and latents.
        ranking: latents that may be main latents.
        effects: ``word, latent, effect`` of what was removed.
        thresholds: of the absorption fraction.
    """
    by_word: dict[int, Mapping[int, float]] = {
        int(word): dict(zip(mine["latent"].tolist(), mine["effect"].tolist(), strict=True))  # type: ignore[call-overload]
        for word, mine in effects.groupby("word")
    }
    parts: list[tuple[np.ndarray, ...]] = []
    letters = evidence.letters[evidence.words].tolist()
    for word, letter, mine in zip(evidence.words.tolist(), letters, evidence.active_latents, strict=True):
        known = by_word.get(word, {})
        effect = np.array([known.get(latent, np.nan) for latent in mine.latents.tolist()])
        ranked = np.isin(mine.latents, list(ranking.get(evidence.names[int(letter)], ())))
        keep = _kept(mine, ranked, thresholds)
        keep[_largest(effect)] = True
        parts.append(
            (
                np.full(keep.sum(), word),
                mine.latents[keep],
                mine.activations[keep],
                mine.cosines[keep],
                effect[keep],
            )
        )
    columns = [np.concatenate([part[i] for part in parts]) for i in range(len(ROW_COLUMNS))]
    return pd.DataFrame(dict(zip(ROW_COLUMNS, columns, strict=True)))


def _kept(
    word: WordLatents, ranked: Bool[np.ndarray, " active"], thresholds: Thresholds
) -> Bool[np.ndarray, " active"]:
    """What the definitions by projection need of one word, whichever of the ranked latents are main ones."""
    keep = ranked.copy()
    if len(keep):
        keep[np.argmax(word.projections)] = True
    others = ~ranked & (word.cosines >= thresholds.fraction_cosine) & (word.projections > 0)
    order = np.argsort(-np.where(others, word.projections, -np.inf), kind="stable")
    keep[order[: min(thresholds.max_absorbers, int(others.sum()))]] = True
    return keep


def _largest(effect: np.ndarray) -> Int[np.ndarray, " some"]:
    """Places of the largest known effects."""
    known = np.flatnonzero(~np.isnan(effect))
    return known[np.argsort(-abs(effect[known]), kind="stable")[:N_BARS]]
