"""When each rule was set, what it replaced and whether a number had been seen: ``data/claims-history.yaml``.

A rule that is set after its number was seen can be fitted to it. The history cannot prevent that, but it shows
it: every wording and every rule that ever judged a part stays in the file, with its date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from absorption.claims import catalogue
from absorption.claims.catalogue import Claim, Part
from absorption.claims.rules import Rule, first_problem

Seen = Literal["no", "yes", "unrecorded"]
"""Whether the part's number had been seen on some SAE when the rule was set; ``unrecorded``: rule and first
draft of the chapter came together, and nothing tells which was first."""


class Entry(BaseModel):
    """One state of a part's rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set_on: date
    number_seen: Seen
    measures: str
    rule: Rule
    why: str = Field("", description="what the entry changes, and the reason; empty for the first")


History = Mapping[str, tuple[Entry, ...]]
"""Entries by ``claim`` or ``claim.part``, the oldest first."""


def key_of(claim: Claim, part: Part) -> str:
    """Name of a part in the history."""
    return f"{claim.id}.{part.name}" if part.name else claim.id


def history_file() -> Path:
    """The history beside the file of claims."""
    return catalogue.claims_file().with_name("claims-history.yaml")


def load_history(path: Path | None = None) -> History:
    """The history of every part.

    Raises:
        ValueError: an entry that is none, dates that do not ascend, or a change without a reason.
    """
    path = path or history_file()
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return {key: _entries(key, entries, path) for key, entries in found.items()}


def changed(claims: Mapping[str, Claim], history: History) -> list[str]:
    """What differs between today's rules and the newest entries, one line a part, with what to do."""
    lines = []
    for key, part in _parts(claims):
        entries = history.get(key, ())
        if not entries:
            lines.append(f"{key}: no entry; add {_wanted(part)}")
        elif (entries[-1].measures, entries[-1].rule) != (part.measures, part.rule):
            lines.append(f"{key}: changed since {entries[-1].set_on}; add {_wanted(part)}, why: ...")
    known = {key for key, _ in _parts(claims)}
    return lines + [f"{key}: no such part in the claims" for key in history if key not in known]


def entries_of(claim: Claim, part: Part, history: History) -> tuple[Entry, ...]:
    """All states of one part's rule, today's last.

    Raises:
        ValueError: today's rule is not the newest entry.
    """
    wrong = changed({claim.id: claim.model_copy(update={"parts": (part,)})}, _only(history, claim, part))
    if wrong:
        raise ValueError(f"{history_file().name}: {wrong[0]}.")
    return history[key_of(claim, part)]


def number_seen(entries: tuple[Entry, ...]) -> Seen:
    """``yes`` if any state of the rule was set after a number was seen, else what the newest says."""
    return "yes" if any(entry.number_seen == "yes" for entry in entries) else entries[-1].number_seen


def mark(entries: tuple[Entry, ...]) -> str:
    """What a reader must know of a rule's past: empty if it was set once, before its number was seen."""
    newest = entries[-1]
    if len(entries) > 1:
        after = {"yes": " after a number was seen", "no": " before a number was seen", "unrecorded": ""}
        return f"restated{after[newest.number_seen]}: {newest.why}"
    after = {
        "yes": "set after a number was seen",
        "no": "",
        "unrecorded": "set with the chapter's first draft",
    }
    return after[newest.number_seen]


def _parts(claims: Mapping[str, Claim]) -> Iterator[tuple[str, Part]]:
    for claim in claims.values():
        for part in claim.parts:
            yield key_of(claim, part), part


def _only(history: History, claim: Claim, part: Part) -> History:
    key = key_of(claim, part)
    return {key: history[key]} if key in history else {}


def _wanted(part: Part) -> str:
    rule = ", ".join(
        f"{name}: {value}" for name, value in part.rule.model_dump(exclude_defaults=True).items()
    )
    return f'set_on: ..., number_seen: ..., measures: "{part.measures}", rule: {{{rule}}}'


def _entries(key: str, entries: object, path: Path) -> tuple[Entry, ...]:
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path.name}: {key} has no list of entries.")
    try:
        found = tuple(Entry.model_validate(entry) for entry in entries)
    except ValidationError as error:
        raise ValueError(f"{path.name}: {key}, {first_problem(error)}.") from None
    if any(later.set_on < earlier.set_on for earlier, later in pairwise(found)):
        raise ValueError(f"{path.name}: {key}: the dates do not ascend.")
    if not all(entry.why for entry in found[1:]):
        raise ValueError(f"{path.name}: {key}: a later entry has no reason (why).")
    return found
