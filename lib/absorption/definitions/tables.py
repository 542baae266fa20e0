"""Tables for readers: denominators, means, disputed words, and one panel of all thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from absorption.base.statistics import Estimate, holm
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import ABLATION, FULL, RELATIVE
from absorption.definitions.thresholds import Thresholds


def judged_words(table: pd.DataFrame) -> Int[Tensor, " word"]:
    """The candidates that were ablated, from ``definitions.judge``."""
    mine = table[(table["definition"] == RELATIVE) & table["judged"]]
    return torch.from_numpy(mine["word"].to_numpy(copy=True))


def with_cap(thresholds: Thresholds, max_candidates: int) -> Thresholds:
    """The same thresholds with at most this many ablated candidates a letter."""
    return replace(thresholds, max_candidates=max_candidates)


def with_lead(thresholds: Thresholds, min_lead: float) -> Thresholds:
    """The same thresholds with another lead, in logits."""
    return replace(thresholds, min_lead=min_lead)


def denominators(rates: pd.DataFrame) -> pd.DataFrame:
    """What each letter's rate rests on.

    Columns ``letter, n_right, n_candidates, n_ablated, absorbed_relative, absorbed_published``.
    """
    by = {name: rates[rates["definition"] == name].set_index("letter") for name in (RELATIVE, ABLATION)}
    table = by[RELATIVE][["n_right", "n_candidates", "n_judged", "n_absorbed"]]
    table = table.rename(columns={"n_judged": "n_ablated", "n_absorbed": "absorbed_relative"})
    table = table.assign(absorbed_published=by[ABLATION]["n_absorbed"]).reset_index()
    return table.replace({"letter": {MEAN: "all"}})


def mean_rows(rates: pd.DataFrame, *by: str) -> pd.DataFrame:
    """The rows that are means over letters: ``*by, definition, rate, low, high, null, null_low, null_high, p,
    all_letters, valid, spread, n_judged, n_right``."""
    names = [
        *by, "definition", "rate", "low", "high", "null", "null_low", "null_high", "p", "all_letters", "valid",
        "spread", "n_judged", "n_right",
    ]  # fmt: skip
    return rates.loc[rates["letter"] == MEAN, names].reset_index(drop=True)


def disputed_words(table: pd.DataFrame) -> pd.DataFrame:
    """Ablated candidates on which the ablation metric (relative lead) and full absorption disagree.

    Returns:
        ``word, letter, absorbed_by, refused_because, latent, cosine, effect, lead, share``: latent and cosine
        are those of the definition that calls the word absorbed.
    """
    names = {RELATIVE: "ablation", FULL: "full absorption"}
    sides = {d: table[(table["definition"] == d) & table["judged"]].set_index("word") for d in names}
    words = sides[RELATIVE].index.intersection(sides[FULL].index)
    mine = {definition: side.loc[words] for definition, side in sides.items()}
    rows = []
    for yes, no in ((RELATIVE, FULL), (FULL, RELATIVE)):
        held = mine[yes]["absorbed"] & ~mine[no]["absorbed"]
        found = mine[yes][held]
        rows.append(
            pd.DataFrame(
                {
                    "word": found.index,
                    "letter": found["letter"].to_numpy(),
                    "absorbed_by": names[yes],
                    "refused_because": mine[no].loc[found.index, "reason"].to_numpy(),
                    "latent": found["latent"].to_numpy(),
                    "cosine": found["cosine"].to_numpy(),
                    "effect": mine[RELATIVE].loc[found.index, "strength"].to_numpy(),
                    "lead": mine[RELATIVE].loc[found.index, "lead"].to_numpy(),
                    "share": mine[FULL].loc[found.index, "strength"].to_numpy(),
                }
            )
        )
    return pd.concat(rows, ignore_index=True).sort_values(["letter", "word"], ignore_index=True)


def join_panels(by_threshold: pd.DataFrame, by_jump: pd.DataFrame) -> pd.DataFrame:
    """``sensitivity`` (run at the relative lead) and ``several_saes.rates_by_jump`` as one table.

    Only the ablation metric at the relative lead and the two projection metrics are kept.
    """
    kept = by_jump[by_jump["definition"] != ABLATION].replace({"definition": {RELATIVE: ABLATION}})
    return pd.concat([by_threshold, kept], ignore_index=True)


LEVEL = 0.05
"""Of the family of tests, one an SAE."""


def share_above(p: pd.Series) -> tuple[Estimate, str]:
    """Share of SAEs whose rate is above its null, and the others by name.

    An SAE counts if its one-sided p-value is at most 5% after Holm's correction over the SAEs. The lower end of the
    interval is that share; the upper end also counts SAEs of which the words cannot tell, so that only an SAE whose
    rate exceeds its null in fewer than 5% of the resamples speaks against "every SAE".

    Args:
        p: one-sided p-values (``definitions.absorption_rates``), indexed by the SAE's name; NaN where there is no rate.
    """
    known = p.dropna()
    if not len(known):
        return Estimate(np.nan, np.nan, np.nan), "no rate stands beside a null"
    above = pd.Series(holm(known.to_numpy()) <= LEVEL, index=known.index)
    low, high = float(above.mean()), float((above | (known < 1 - LEVEL)).mean())
    others = ", ".join(map(str, above.index[~above])) or "none"
    unknown = f"; without a rate: {', '.join(map(str, p.index[p.isna()]))}" if p.isna().any() else ""
    return Estimate(low, low, high), f"{int(above.sum())} of {len(known)} SAEs; not above: {others}{unknown}"
