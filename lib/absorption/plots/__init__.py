"""Figures: tables in, figures out. Each chapter's figures are in the module of its subject."""

from absorption.plots import (
    __path__,
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
    theme,
)
from absorption.plots.show import show, show_table
