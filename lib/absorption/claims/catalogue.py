"""The claims of ``data/claims.yaml``: what the paper says, where, and how a measurement is judged."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from absorption.base.data import data_root
from absorption.claims.rules import Rule, control_of, first_problem


class Part(BaseModel):
    """One number that a claim rests on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    """Empty for the only part of a claim."""
    chapter: str = ""
    """Stem of the notebook that measures it, if it is not the claim's."""
    measures: str
    """What the number is, with its unit."""
    rule: Rule


class Claim(BaseModel):
    """A claim of the paper."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    chapter: str
    """Stem of the notebook that measures it."""
    where: str
    """Section and figure of the paper."""
    statement: str
    published: str
    """The published value as text, or the direction where the paper prints no number."""
    parts: tuple[Part, ...] = Field(min_length=1)

    def part(self, name: str) -> Part:
        """A part by name.

        Raises:
            ValueError: the claim has no such part.
        """
        for part in self.parts:
            if part.name == name:
                return part
        names = ", ".join(repr(part.name) for part in self.parts)
        raise ValueError(f"claim {self.id!r} has no part {name!r}; allowed: {names}.")

    def chapter_of(self, part: Part) -> str:
        """Stem of the notebook that measures a part."""
        return part.chapter or self.chapter


def claims_file() -> Path:
    """The file with all claims."""
    return data_root() / "claims.yaml"


def load(path: Path | None = None) -> dict[str, Claim]:
    """All claims by id, in the file's order.

    Raises:
        ValueError: an entry that is not a claim, an id or part that is there twice, or a control that is no claim of
            one part.
    """
    path = path or claims_file()
    claims: dict[str, Claim] = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        claim = _claim(entry, path)
        if claim.id in claims:
            raise ValueError(f"{path.name}: the id {claim.id!r} is there twice.")
        names = [part.name for part in claim.parts]
        if len(set(names)) < len(names):
            raise ValueError(f"{path.name}: claim {claim.id!r} has two parts of one name.")
        claims[claim.id] = claim
    for claim in claims.values():
        for control in filter(None, (control_of(part.rule) for part in claim.parts)):
            if control not in claims or claims[control].parts[0].name:
                raise ValueError(
                    f"{path.name}: claim {claim.id!r}: the control {control!r} is no claim of one part."
                )
    return claims


def find(claim: str) -> Claim:
    """A claim by id.

    Raises:
        ValueError: no claim has it.
    """
    claims = load()
    if claim not in claims:
        raise ValueError(f"claim {claim!r} is not in data/claims.yaml; allowed: {', '.join(claims)}.")
    return claims[claim]


def _claim(entry: object, path: Path) -> Claim:
    try:
        return Claim.model_validate(entry)
    except ValidationError as error:
        name = entry.get("id", entry) if isinstance(entry, dict) else entry
        raise ValueError(f"{path.name}: claim {name!r}, {first_problem(error)}.") from None
