"""Where the definitions disagree: pairs of them on the same words, and the words in dispute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from absorption.chapters.absorption.case import name_latents
from absorption.chapters.findings import Findings
from absorption.definitions.rules import FULL_ABSORPTION, RELATIVE
from absorption.one_sae.study import Study


@dataclass(frozen=True)
class Disputes(Findings):
    """How often two definitions agree, and the words on which two do not."""

    agreement: pd.DataFrame
    disputed: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Agreement of every pair, and the disputed words."""
        return {"agreement": self.agreement, "disputed-words": self.disputed}


def compare_definitions(mine: Study, words: pd.DataFrame) -> Disputes:
    """Every pair of definitions on the same words.

    Args:
        mine: the SAE on its words.
        words: from ``definitions.apply_definitions``.
    """
    return Disputes(agreement(words), name_latents(mine, disputed_words(words)))


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Every pair of definitions on the words that both judge: ``first, second, both, only_first, only_second,
    neither, kappa``.

    ``kappa`` is Cohen's: agreement beyond what the two rates give by chance; NaN where neither ever differs.
    """
    values = wide(table)
    names = list(dict.fromkeys(table["definition"]))
    rows = []
    for first, second in combinations(names, 2):
        a, b = values[first].to_numpy() > 0, values[second].to_numpy() > 0
        both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
        neither = len(a) - both - only_a - only_b
        rows.append((first, second, both, only_a, only_b, neither, _kappa(a, b)))
    columns = ["first", "second", "both", "only_first", "only_second", "neither", "kappa"]
    return pd.DataFrame(rows, columns=columns)


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """One row a word judged by every definition: ``word, letter`` and a column of values a definition."""
    judged = table[table["judged"]]
    values = judged.pivot(index=["word", "letter"], columns="definition", values="value")
    values = values.reindex(columns=list(dict.fromkeys(table["definition"])))  # one may have judged no word
    return values.dropna().reset_index().rename_axis(columns=None)


def _kappa(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) == 0:
        return np.nan
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float(((a == b).mean() - chance) / (1 - chance)) if chance < 1 else np.nan


def disputed_words(table: pd.DataFrame) -> pd.DataFrame:
    """Ablated candidates on which the ablation metric (relative lead) and full absorption disagree.

    Returns:
        ``word, letter, absorbed_by, refused_because, latent, cosine, effect, lead, share``: latent and cosine
        are those of the definition that calls the word absorbed.
    """
    names = {RELATIVE: "ablation", FULL_ABSORPTION: "full absorption"}
    sides = {d: table[(table["definition"] == d) & table["judged"]].set_index("word") for d in names}
    words = sides[RELATIVE].index.intersection(sides[FULL_ABSORPTION].index)
    mine = {definition: side.loc[words] for definition, side in sides.items()}
    rows = []
    for yes, no in ((RELATIVE, FULL_ABSORPTION), (FULL_ABSORPTION, RELATIVE)):
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
                    "share": mine[FULL_ABSORPTION].loc[found.index, "strength"].to_numpy(),
                }
            )
        )
    return pd.concat(rows, ignore_index=True).sort_values(["letter", "word"], ignore_index=True)
