"""Stored numbers of the arms: read with their stamps, and refused where they are of other SAEs.

``absorption remedies FOLDER...`` measures SAEs that were trained from their recipes, and the shipped one among them,
and puts what it found into ``data/results/remedies``: ``numbers.parquet`` and ``resamples.parquet`` (columns as in
``remedies.measure``) and ``stamps.json`` (what was asked, of which words and text, the tables' hashes, and for each SAE
its hashes and card).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from absorption.base import cache, sums
from absorption.base.data import data_root
from absorption.remedies.arms import MEMBERS, member
from absorption.remedies.measure import COLUMNS, SAMPLED, Asked
from absorption.saes.shipped import shipped_card, shipped_ids
from absorption.several_saes.stored_numbers import measured_of, samples_of
from absorption.training.corpus import CORPUS

FOLDER = "results/remedies"
TABLES = {"numbers": COLUMNS, "resamples": ["sae", *SAMPLED]}
MAKE = "absorption remedies FOLDER, with the folder of SAEs that `absorption saes ID --output FOLDER` trained"


class StoredRemediesError(ValueError):
    """Stored numbers that are missing, damaged, or of other SAEs than the recipes'."""


@dataclass(frozen=True)
class Remedies:
    """Numbers of SAEs of several arms on the same words."""

    numbers: pd.DataFrame
    resamples: pd.DataFrame
    subject: dict[str, Any]
    """What all were measured on and how: model, words, text, and the fields of ``measure.Asked``."""
    stamps: dict[str, dict[str, Any]]
    """By SAE."""

    @property
    def asked(self) -> Asked:
        """How all were measured."""
        return Asked(**self.subject["asked"])

    @property
    def saes(self) -> list[str]:
        """Their names, in the order of arms and seeds."""
        return [sae for sae in MEMBERS if sae in self.stamps]

    @property
    def missing(self) -> list[str]:
        """Names of arms' SAEs that are not measured."""
        return [sae for sae in MEMBERS if sae not in self.stamps]

    @cached_property
    def members(self) -> pd.DataFrame:
        """One row an SAE: ``sae, arm, seed, matched`` and what its card says."""
        rows = []
        for sae in self.saes:
            mine, measured = MEMBERS[sae], measured_of(self.stamps[sae]["card"])
            low, high = mine.l0_range
            matched = low <= measured["l0_text"] <= high
            rows.append(
                {"sae": sae, "arm": mine.arm, "seed": mine.recipe.seed, "matched": matched, **measured}
            )
        return pd.DataFrame(rows)

    @property
    def refused(self) -> list[str]:
        """One line for each SAE whose L0 on text is not the one it was to have."""
        lines = []
        for row in self.members[~self.members["matched"].astype(bool)].to_dict("records"):
            low, high = MEMBERS[row["sae"]].l0_range
            lines.append(
                f"{row['sae']} has L0 {row['l0_text']:.2f} on text and is left out; allowed: {low:.1f} to {high:.1f}."
            )
        return lines

    def matched(self) -> Remedies:
        """Without the SAEs that missed their L0."""
        wrong = set(self.members.loc[~self.members["matched"].astype(bool), "sae"])
        return replace(self, stamps={sae: stamp for sae, stamp in self.stamps.items() if sae not in wrong})

    def of(self, arm: str) -> list[str]:
        """The SAEs of an arm."""
        return [sae for sae in self.saes if MEMBERS[sae].arm == arm]

    @property
    def arms(self) -> list[str]:
        """The arms that have an SAE."""
        return list(dict.fromkeys(MEMBERS[sae].arm for sae in self.saes))

    def value(self, sae: str, quantity: str) -> float:
        """One number; NaN if this SAE has none of that name."""
        return self._values.get((sae, quantity), math.nan)

    def row(self, sae: str, quantity: str) -> dict[str, Any]:
        """One number with its interval and null."""
        rows = self.numbers[(self.numbers["sae"] == sae) & (self.numbers["quantity"] == quantity)]
        return {str(name): value for name, value in rows.iloc[0].items()}

    def samples(self, sae: str, quantity: str) -> np.ndarray:
        """The number in every bootstrap resample of the words, the same resamples for all SAEs."""
        return samples_of(self.resamples, sae, quantity)

    @cached_property
    def _values(self) -> dict[Any, float]:
        keys = zip(self.numbers["sae"], self.numbers["quantity"], strict=True)
        return dict(zip(keys, self.numbers["value"].astype(float), strict=True))


def read_remedies(folder: str | Path = "") -> Remedies:
    """The stored numbers; those of this project if ``folder`` is empty.

    Raises:
        StoredRemediesError: a file is missing or damaged, a table is not the one that was stamped, an SAE is of no
            arm or of another recipe, or a shipped one is not the one that was measured.
    """
    place = Path(folder) if folder else data_root() / FOLDER
    try:
        stamps = json.loads((place / "stamps.json").read_text(encoding="utf-8"))
        tables = {
            name: pd.read_parquet(place / f"{name}.parquet")[columns] for name, columns in TABLES.items()
        }
        found = Remedies(**tables, subject=stamps["subject"], stamps=stamps["saes"])
        hashes = stamps["tables_sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise StoredRemediesError(f"{place} holds no stored numbers ({error}). Make them: {MAKE}.") from None
    for name in TABLES:
        _same(name, "sha256", hashes.get(name), cache.file_sha256(place / f"{name}.parquet"))
    check(found)
    sums.check(place, refuse=StoredRemediesError)
    return found


def write_remedies(found: Remedies, folder: Path | None = None) -> None:
    """Put numbers into ``folder`` (default this project's place), all files at once or none.

    Raises:
        StoredRemediesError: as ``read_remedies``.
    """
    check(found)
    place = folder or data_root() / FOLDER
    hashes: dict[str, str] = {}
    saes = {sae: found.stamps[sae] for sae in found.saes}

    def write_table(path: Path) -> None:
        cache.write_table(path, getattr(found, path.stem)[TABLES[path.stem]].reset_index(drop=True))
        hashes[path.stem] = cache.file_sha256(path)

    def write_stamps(path: Path) -> None:
        cache.write_json(path, {"subject": found.subject, "saes": saes, "tables_sha256": hashes})

    writers = {f"{name}.parquet": write_table for name in TABLES}
    sums.write_together(place, writers | {"stamps.json": write_stamps})


def check(found: Remedies) -> None:
    """Refuse numbers of SAEs that are of no arm, of another recipe, or not the shipped ones.

    Raises:
        StoredRemediesError: the first thing that differs, with both values.
    """
    _same("text", "corpus", found.subject["corpus"], CORPUS.sha256)
    for name in TABLES:
        there = set(map(str, getattr(found, name)["sae"].unique()))
        if odd := sorted(there ^ set(found.stamps)):
            raise StoredRemediesError(
                f"Stored {name} and stamps differ in: {', '.join(odd)}. Make them: {MAKE}."
            )
    for sae, stamp in found.stamps.items():
        mine = member(sae)
        if mine is None:
            raise StoredRemediesError(f"{sae} is in no arm; allowed: {', '.join(MEMBERS)}.")
        _same(sae, "recipe", stamp["card"]["recipe"], mine.recipe.to_dict())
        _same(sae, "model", stamp["card"]["model_weights_hash"], found.subject["model_weights_hash"])
        if sae in shipped_ids():
            _same(sae, "weights", stamp["weights_hash"], shipped_card(sae)["weights_hash"])


def joined(
    old: Remedies | None,
    sae: str,
    tables: Mapping[str, pd.DataFrame],
    stamp: dict[str, Any],
    subject: dict[str, Any],
) -> Remedies:
    """Numbers with those of one more SAE, in place of any that it has already."""
    if old is None:
        return Remedies(**tables, subject=subject, stamps={sae: stamp})
    together = {}
    for name, new in tables.items():
        table = getattr(old, name)
        together[name] = pd.concat([table[table["sae"] != sae], new], ignore_index=True)
    return Remedies(**together, subject=subject, stamps=old.stamps | {sae: stamp})


def subject_of(
    model_name: str, weights_hash: str, hook_name: str, text_key: str, asked: Asked
) -> dict[str, Any]:
    """What a stamp says all SAEs were measured on, and how."""
    return {
        "model": model_name, "model_weights_hash": weights_hash, "hook_name": hook_name, "corpus": CORPUS.sha256,
        "text": text_key, "asked": asdict(asked),
    }  # fmt: skip


def _same(of: str, what: str, stored: Any, now: Any) -> None:
    if stored != now:
        raise StoredRemediesError(
            f"Stored numbers of {of} are of {what} {stored}, here it is {now}. Make them: {MAKE}."
        )
