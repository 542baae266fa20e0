"""Presets: YAML files of parameters for the runner's ``-f``, each with what it is and what it costs.

A preset is flat names and values, so that papermill reads it too, and one entry ``about`` that is no
parameter. The costs are those of chapter 3 over the whole vocabulary, the SAE not yet on disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from absorption.base import batches
from absorption.base.data import data_root
from absorption.runner import parameters


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cost(_Entry):
    """What a run takes, and how that is known."""

    memory_gb: float = Field(gt=0)
    """Largest memory of runner and kernel."""
    disk_gb: float = Field(ge=0)
    """Downloads and cache."""
    minutes: float = Field(gt=0)
    """On one CPU core, from an empty cache, downloads not counted."""
    how: Literal["measured", "estimated"]
    basis: str = Field(min_length=10)
    """On what the numbers rest."""


class About(_Entry):
    """A preset's word on itself."""

    title: str = ""
    """What the preset is; the shipped ones have one, a file of one's own may state the batch alone."""
    needs: str = ""
    """What must be in reach: a hub, a token, a GPU, a folder."""
    batch: int = Field(default=batches.USUAL, ge=1)
    """Words passed through the model at once; lower it when memory runs out."""
    cost: Cost | None = None


class Preset(_Entry):
    """One preset file."""

    name: str
    parameters: dict[str, Any]
    about: About | None


def read(path: Path) -> Preset:
    """A preset file, its entry ``about`` checked.

    Raises:
        ParameterError: not a preset, or an ``about`` that does not fit.
    """
    content = parameters.read_preset(path)
    given = content.pop(parameters.ABOUT, None)
    try:
        about = None if given is None else About.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, (parameters.ABOUT, *first["loc"])))
        found = "missing" if first["type"] == "missing" else f"{first['input']!r}: {first['msg']}"
        raise parameters.ParameterError(f"{place} in {path.name} is {found}.") from None
    return Preset(name=path.stem, parameters=content, about=about)


def shipped() -> list[Preset]:
    """The presets in ``data/presets``, by name."""
    return [read(path) for path in sorted((data_root() / "presets").glob("*.yaml"))]


def variables(paths: Iterable[Path]) -> dict[str, str]:
    """Environment of a run with these presets: the last stated batch, if any states one."""
    stated = [preset.about for preset in map(read, paths)]
    sizes = [about.batch for about in stated if about is not None and "batch" in about.model_fields_set]
    return {batches.VARIABLE: str(sizes[-1])} if sizes else {}
