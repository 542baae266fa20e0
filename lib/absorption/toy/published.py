"""Numbers that the paper prints for its toy models, each with its place; nothing here is measured."""

from __future__ import annotations

import pandas as pd

MAGNITUDE_SD = 0.1
"""Standard deviation of f0's activation in the partial-absorption experiment (paper, appendices A.2-A.6)."""
P_PARENT_GIVEN_CHILD = 0.95
"""P(f0 | f1) in the imperfect co-occurrence experiment (paper, appendices A.2-A.6)."""

_PARTIAL = {
    # f0's activation, f1 on: activation of f0's latent and of f1's latent
    "1": (0.22, 1.27),
    "0.9": (0.12, 1.27),
    "0.75": (0.0, 1.26),
}
_IMPERFECT = {"f0 and f1": (0.67, 1.05), "f1 alone": (0.0, 0.95)}


def partial() -> pd.DataFrame:
    """Latent activations where the parent's magnitude varies: ``pattern``, ``latent``, ``published``, ``part``."""
    return _rows({f"f0 = {magnitude}, f1 = 1": values for magnitude, values in _PARTIAL.items()})


def imperfect() -> pd.DataFrame:
    """Latent activations at 95% co-occurrence: ``pattern``, ``latent``, ``published``, ``part``."""
    return _rows(_IMPERFECT)


def _rows(table: dict[str, tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "pattern": pattern, "latent": latent, "published": value,
                "part": f"{latent}-{pattern.split(',')[0].removeprefix('f0 = ').replace(' ', '-')}",
            }
            for pattern, values in table.items()
            for latent, value in zip(("f0", "f1"), values, strict=True)
        ]
    )  # fmt: skip
