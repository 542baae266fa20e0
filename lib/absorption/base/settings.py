"""Settings of a chapter: its notebook's parameters, checked before any model is loaded.

A notebook's parameter cell holds the defaults, each with a comment that says what it is; the next cell calls
``SomeSettings.from_namespace(globals())``. The classes hold types and ranges only. A chapter subclasses the class
below that fits and adds its own fields::

    class ProbeBaselinesSettings(ModelSettings):
        n_seeds: int = Field(ge=1)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PrivateAttr,
    ValidationError,
    model_validator,
)

if TYPE_CHECKING:
    import pandas as pd

EMBEDDED_MODEL = "smollm2-135m-instruct"
"""Name of the embedded model; stated here too, so that checking parameters does not import torch."""
DEFAULT_SAE = "topk-8192-l0-12-layer-6"
"""The shipped SAE that chapters use unless told otherwise: ``sae_id`` in their notebooks."""


def _known_device(device: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ValueError("'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'")
    return device


Device = Annotated[str, AfterValidator(_known_device)]
"""Where tensors live; ``auto`` picks CUDA when there is one."""


class Settings(BaseModel):
    """What every notebook has: a folder for its results."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    results_dir: str = ""
    """Folder for tables (parquet) and claims; a notebook without this parameter writes nothing."""
    _told: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """The settings in a notebook's ``globals()``; names that are not fields are left alone.

        Raises:
            ValueError: one or two lines that name the parameter, its value and what is allowed.
        """
        given = {name: namespace[name] for name in cls.model_fields if name in namespace}
        try:
            return cls(**given)
        except ValidationError as error:
            raise ValueError(_first_problem(error)) from None

    def write(self, name: str, table: pd.DataFrame) -> Path | None:
        """Write a table to ``results_dir/name.parquet``, atomically; None if ``results_dir`` is empty.

        Args:
            name: letters, digits, ``-`` and ``_``: the table's name in every later use.
            table: tidy, one row an observation; its index is not kept.
        """
        if not name or not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"table name {name!r}: allowed are letters, digits, '-' and '_'.")
        if not self.results_dir:
            return None
        from absorption.base import cache, written

        path = Path(self.results_dir) / f"{name}.parquet"
        cache.write_table(path, table)
        return written.report(path)

    def note_told(self, number: str, step: str) -> None:
        """Note which step of the page told a number for its text; the same step may tell it again.

        Raises:
            ValueError: another step told it. The book would refuse the page, but only after all pages ran.
        """
        first = self._told.setdefault(number, step)
        if first != step:
            raise ValueError(f"number {number!r} is told by {first} and by {step}; allowed: one step a page.")


class ModelSettings(Settings):
    """Adds the language model, the words, and the seed."""

    of_vocabulary: ClassVar[bool] = True
    """Whether ``n_words`` counts words of the whole vocabulary."""

    model: str = Field(min_length=1)
    device: Device
    dtype: Literal["float32", "bfloat16", "float16"]
    seed: NonNegativeInt
    n_words: NonNegativeInt


Probe = Literal["reference", "converged", "difference in means", "pattern"]
"""Kinds of probe (``probes.PROBES``); stated here too, so that checking parameters does not import torch."""
Split = Literal["word", "stem"]
"""What is kept whole when words are split into training and test words (``vocab.SPLITS``)."""


class SaeSettings(ModelSettings):
    """Adds one SAE, named as in SAELens."""

    sae_release: str = Field(min_length=1)
    sae_id: str
    sae_path: str
    hook_name: str

    @model_validator(mode="after")
    def _local_means_a_folder(self) -> Self:
        if self.sae_release == "local" and not self.sae_path:
            raise ValueError("sae_path is empty; with sae_release 'local' it is the SAE's folder.")
        if self.sae_release != "local" and self.sae_path:
            raise ValueError(
                f"sae_path is {_short(self.sae_path)} but sae_release is {self.sae_release!r}; "
                "a folder is read only with sae_release 'local'."
            )
        return self


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        message = (
            f"parameter {first['loc'][0]} is missing; it stands in the notebook's cell tagged 'parameters'."
        )
    elif first["loc"]:
        allowed = message.removeprefix("Input should be ")
        message = f"parameter {first['loc'][0]} is {_short(first['input'])}; allowed: {allowed}."
    others = ", ".join(dict.fromkeys(str(problem["loc"][0]) for problem in problems[1:] if problem["loc"]))
    return message + (f"\nAlso wrong: {_short(others, plain=True)}." if others else "")


def _short(value: object, plain: bool = False) -> str:
    text = str(value) if plain else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."
