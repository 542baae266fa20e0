"""Names of reports: one SAE each, so that none overwrites another's."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absorption.runner.parameters import ParameterError

OWNER = "sae.json"
"""In a report's folder: the SAE that it is of."""
PAGE = "page.ipynb"


def owner(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, str]:
    """What tells an SAE's report from another's: model, release, id, and a local SAE's folder in full.

    Args:
        values: parameters of the run.
        defaults: those of the notebook.
    """
    all_values = {**defaults, **values}
    found = {name: str(all_values.get(name, "")) for name in ("model", "sae_release", "sae_id")}
    path = str(all_values.get("sae_path") or "")
    return {**found, "sae_path": str(Path(path).expanduser().resolve())} if path else found


def usual(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The name if nobody chose one: the SAE's id, or its folder's."""
    return safe(
        values.get("sae_id") or Path(values.get("sae_path", "")).name or str(defaults.get("sae_id", ""))
    )


def take(out: Path, name: str, sae: Mapping[str, str], *, chosen: bool) -> str:
    """The name that the report gets, its folder made and marked as this SAE's.

    A name that another SAE's report has is made longer: by the folder above a local SAE's or the release, else by
    a hash.

    Args:
        out: folder of reports.
        name: the wanted one, a safe file name.
        sae: from ``owner``.
        chosen: somebody asked for this very name.

    Raises:
        ParameterError: a chosen name is another SAE's.
    """
    if _claim(out / name, sae):
        return name
    if chosen:
        raise ParameterError(
            f"name {name!r} is that of another report, {_words(out / name)}; allowed: any other name."
        )
    above = Path(sae["sae_path"]).parent.name if "sae_path" in sae else sae["sae_release"]
    digest = hashlib.sha256(json.dumps(dict(sae), sort_keys=True).encode()).hexdigest()
    longer = [safe(f"{above}-{name}"), f"{name}-{digest[:8]}", f"{name}-{digest}"]
    return next(other for other in longer if _claim(out / other, sae))


def safe(name: str) -> str:
    """A file name that is no path and not digits alone (Sphinx would lose such a page)."""
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "sae"
    return f"sae-{found}" if found.isdigit() else found


def _claim(folder: Path, sae: Mapping[str, str]) -> bool:
    """Whether the folder is this SAE's; one that nobody has becomes so. Of two at once one gets it."""
    if (folder / PAGE).exists() and not (folder / OWNER).exists():
        return False  # a report whose SAE is not known
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / OWNER).open("x", encoding="utf-8") as mark:
            mark.write(json.dumps(dict(sae), indent=1, sort_keys=True) + "\n")
        return True
    except FileExistsError:
        return _read(folder) == dict(sae)


def _read(folder: Path) -> Any:
    try:
        return json.loads((folder / OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _words(folder: Path) -> str:
    found = _read(folder) or {}
    return f"of {found.get('sae_path') or found['sae_id']!r}" if found else f"in {str(folder)!r}"
