"""The letters' latents against the probe: scores, gap, both splits of the words, and the words in the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.loading import words_of
from absorption.chapters.recall_gap.by_split import f1_by_split, splits_in_words
from absorption.chapters.recall_gap.scored import ScoredSae, score_saes, smallest_gap
from absorption.chapters.settings import RecallGapSettings
from absorption.explorer.address import of_words
from absorption.latents.score import MeanSamples, probe_samples
from absorption.latents.sparse import encode_words
from absorption.latents.words import missed_words, top_words
from absorption.models.language_model import LanguageModel
from absorption.probes.scores import letter_scores
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import stems

NAMED = 400
"""Latents that carry missed words and are named, those with most words first."""


@dataclass(frozen=True)
class Scored(Findings):
    """Probe and latents as classifiers of the same words; the first SAE is the chapter's own."""

    probed: ProbedWords
    probe: MeanSamples
    saes: list[ScoredSae]

    @property
    def mine(self) -> ScoredSae:
        """The chapter's own SAE."""
        return self.saes[0]

    @property
    def acts(self) -> Float[Tensor, "word d_model"]:
        """The words' activations where the SAEs read."""
        return self.probed.acts


def score(model: LanguageModel, saes: Sequence[LoadedSae], settings: RecallGapSettings) -> Scored:
    """Fit the probe and score every SAE's latents on the same words."""
    probed = words_of(model, saes[0], settings).probed
    probe = probe_samples(probed, seed=settings.seed)
    return Scored(probed, probe, score_saes(list(saes), probed, seed=settings.seed))


@dataclass(frozen=True)
class AgainstProbe(Findings):
    """The probe's F1 and the latents', letter by letter, and the smallest gap between their means."""

    scores: pd.DataFrame
    """Of the chapter's SAE, every metric and selection."""
    probe_f1: pd.DataFrame
    probe: MeanSamples
    own: MeanSamples
    """The chapter's SAE under the chapter's selection."""
    selection: str
    gap: Estimate
    closest: str
    """The SAE and selection that come closest."""
    n_saes: int

    @property
    def f1(self) -> pd.DataFrame:
        """F1 of each letter's latent, by selection."""
        return self.scores.query("metric == 'f1' and letter != 'mean'")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Scores of the latents."""
        return {"latent-scores": self.scores}

    def claims(self) -> pd.DataFrame:
        """Whether every latent falls short of the probe: the smallest gap."""
        note = f"closest of {self.n_saes} SAEs and four selections: {self.closest}"
        return claim("probe", self.gap, part="gap", note=note)

    def numbers(self) -> Mapping[str, Any]:
        """The gap, and the letters on which some latent does as well as the probe."""
        probe = self.probe_f1.set_index("letter")["value"]
        beaten = int((self.f1.groupby("letter")["value"].max() >= probe).sum())
        ends = {"gap": self.gap.value, "gap_low": self.gap.low, "gap_high": self.gap.high}
        own = {
            "own_gap": self.probe.minus(self.own, "f1").value,
            "sae": self.own.sae,
            "selection": self.selection,
        }
        return {**ends, **own, "closest": self.closest, "beaten": beaten, "probe_f1": self.probe.values["f1"]}


def against_probe(scored: Scored, settings: RecallGapSettings) -> AgainstProbe:
    """Set the latents beside the probe on the test words."""
    probed, mine, selection = scored.probed, scored.mine, settings.selection
    groups = stems(probed.words).to_numpy()[probed.test]
    logits = probed.probes.logits(probed.acts[probed.test])
    found = letter_scores(logits, probed.labels[probed.test], seed=settings.seed, groups=groups)
    probe_f1 = found.query("metric == 'f1' and letter != 'mean'")
    closest, gap = smallest_gap(scored.saes, scored.probe)
    own = mine.samples[selection]
    return AgainstProbe(mine.scores, probe_f1, scored.probe, own, selection, gap, closest, len(scored.saes))


@dataclass(frozen=True)
class BySplit(Findings):
    """F1 of each letter's latent under both splits of the words."""

    scores: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """F1 by split."""
        return {"latent-f1-by-split": self.scores}

    def numbers(self) -> Mapping[str, Any]:
        """Means, and letters with the same latent or with intervals apart."""
        return {f"split_{name}": value for name, value in splits_in_words(self.scores).items()}


def compare_splits(scored: Scored, settings: RecallGapSettings) -> BySplit:
    """Choose and score the latents of the chapter's SAE under both splits."""
    sae, words = scored.mine.sae, scored.probed.words
    return BySplit(f1_by_split(sae, words, scored.acts, selection=settings.selection, seed=settings.seed))


@dataclass(frozen=True)
class Missed(Findings):
    """Test words that the probe gets and the latent misses."""

    words: pd.DataFrame
    names: Mapping[int, str]
    """Carrying latents by the words on which they are strongest."""
    n_right: int
    """Test words that the probe gets."""

    @property
    def shown(self) -> pd.DataFrame:
        """With the name of the first carrying latent instead of its number."""
        carried = self.words["carrier"].map(self.names).fillna("")
        return self.words.assign(carried_by=carried).drop(columns="carrier")

    def links(self, sae: str) -> dict[str, Sequence[str]]:
        """The explorer's states of words and letters; a letter's latent need not be one that the explorer shows."""
        states = of_words(sae, self.words)
        return {name: states[name] for name in ("word", "letter")}

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The words."""
        return {"missed-words": self.words}

    def numbers(self) -> Mapping[str, Any]:
        """How many, and their share of those the probe gets."""
        return {"n_missed": f"{len(self.words):,}", "share_missed": len(self.words) / max(self.n_right, 1)}


def list_missed(scored: Scored, settings: RecallGapSettings) -> Missed:
    """Look up the words in the gap and what carries them instead."""
    sae, probed = scored.mine.sae, scored.probed
    acts = encode_words(sae, scored.acts)
    words = missed_words(sae, probed, acts, selection=settings.selection)
    named = words["carrier"].value_counts().index[:NAMED].tolist()
    return Missed(words, top_words(acts, probed.words, named), int(probed.right[probed.test].sum()))
