"""Chapter 17: the same remedies on planted truth, where it is known what was absorbed (chapter 9's SAEs)."""

from __future__ import annotations

import pandas as pd

from absorption.chapters.findings import OneTable
from absorption.chapters.remedies import REMEDIES, WORLDS, scores
from absorption.chapters.remedies_compared.compared import Compared
from absorption.chapters.settings import ComparedRemediesSettings
from absorption.remedies.arms import IN_TOYS
from absorption.remedies.differences import over_seeds
from absorption.remedies.measure import FULL
from absorption.toy.train import Run, train_all

WORLD = "pair"
SHOWN = ("absorbed", "hedged", "mcc", "precision", "recall")


def set_beside_toys(compared: Compared, settings: ComparedRemediesSettings) -> OneTable:
    """Chapter 9's world of one pair at the middle strength and first seed: one SAE an arm that it has.

    Columns: ``arm, full absorption`` (mean over seeds here), then ``in toys`` (what chapter 9 calls it) and ``SHOWN``.
    """
    world = WORLDS[WORLD]
    names = {arm: toy for arm, toy in IN_TOYS.items() if arm in compared.stored.arms}
    runs = [
        Run(
            world,
            REMEDIES[toy].recipe_for(world, REMEDIES[toy].strengths[1], settings.n_samples_fast),
            settings.seed,
        )
        for toy in names.values()
    ]
    found = train_all(runs, workers=settings.workers)
    rows = [
        {"arm": arm, "in toys": toy, **{name: scores(sae, world)[name] for name in SHOWN}}
        for (arm, toy), sae in zip(names.items(), found, strict=True)
    ]
    means = over_seeds(compared.stored, FULL)[["arm", "value"]].rename(columns={"value": "full absorption"})
    table = means.merge(pd.DataFrame(rows), on="arm", how="left")
    return OneTable("remedies-beside-toys", table)
