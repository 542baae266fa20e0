"""The explorer's data as classic scripts, one an SAE: a page opened from a folder may load these, and nothing else.

Numbers by which words are judged are written as they are in memory (base64 of little-endian arrays), so that the page's
judge sees what the library's saw. All text is JSON in which no character can end a script or start a tag.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from absorption.base import cache

MOST_BYTES = 1_500_000
"""Of one SAE's script."""
TABLES = (
    "explorer-saes", "explorer-quality", "explorer-rates", "explorer-scores", "explorer-cosines", "explorer-words",
    "explorer-leaders", "explorer-word-latents", "explorer-latents", "explorer-neighbours",
)  # fmt: skip
"""Tables that the chapters keep, as ``explorer.tables`` names them."""
CONTEXTS, META = "explorer-contexts", "explorer-meta-latents"
"""Kept of some SAEs only: the strongest places of some latents in running text, and what a meta-SAE makes of some."""
LIST = "saes.js"
"""The script that says which SAEs there are."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
RATES = (
    "definition", "letter", "rate", "low", "high", "null", "null_low", "null_high", "p", "n_right", "n_candidates",
    "n_judged", "n_absorbed", "valid", "all_letters",
)  # fmt: skip


def write_scripts(results: Path, folder: Path) -> list[str]:
    """Write ``LIST`` and a script for each SAE that a chapter or a report of the book judged.

    Args:
        results: folder of the book's tables; tables of reports lie in ``results/your-saes/NAME``.
        folder: where the scripts go.

    Returns:
        Names of the SAEs, the chapters' first.
    """
    found: dict[str, Mapping[str, pd.DataFrame]] = {}
    for place in (results, *sorted((results / "your-saes").glob("*"))):
        report = "" if place == results else place.name
        for name, tables in _by_sae(read_tables(place, "" if place == results else "sae-")).items():
            found[f"{report}: {name}" if report and report != name else name] = tables
    listed = []
    for number, (name, tables) in enumerate(found.items()):
        text = f"absorptionData({as_script(name)},{as_script(sae_value(tables))});\n"
        if len(text) > MOST_BYTES:
            print(
                f"the explorer leaves out {name}: {len(text):,} bytes, allowed: {MOST_BYTES:,}; use fewer words"
            )
            continue
        file = f"{number:02d}-{re.sub('[^A-Za-z0-9._-]+', '-', name)}.js"
        cache.write_text(folder / file, text)
        listed.append({"name": name, "file": file})
    cache.write_text(folder / LIST, f"var ABSORPTION_SAES={as_script(listed)};\n")
    return [one["name"] for one in listed]


def read_tables(folder: Path, prefix: str = "") -> dict[str, pd.DataFrame]:
    """The explorer's tables in a folder; none if one is missing."""
    paths = {name: folder / f"{prefix}{name}.parquet" for name in TABLES}
    if not all(path.exists() for path in paths.values()):
        return {}
    more = {name: folder / f"{prefix}{name}.parquet" for name in (CONTEXTS, META)}
    paths |= {name: path for name, path in more.items() if path.exists()}
    return {name: pd.read_parquet(path) for name, path in paths.items()}


def as_script(value: Any) -> str:
    """A value as JavaScript text: ASCII, and no character that could end a script or start a tag."""
    text = json.dumps(_plain(value), separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&]", lambda match: f"\\u{ord(match.group()):04x}", text)


def sae_value(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What a script holds of one SAE.

    Args:
        tables: the explorer's, of this SAE alone.
    """
    latents = tables["explorer-latents"]
    place = {latent: number for number, latent in enumerate(latents["latent"].tolist())}
    about = dict(tables["explorer-saes"].iloc[0])
    facts = {**about, "leads": json.loads(about["leads"]), "thresholds": json.loads(about["thresholds"])}
    return {
        "about": facts,
        "quality": _rows(tables["explorer-quality"], ("what", "metric", "value", "low", "high")),
        "rates": _rows(tables["explorer-rates"], RATES),
        "scores": _scores(tables["explorer-scores"]),
        "cosines": _cosines(tables["explorer-cosines"]),
        "latents": _latents(latents, tables["explorer-neighbours"], place),
        "contexts": _contexts(tables[CONTEXTS]) if CONTEXTS in tables else {},
        "meta": _meta(tables[META]) if META in tables else {},
        **_words(tables, place),
    }


def packed(values: Any, kind: str = "") -> list[str]:
    """An array's type and its bytes in base64.

    Args:
        values: numbers.
        kind: NumPy's name of a little-endian type; default the smallest that holds these integers, none below 0.
    """
    found = np.asarray(values)
    kind = kind or np.min_scalar_type(max(int(found.max(initial=0)), 0)).str[1:]
    return [kind, b64encode(found.astype(f"<{kind}").tobytes()).decode()]


def _words(tables: Mapping[str, pd.DataFrame], place: Mapping[int, int]) -> dict[str, Any]:
    """Words, sorted by letter, and their kept latents: each a pair of letter and latent, with its activation."""
    words = tables["explorer-words"].sort_values(["letter", "text", "word"], ignore_index=True)
    number = {word: row for row, word in enumerate(words["word"].tolist())}
    rows = tables["explorer-word-latents"]
    rows = rows.assign(row=rows["word"].map(number), local=rows["latent"].map(place))
    rows = rows.sort_values(["row", "latent"], kind="stable", ignore_index=True)
    letter = words["letter"].map(LETTERS.index).to_numpy()
    pairs, which = np.unique(
        np.stack([letter[rows["row"]], rows["local"]]).astype(np.int64), axis=1, return_inverse=True
    )
    cosine = np.zeros(pairs.shape[1])
    cosine[which.ravel()] = rows["cosine"]
    removed = rows["effect"].notna().to_numpy()
    led = tables["explorer-leaders"]
    led = led.assign(row=led["word"].map(number)).sort_values("row", ignore_index=True)
    return {
        "words": {
            "text": words["text"].tolist(),
            "letter": packed(letter),
            "total": packed(words["total"], "f4"),
            "place": packed(words["place"]),
            "on": packed(words["on"]),
            "size": packed(np.bincount(rows["row"], minlength=len(words))),
        },
        "pairs": {"latent": packed(pairs[1]), "cosine": packed(cosine, "f4")},
        "rows": {"pair": packed(which.ravel()), "activation": packed(rows["activation"], "f4")},
        "effects": {
            "row": packed(np.flatnonzero(removed)),
            "effect": packed(rows["effect"].to_numpy()[removed], "f4"),
        },
        "leaders": {
            "word": packed(led["row"]),
            "exact": packed(led["exact"]),
            "latent": packed([place.get(latent, -1) + 1 for latent in led["leader"].tolist()]),
            "cosine": packed(led["leader_cosine"], "f4"),
            "effect": packed(led["leader_effect"], "f4"),
            "lead": packed(led["lead"], "f8"),
        },
    }


def _scores(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """By letter, in order of k."""
    names = ("k", "latent", "f1", "f1_low", "f1_high", "recall", "precision", "valid")
    return {str(letter): _rows(mine.sort_values("k"), names) for letter, mine in table.groupby("letter")}


def _cosines(table: pd.DataFrame) -> dict[str, Any]:
    edges = table[table["letter"] == table["letter"].iloc[0]]
    counts = {str(letter): mine["latents"].tolist() for letter, mine in table.groupby("letter")}
    return {"edges": [*edges["low"].tolist(), float(edges["high"].iloc[-1])], "counts": counts}


def _latents(latents: pd.DataFrame, neighbours: pd.DataFrame, place: Mapping[int, int]) -> dict[str, Any]:
    near: dict[int, list[list[Any]]] = {}
    for row in neighbours.sort_values(["latent", "rank"]).itertuples(index=False):
        near.setdefault(place[row.latent], []).append([place[row.neighbour], round(float(row.cosine), 3)])  # type: ignore[index]
    return {
        "id": latents["latent"].tolist(),
        "on": latents["n_on"].tolist(),
        "norm": packed(latents["norm"], "f4"),
        "names": latents["strongest_on"].tolist(),
        "near": [near.get(number, []) for number in range(len(latents))],
    }


def _contexts(table: pd.DataFrame) -> dict[str, list[str]]:
    """By the latent's number, the strongest first."""
    ordered = table.sort_values(["latent", "rank"])
    return {str(latent): mine["context"].tolist() for latent, mine in ordered.groupby("latent")}


def _meta(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """By the latent's number: meta-latents, the largest weight first."""
    ordered = table.drop_duplicates(["latent", "meta"]).sort_values("weight", ascending=False)
    return {
        str(latent): _rows(mine, ("meta", "weight", "points_to", "also_in"))
        for latent, mine in ordered.groupby("latent")
    }


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    return table[list(columns)].to_dict("records")  # type: ignore[return-value]  # column names are strings


def _by_sae(tables: Mapping[str, pd.DataFrame]) -> dict[str, Mapping[str, pd.DataFrame]]:
    if not tables:
        return {}
    names = tables["explorer-saes"]["sae"].tolist()
    return {sae: {name: table[table["sae"] == sae] for name, table in tables.items()} for sae in names}


def _plain(value: Any) -> Any:
    """JSON has no NaN and knows no types of arrays."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
