"""Chapter 9, do remedies work where truth is known? Every remedy on the same planted hierarchies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sae_lens import SAE

from absorption.chapters.findings import OneTable
from absorption.chapters.settings import RemediesSettings
from absorption.toy import measure
from absorption.toy.recipes import Recipe, fast
from absorption.toy.train import Run, train_all
from absorption.toy.worlds import World

WORLDS = {
    # The paper's world for BatchTopK: f1 is f0's child with P(f1 | f0) = .6, and ten features stand alone.
    "pair": World(rates=(0.4, 0.24, *(0.15,) * 10), parents=(None, 0, *(None,) * 10)),
    # Three trees of three floors, and five features that stand alone.
    "trees": World(
        rates=(*(0.25,) * 3, *(0.1,) * 6, *(0.04,) * 6, *(0.1,) * 5),
        parents=(None, None, None, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, *(None,) * 5),
    ),
}


@dataclass(frozen=True)
class Remedy:
    """An architecture with the strengths at which it is tried."""

    architecture: str
    strengths: tuple[float, ...]
    """L1 or L0 coefficients; or k as a multiple of the world's true L0."""
    per_l0: bool
    others: tuple[tuple[str, Any], ...] = ()

    def recipe(self, world_name: str, strength: float, settings: RemediesSettings) -> Recipe:
        """The recipe for one world at one strength."""
        return self.recipe_for(WORLDS[world_name], strength, settings.n_samples_fast, settings.width)

    def recipe_for(self, world: World, strength: float, n_samples: int, width: float = 1.0) -> Recipe:
        """The recipe for any world; Matryoshka nests a quarter and a half of the latents."""
        d_sae = round(width * world.n_features)
        sparsity = strength * world.true_l0 if self.per_l0 else strength
        others = dict(self.others)
        if self.architecture == "matryoshka":
            others["levels"] = (d_sae // 4, d_sae // 2, d_sae)
        return fast(self.architecture, d_sae, sparsity, n_samples, **others)  # type: ignore[arg-type]


REMEDIES = {
    "L1": Remedy("standard", (0.01, 0.03, 0.1), per_l0=False),
    "gated": Remedy("gated", (0.01, 0.03, 0.1), per_l0=False),
    "JumpReLU": Remedy("jumprelu", (0.003, 0.01, 0.03), per_l0=False),
    "TopK": Remedy("topk", (1.0, 1.5, 2.0), per_l0=True),
    "BatchTopK": Remedy("batchtopk", (0.8, 1.0, 1.5), per_l0=True),
    "Matryoshka": Remedy("matryoshka", (0.8, 1.0, 1.5), per_l0=True),
    "tied L1": Remedy("tied", (0.01, 0.03, 0.1), per_l0=False),
    "orthogonal": Remedy("orthogonal", (0.8, 1.0, 1.5), per_l0=True, others=(("orthogonality", 0.3),)),
}
"""What is tried. BatchTopK at 1.5 times the true L0 is the remedy "allow more active latents"."""
PAYS = ("absorbed", "hedged", "mcc", "explained_variance", "sae_l0", "dead_latents", "f1_score", "recall")
"""Columns of ``train_remedies`` that a remedy is judged by."""
SHOWN = {
    "absorbed": "absorbed", "hedged": "hedged", "mcc": "MCC", "explained_variance": "explained variance",
    "sae_l0": "L0",
}  # fmt: skip
"""Of these, what the figure of the best strengths shows, and how it says it."""


def planted_worlds() -> pd.DataFrame:
    """``world``, ``feature``, ``parent``, ``rate``."""
    return pd.DataFrame(
        [
            {
                "world": name,
                "feature": f"f{feature}",
                "parent": "none" if parent is None else f"f{parent}",
                "rate": rate,
            }
            for name, world in WORLDS.items()
            for feature, (rate, parent) in enumerate(zip(world.rates, world.parents, strict=True))
        ]
    )


def train_remedies(settings: RemediesSettings) -> OneTable:
    """Every remedy at every strength in every world, each seed as it came.

    Columns: ``world``, ``remedy``, ``strength``, ``seed``; ``absorbed`` and ``silent`` (mean over parent-child
    pairs), ``hedged`` (mean over pairs), and those of ``measure.quality``.
    """
    cases = list(_cases(settings))
    runs = [
        Run(WORLDS[world], REMEDIES[remedy].recipe(world, strength, settings), seed)
        for world, remedy, strength, seed in cases
    ]
    saes = train_all(runs, workers=settings.workers)
    keys = ("world", "remedy", "strength", "seed")
    table = pd.DataFrame(
        [
            {**dict(zip(keys, case, strict=True)), **scores(sae, WORLDS[case[0]])}
            for case, sae in zip(cases, saes, strict=True)
        ]
    )
    return OneTable("toy-remedies", table, penalty_range(table))


def _cases(settings: RemediesSettings) -> Iterator[tuple[str, str, float, int]]:
    for world in WORLDS:
        for remedy, tried in REMEDIES.items():
            for strength in tried.strengths:
                for seed in settings.seeds:
                    yield world, remedy, strength, seed


def scores(sae: SAE[Any], world: World) -> dict[str, float]:
    """Absorption over the world's parent-child pairs, and SAELens' evaluation.

    Shares are cut to 0 to 1 (other latents may write against the parent). A pair is left out if its parent has no main
    latent, or if no latent writes the parent's direction because the decoder bias does.
    """
    table = measure.absorption(sae, world)
    direct = {(f"f{parent}", f"f{child}") for child, parent in world.pairs}
    pairs = table[[pair in direct for pair in zip(table["ancestor"], table["descendant"], strict=True)]]
    return {
        **{name: float(pairs[name].clip(0, 1).mean()) for name in ("absorbed", "silent", "hedged")},
        **measure.quality(sae, world),
    }


def best_strengths(table: pd.DataFrame, least_variance: float = 0.9) -> OneTable:
    """For each world and remedy, the strength with least absorption among those that reconstruct well enough.

    Args:
        table: from ``train_remedies``.
        least_variance: explained variance (mean over seeds) that counts as well enough; where no strength
            reaches it, the one that comes closest is taken.

    Returns:
        Rows ``world``, ``remedy``, ``strength``, and mean, smallest and largest over seeds of every column of
        ``PAYS`` (``absorbed``, ``absorbed_low``, ``absorbed_high``, ...), ``enough`` (whether the bar was met).
    """
    rows = []
    for (world, remedy), group in table.groupby(["world", "remedy"], sort=False):
        means = group.groupby("strength")[["absorbed", "explained_variance"]].mean()
        enough = means[means["explained_variance"] >= least_variance]
        strength = enough["absorbed"].idxmin() if len(enough) else means["explained_variance"].idxmax()
        chosen = group[group["strength"] == strength]
        row: dict[str, Any] = {
            "world": world, "remedy": remedy, "strength": strength, "enough": len(enough) > 0
        }  # fmt: skip
        for name in PAYS:
            row |= {
                name: chosen[name].mean(),
                f"{name}_low": chosen[name].min(),
                f"{name}_high": chosen[name].max(),
            }
        rows.append(row)
    best = pd.DataFrame(rows)
    return OneTable("toy-remedies-best", best, name_remedies(best))


def name_remedies(
    best: pd.DataFrame, most_absorbed: float = 0.1, lottery: float = 0.5, least_mcc: float = 0.9
) -> dict[str, str]:
    """What the page says of the remedies, by name: lists of them as text.

    Args:
        best: the table of ``best_strengths``.
        most_absorbed: a remedy works in a world if every seed absorbs less, with enough explained variance and MCC.
        lottery: range over seeds above which the seed decides.
        least_mcc: MCC of every seed that counts as having recovered the features.

    Returns:
        ``works_<world>`` and ``works_all``, ``hollow`` (little absorption without the features), ``lottery``,
        ``not_enough`` (bar of explained variance missed).
    """
    little = best[(best["absorbed_high"] < most_absorbed) & best["enough"]]
    works = little[little["mcc_low"] >= least_mcc]
    by_world = {world: list(works.loc[works["world"] == world, "remedy"]) for world in best["world"].unique()}
    everywhere = [
        name for name in best["remedy"].unique() if all(name in names for names in by_world.values())
    ]
    parts = {
        "hollow": little[little["mcc_low"] < least_mcc],
        "lottery": best[best["absorbed_high"] - best["absorbed_low"] > lottery],
        "not_enough": best[~best["enough"]],
    }
    lists = {
        **{f"works_{world}": names for world, names in by_world.items()},
        "works_all": everywhere,
        **{
            name: [f"{row.remedy} ({row.world})" for row in part.itertuples()] for name, part in parts.items()
        },
    }
    return {name: ", ".join(names) or "none" for name, names in lists.items()}


def penalty_range(table: pd.DataFrame, remedies: Collection[str] = ("L1", "gated")) -> dict[str, float]:
    """Over worlds, the largest change of absorption between strengths of one of these (means over seeds), by name.

    Args:
        table: from ``train_remedies``.
        remedies: those whose strength is a penalty on activations.

    Returns:
        ``penalty_change``; ``penalty_least``, the smallest mean absorption; ``penalty_variance``, the smallest
        explained variance.
    """
    mine = table[table["remedy"].isin(list(remedies))]
    means = mine.groupby(["world", "remedy", "strength"])[["absorbed", "explained_variance"]].mean()
    by_strength = means["absorbed"].groupby(["world", "remedy"])
    return {
        "penalty_change": float((by_strength.max() - by_strength.min()).max()),
        "penalty_least": float(means["absorbed"].min()),
        "penalty_variance": float(means["explained_variance"].min()),
    }
