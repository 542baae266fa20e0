"""Measurements of claims: chapters record them, the ledger collects and judges them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from absorption.base.settings import Settings
from absorption.claims import catalogue, history
from absorption.claims.catalogue import Claim, Part
from absorption.claims.rules import Verdict, combine, control_of, judge

LEDGER_COLUMNS = [
    "id", "part", "chapter", "where", "statement", "published", "measures", "rule",
    "measured", "low", "high", "part_verdict", "verdict", "note", "rule_set", "number_seen", "restated",
]  # fmt: skip
"""One row a part of a claim. ``verdict`` is the whole claim's; ``measured`` is NaN where nothing ran;
``rule_set`` is the day of today's rule, ``number_seen`` and ``restated`` what ``history`` says of it."""
SUMMARY_COLUMNS = ["id", "part", "chapter", "where", "published", "measured", "low", "high", "verdict"]
"""One row a claim, with the part that decides its verdict."""


def record(
    settings: Settings,
    claim: str,
    measured: float,
    low: float,
    high: float,
    note: str = "",
    part: str = "",
    control: Verdict | None = None,
) -> Verdict:
    """Judge one measurement and keep it in ``results_dir/claims`` (nothing is kept if that is empty).

    Args:
        settings: the chapter's settings.
        claim: an id of ``data/claims.yaml``.
        measured: the value; NaN if this run cannot measure it (one SAE has no trend, say).
        low: lower end of its bootstrap interval; NaN with ``measured``.
        high: upper end.
        note: what a reader must know: words, letters, spread, seeds.
        part: which part of a claim that has several.
        control: verdict on the rule's control in this run, if the rule has one.

    Returns:
        The verdict on this part.

    Raises:
        ValueError: unknown claim or part; an interval that is none.
    """
    known = catalogue.find(claim)
    rule = known.part(part).rule
    values = (float(measured), float(low), float(high))
    _check_interval(claim, *values)
    verdict = judge(rule, values[1], values[2], control=control)
    if settings.results_dir:
        names = ("measured", "low", "high")
        numbers = {name: _or_none(value) for name, value in zip(names, values, strict=True)}
        entry = {"id": claim, "part": part, **numbers, "verdict": verdict, "note": note}
        from absorption.base import cache, written

        path = _path(Path(settings.results_dir), claim, part)
        cache.write_json(path, entry)
        written.report(path)
    return verdict


def record_table(
    settings: Settings, table: pd.DataFrame, known: Mapping[str, Verdict] | None = None
) -> dict[str, Verdict]:
    """Record several measurements.

    Args:
        settings: the chapter's settings.
        table: ``claim, part, value, low, high, note``, one row a part (``part`` empty for a claim of one). A control
            stands before the claims that it is the control of.
        known: verdicts of this run so far, as they are returned, for claims with a control; default none.

    Returns:
        The verdicts, by claim and part joined by an underscore, hyphens as underscores.
    """
    verdicts: dict[str, Verdict] = {}
    for row in table.to_dict("records"):
        name = "_".join(filter(None, (row["claim"], row["part"]))).replace("-", "_")
        value, low, high = (float(row[column]) for column in ("value", "low", "high"))
        control = control_of(catalogue.find(row["claim"]).part(row["part"]).rule).replace("-", "_")
        passed: Verdict | None = verdicts.get(control) or (known or {}).get(control)
        verdicts[name] = record(
            settings, row["claim"], value, low, high, row["note"], row["part"], control=passed
        )
    return verdicts


def ledger(results_dir: str | Path) -> pd.DataFrame:
    """Every claim of ``data/claims.yaml`` with what a run measured; columns as in ``LEDGER_COLUMNS``.

    Verdicts follow from the stored numbers and today's rules. Records of ids no longer in the file are
    left out; an empty ``results_dir`` gives every claim as not measured.

    Raises:
        ValueError: a rule that is not the newest entry of its history, or a damaged record.
    """
    past = history.load_history()
    rows: list[dict[str, Any]] = []
    for claim in catalogue.load().values():
        parts = [_row(claim, part, results_dir) | _dated(claim, part, past) for part in claim.parts]
        verdict = combine([row["part_verdict"] for row in parts])
        rows += [{**row, "verdict": verdict} for row in parts]
    return pd.DataFrame(rows, columns=LEDGER_COLUMNS)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: the first part whose verdict is the claim's; columns as in ``SUMMARY_COLUMNS``."""
    deciding = table.query("part_verdict == verdict").drop_duplicates("id")
    return deciding.reindex(columns=SUMMARY_COLUMNS).reset_index(drop=True)


def tally(table: pd.DataFrame) -> dict[str, int]:
    """Number of claims by verdict, and ``all`` of them."""
    verdicts = list(table.drop_duplicates("id")["verdict"])
    return {"all": len(verdicts), **{name: verdicts.count(name) for name in get_args(Verdict)}}


def _row(claim: Claim, part: Part, results_dir: str | Path) -> dict[str, Any]:
    entry = _read(results_dir, claim.id, part.name)
    numbers = {name: _or_nan(entry.get(name)) for name in ("measured", "low", "high")}
    return {
        "id": claim.id,
        "part": part.name,
        "chapter": claim.chapter_of(part),
        "where": claim.where,
        "statement": claim.statement,
        "published": claim.published,
        "measures": part.measures,
        "rule": part.rule.words(),
        **numbers,
        "part_verdict": judge(
            part.rule, numbers["low"], numbers["high"], control=_control(part, results_dir)
        ),
        "note": entry.get("note", ""),
    }


def _control(part: Part, results_dir: str | Path) -> Verdict | None:
    """Verdict of a run on the control of a part's rule; None without one."""
    name = control_of(part.rule)
    if not name:
        return None
    entry = _read(results_dir, name, "")
    return judge(catalogue.find(name).part("").rule, *(_or_nan(entry.get(end)) for end in ("low", "high")))


def _dated(claim: Claim, part: Part, past: history.History) -> dict[str, Any]:
    entries = history.entries_of(claim, part, past)
    return {
        "rule_set": entries[-1].set_on.isoformat(),
        "number_seen": history.number_seen(entries),
        "restated": history.mark(entries),
    }


def restated(table: pd.DataFrame) -> dict[str, int]:
    """Number of rules, and of those set before their number was seen, after it, and with no record of which."""
    seen = list(table["number_seen"])
    names = {"before": "no", "after": "yes", "unrecorded": "unrecorded"}
    return {"all": len(seen), **{name: seen.count(value) for name, value in names.items()}}


def _read(results_dir: str | Path, claim: str, part: str) -> dict[str, Any]:
    path = _path(Path(results_dir), claim, part)
    if not results_dir or not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run its chapter again.") from None


def _path(results_dir: Path, claim: str, part: str) -> Path:
    return results_dir / "claims" / (f"{claim}.{part}.json" if part else f"{claim}.json")


def _check_interval(claim: str, measured: float, low: float, high: float) -> None:
    if all(math.isnan(value) for value in (measured, low, high)):
        return
    # A percentile interval of a biased statistic may lie beside its value, so that is not refused.
    if not low <= high or not all(math.isfinite(value) for value in (measured, low, high)):
        raise ValueError(
            f"claim {claim!r}: measured {measured:g} with interval {low:g} to {high:g}; "
            "allowed: three finite numbers with low <= high, or all NaN."
        )


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
