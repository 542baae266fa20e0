"""Chapter 17: Matryoshka and BatchTopK beside SAEBench's published values on Pythia-160M, the nearest setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.remedies_compared.numbers import Numbers
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.models.before_loading import model_size
from absorption.remedies.arms import BASELINE, MATRYOSHKA
from absorption.remedies.differences import over_seeds
from absorption.remedies.measure import FULL
from absorption.several_saes.published import read_published

TABLE = "saebench-pythia-160m"
PAIR = {"batchtopk": BASELINE, "matryoshka": MATRYOSHKA}
"""The published architectures, by the arms that are beside them."""


@dataclass(frozen=True)
class BesidePublished(Findings):
    """Published pairs, and ours."""

    pairs: pd.DataFrame
    """``from, width, l0, l0_share, BatchTopK, Matryoshka, difference``; L0 and its share on text, that of BatchTopK."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The pairs."""
        return {"remedies-beside-published": self.pairs}

    def numbers(self) -> Mapping[str, Any]:
        """In how many published pairs Matryoshka absorbs less."""
        published = self.pairs[self.pairs["from"] != OURS]
        return {
            "published_pairs": len(published),
            "published_less": int((published["difference"] < 0).sum()),
            "published_mean": f"{published['difference'].mean():+.3f}",
        }


OURS = "this book, mean over seeds"


def set_beside_published(numbers: Numbers) -> BesidePublished:
    """Pair the published values by the order of their L0, and add ours.

    Raises:
        PublishedNumbersError: the table is damaged.
    """
    found = read_published(TABLE)
    mine = found[(found["definition"] == FULL_ABSORPTION) & found["architecture"].isin(list(PAIR))]
    sides = {
        PAIR[str(name)]: rows.sort_values("l0").reset_index(drop=True)
        for name, rows in mine.groupby("architecture")
    }
    base, other = sides[BASELINE], sides[MATRYOSHKA]
    pairs = pd.DataFrame(
        {
            "from": base["model"] + ", SAEBench", "width": base["width"].astype(int), "l0": base["l0"],
            "l0_share": base["l0_share"], BASELINE: base["value"], MATRYOSHKA: other["value"],
        }
    )  # fmt: skip
    together = pd.concat([pairs, _ours(numbers)], ignore_index=True)
    return BesidePublished(together.assign(difference=together[MATRYOSHKA] - together[BASELINE]))


def _ours(numbers: Numbers) -> pd.DataFrame:
    means = over_seeds(numbers.stored, FULL).set_index("arm")["value"]
    about = numbers.arms.set_index("arm")
    l0 = float(about["l0_text"].get(BASELINE, np.nan))
    d_model = model_size(numbers.stored.subject["model"]).d_model
    width = next(iter(numbers.stored.stamps.values()))["card"]["recipe"]["d_sae"]
    row = {
        "from": OURS, "width": width, "l0": l0, "l0_share": l0 / d_model,
        BASELINE: means.get(BASELINE, np.nan), MATRYOSHKA: means.get(MATRYOSHKA, np.nan),
    }  # fmt: skip
    return pd.DataFrame([row])
