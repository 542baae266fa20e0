"""Chapter 16: the concepts, their words, and what model, probes and latents know of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from absorption.chapters.findings import Findings
from absorption.chapters.settings import HierarchySettings
from absorption.concepts.concept import Concept, own, shipped
from absorption.concepts.measure import Measured, measure
from absorption.definitions.rates import MEAN
from absorption.definitions.thresholds import Thresholds
from absorption.latents.score import score_latents
from absorption.latents.select import SINGLE_LATENT_SELECTIONS
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import load_vocab


@dataclass(frozen=True)
class Chosen(Findings):
    """The concepts with all their words."""

    concepts: Sequence[Concept]
    n_vocabulary: int

    @property
    def counts(self) -> pd.DataFrame:
        """One row a concept: how many words and labels, and each label's words."""
        rows = [
            (
                one.name, f"word{one.template} answer", len(one.words), len(one.labels),
                ", ".join(f"{label} {n:,}" for label, n in one.counts.sort_values(ascending=False).items()),
            )
            for one in self.concepts
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["concept", "question", "words", "labels", "words_of_each"])

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The counts."""
        return {"concept-words": self.counts}

    def numbers(self) -> Mapping[str, Any]:
        """Words to choose from."""
        return {"n_vocabulary": f"{self.n_vocabulary:,}", "n_concepts": len(self.concepts)}


def choose_concepts(model: LanguageModel, settings: HierarchySettings) -> Chosen:
    """The concepts that are asked for, and the reader's own.

    Raises:
        ValueError: an unknown concept, or a table that cannot be used.
    """
    vocabulary = load_vocab(model.tokenizer, leading_space_only=True, min_letters=2)
    found = [shipped(name, vocabulary) for name in settings.concepts]
    if settings.concept_table:
        found.append(own(settings.concept_table, settings.concept_template, vocabulary))
    return Chosen(found, len(vocabulary))


@dataclass(frozen=True)
class Hierarchies(Findings):
    """Every concept measured on one SAE."""

    measured: Sequence[Measured]
    latents: pd.DataFrame
    """``concept`` and columns of ``latents.score_latents``, F1 only."""

    @property
    def known(self) -> pd.DataFrame:
        """One row a concept: what model, probe and single latents know of its labels."""
        rows = []
        for one in self.measured:
            f1 = one.study.words.probe_f1["value"]
            means = self.latents[
                (self.latents["concept"] == one.concept.name) & (self.latents["letter"] == MEAN)
            ]
            of = dict(zip(means["selection"], means["value"], strict=True))
            rows.append(
                {
                    "concept": one.concept.name, "words": len(one.study.words.table),
                    "accuracy": str(one.skill.accuracy), "chance": one.skill.chance,
                    "model_does_it": "yes" if one.skill.able else "no",
                    "probe_f1": float(f1.mean()),
                    **{f"f1_{name}": of[name] for name in SINGLE_LATENT_SELECTIONS},
                    "labels_probed_well": len(one.found.letters) if one.found else 0,
                    "labels_that_count": len(one.valid),
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    @property
    def main(self) -> pd.DataFrame:
        """First main latent of each label that is probed well, with its strongest words."""
        tables = [
            one.found.gate[one.found.gate["letter"].isin(one.found.letters)].assign(concept=one.concept.name)
            for one in self.measured
            if one.found is not None
        ]
        table = (
            pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["concept", "letter"])
        )
        return table[["concept", *table.columns.drop("concept")]].rename(columns={"letter": "label"})

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """What is known, the main latents, and F1 of single latents by label."""
        return {"concepts-known": self.known, "concept-main": self.main, "concept-latents": self.latents}

    def numbers(self) -> Mapping[str, Any]:
        """Which concepts the model cannot name, and which cannot be measured."""
        unable = [one.concept.name for one in self.measured if not one.skill.able]
        nothing = [one.concept.name for one in self.measured if not one.valid]
        return {
            "unable": ", ".join(unable) or "none",
            "nothing_counts": ", ".join(nothing) or "none",
            "n_able": len(self.measured) - len(unable),
        }


def measure_concepts(
    model: LanguageModel, sae: LoadedSae, chosen: Chosen, settings: HierarchySettings
) -> Hierarchies:
    """Measure one concept after the other."""
    asked: Any = {
        "n_words": settings.n_words, "asked_words": settings.asked_words, "ablated_words": settings.ablated_words,
        "probe": settings.direction, "centred": settings.centred, "n_sets": settings.n_sets,
        "f1_jump": settings.f1_jump, "seed": settings.seed,
    }  # fmt: skip
    found = [
        measure(model, sae, concept, Thresholds(), **asked)
        for concept in tqdm(chosen.concepts, desc="Concepts")
    ]
    latents = [
        score_latents(sae, one.study.words.probed, one.study.acts, seed=settings.seed).assign(
            concept=one.concept.name
        )
        for one in found
    ]
    table = pd.concat(latents, ignore_index=True)
    return Hierarchies(found, table[table["metric"] == "f1"].reset_index(drop=True))
