"""The work that SAEs at one place of one model share: word activations and probes, left in the cache."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from absorption.base import repository, timing
from absorption.base.settings import ModelSettings
from absorption.runner import execute, parameters

CHAPTER = "notebooks/05-absorption.ipynb"
"""The chapter whose defaults a shared job takes."""


class PrepareSettings(ModelSettings):
    """Parameters of a shared job."""

    n_sets: int = Field(ge=2, le=64)
    hook_name: str


def settings_from(pairs: Sequence[Sequence[str]]) -> PrepareSettings:
    """Settings from (name, text) pairs, checked as the runner checks a notebook's.

    Raises:
        ParameterError: an unknown name or a value of another type.
        ValueError: a value out of its range.
    """
    cell = parameters.declared(parameters.read_notebook(repository.root() / CHAPTER))
    defaults = {name: cell[name] for name in PrepareSettings.model_fields}
    return PrepareSettings.from_namespace({**defaults, **parameters.resolve(defaults, pairs)})


def prepare(settings: PrepareSettings) -> dict[str, Any]:
    """Compute what is not in the cache yet, and say what it took: sizes, seconds, stages."""
    with tempfile.TemporaryDirectory(prefix="absorption-prepare-") as folder:
        reports = Path(folder) / "timings"
        start = time.perf_counter()
        with execute.environment({timing.VARIABLE: str(reports)}), timing.PeakMemory() as memory:
            sizes = _compute(settings)
        return {
            "parameters": settings.model_dump(exclude={"results_dir"}),
            "sizes": sizes,
            "seconds": round(time.perf_counter() - start, 1),
            "peak_bytes": memory.peak_bytes,
            "stages": timing.total(timing.read(reports)),
        }


def _compute(settings: PrepareSettings) -> dict[str, int]:
    """The same call as in the chapters, so that they find what this leaves in the cache."""
    from absorption.models.language_model import load_model
    from absorption.one_sae.words import prepare_words

    model = load_model(settings.model, settings.device, settings.dtype)
    site = model.site(settings.hook_name)
    words = prepare_words(
        model, site.name, n_words=settings.n_words, n_sets=settings.n_sets, seed=settings.seed
    )
    block_parameters = sum(parameter.numel() for parameter in model.blocks.parameters())
    return {
        "n_words": len(words.table),
        "d_model": model.d_model,
        "n_layers": model.n_layers,
        "depth": site.depth,
        "block_parameters": block_parameters,
    }
