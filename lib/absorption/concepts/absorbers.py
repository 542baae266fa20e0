"""Absorbing latents of a concept's words: is it the word's own latent, a child of the label, or something else?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.definitions.rules import FULL_ABSORPTION, RELATIVE
from absorption.latents.words import top_words
from absorption.one_sae.study import Study
from absorption.probes.l1 import to_scipy
from absorption.spelling.vocab import stems

OWN, CHILD, OTHER = "the word's own", "child of the label", "other"
"""Kinds of absorbing latents: on for one word of the concept (in all its variants); on for several, most of which have
the label; the rest."""
CHILD_SHARE = 0.5
COLUMNS = [
    "definition",
    "word",
    "label",
    "latent",
    "kind",
    "strongest_on",
    "n_on",
    "share_label",
    "cosine",
    "lead",
]
"""One row an absorbed word and definition. ``n_on``: words of the concept (all their variants as one) that the latent
is on for; ``share_label``: those of the word's label among them; ``lead``: by ablation in logits, else the share of
the word's projection that the latent carries."""


def absorbers(
    study: Study, judged: pd.DataFrame, definitions: tuple[str, ...] = (RELATIVE, FULL_ABSORPTION)
) -> pd.DataFrame:
    """The absorbing latent of each absorbed word, clearest first: ``COLUMNS``.

    Args:
        study: the SAE on the concept's words.
        judged: as ``definitions.apply_definitions`` gives it.
        definitions: whose absorptions are taken, in this order.
    """
    found = judged[judged["absorbed"] & judged["definition"].isin(definitions)]
    found = found.assign(
        order=found["definition"].map(definitions.index),
        lead=found["lead"].where(found["lead"].notna(), found["strength"]),
    ).sort_values(["order", "lead"], ascending=[True, False], kind="stable")
    if found.empty:
        return pd.DataFrame(columns=COLUMNS)
    table = study.words.table
    on = _on_for(study, found["latent"].unique().tolist())
    names = top_words(study.acts, table, list(on))
    rows = []
    for row in found.to_dict("records"):
        latent = int(row["latent"])
        mine = on[latent]
        n_on, share = mine["stem"].nunique(), float((mine["letter"] == row["letter"]).mean())
        kind = OWN if n_on == 1 else CHILD if share > CHILD_SHARE else OTHER
        word = table["word"].iloc[int(row["word"])].strip()
        about = (row["definition"], word, row["letter"], latent, kind, names[latent], n_on, share)
        rows.append((*about, row["cosine"], row["lead"]))
    return pd.DataFrame(rows, columns=COLUMNS)


def _on_for(study: Study, latents: list[int]) -> dict[int, pd.DataFrame]:
    """``letter`` and ``stem`` of the words that each latent is on for."""
    columns = to_scipy(study.acts.csr).tocsc()[:, latents]
    about = study.words.table[["letter"]].assign(stem=stems(study.words.table))
    return {
        latent: about.iloc[np.sort(columns.indices[columns.indptr[i] : columns.indptr[i + 1]])]
        for i, latent in enumerate(latents)
    }
