"""Settings of the chapters: parameters, ranges, defaults. No torch here: a parameter is refused within a second."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from absorption.base.settings import Device, ModelSettings, Probe, SaeSettings, Settings, Split

Chance = Annotated[float, Field(gt=0, le=1)]
Coefficient = Annotated[float, Field(gt=0, le=1)]
LEAST_SAMPLES = 102_400
"""A hundred batches of a toy SAE's training."""
Samples = Annotated[int, Field(ge=LEAST_SAMPLES)]


class SpellingSettings(ModelSettings):
    """Chapter 1, can the model spell?"""

    n_words: int = Field(3000, ge=0)
    """Words asked with all in-context examples; 0: the whole vocabulary."""
    n_examples: int = Field(10, ge=1, le=100)
    """In-context examples (the paper uses 10)."""
    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    curve_examples: list[int] = [0, 1, 2, 5, 10, 20]
    """Numbers of in-context examples compared."""
    curve_words: int = Field(500, ge=26)
    """Words used for that comparison."""
    full_words: int = Field(400, ge=26)
    """Words that are spelled in full."""
    patch_words: int = Field(100, ge=10)
    """Words whose residual stream is replaced."""
    patch_every: int = Field(3, ge=1)
    """Replace at every n-th depth."""


class ProbeSettings(ModelSettings):
    """Chapter 2, probe baselines."""

    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    hook_name: str = "blocks.8.hook_resid_post"
    """The hook that the later chapters' SAEs read; several seeds are run here."""
    n_seeds: int = Field(3, ge=1, le=20)
    """Splits into training and test words at that hook."""
    every: int = Field(3, ge=1)
    """Probe at every n-th depth from the embedding to the last layer."""
    curve_words: int = Field(12_000, ge=0)
    """Words of the curve over layers, drawn with the seed; 0: all."""


class RecallGapSettings(SaeSettings):
    """Chapter 3, the recall gap."""

    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    compare: bool = True
    """Also score four shipped SAEs that read the same model (for the curves against L0 and width)."""
    layer_words: int = Field(3000, ge=0)
    """Words of the comparison over layers; 0 leaves it out."""
    selection: str = Field("encoder cosine", pattern="^(encoder cosine|k=1 probing|lowest loss|best F1)$")
    """How the letter's latent is chosen where only one choice is shown."""


class StudySettings(SaeSettings):
    """What the chapters on main latents share."""

    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    f1_jump: float = Field(0.03, gt=0, lt=1)
    """Rise of F1 by which a further latent counts as a main one (paper: .03)."""
    compare: bool = True
    """Also study four shipped SAEs that read the same model."""


class MainLatentSettings(StudySettings):
    """Adds the choice of main latents."""

    selection: str = Field("L1 k-sparse", pattern="^(L1 k-sparse|encoder cosine|best F1)$")
    """How the main latents are chosen (paper: by L1 k-sparse probing)."""


class SplittingSettings(StudySettings):
    """Chapter 4, feature splitting."""

    max_k: int = Field(15, ge=2, le=100)
    """Latents tried at most for each letter (paper: 15)."""


class AbsorptionSettings(MainLatentSettings):
    """Chapter 5, absorption."""

    probe: Probe = "reference"
    """Which probe says what a word is and gives the letters' directions (paper: the reference probe)."""
    split: Split = "word"
    """Split of the words: each word on its own (paper), or all variants of a word on one side (``stem``)."""
    max_candidates: int = Field(50, ge=1)
    """Candidates of a letter that are ablated, for the SAE itself (paper: 200)."""
    max_candidates_others: int = Field(10, ge=1)
    """The same where SAEs and selections are compared."""
    min_cosine: float = Field(0.025, ge=0, lt=1)
    """Least decoder cosine of an absorbing latent with the probe (paper: .025)."""
    min_lead: float = Field(1.0, gt=0)
    """Least lead of the most negative effect, in logits (paper: 1.0, on Gemma-2-2B)."""
    min_share: float = Field(0.4, gt=0, le=1)
    """Least share of the projection that absorbers carry (SAEBench: .4)."""
    scale_words: int = Field(500, ge=20)
    """Words whose mean metric is the model's own scale."""
    baseline_words: int = Field(10, ge=1)
    """Absorbed words whose effects are computed under both baselines of the metric."""
    text_tokens: int = Field(30_000, ge=0)
    """Tokens of held-out text searched for contexts; 0: no text is fetched."""


class MediationSettings(MainLatentSettings):
    """Chapter 6, ablation mediation."""

    per_letter: int = Field(12, ge=1)
    """Words of a letter, with a main latent on and with all main latents off (as many of each)."""
    effect_words: int = Field(156, ge=10)
    """Words whose effects are computed exactly and by integrated gradients."""
    race_words: int = Field(24, ge=2)
    """Words on which the ways to compute effects are timed."""
    n_steps: int = Field(6, ge=1, le=100)
    """Steps of integrated gradients (reference code: 6)."""
    layer_words: int = Field(150, ge=10)
    """Words whose token is changed at each depth."""
    every: int = Field(3, ge=1)
    """Change it at every n-th depth."""
    curve_words: int = Field(12_000, ge=0)
    """Words that means and directions at each depth are fitted on, drawn with the seed; 0: all."""
    edit_per_letter: int = Field(12, ge=1)
    """Words of a letter that are edited (paper: about 100)."""

    @property
    def n_curve_words(self) -> int:
        """``curve_words``, or ``n_words`` where these are fewer; 0: all."""
        return min((n for n in (self.curve_words, self.n_words) if n), default=0)


class ToySettings(Settings):
    """What all toy chapters share."""

    seed: int = Field(default=0, ge=0)
    """Seed of the first SAE; further ones count up from it."""
    n_seeds: int = Field(default=5, ge=2)
    """SAEs trained where a spread over seeds is shown."""
    n_samples_fast: Samples = 4_000_000
    """Samples of an SAE on the fast schedule."""
    workers: int = Field(default=0, ge=0)
    """Processes that train side by side; 0: one for each CPU core."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of a spread."""
        return list(range(self.seed, self.seed + self.n_seeds))


class FourFeaturesSettings(ToySettings):
    """Chapter "Absorption in four features"."""

    n_seeds: int = Field(default=8, ge=2)
    """SAEs of each world in the spread over seeds."""
    n_samples: Samples = 100_000_000
    """Samples of the two SAEs that are trained as in the paper."""
    l1: Coefficient = 3e-5
    """Their L1 coefficient (paper, section 3)."""
    l1_fast: Coefficient = 5e-3
    """L1 coefficient of the SAEs of the seed spread."""


class CoOccurrenceSettings(ToySettings):
    """Chapter "How much co-occurrence, how much sparsity"."""

    p_parents: list[Chance] = [0.5, 0.8, 0.9, 0.95, 1.0]
    """P(parent | child) of the surface."""
    l1s: list[Coefficient] = [5e-3, 1e-2, 2e-2, 4e-2, 8e-2]
    """L1 coefficients of the surface."""
    child_rates: list[Chance] = [0.01, 0.05, 0.1, 0.2]
    """Overall rates of the child at one point of the surface."""
    ks: list[Annotated[float, Field(gt=0)]] = [0.3, 0.4, 0.6]
    """Mean numbers of active latents of the BatchTopK surface."""
    child_magnitudes: list[Annotated[float, Field(gt=0)]] = [0.5, 1.0, 2.0, 5.0]
    """Activations of the child where the parent's is 1."""
    n_samples_check: Samples = 20_000_000
    """Samples of the check that the fast schedule has settled."""


class RemediesSettings(ToySettings):
    """Chapter "Do remedies work where truth is known?"."""

    n_seeds: int = Field(default=2, ge=1)
    """SAEs of every remedy."""
    width: Annotated[float, Field(gt=0, le=8)] = 1.0
    """Latents for each planted feature."""


class PlantedMetricSettings(Settings):
    """Chapter "Is the metric right?"."""

    seed: int = Field(default=0, ge=0)
    """Seed of the planted words, their directions and their split."""
    n_words: Annotated[int, Field(ge=60)] = 200
    """Words of each letter."""
    d_model: Annotated[int, Field(ge=220)] = 256
    """Dimensions; fewer mean that features overlap more."""
    carried: list[Annotated[float, Field(ge=0, le=1)]] = [0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 1.0]
    """Shares of the letter that absorbing families carry."""
    family_shares: list[Annotated[float, Field(gt=0, le=0.4)]] = [0.01, 0.03, 0.06, 0.1, 0.2]
    """Shares of a letter's words in each absorbing family."""
    strengths: list[Annotated[float, Field(gt=0)]] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    """Activations of a family's feature; the letter's is 1."""
    small_halves: list[Annotated[float, Field(gt=0, le=0.5)]] = [0.01, 0.03, 0.06, 0.1, 0.2, 0.5]
    """Shares of the smaller half of a split letter."""


class WithoutProbeSettings(SaeSettings):
    """Chapter "Without a probe"."""

    n_seeds: int = Field(default=2, ge=1)
    """SAEs of each architecture and planted world."""
    n_samples_fast: Samples = 4_000_000
    """Samples of each of those."""
    workers: int = Field(default=0, ge=0)
    """Processes that train side by side; 0: one for each CPU core."""
    n_sets: int = Field(default=4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    f1_jump: float = Field(default=0.03, gt=0, lt=1)
    """Rise of F1 by which a further latent counts as a main one (paper: .03)."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of the planted worlds' SAEs."""
        return list(range(self.seed, self.seed + self.n_seeds))


class FamilySettings(Settings):
    """Chapter on width, sparsity and architecture."""

    device: Device = "auto"
    """``auto`` picks CUDA when there is one; or ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    seed: int = Field(0, ge=0)
    """Which of the SAEs are measured again."""
    n_checked: int = Field(1, ge=0)
    """SAEs whose stored numbers are measured again."""


def every_depth(n_layers: int, every: int) -> list[int]:
    """0, every, 2 * every, ... and the last depth."""
    return sorted({*range(0, n_layers + 1, every), n_layers})
