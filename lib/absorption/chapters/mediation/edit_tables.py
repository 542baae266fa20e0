"""Chapter 6: published letter edits through several SAEs on the same words, and what goes with their success."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.ablation.engine import AblationEngine
from absorption.base import timing
from absorption.base.statistics import Estimate, interval, mean_interval, resample_counts
from absorption.latents.sparse import encode_words
from absorption.mediation.setting import STRENGTHS, letter_latents, set_letters
from absorption.one_sae.words import StudyWords
from absorption.saes.loaded import LoadedSae

QUANTITIES = ("p_own", "p_new", "edited", "kept")


def set_by_sae(
    words: StudyWords,
    saes: Sequence[LoadedSae],
    chosen: Int[Tensor, " word"],
    *,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
) -> pd.DataFrame:
    """``mediation.set_letters`` for every SAE, all of one hook: its columns and ``sae, d_sae, l0_text``.

    ``l0_text`` is the mean number of active latents on held-out text, from the SAE's card; NaN without one.
    """
    tables = []
    with timing.stage("edits"):
        for sae in tqdm(saes, desc="SAEs edited with"):
            acts = encode_words(sae, words.acts)
            found = letter_latents(sae, words.probed, acts)
            engine = AblationEngine(words.model, sae, words.prompts)
            table = set_letters(engine, found, chosen, strengths=strengths, seed=seed)
            tables.append(table.assign(sae=sae.name, d_sae=sae.d_sae, l0_text=sae.l0_text))
    return pd.concat(tables, ignore_index=True)


def set_rates(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Means over words by SAE and strength, with intervals over words.

    Columns ``sae, d_sae, l0_text, strength, quantity, value, low, high, f1, words``; ``quantity`` is one of
    ``QUANTITIES``, ``f1`` the mean over words of the F1 of the latent put in.
    """
    rows = []
    keys = ["sae", "d_sae", "l0_text", "strength"]
    for key, mine in table.groupby(keys, sort=False, dropna=False):
        mean_f1 = float(mine["f1_new"].mean())
        for quantity in QUANTITIES:
            found = mean_interval(mine[quantity].to_numpy(), seed=seed)
            rows.append((*key, quantity, found.value, found.low, found.high, mean_f1, len(mine)))  # type: ignore[misc]
    return pd.DataFrame(rows, columns=[*keys, "quantity", "value", "low", "high", "f1", "words"])


def rate_texts(rates: pd.DataFrame) -> pd.DataFrame:
    """``set_rates`` for a reader: one row an SAE and strength, each quantity as ``value [low, high]``."""
    text = [f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}]" for row in rates.itertuples()]
    keys = ["sae", "d_sae", "l0_text", "f1", "strength"]
    wide = rates.assign(text=text).set_index([*keys, "quantity"])["text"].unstack("quantity", sort=False)
    return wide[list(QUANTITIES)].reset_index().rename_axis(columns=None)


def edited_by_letter(table: pd.DataFrame, strength: float) -> pd.DataFrame:
    """One row an SAE and new letter: ``sae, new, f1`` (of the latent put in), ``edited`` (share), ``words``."""
    mine = table[table["strength"] == strength]
    found = mine.groupby(["sae", "new"], sort=False).agg(
        f1=("f1_new", "first"), edited=("edited", "mean"), words=("word", "size")
    )
    return found.reset_index()


def follows_f1(by_letter: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0) -> Estimate:
    """Rank correlation of the share edited with the F1 of the latent put in, over SAEs and letters.

    The interval resamples letters, each with all its SAEs: cells of one letter are alike. NaN with fewer than
    three letters.

    Args:
        by_letter: from ``edited_by_letter``.
        n_resamples: bootstrap resamples of the letters.
        seed: of the bootstrap.
    """
    letters = [mine for _, mine in by_letter.groupby("new")]
    if len(letters) < 3:
        return Estimate(np.nan, np.nan, np.nan)
    counts = resample_counts(len(letters), n_resamples=n_resamples, seed=seed).astype(int)
    samples = []
    for drawn in counts:
        samples.append(
            _rank_correlation(
                pd.concat([mine for mine, n in zip(letters, drawn, strict=True) for _ in range(n)])
            )
        )
    low, high = interval(np.array(samples))
    return Estimate(_rank_correlation(by_letter), float(low), float(high))


def _rank_correlation(table: pd.DataFrame) -> float:
    first, second = table["f1"].rank(), table["edited"].rank()
    return float(first.corr(second)) if first.std() > 0 and second.std() > 0 else np.nan


def best_sparsity(table: pd.DataFrame, d_model: int, *, strength: float = 1.0, seed: int = 0) -> Estimate:
    """L0 on text over ``d_model`` of the SAE that edits best, among those of the commonest width.

    The best L0 lies somewhere between the L0s next to it that were tried too, so the interval reaches to these:
    from 0 if none smaller was tried, to 1 if none larger. It covers the best SAE of 95% of the resamples of the
    words. NaN with fewer than two SAEs of one width.

    Args:
        table: from ``set_by_sae``.
        d_model: width of the residual stream.
        strength: which of the strengths tried.
        seed: of the bootstrap over words.
    """
    mine = table[(table["strength"] == strength) & table["l0_text"].notna()]
    widths = mine.groupby("d_sae")["sae"].nunique()
    if widths.empty or widths.max() < 2:
        return Estimate(np.nan, np.nan, np.nan)
    mine = mine[mine["d_sae"] == widths.idxmax()]
    shares = mine.pivot(index="word", columns="l0_text", values="edited").astype(float)
    tried = np.array([0.0, *(shares.columns.to_numpy() / d_model), 1.0])
    counts = resample_counts(len(shares), seed=seed)
    low, high = interval((counts @ shares.to_numpy()).argmax(axis=1))
    best = int(shares.mean().to_numpy().argmax())
    first, last = min(best, int(np.floor(low))), max(best, int(np.ceil(high)))
    return Estimate(float(tried[best + 1]), float(tried[first]), float(tried[last + 2]))
