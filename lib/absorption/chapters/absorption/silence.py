"""The same SAE and main latents under every rule of when a main latent is silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from absorption.ablation.remembered import RememberedEffects
from absorption.base import timing
from absorption.base.statistics import Estimate
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.beside_null import label_with_null
from absorption.definitions.calibration import SHARES, silences
from absorption.definitions.evidence import Evidence
from absorption.definitions.nulls import Null
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION, RELATIVE
from absorption.definitions.silence import AT_ZERO, CALIBRATED, Silence
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.by_silence import rates_by_silence

ASKING = (ABLATION, RELATIVE, FULL_ABSORPTION)
"""Definitions that ask whether the main latents are silent; the absorption fraction does not."""
NULL_WORDS = 1
"""Candidates of a letter on which the ablation metric's null of a rule rests; all effects of a word cost dozens of
passes."""
SHOWN = [
    "silence", "definition", "share_candidates", "share_absorbed", "rate", "low", "high", "null", "null_low",
    "null_high", "p", "all_letters", "valid", "n_judged",
]  # fmt: skip
NOTHING = "(no letter counts)"


@dataclass(frozen=True)
class BySilence(Findings):
    """Rates by rule of silence, each as its two factors."""

    rates: pd.DataFrame
    """As ``rates_by_silence`` gives it."""

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return self.rates.loc[self.rates["letter"] == MEAN, SHOWN].reset_index(drop=True)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The rates."""
        return {"rates-by-silence": self.rates}

    def numbers(self) -> Mapping[str, Any]:
        """Share of candidates and rates, published and calibrated, and the values of ``tau_m``."""
        at = self.means.set_index(["silence", "definition"])
        told: dict[str, Any] = {"tau_m": " and ".join(f"{share:g}" for share in SHARES)}
        for name, silence in (("published", AT_ZERO), ("calibrated", CALIBRATED)):
            row: Any = at.loc[(silence, RELATIVE)]
            share, ends = row["share_candidates"], row[["rate", "low", "high"]].astype(float)
            told |= {
                f"silent_{name}": NOTHING if pd.isna(share) else f"{share:.1%}",
                f"silent_rate_{name}": str(Estimate(*ends)),
                f"silent_valid_{name}": row["valid"],
            }
        return told


def apply_under_every_silence(basis: Basis, settings: AbsorptionSettings) -> BySilence:
    """Judge the chapter's own SAE under every rule of silence, with fewer candidates a letter."""
    few = replace(basis.thresholds, max_candidates=settings.max_candidates_others)
    return BySilence(by_silence(basis, few, silences(basis.evidence), seed=settings.seed))


def by_silence(
    basis: Basis, thresholds: Thresholds, rules: Sequence[Silence], *, seed: int = 0
) -> pd.DataFrame:
    """``one_sae.by_silence.rates_by_silence`` of the chapter's own SAE; effects are shared between the rules."""
    remember = RememberedEffects()
    scale: Any = {"mean_metric": basis.scale.value, "seed": seed, "per_letter": NULL_WORDS}

    def judge(evidence: Evidence) -> tuple[pd.DataFrame, Null]:
        return label_with_null(basis.engine, evidence, thresholds, remember=remember, **scale)

    with timing.stage("silences"):
        return rates_by_silence(
            basis.mine,
            basis.evidence,
            rules,
            judge,
            asked=ASKING,
            thresholds=thresholds,
            letters=basis.letters,
            stems=basis.mine.words.stems,
            seed=seed,
        )
