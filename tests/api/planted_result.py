"""The planted SAE measured by ``absorption.measure``, once for all tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
from tests.planted_model import planted

import absorption
from absorption.api.result import Result

CONVERGED = "converged"
"""The published probe does not find the planted letters beside their large constant; this one does."""


def arguments() -> dict[str, Any]:
    """What every call on planted words has in common."""
    return {"words": planted().words["word"].tolist(), "probe": CONVERGED}


@cache
def measured() -> Result:
    """The planted SAE in memory, on the planted model in memory."""
    return absorption.measure(planted().sae.sae, planted().model.bridge, **arguments())


def same_tables(one: Result, other: Result) -> bool:
    """Whether all tables are equal; raises with the first difference if not."""
    for name in ("rates", "latents", "words", "silences"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    return True
