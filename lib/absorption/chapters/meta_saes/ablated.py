"""Chapter 14: is one of an absorbing latent's meta-latents its letter's? By exact ablation of its part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.ablation.engine import AblationEngine
from absorption.base.statistics import Estimate, mean_interval
from absorption.chapters.findings import Findings, claim
from absorption.chapters.meta_saes.basis import Basis
from absorption.chapters.meta_saes.letters import Letters
from absorption.chapters.settings import MetaSettings
from absorption.composition.asked import ABSORBING, MATCHED
from absorption.composition.parts import (
    KINDS,
    Decoder,
    by_ablation,
    few_words,
    part_effects,
    share_of_parts,
)
from absorption.definitions.apply import model_scale

SHARE_COLUMNS = ["meta_latents", "group", "value", "low", "high", "latents"]


@dataclass(frozen=True)
class Ablated(Findings):
    """Effects of parts of decoder rows on the answer."""

    effects: pd.DataFrame
    """``meta_latents`` and the columns of ``composition.parts.part_effects``."""
    verdicts: pd.DataFrame
    """``meta_latents`` and the columns of ``composition.parts.by_ablation``."""
    shares: pd.DataFrame
    """``meta_latents, group, value, low, high, latents``: of the latents that matter, those of which one meta-latent
    has at least half of the effect."""
    parts: pd.DataFrame
    """``meta_latents, group, part, value, low, high``: where the effect lies."""
    lead: float
    """Least effect of a latent that matters, in logits."""
    first: str

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Effects, verdicts and shares."""
        return {
            "meta-part-effects": self.effects, "meta-ablation-verdicts": self.verdicts,
            "meta-ablation-shares": self.shares, "meta-parts": self.parts,
        }  # fmt: skip

    def claims(self) -> pd.DataFrame:
        """The first ratio's absorbing latents."""
        mine = self._share(self.first, ABSORBING)
        note = f"{mine['latents']} latents that matter, {self.first}"
        return claim(
            "meta-letter", Estimate(mine["value"], mine["low"], mine["high"]), part="by-ablation", note=note
        )

    def numbers(self) -> Mapping[str, Any]:
        """Shares, and where the effect lies."""
        told: dict[str, Any] = {"meta_lead": f"{self.lead:.2f}"}
        names = list(dict.fromkeys(self.shares["meta_latents"]))
        for place, name in {"first": self.first, "last": names[-1]}.items():
            for group, who in {ABSORBING: "absorbing", MATCHED: "matched"}.items():
                mine = self._share(name, group)
                told[f"by_ablation_{who}_{place}"] = _percent(mine)
                told[f"n_matter_{who}"] = mine["latents"]
            rows = self.parts[(self.parts["meta_latents"] == name) & (self.parts["group"] == ABSORBING)]
            for part, short in zip(KINDS, ("letter", "other", "bias", "left"), strict=True):
                found = rows[rows["part"] == part].to_dict("records")
                told[f"effect_{short}_{place}"] = _percent(found[0]) if found else "(not measured)"
        return told

    def _share(self, meta_latents: str, group: str) -> Mapping[Any, Any]:
        rows = self.shares[(self.shares["meta_latents"] == meta_latents) & (self.shares["group"] == group)]
        return rows.to_dict("records")[0]


def _percent(row: Mapping[Any, Any]) -> str:
    if np.isnan(row["value"]):
        return "(not measured)"
    return "{:.0%} [{:.0%}, {:.0%}]".format(*(round(row[name], 2) + 0.0 for name in ("value", "low", "high")))


def remove_parts(basis: Basis, letters: Letters, settings: MetaSettings) -> Ablated:
    """Remove every part of some absorbing and matched latents from words on which they are on."""
    study, sae = basis.study, basis.trained.sae
    engine = AblationEngine(study.words.model, sae, study.words.prompts)
    scale = model_scale(engine, basis.evidence.words, n_words=settings.scale_words, seed=settings.seed)
    lead = basis.thresholds.relative_lead(scale.value)
    asked = few_words(
        basis.asked, (ABSORBING, MATCHED), n_latents=settings.ablated_latents, n_words=settings.ablated_words,
        seed=settings.seed,
    )  # fmt: skip
    decoder = Decoder(basis.trained.rows, sae.W_dec.float().cpu().norm(dim=1), basis.evidence.csr)
    effects, verdicts, shares, parts = [], [], [], []
    for name, judge in letters.judges.items():
        found = part_effects(engine, decoder, judge, asked, basis.evidence.names)
        verdict = by_ablation(found, lead)
        effects.append(found.assign(meta_latents=name))
        verdicts.append(verdict.assign(meta_latents=name))
        parts.append(share_of_parts(found, lead, seed=settings.seed).assign(meta_latents=name))
        for group in (ABSORBING, MATCHED):
            held = verdict.loc[verdict["group"] == group, "holds"].to_numpy()
            share = mean_interval(held, seed=settings.seed)
            shares.append((name, group, share.value, share.low, share.high, len(held)))
    return Ablated(
        _with_name(effects), _with_name(verdicts), pd.DataFrame(shares, columns=SHARE_COLUMNS),
        _with_name(parts), lead, letters.first,
    )  # fmt: skip


def _with_name(parts: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return table[["meta_latents", *table.columns.drop("meta_latents")]]
