"""Does the choice of latent matter? Two choices, cosines with the probe, and other layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.statistics import Estimate, mean_interval
from absorption.chapters.findings import Findings, claim
from absorption.chapters.recall_gap.choices import PAIR, at_other_layers, choices_by_layer
from absorption.chapters.recall_gap.gap import Scored
from absorption.chapters.recall_gap.scored import same_choice
from absorption.chapters.settings import RecallGapSettings
from absorption.latents.cosines import cosines_by_letter
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae


@dataclass(frozen=True)
class SameLatent(Findings):
    """Whether encoder cosine and k=1 probing choose the same latent, and what that does to F1."""

    share: Estimate
    f1: Estimate
    """Of k=1 probing minus that of encoder cosine."""
    n_pairs: int
    sae: str

    def claims(self) -> pd.DataFrame:
        """The share of same choices, and the difference in F1."""
        share = claim(
            "top-latent", self.share, part="same-latent", note=f"{self.n_pairs} pairs of SAE and letter"
        )
        f1 = claim("top-latent", self.f1, part="same-f1", note=self.sae)
        return pd.concat([share, f1], ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """Both, with intervals."""
        return {"same": str(self.share), "same_f1": str(self.f1)}


def same_latent(scored: Scored, settings: RecallGapSettings) -> SameLatent:
    """Compare the two choices over all SAEs and letters, and their F1 in the chapter's SAE."""
    same = same_choice(scored.saes, PAIR)["same"].to_numpy()
    cosine, probing = (scored.mine.samples[selection] for selection in PAIR)
    share = mean_interval(same, seed=settings.seed)
    return SameLatent(share, probing.minus(cosine, "f1"), len(same), scored.mine.sae.name)


@dataclass(frozen=True)
class Cosines(Findings):
    """Each letter's largest decoder cosines with its probe."""

    table: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Cosines by letter."""
        return {"cosines-by-letter": self.table}


def cosines(scored: Scored) -> Cosines:
    """How far one latent stands out, in the chapter's SAE."""
    return Cosines(cosines_by_letter(scored.mine.sae, scored.probed.probes.directions))


@dataclass(frozen=True)
class ByLayer(Findings):
    """Both choices at other layers; without rows if they are left out."""

    table: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Choices by layer, if there are any."""
        return {"choices-by-layer": self.table} if len(self.table) else {}


def by_layer(model: LanguageModel, sae: LoadedSae, settings: RecallGapSettings) -> ByLayer:
    """Make both choices for the SAEs of one recipe at other layers, on a sample of the words."""
    if not settings.layer_words:
        return ByLayer(pd.DataFrame())
    saes = at_other_layers(sae, model)
    sample = {"n_words": settings.layer_words, "n_sets": settings.n_sets, "seed": settings.seed}
    return ByLayer(choices_by_layer(model, saes, **sample))
