"""Figures: tables in, figures out. Each chapter's figures are in the module of its name."""

from absorption.plots.show import show, show_table

__all__ = ["show", "show_table"]
