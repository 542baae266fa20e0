"""One absorbed word, told as the paper tells ``_short``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from absorption.definitions.case import CONTROL_COLUMNS, with_next
from absorption.latents.words import top_words
from absorption.one_sae.study import Study

N_BARS = 10


@dataclass(frozen=True)
class CaseStudy:
    """The clearest absorbed word of a run."""

    word: str
    letter: str
    row: pd.Series
    """As ``definitions.absorbed_words`` gives it."""
    main_name: str
    """The main latent by the words on which it is strongest; likewise the absorbing one."""
    absorber_name: str
    bars: pd.DataFrame
    """``name, latent, effect`` of the strongest latents of the word, strongest first."""
    next_share: float
    """Size of the largest effect of any other latent, as a share of the absorbing one's."""
    levels: pd.DataFrame
    """Main and absorbing latent side by side: ``role, latent, strongest_on, cosine, activation, contribution``."""


def tell_case(study: Study, found: pd.DataFrame, effects: pd.DataFrame) -> CaseStudy:
    """The absorbed word with the largest lead; an empty case, called "none", if no word is absorbed.

    Args:
        study: the SAE on its words.
        found: from ``definitions.absorbed_words``, largest lead first.
        effects: all effects of the judged words, from ``ablation.stored_effects``.
    """
    if found.empty:
        return _no_case()
    row = found.iloc[0]
    mine = effects[effects["word"] == row["word"]]
    order = np.argsort(-mine["effect"].abs().to_numpy(), kind="stable")
    strongest = mine.iloc[order[:N_BARS]]
    latents = [int(latent) for latent in strongest["latent"]]
    names = top_words(study.acts, study.words.table, [*latents, int(row["main_latent"])])
    labels = [f"{latent}: {_short(names[latent])}" for latent in latents]
    main, absorber = int(row["main_latent"]), int(row["latent"])
    levels = pd.DataFrame(
        [
            ("main, on other words", main, names[main],
             *(row[f"main_{name}"] for name in ("cosine", "activation", "projection"))),
            ("main, on this word", main, names[main], row["main_cosine"], 0.0, 0.0),
            ("absorbing, on this word", absorber, names[absorber],
             *(row[name] for name in ("cosine", "activation", "projection"))),
        ],
        columns=["role", "latent", "strongest_on", "cosine", "activation", "contribution"],
    )  # fmt: skip
    return CaseStudy(
        word=str(study.words.table["word"].iloc[int(row["word"])]),
        letter=str(row["letter"]),
        row=row,
        main_name=names[main],
        absorber_name=names[absorber],
        bars=pd.DataFrame({"name": labels, "latent": latents, "effect": strongest["effect"].to_numpy()}),
        next_share=float(with_next(found.iloc[:1], effects)["next_share"].iloc[0]),
        levels=levels,
    )


def _no_case() -> CaseStudy:
    row = pd.Series({**dict.fromkeys(CONTROL_COLUMNS, np.nan), "latent": -1})
    bars = pd.DataFrame({"name": [], "latent": [], "effect": []})
    levels = pd.DataFrame(columns=["role", "latent", "strongest_on", "cosine", "activation", "contribution"])
    return CaseStudy("none", "none", row, "none", "none", bars, np.nan, levels)


def name_latents(study: Study, table: pd.DataFrame, column: str = "latent") -> pd.DataFrame:
    """The table with each word as text and each latent named by the words on which it is strongest.

    Args:
        study: the SAE on its words.
        table: with ``word`` (row numbers) and ``column`` (latents).
        column: what to name; ``strongest_on`` is put behind it.
    """
    latents = sorted({int(latent) for latent in table[column] if latent >= 0})
    names = top_words(study.acts, study.words.table, latents)
    text = study.words.table["word"].to_numpy()[table["word"].to_numpy(dtype=int)]
    named = table.assign(word=text)
    place = list(named.columns).index(column) + 1
    named.insert(place, "strongest_on", [names.get(int(latent), "") for latent in table[column]])
    return named


def _short(name: str, limit: int = 28) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
