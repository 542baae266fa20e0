"""Tables of SAEs for a sweep, from SAELens' own directory of releases."""

from __future__ import annotations

import math
import re

import pandas as pd
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

from absorption.saes.shipped import unknown_name

COLUMNS = ["sample", "model", "dtype", "sae_release", "sae_id", "hook_name", "d_sae"]
WIDTHS = {"k": 1e3, "m": 1e6}
"""Ids round: ``65k`` is 65,536, the power of two next to it."""


def release_table(
    release: str, model: str, *, match: str = "", layers: range | None = None, dtype: str = "float32"
) -> pd.DataFrame:
    """One row an SAE of a release, columns as in ``COLUMNS``; place and width as its id states them.

    Args:
        release: a SAELens release.
        model: the model as the chapters load it (a Hugging Face id or a folder).
        match: regular expression that the id must contain.
        layers: layers to keep; ids that state none are left out if this is given.
        dtype: type of the model's weights.

    Raises:
        ValueError: an unknown release, or nothing left.
    """
    directory = get_pretrained_saes_directory()
    if release not in directory:
        raise ValueError(unknown_name("sae_release", release, list(directory), "SAELens"))
    rows = [
        (_sample(sae_id), model, dtype, release, sae_id, hook_of(release, sae_id), width_of(sae_id))
        for sae_id in directory[release].saes_map
        if re.search(match, sae_id) and (layers is None or layer_of(sae_id) in layers)
    ]
    if not rows:
        raise ValueError(f"release {release!r} has no SAE that contains {match!r} in layers {layers}.")
    return pd.DataFrame(rows, columns=COLUMNS)


def layer_of(sae_id: str) -> int:
    """The layer that an id states, -1 if none."""
    found = re.search(r"layer_(\d+)|blocks\.(\d+)\.", sae_id)
    return int(found[1] or found[2]) if found else -1


def hook_of(release: str, sae_id: str) -> str:
    """The residual-stream hook that release and id state; empty if none (the SAE's own metadata decides)."""
    if found := re.search(r"blocks\.\d+\.hook_resid_(?:pre|post)", sae_id):
        return found[0]
    if "-res" in release and (found := re.match(r"layer_(\d+)[/_]width_", sae_id)):
        return f"blocks.{found[1]}.hook_resid_post"
    return ""


def width_of(sae_id: str) -> str:
    """Latents that an id states, as digits; empty if none."""
    found = re.search(r"width_(\d+)([km])", sae_id)
    return str(2 ** round(math.log2(int(found[1]) * WIDTHS[found[2]]))) if found else ""


def _sample(sae_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", sae_id).strip("-.")
