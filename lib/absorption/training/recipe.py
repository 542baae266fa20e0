"""What is trained: one frozen recipe an SAE, and the shipped family."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

ENCODER_STARTS = ("decoder", "random")
SINCE = {
    "products": "float32", "harvest": "float32", "encoder_start": "decoder", "also_k": 0, "also_weight": 1 / 8,
    "level_weight": 1.0, "orthogonality": 0.0, "consistency": 0.0, "cosine_stride": 5, "cosine_chunk": 8192,
    "tied": False, "masked": 0.0,
}  # fmt: skip
"""Fields that came later, and what every recipe from before them had: such a recipe keeps its key."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an SAE's weights, so that the same recipe gives the same SAE."""

    architecture: str = "batchtopk"
    """One of ``absorption.training.architectures.ARCHITECTURES``."""
    d_sae: int = 4096
    k: float = 32
    """Mean number of active latents a token while training; the card states what was measured after."""
    hook_name: str = "blocks.8.hook_resid_post"
    n_tokens: int = 4_000_000
    """Distinct tokens of text, BOS included."""
    n_passes: float = 3
    n_held_out: int = 200_000
    context: int = 128
    batch: int = 2048
    lr: float = 1.2e-3
    warm_up_steps: int = 100
    decay_share: float = 0.3
    """Last share of the steps, over which the learning rate falls to nearly 0."""
    aux_coefficient: float = 1 / 32
    aux_stride: int = 1
    """The loss of dead latents is taken over every n-th row of a batch."""
    dead_steps: int = 250
    """Steps without firing after which a latent counts as dead (half a million tokens)."""
    matryoshka_widths: tuple[int, ...] = ()
    """Matryoshka: the nested numbers of latents that each reconstruct, the last one ``d_sae``."""
    penalty: float = 0.0
    """Standard and JumpReLU: coefficient of L1 or L0 from which the controller starts."""
    penalty_warm_up_steps: int = 0
    bandwidth: float = 0.0
    """JumpReLU: width around the threshold in which its gradient is estimated."""
    first_threshold: float = 0.0
    threshold_speed: float = 1.0
    """JumpReLU: learning rate of the thresholds over that of the weights."""
    first_k: float = 0.0
    """TopK and its kin: active latents a token at the first step; 0: ``k`` from the start."""
    k_warm_up_steps: int = 0
    """Steps over which the active latents fall from ``first_k`` to ``k``, evenly in the logarithm."""
    seed: int = 0
    products: str = "float32"
    """Precision of the products that choose which latents are on. ``bfloat16`` takes half a step's time; activations,
    gradients and weights stay float32."""
    harvest: str = "float32"
    """Precision of the products inside the model while its activations are stored."""
    encoder_start: str = "decoder"
    """``decoder``: the encoder starts as the decoder's transpose. ``random``: it has directions of its own."""
    also_k: int = 0
    """Multi-TopK: a second number of active latents, whose loss counts too; 0: none."""
    also_weight: float = 1 / 8
    """Multi-TopK: weight of that loss (Gao et al. 2024)."""
    level_weight: float = 1.0
    """Matryoshka: weight of a level's loss over that of the next wider one; the whole SAE's is 1 (2505.11756)."""
    orthogonality: float = 0.0
    """TopK, BatchTopK: what similar decoder rows cost (OrtSAE); as ``remedies.SimilarRows``, like the next three."""
    consistency: float = 0.0
    """TopK, BatchTopK: the same, times how much the two latents fire (C2R)."""
    cosine_stride: int = 5
    cosine_chunk: int = 8192
    tied: bool = False
    """TopK, BatchTopK: the encoder is the decoder's transpose throughout."""
    masked: float = 0.0
    """Share of the training text's tokens that a special one replaces before the model reads them."""

    def __post_init__(self) -> None:
        """A card holds a list where a recipe has a tuple.

        Raises:
            ValueError: more active latents than there are, no share of masked tokens, no such start of the encoder.
        """
        object.__setattr__(self, "matryoshka_widths", tuple(self.matryoshka_widths))
        for name in ("k", "also_k"):
            if getattr(self, name) > self.d_sae:
                raise ValueError(
                    f"{name}={getattr(self, name):g} active latents are more than d_sae={self.d_sae} latents; "
                    f"allowed: at most {self.d_sae}."
                )
        if not 0 <= self.masked < 1:
            raise ValueError(f"masked={self.masked:g} is no share of the tokens; allowed: from 0 to below 1.")
        if self.encoder_start not in ENCODER_STARTS:
            raise ValueError(
                f"encoder_start={self.encoder_start!r} does not exist; allowed: {', '.join(ENCODER_STARTS)}."
            )

    def k_at(self, step: int) -> float:
        """Active latents a token asked for at a step (counted from 0)."""
        if not self.first_k or step >= self.k_warm_up_steps:
            return self.k
        return self.first_k * (self.k / self.first_k) ** (step / self.k_warm_up_steps)

    @property
    def sae_id(self) -> str:
        """Name of the SAE: ``batchtopk-4096-l0-32``."""
        layer = "" if self.hook_name == Recipe.hook_name else f"-layer-{self.hook_name.split('.')[1]}"
        seed = "" if self.seed == 0 else f"-seed-{self.seed}"
        return f"{self.architecture}-{self.d_sae}-l0-{self.k:g}{layer}{self._experiment}{seed}"

    @property
    def _experiment(self) -> str:
        """What a recipe of the chapters on scaling and on remedies leaves out or adds."""
        parts = {
            f"-also-{self.also_k}": self.also_k > 0,
            "-no-auxk": self.aux_coefficient == 0,
            "-random-encoder": self.encoder_start == "random",
            f"-passes-{self.n_passes:g}": self.n_passes < 1,
            f"-levels-{self.level_weight:g}": self.level_weight != 1,
            f"-orthogonal-{self.orthogonality:g}": self.orthogonality > 0,
            f"-consistent-{self.consistency:g}": self.consistency > 0,
            "-tied": self.tied,
            f"-masked-{self.masked:g}": self.masked > 0,
        }
        return "".join(part for part, there in parts.items() if there)

    def reads_as(self, other: Recipe) -> bool:
        """Whether both read the same text in the same way, be it at another hook."""
        fields = ("n_tokens", "n_held_out", "context", "harvest", "masked")
        return all(getattr(self, name) == getattr(other, name) for name in fields)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON holds them, for keys and cards.

        Without the later fields that are as they always were (``SINCE``).
        """
        plain = asdict(self) | {"matryoshka_widths": list(self.matryoshka_widths)}
        return {name: value for name, value in plain.items() if name not in SINCE or value != SINCE[name]}


BASE = Recipe(
    "topk", d_sae=8192, k=12, hook_name="blocks.6.hook_resid_post", n_passes=1, lr=1e-3, aux_stride=8,
    products="bfloat16", harvest="bfloat16",
)  # fmt: skip
"""What the rule of ``fitness`` chose of the exploration; the other recipes each vary one setting of it."""
LEARNING_RATES = {512: 1.2e-3, 1024: 1.2e-3, 2048: 1.2e-3, 4096: 1.2e-3, BASE.d_sae: BASE.lr, 16_384: 8e-4}
"""By number of latents; the widths of the grid."""
OTHER_LAYERS = (2, 4, 8, 12)
"""Blocks behind which the base's recipe is trained besides its own."""
GRID_K = (6, 12, 24, 48, 96)
"""Active latents a token of the grid: the base's, halved and doubled."""


def at_size(d_sae: int, k: float = BASE.k) -> Recipe:
    """The base with other numbers of latents; ``d_sae`` one of ``LEARNING_RATES``."""
    return replace(BASE, d_sae=d_sae, k=k, lr=LEARNING_RATES[d_sae])


GRID = tuple(at_size(d_sae, k) for d_sae in LEARNING_RATES for k in GRID_K)
"""TopK SAEs of every width and every number of active latents; with ``BASE.k``, the widths that are stitched."""

AS_JUMPRELU = {
    "architecture": "jumprelu", "penalty": 1.0, "penalty_warm_up_steps": 200, "bandwidth": 0.1,
    "first_threshold": 0.2, "threshold_speed": 10,
}  # fmt: skip
AS_STANDARD = {"architecture": "standard", "penalty": 1.5, "penalty_warm_up_steps": 300}
"""ReLU with an L1 penalty."""

SHIPPED_RECIPES = (
    BASE,
    at_size(8192, 6),
    at_size(8192, 24),
    at_size(8192, 96),
    at_size(4096),
    at_size(1024),
    replace(at_size(4096), seed=1),
    at_size(512),
    at_size(2048),
)
"""The shipped SAEs, in the order in which ``make saes`` trains them: those that chapters read."""

UNSHIPPED_RECIPES = (
    replace(BASE, seed=1),
    replace(BASE, seed=2),
    *(recipe for recipe in GRID if recipe not in SHIPPED_RECIPES),
    replace(BASE, **AS_JUMPRELU),
    replace(BASE, architecture="batchtopk"),
    replace(BASE, architecture="matryoshka", matryoshka_widths=(256, 768, 1792, 3840, 8192)),
    replace(BASE, **AS_STANDARD),
    # Dense where TopK's products are sparse: at the base's width a step takes several times as long.
    replace(at_size(2048), **AS_JUMPRELU),
    replace(at_size(2048), **AS_STANDARD),
    replace(at_size(512), seed=1),
    replace(at_size(512), seed=2),
    replace(at_size(8192, 6), seed=1),
    replace(at_size(8192, 96), seed=1),
    replace(BASE, architecture="batchtopk", seed=1),
    *(replace(BASE, hook_name=f"blocks.{layer}.hook_resid_post") for layer in OTHER_LAYERS),
)
"""Not shipped, to keep the project small: anyone can train them. Absorption rates are stored of those in
``data/results/family``, errors of those in ``data/results/grid``; the others have not been measured."""

DEAD_RUNS = (
    replace(BASE, aux_coefficient=0.0),
    replace(BASE, encoder_start="random"),
    replace(BASE, aux_coefficient=0.0, encoder_start="random"),
)
"""The base without one or both of the two remedies against dead latents."""
MULTI_TOPK = replace(at_size(4096), also_k=4 * int(BASE.k))
"""A progressive code: the loss with four times as many active latents counts too."""
HALF_THE_TOKENS = tuple(replace(at_size(d_sae), n_passes=0.5) for d_sae in (1024, 4096))
"""Members of the grid on half its tokens: how flat their loss is."""
EXPERIMENTS = (*DEAD_RUNS, MULTI_TOPK, *HALF_THE_TOKENS)
"""Trained for the chapter on scaling alone, and not shipped."""

REMEDIES_WIDTH = 2048
REMEDIES_SEEDS = (0, 1, 2, 3)
_BATCHTOPK = replace(at_size(REMEDIES_WIDTH), architecture="batchtopk")
_MATRYOSHKA = replace(
    _BATCHTOPK, architecture="matryoshka", matryoshka_widths=(64, 192, 448, 960, REMEDIES_WIDTH)
)
REMEDIES_ARMS = {
    "BatchTopK": _BATCHTOPK,
    "TopK": at_size(REMEDIES_WIDTH),
    "JumpReLU": replace(at_size(REMEDIES_WIDTH), **AS_JUMPRELU),
    "standard": replace(at_size(REMEDIES_WIDTH), **AS_STANDARD),
    "Matryoshka": _MATRYOSHKA,
    "balanced Matryoshka": replace(_MATRYOSHKA, level_weight=0.75),
    "OrtSAE": replace(_BATCHTOPK, orthogonality=0.25),
    "C2R": replace(_BATCHTOPK, consistency=5.0),
    "tied": replace(_BATCHTOPK, tied=True),
    "OrtSAE on TopK": replace(at_size(REMEDIES_WIDTH), orthogonality=0.25),
    "C2R on TopK": replace(at_size(REMEDIES_WIDTH), consistency=5.0),
    "tied TopK": replace(at_size(REMEDIES_WIDTH), tied=True),
    "masked": replace(_BATCHTOPK, masked=0.1),
    "masked on TopK": replace(at_size(REMEDIES_WIDTH), masked=0.1),
    "balanced Matryoshka, .5": replace(_MATRYOSHKA, level_weight=0.5),
    "balanced Matryoshka, .25": replace(_MATRYOSHKA, level_weight=0.25),
}
"""The chapter on remedies: four baselines, and remedies that differ from BatchTopK, or from TopK, in one thing."""
REMEDIES_RECIPES = tuple(
    replace(recipe, seed=seed) for seed in REMEDIES_SEEDS for recipe in REMEDIES_ARMS.values()
)
"""In the order in which they are trained. Those of ``SHIPPED_RECIPES`` and ``UNSHIPPED_RECIPES`` are among them."""

EVERY_RECIPE = tuple(dict.fromkeys(SHIPPED_RECIPES + UNSHIPPED_RECIPES + EXPERIMENTS + REMEDIES_RECIPES))


def find_recipe(sae_id: str) -> Recipe:
    """The recipe of that name, of a shipped SAE or of one that is only measured.

    Raises:
        ValueError: no such recipe; the message lists them.
    """
    for recipe in EVERY_RECIPE:
        if recipe.sae_id == sae_id:
            return recipe
    names = ", ".join(recipe.sae_id for recipe in EVERY_RECIPE)
    raise ValueError(f"There is no recipe {sae_id!r}; allowed: {names}.")
