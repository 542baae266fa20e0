"""Settings of the page on one SAE, and of the page that sets several side by side."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from absorption.base.settings import Probe, SaeSettings, Settings


class ReportSettings(SaeSettings):
    """One SAE in short."""

    n_words: int = Field(4000, ge=0)
    """Words used, drawn with the seed; 0: the whole vocabulary."""
    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    max_candidates: int = Field(10, ge=1)
    """Candidates of a letter that are ablated (paper: 200)."""
    probe: Probe = "reference"
    """Which probe the absorption rates use (paper: the reference probe); everything else uses the converged one."""
    per_letter: int = Field(4, ge=1)
    """Words of a letter for the mediation, with a main latent on, and with none on."""
    compare: bool = True
    """Also measure four shipped SAEs that read the same model."""


class SideBySideSettings(Settings):
    """Reports side by side."""

    reports: list[str] = []
    """Folders of reports; empty: ``results_dir``."""

    @property
    def folders(self) -> list[Path]:
        """Where the reports are.

        Raises:
            ValueError: nothing says where.
        """
        if not (self.reports or self.results_dir):
            raise ValueError("reports and results_dir are both empty; one must name folders with reports.")
        return [Path(folder) for folder in self.reports or [self.results_dir]]
