"""Chapter 13: from the smallest SAE to the largest, the SAE stitched from all, and next-token loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.statistics import Estimate, mean_interval
from absorption.chapters.findings import Findings, OneTable, claim
from absorption.chapters.settings import StitchingSettings
from absorption.chapters.stitching.measured import Measured
from absorption.stitching import paths
from absorption.stitching.splicing import CLEAN, as_changes, spliced_losses


@dataclass(frozen=True)
class StepByStep(Findings):
    """The ways between the SAEs, and the stitched SAEs beside trained ones."""

    walks: pd.DataFrame
    trained: pd.DataFrame
    stitched: pd.DataFrame
    size: int
    error: Estimate
    """Of the stitched SAE over trained ones of its size, minus 1."""
    l0: Estimate

    @property
    def upwards(self) -> pd.DataFrame:
        """The ways between widths, without the control."""
        return self.walks[self.walks["pair"].str.contains(" to ")]

    @property
    def series(self) -> pd.DataFrame:
        """The trained SAEs of the series: a second seed is no station on the way."""
        return self.trained.drop_duplicates("d_sae")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Steps and stitched SAEs."""
        return {"stitching-walks": self.walks, "stitching-stitched": self.stitched}

    def claims(self) -> pd.DataFrame:
        """The stitched SAE at equal size."""
        note = f"{self.size:,} latents"
        parts = [
            claim("frankenstein", self.error, part="error", note=note),
            claim("frankenstein", self.l0, part="l0", note=note),
        ]
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """The stitched SAE beside trained ones, and the highest error on the way."""
        ends = (
            self.upwards[self.upwards["phase"].isin(["smaller SAE", "larger SAE"])]
            .groupby("pair")["error"]
            .max()
        )
        over = (self.upwards.groupby("pair")["error"].max() / ends).max()
        first = self.upwards[self.upwards["phase"].isin(["smaller SAE", "adding novel latents"])]
        changes = first.groupby("pair", sort=False)["error"].agg(
            lambda errors: errors.iloc[-1] / errors.iloc[0]
        )
        return {
            "stitched_size": f"{self.size:,}", "worst_over_ends": f"{over:.1f}",
            "stitched_error": _signed(self.error, "{:+.0%}"), "stitched_l0": _signed(self.l0, "{:+.1f}"),
            "n_better_with_novel": int((changes < 1).sum()), "n_ways": len(changes),
        }  # fmt: skip


def _signed(found: Estimate, form: str) -> str:
    return f"{form.format(found.value)} [{form.format(found.low)}, {form.format(found.high)}]"


def go_step_by_step(measured: Measured) -> StepByStep:
    """From SAE to SAE, from the sums."""
    plan, sums = measured.plan, measured.sums
    size, error, l0 = paths.at_equal_size(plan, sums)
    return StepByStep(
        paths.walks(plan, sums), paths.trained(plan, sums), paths.stitched(plan, sums), size, error, l0
    )


def splice(measured: Measured, settings: StitchingSettings) -> OneTable:
    """Next-token loss with stitched SAEs in the residual stream's place: ``pair, spliced, loss, change, low, high``."""
    windows = measured.windows[-settings.spliced_windows :]
    losses = spliced_losses(measured.model, measured.plan.pairs, windows)
    rows: list[tuple[Any, ...]] = []
    for pair in measured.plan.pairs:
        rows.append((pair.name, "smaller", losses[pair.name, "smaller"].mean(), 0.0, 0.0, 0.0))
        for variant, change in as_changes(losses, pair).items():
            found = mean_interval(change)
            rows.append(
                (pair.name, variant, losses[pair.name, variant].mean(), found.value, found.low, found.high)
            )
    table = pd.DataFrame(rows, columns=["pair", "spliced", "loss", "change", "low", "high"])
    clean = f"{losses['', CLEAN].mean():.2f}"
    said = {"clean_loss": clean, "spliced_tokens": f"{windows.numel():,}", "spliced_windows": len(windows)}
    return OneTable("stitching-losses", table, said)
