"""The shipped SAEs: their ids and cards, read without loading any."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from absorption.base import sums
from absorption.base.cache import file_sha256
from absorption.base.data import data_root

SHIPPED, LOCAL = "shipped", "local"


def shipped_ids() -> list[str]:
    """Ids of the shipped SAEs, narrow ones first."""
    cards = [json.loads(path.read_text()) for path in (data_root() / "saes").glob("*/card.json")]
    return [card["sae_id"] for card in sorted(cards, key=lambda c: (c["d_sae"], c["k"], c["sae_id"]))]


def shipped_card(sae_id: str) -> dict[str, Any]:
    """A shipped SAE's card: recipe, training, and what was measured on held-out text.

    Raises:
        ValueError: no such SAE is shipped; the message lists the nearest. Or the card is damaged.
    """
    folder = shipped_folder(sae_id)
    _check_sums(sae_id, folder, "card.json")
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def shipped_folder(sae_id: str) -> Path:
    """A shipped SAE's folder.

    Raises:
        ValueError: as ``shipped_card``.
    """
    folder = data_root() / "saes" / sae_id
    if not sae_id or not (folder / "card.json").exists():
        raise ValueError(unknown_name("sae_id", sae_id, shipped_ids(), f"release {SHIPPED!r}"))
    return folder


def check_shipped(sae_id: str) -> None:
    """Compare a shipped SAE's weights with the checksum on its card; whether there are weights is the loader's matter.
    Card and configuration have theirs in ``SHA256SUMS``.

    Raises:
        ValueError: as ``shipped_card``; they are not the ones that the card was written for, or it states no checksum;
            the configuration is damaged.
    """
    weights = shipped_folder(sae_id) / "sae_weights.safetensors"
    stated = shipped_card(sae_id).get("weights_sha256")
    if not stated:
        raise ValueError(
            f"shipped SAE {sae_id!r} cannot be checked: its card states no weights_sha256; "
            f"write it anew: absorption saes {sae_id} --again"
        )
    if weights.exists() and (found := file_sha256(weights)) != stated:
        raise ValueError(
            f"shipped SAE {sae_id!r} is damaged: {weights.name} has SHA-256 {found[:16]}..., its card says "
            f"{stated[:16]}...; get the file again: git checkout -- {weights}"
        )
    _check_sums(sae_id, weights.parent, "cfg.json")


def _check_sums(sae_id: str, folder: Path, *names: str) -> None:
    try:
        sums.check(folder, *names)
    except sums.Damaged as error:
        raise ValueError(f"shipped SAE {sae_id!r}: {error}") from None


def unknown_name(parameter: str, value: str, allowed: list[str], where: str) -> str:
    """Two lines at most: the value, the nearest names, or the first few that exist."""
    near = difflib.get_close_matches(value, allowed, n=3, cutoff=0.5) or allowed[:4]
    more = "" if len(allowed) <= len(near) else f" ({len(allowed)} in all)"
    return (
        f"{parameter} {value!r} does not exist in {where}; allowed, nearest first: {', '.join(near)}{more}."
    )
