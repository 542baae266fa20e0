"""How quantities that are compared between SAEs are called, wherever a table has a column ``quantity``."""

from __future__ import annotations

METRICS = ("precision", "recall", "f1")
"""Scores of a letter's latent as a classifier."""
SPLITS = "splits of a letter"
UNGATED = ", all letters"
"""Ends the name of a rate that is a mean over all letters, whether or not their main latents pass the gate."""


def score(metric: str, selection: str) -> str:
    """One of ``METRICS`` of the latents that a selection chooses, or of the LR probe: mean over letters."""
    return f"{metric}, {selection}"


def rate(definition: str, *, gated: bool = True) -> str:
    """The mean absorption rate under a definition; not ``gated``: over all letters."""
    return f"rate, {definition}{'' if gated else UNGATED}"
