"""One absorbed word, told as the paper tells ``_short``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.absorption.count import CLEAN_F1
from absorption.chapters.absorption.ratios import case_ratios, others_share, with_next
from absorption.chapters.findings import Findings, claim
from absorption.definitions.case import CONTROL_COLUMNS
from absorption.latents.words import top_words
from absorption.one_sae.study import Study

N_BARS = 10
SHOWN = [
    "word", "letter", "latent", "strongest_on", "cosine", "activation", "effect", "control_effect", "lead",
    "main_latent",
]  # fmt: skip
"""Columns of the absorbed words that a reader sees."""


@dataclass(frozen=True)
class CaseStudy(Findings):
    """The clearest absorbed word of a run, and how far all absorbed words are like it."""

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
    ratios: pd.DataFrame
    """As ``case_ratios`` gives it, over all absorbed words."""
    alone: Estimate
    """Share of the absorbed words on which no other latent does a twelfth of what the absorber does."""
    n_absorbed: int
    sae: str
    """The SAE's name."""

    @property
    def absorber(self) -> int:
        """The absorbing latent; -1 if no word is absorbed."""
        return int(self.row["latent"])

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The strongest effects."""
        return {"case-effects": self.bars}

    def claims(self) -> pd.DataFrame:
        """Ratios of absorbing to main latents, and whether the absorber stands alone."""
        ratios = [
            claim(
                "case", Estimate(row["share"], row["low"], row["high"]), part=row["quantity"], note=self.sae
            )
            for row in self.ratios.to_dict("records")
        ]
        others = claim("case-ablate", self.alone, part="others", note=f"{self.n_absorbed} words")
        return pd.concat([*ratios, others], ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """The word, its latents, and the ratios."""
        names = ("cosine", "main_cosine", "effect")
        ratios = {f"{row['quantity']}_ratio": f"{row['share']:.2f}" for row in self.ratios.to_dict("records")}
        return ratios | {f"case_{name}": float(self.row[name]) for name in names} | {
            "word": self.word.strip(),
            "clean_f1": CLEAN_F1,
            "main_f1": float(self.row.get("main_f1", np.nan)),
            "letter": self.letter.upper(),
            "main_name": self.main_name,
            "absorber_name": self.absorber_name,
            "next_share": self.next_share,
            "others_share": str(self.alone),
            "n_absorbed": self.n_absorbed,
        }  # fmt: skip


def tell_case(study: Study, found: pd.DataFrame, effects: pd.DataFrame, *, seed: int = 0) -> CaseStudy:
    """The first of the absorbed words; an empty case, called "none", if no word is absorbed.

    Args:
        study: the SAE on its words.
        found: as ``clean_first`` gives it; the first row is told.
        effects: all effects of the judged words, from ``ablation.stored_effects``.
        seed: of the bootstrap over absorbed words.
    """
    over_all = {
        "ratios": case_ratios(found, seed=seed),
        "alone": others_share(with_next(found, effects), seed=seed),
        "n_absorbed": len(found),
        "sae": study.sae.name,
    }
    if found.empty:
        return _no_case(over_all)
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
        **over_all,
    )


def _no_case(over_all: Mapping[str, Any]) -> CaseStudy:
    row = pd.Series({**dict.fromkeys(CONTROL_COLUMNS, np.nan), "latent": -1})
    bars = pd.DataFrame({"name": [], "latent": [], "effect": []})
    levels = pd.DataFrame(columns=["role", "latent", "strongest_on", "cosine", "activation", "contribution"])
    return CaseStudy("none", "none", row, "none", "none", bars, np.nan, levels, **over_all)


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


def named_absorbed(study: Study, found: pd.DataFrame) -> pd.DataFrame:
    """The absorbed words as a reader sees them: columns as in ``SHOWN``."""
    return name_latents(study, found)[SHOWN]


def _short(name: str, limit: int = 28) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
