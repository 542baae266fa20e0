"""Many SAEs in one process, as in a researcher's loop: memory, open files and threads must not grow with the runs."""

from __future__ import annotations

import copy
import gc
from typing import Any

import numpy as np
import psutil
import torch
from sae_lens import SAE

import absorption
from absorption.base.settings import DEFAULT_SAE
from absorption.models.language_model import load_model
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED

N_RUNS = 50
FIRST = 5
"""Runs that may still fill what every later one shares: they are left out of the slope."""


def measure(n_runs: int = N_RUNS, n_words: int = 600, sae_id: str = DEFAULT_SAE) -> dict[str, float]:
    """Measure ``n_runs`` SAEs one after another; each is the shipped one with another seeded noise on its decoder.

    Args:
        n_runs: more than ``FIRST``.
        n_words: words of each run.
        sae_id: the shipped SAE.

    Returns:
        ``long.runs``; resident memory after the first runs and at the end (MB) and its slope (MB a run, least
        squares, without the first runs); open files and threads at both times.
    """
    model = load_model()
    sae = load_sae(SHIPPED, sae_id, model).sae
    process, rows = psutil.Process(), []
    for number in range(n_runs):
        absorption.measure(_with_noise(sae, number), model.bridge, name=f"noise-{number}", n_words=n_words)
        gc.collect()
        rows.append((process.memory_info().rss / 1e6, process.num_fds(), process.num_threads()))
    table = np.array(rows, dtype=float)[FIRST:]
    slope = np.polyfit(np.arange(len(table)), table[:, 0], 1)[0]
    found = {"long.runs": float(n_runs), "long.rss_mb_a_run": float(slope)}
    for name, column in zip(("rss_mb", "open_files", "threads"), table.T, strict=True):
        found |= {f"long.{name}.early": float(column[0]), f"long.{name}.end": float(column[-1])}
    return found


def _with_noise(sae: SAE[Any], seed: int) -> SAE[Any]:
    """A copy that no cache knows."""
    changed = copy.deepcopy(sae)
    noise = torch.randn(changed.W_dec.shape, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        changed.W_dec.add_(noise, alpha=1e-3)
    return changed


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key} {value:.2f}")
