"""Figures: tables in, figures out. Each chapter's figures are in the module of its subject."""

from absorption.plots import (
    absorbed,
    case,
    choices,
    filters,
    latents,
    letters,
    mediation,
    probes,
    spelling,
    splitting,
)
from absorption.plots.show import show, show_table

__all__ = [
    "absorbed",
    "case",
    "choices",
    "filters",
    "latents",
    "letters",
    "mediation",
    "probes",
    "show",
    "show_table",
    "spelling",
    "splitting",
]
