"""Record the toy chapters' claims: one call a claim, all its parts from one table."""

from __future__ import annotations

import pandas as pd

from absorption import claims
from absorption.base.settings import Settings
from absorption.claims.rules import combine


def record(settings: Settings, claim: str, parts: pd.DataFrame, note: str = "") -> str:
    """Record every part of a claim.

    Args:
        settings: the chapter's settings.
        claim: an id of ``data/claims.yaml``.
        parts: ``part``, ``measured``, ``low``, ``high``; the interval is the range over seeds.
        note: what a reader must know.

    Returns:
        The verdict on the whole claim.
    """
    return combine(
        [
            claims.record(settings, claim, row.measured, row.low, row.high, note=note, part=row.part)  # type: ignore[arg-type]
            for row in parts.itertuples()
        ]
    )
