"""Encoder and decoder of the SAEs behind the paper's two further experiments, as heatmaps (Figures 10 and 11)."""

from __future__ import annotations

import pandas as pd

from absorption.chapters.toy_settings import CoOccurrenceSettings
from absorption.toy import measure, published, theory
from absorption.toy.recipes import fast
from absorption.toy.train import Run, train_settled
from absorption.toy.worlds import World, four_features

PARTIAL, IMPERFECT = "f0 varies", "f1 sometimes alone"


def experiments() -> dict[str, tuple[World, float]]:
    """Each experiment's world and the L1 coefficient that its first published number fixes."""
    partial, imperfect = (
        1 - table["published"].iloc[0] for table in (published.partial(), published.imperfect())
    )
    return {
        PARTIAL: (
            four_features(hierarchy=True, parent_spread=published.SPREAD),
            theory.l1_for_partial(published.SPREAD, partial),
        ),
        IMPERFECT: (
            four_features(hierarchy=True, p_parent=published.P_PARENT),
            theory.l1_for_imperfect(published.P_PARENT, imperfect),
        ),
    }


def weight_table(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """Cosines of the first seed's SAE of each experiment: ``world`` and the columns of ``measure.cosines``.

    The SAEs are those of ``cooccurrence.partial_table`` and ``imperfect_table``, so nothing is trained anew.
    """
    cases = experiments()
    runs = [
        Run(world, fast("standard", 4, l1, settings.n_samples_fast), settings.seed)
        for world, l1 in cases.values()
    ]
    saes = train_settled(runs, workers=settings.workers)
    return pd.concat(
        [
            measure.cosines(sae, world).assign(world=name)
            for sae, (name, (world, _)) in zip(saes, cases.items(), strict=True)
        ],
        ignore_index=True,
    )
