"""Is an SAE fit to be studied for absorption? Judged before any absorption rate, on training words only.

Absorption can be seen only in an SAE whose latents stand for letters in the first place: the letter's latent has
to be right about most of the letter's words, and off on enough others for a hole to show. An SAE that
reconstructs little of a word is no evidence either. So the rule weighs both, and it was fixed before any SAE that
it judges had been trained: no number here looks at absorption, at test words or at the model's answers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.latents.select import on_f1
from absorption.latents.sparse import ACTIVE, SparseActs, encode_words, take_rows
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae


@dataclass(frozen=True)
class FitnessRule:
    """What makes an SAE fit, and which of the fit ones is the base of a family."""

    min_recovered: float = 0.93
    """Least share of the cross-entropy recovered on held-out text."""
    min_explained_variance_words: float = 0.5
    """Least explained variance at the words: what the SAE leaves out it cannot be said to absorb."""
    max_dead: float = 0.1
    """Largest share of latents that fire neither on held-out text nor on any word."""
    tie: float = 0.02
    """Mean F1 by which two SAEs count as equally fit: about what another training seed changes. Among equals an
    architecture of ``preferred`` comes first, then the wider SAE, then the one that explains more of the words."""
    preferred: tuple[str, ...] = ("jumprelu",)
    """Gemma Scope's architecture, for comparison with the published rates."""

    def admits(self, row: pd.Series) -> bool:
        """Whether one row of the exploration's table clears every bar."""
        return bool(
            row["recovered"] >= self.min_recovered
            and row["explained_variance_words"] >= self.min_explained_variance_words
            and row["dead_share"] <= self.max_dead
        )

    def choose(self, table: pd.DataFrame) -> pd.Series:
        """The base: the admitted SAE with the highest ``f1_encoder_cosine``, ties as ``tie`` says.

        Args:
            table: one row an SAE, columns of ``Fitness`` with ``architecture`` and ``d_sae``.

        Raises:
            ValueError: no SAE clears the bars.
        """
        fit = table[[self.admits(row) for _, row in table.iterrows()]]
        if fit.empty:
            bars = ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self)[:3])
            raise ValueError(f"none of {len(table)} SAEs clears the bars: {bars}.")
        equals = fit[fit["f1_encoder_cosine"] >= fit["f1_encoder_cosine"].max() - self.tie]
        order = equals.assign(preferred=equals["architecture"].isin(self.preferred)).sort_values(
            ["preferred", "d_sae", "explained_variance_words"], ascending=False, kind="stable"
        )
        return order.drop(columns="preferred").iloc[0]


RULE = FitnessRule()


@dataclass(frozen=True)
class Fitness:
    """What the rule looks at, and what is told beside it; over training words, means over letters."""

    f1_encoder_cosine: float
    """F1 of "the letter's latent is on", the latent being the one of highest encoder cosine with the probe."""
    f1_best: float
    """The same for the latent with the best F1."""
    letters_above_half: int
    """Letters whose latent by encoder cosine has an F1 above .5."""
    letters_above_seven_tenths: int
    recall: float
    precision: float
    on_share: float
    """Share of all words that a letter's latent is on for, median over letters."""
    candidate_share: float
    """Share of the words that the probe gets right on which their letter's latent is off."""
    l0_words: float
    explained_variance_words: float
    l0_text: float
    explained_variance_text: float
    recovered: float
    """Cross-entropy recovered on held-out text."""
    dead_share: float


def measure_fitness(sae: LoadedSae, probed: ProbedWords) -> Fitness:
    """Fitness of an SAE with a card, on the training words.

    Args:
        sae: a trained SAE; its card holds what was measured on held-out text.
        probed: the words at the SAE's hook, with their probes.
    """
    train = torch.from_numpy(np.flatnonzero(probed.words["split"].to_numpy() == "train"))
    labels = probed.labels[train]
    mine = take_rows(encode_words(sae, probed.acts).csr, train)
    cosines = probed.probes.directions @ sae.encoder_directions.float().cpu().T
    f1 = on_f1(mine, labels)
    by_cosine = cosines.argmax(dim=1)
    on = SparseActs(mine).dense(by_cosine) > ACTIVE
    own = f1.gather(1, by_cosine[:, None])[:, 0]
    right = torch.from_numpy(probed.right)[train]
    text = sae.card["measured"]["held_out_text"]
    return Fitness(
        f1_encoder_cosine=float(own.mean()),
        f1_best=float(f1.max(dim=1).values.mean()),
        letters_above_half=int((own > 0.5).sum()),
        letters_above_seven_tenths=int((own > 0.7).sum()),
        recall=float(((on & labels).sum(0) / labels.sum(0)).mean()),
        precision=float(((on & labels).sum(0) / on.sum(0).clamp_min(1)).mean()),
        on_share=float(on.float().mean(0).median()),
        candidate_share=float((~(on & labels).any(dim=1))[right].double().mean()),
        l0_words=float(SparseActs(mine).l0.mean()),
        explained_variance_words=explained_variance(sae, probed.acts[train]),
        l0_text=text["l0"],
        explained_variance_text=text["explained_variance"],
        recovered=text["cross_entropy"]["recovered"],
        dead_share=sae.card["measured"]["dead_latents"] / sae.d_sae,
    )


@torch.inference_mode()
def explained_variance(sae: LoadedSae, acts: Float[Tensor, "row d_model"], batch: int = 4096) -> float:
    """1 - (summed squared error) / (summed squared distance from the mean)."""
    mean = acts.mean(0)
    error = sum(float((x - sae.reconstruct(x)).double().pow(2).sum()) for x in acts.split(batch))
    total = sum(float((x - mean).double().pow(2).sum()) for x in acts.split(batch))
    return 1 - error / total


def as_row(sae: LoadedSae, fitness: Fitness) -> dict[str, Any]:
    """One row of the exploration's table: the recipe's main settings and the fitness."""
    recipe = sae.card["recipe"]
    about = {"sae": sae.card["sae_id"]} | {
        name: recipe[name]
        for name in ("architecture", "d_sae", "k", "hook_name", "n_tokens", "n_passes", "seed")
    }
    return about | {field.name: getattr(fitness, field.name) for field in fields(fitness)}
