"""Settings of the chapters: types and ranges. No torch here: a parameter is refused within a second.

The defaults, and what each parameter is, stand in the first code cell of the chapter's notebook.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from absorption.base.settings import Device, ModelSettings, Probe, SaeSettings, Settings, Split

Positive = Annotated[int, Field(ge=1)]
"""A number of things."""
Sets = Annotated[int, Field(ge=2, le=64)]
"""Seeded sets of in-context examples."""
Chance = Annotated[float, Field(gt=0, le=1)]
Coefficient = Annotated[float, Field(gt=0, le=1)]
Jump = Annotated[float, Field(gt=0, lt=1)]
"""A rise of F1."""
LEAST_SAMPLES = 102_400
"""A hundred batches of a toy SAE's training."""
Samples = Annotated[int, Field(ge=LEAST_SAMPLES)]


class SpellingSettings(ModelSettings):
    """Chapter 1, can the model spell?"""

    n_examples: int = Field(ge=1, le=100)
    n_sets: Sets
    curve_examples: list[int]
    curve_words: int = Field(ge=26)
    full_words: int = Field(ge=26)
    patch_words: int = Field(ge=10)
    patch_every: Positive


class ProbeSettings(ModelSettings):
    """Chapter 2, probe baselines."""

    n_sets: Sets
    hook_name: str
    n_seeds: int = Field(ge=1, le=20)
    every: Positive
    curve_words: NonNegativeInt


class ComparedSettings(SaeSettings):
    """One SAE, with shipped ones beside it or without."""

    n_sets: Sets
    compare: bool


class RecallGapSettings(ComparedSettings):
    """Chapter 3, the recall gap."""

    layer_words: NonNegativeInt
    selection: str = Field(pattern="^(encoder cosine|k=1 probing|lowest loss|best F1)$")


class StudySettings(ComparedSettings):
    """What the chapters on main latents share."""

    f1_jump: Jump


class MainLatentSettings(StudySettings):
    """Adds the choice of main latents."""

    selection: str = Field(pattern="^(L1 k-sparse|encoder cosine|best F1)$")


class SplittingSettings(StudySettings):
    """Chapter 4, feature splitting."""

    max_k: int = Field(ge=2, le=100)


class AbsorptionSettings(MainLatentSettings):
    """Chapter 5, absorption."""

    probe: Probe
    split: Split
    max_candidates: Positive
    max_candidates_others: Positive
    min_cosine: float = Field(ge=0, lt=1)
    min_lead: PositiveFloat
    min_share: float = Field(gt=0, le=1)
    scale_words: int = Field(ge=20)
    control_words: Positive
    baseline_words: Positive
    text_tokens: NonNegativeInt


class MediationSettings(MainLatentSettings):
    """Chapter 6, ablation mediation."""

    per_letter: Positive
    effect_words: int = Field(ge=10)
    race_words: int = Field(ge=2)
    n_steps: int = Field(ge=1, le=100)
    layer_words: int = Field(ge=10)
    every: Positive
    curve_words: NonNegativeInt
    edit_per_letter: Positive

    @property
    def n_curve_words(self) -> int:
        """``curve_words``, or ``n_words`` where these are fewer; 0: all."""
        return min((n for n in (self.curve_words, self.n_words) if n), default=0)


class ToySettings(Settings):
    """What all toy chapters share."""

    seed: NonNegativeInt
    n_seeds: int = Field(ge=2)
    n_samples_fast: Samples
    workers: NonNegativeInt

    @property
    def seeds(self) -> list[int]:
        """The seeds of a spread."""
        return list(range(self.seed, self.seed + self.n_seeds))


class FourFeaturesSettings(ToySettings):
    """Chapter "Absorption in four features"."""

    n_samples: Samples
    l1: Coefficient
    l1_fast: Coefficient


class CoOccurrenceSettings(ToySettings):
    """Chapter "How much co-occurrence, how much sparsity"."""

    p_parents: list[Chance]
    l1s: list[Coefficient]
    child_rates: list[Chance]
    ks: list[PositiveFloat]
    child_magnitudes: list[PositiveFloat]
    n_samples_check: Samples


class RemediesSettings(ToySettings):
    """Chapter "Do remedies work where truth is known?"."""

    n_seeds: Positive
    width: float = Field(gt=0, le=8)


class PlantedMetricSettings(Settings):
    """Chapter "Is the metric right?"."""

    seed: NonNegativeInt
    n_words: int = Field(ge=60)
    d_model: int = Field(ge=220)
    carried: list[Annotated[float, Field(ge=0, le=1)]]
    family_shares: list[Annotated[float, Field(gt=0, le=0.4)]]
    strengths: list[PositiveFloat]
    small_halves: list[Annotated[float, Field(gt=0, le=0.5)]]


class WithoutProbeSettings(SaeSettings, ToySettings):
    """Chapter "Without a probe": planted worlds, and one SAE of a language model."""

    n_seeds: Positive
    n_sets: Sets
    f1_jump: Jump


class SaeFamilySettings(Settings):
    """Chapter on width, sparsity and architecture."""

    device: Device
    seed: NonNegativeInt
    n_checked: NonNegativeInt


class StitchingSettings(ModelSettings):
    """Chapter "Stitching"."""

    n_sets: Sets
    sae_ids: list[str]
    text_tokens: int = Field(ge=1000)
    spliced_windows: Positive
    single_windows: Positive
    single_latents: Positive


class MetaSettings(StudySettings):
    """Chapter "Meta-SAEs"."""

    probe: Probe
    split: Split
    ratios: list[PositiveFloat] = Field(min_length=1)
    n_seeds: list[Positive]
    k: Positive
    steps: Positive
    scale_words: int = Field(ge=20)
    ablated_latents: Positive
    ablated_words: Positive
    shown_rows: Positive

    @model_validator(mode="after")
    def _seeds_for_each(self) -> Self:
        if len(self.n_seeds) != len(self.ratios):
            raise ValueError(
                f"n_seeds has {len(self.n_seeds)} numbers and ratios has {len(self.ratios)}; allowed: one for each."
            )
        return self


class ScalingSettings(Settings):
    """Chapter "Scaling TopK"."""

    device: Device
    seed: NonNegativeInt
    grid_folder: str
    n_resamples: int = Field(ge=20)
    n_fits: int = Field(ge=10)
    checked_tokens: NonNegativeInt


class HierarchySettings(SaeSettings):
    """Chapter "Other hierarchies"; ``n_words`` is of each concept."""

    of_vocabulary: ClassVar[bool] = False

    n_sets: Sets
    f1_jump: Jump
    concepts: list[str]
    concept_table: str
    concept_template: str = Field(min_length=1)
    direction: Probe
    centred: bool
    asked_words: int = Field(ge=20)
    ablated_words: Positive

    @model_validator(mode="after")
    def _some_concept(self) -> Self:
        if not self.concepts and not self.concept_table:
            raise ValueError("concepts and concept_table are both empty; one must name a concept.")
        twice = [name for number, name in enumerate(self.concepts) if name in self.concepts[:number]]
        if twice:
            raise ValueError(f"concepts names {twice[0]!r} twice; allowed: each once.")
        return self


class ComparedRemediesSettings(Settings):
    """Chapter "Remedies on a language model"."""

    device: Device
    seed: NonNegativeInt
    remedies_folder: str
    check_again: bool
    n_samples_fast: Samples
    workers: NonNegativeInt


class ReportSettings(ComparedSettings):
    """One SAE in short."""

    max_candidates: Positive
    probe: Probe
    per_letter: Positive


class SideBySideSettings(Settings):
    """Reports side by side."""

    reports: list[str]

    @property
    def folders(self) -> list[Path]:
        """Where the reports are.

        Raises:
            ValueError: nothing says where.
        """
        if not (self.reports or self.results_dir):
            raise ValueError("reports and results_dir are both empty; one must name folders with reports.")
        return [Path(folder) for folder in self.reports or [self.results_dir]]


def every_depth(n_layers: int, every: int) -> list[int]:
    """0, every, 2 * every, ... and the last depth."""
    return sorted({*range(0, n_layers + 1, every), n_layers})
