"""Figures: tables in, figures out. Each chapter's figures are in the module of its subject."""

from absorption.plots import latents, probes, spelling
from absorption.plots.show import show, show_table

__all__ = ["latents", "probes", "show", "show_table", "spelling"]
