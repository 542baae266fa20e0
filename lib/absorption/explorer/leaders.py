"""The leading latent of each word that was ablated: all that the ablation metric needs, whatever its thresholds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.ablation.ranking import leader
from absorption.definitions.apply import REFUTED
from absorption.definitions.evidence import Evidence
from absorption.definitions.rules import ABLATION, RELATIVE

COLUMNS = ["word", "exact", "leader", "leader_cosine", "leader_effect", "lead"]
"""One row a word (row number in the prompts' table) that was ablated. ``exact``: all its latents were removed, or
enough of them to know the rest of the row; else the word is known only not to be absorbed under the thresholds of the
run, nor under stricter ones. ``leader``: -1 where no latent is on; ``leader_effect``: of removing it; ``lead``: over
the runner-up."""


def leaders_of_effects(evidence: Evidence, effects: pd.DataFrame) -> pd.DataFrame:
    """Leaders of words whose effects are all known; columns as in ``COLUMNS``.

    Args:
        evidence: words and latents.
        effects: ``word, latent, effect`` of every active latent of some words, sorted by word and latent.
    """
    rows = []
    for word, mine in effects.groupby("word"):
        top = leader(mine["effect"].to_numpy())
        latent = int(mine["latent"].iloc[top.at])
        cosine = float(evidence.cosines[int(evidence.letters[int(word)]), latent])  # type: ignore[call-overload]
        rows.append((word, True, latent, cosine, top.effect, top.lead))
    return pd.DataFrame(rows, columns=COLUMNS)


def leaders_of_labels(judged: pd.DataFrame) -> pd.DataFrame:
    """Leaders as far as labels tell them; columns as in ``COLUMNS``.

    A word that is called absorbed has had all its latents removed. Of the others the labels that stopped early say only
    that no latent leads.

    Args:
        judged: from ``definitions.apply_definitions``.
    """
    mine = judged[judged["definition"].isin((ABLATION, RELATIVE)) & judged["judged"]]
    table = mine.assign(exact=mine["reason"] != REFUTED).sort_values("exact", ascending=False, kind="stable")
    table = table.drop_duplicates("word").sort_values("word", ignore_index=True)
    names = {
        "latent": "leader",
        "cosine": "leader_cosine",
        "strength": "leader_effect",
    }
    table = table.rename(columns=names)[COLUMNS]
    unknown = ~table["exact"]
    table.loc[unknown, ["leader_cosine", "leader_effect", "lead"]] = np.nan
    table.loc[unknown, "leader"] = -1
    return table
