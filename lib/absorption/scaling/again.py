"""A part of the stored numbers, measured again; they are refused if they come out differently."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.scaling import downstream
from absorption.scaling.measure import (
    N_KEPT_BATCHES,
    SQUARES,
    TEXT,
    kept_table,
    read_batches,
    refined_table,
    table,
)
from absorption.scaling.quality import MOVED, REMOVED
from absorption.scaling.stored import MAKE, Grid, StoredGridError
from absorption.scaling.text import Text, read_text
from absorption.stitching.measure import WINDOWS_AT_ONCE

TOLERANCE = 1e-3
"""Largest relative difference of a batch's sum that passes. The same machine gives the same sums; another adds in
another order, which moves a latent at the threshold now and then."""


class StaleGridError(StoredGridError):
    """Stored numbers that come out differently when measured again."""


def read_part(
    model: LanguageModel, grid: Grid, windows: Int[Tensor, "window position"], n_tokens: int
) -> Text:
    """The beginning of the text that the stored numbers are of, in whole batches.

    Args:
        model: what the SAEs were trained on.
        grid: stored numbers.
        windows: the text from its beginning.
        n_tokens: about as many tokens; at least one batch.

    Raises:
        StaleGridError: another model than the stored numbers'.
    """
    if model.weights_hash != grid.text["model_weights_hash"]:
        raise StaleGridError(
            f"Stored numbers are of model weights {grid.text['model_weights_hash']}, "
            f"model {model.name!r} has {model.weights_hash}."
        )
    n_batches = max(1, n_tokens // (WINDOWS_AT_ONCE * windows.shape[1]))
    return read_text(model, grid.text["hook_name"], windows[: n_batches * WINDOWS_AT_ONCE])


def check_again(grid: Grid, sae: LoadedSae, text: Text) -> pd.DataFrame:
    """Text and one SAE, batch by batch.

    Returns:
        ``sae, quantity, at, batch, stored, now, difference`` (relative), for as many batches as were read again.

    Raises:
        StaleGridError: other weights, or a number differs by more than ``TOLERANCE``, or was not stored.
    """
    _check_weights(grid, sae)
    errors, _ = read_batches(sae, text.batches)
    parts = [table(TEXT, {SQUARES: text.squares}), errors, refined_table(sae, text.batches)]
    if sae.sae.cfg.architecture() == "topk":
        parts.append(kept_table(sae, text.batches[:N_KEPT_BATCHES]))
    return _compared(grid, pd.concat(parts, ignore_index=True))


def check_effects(
    grid: Grid, model: LanguageModel, sae: LoadedSae, windows: Int[Tensor, "window position"], n_contexts: int
) -> pd.DataFrame:
    """One of the measures of quality of one SAE, the share of logits that removing a latent moves.

    Args:
        grid: stored numbers.
        model: what the SAE was trained on.
        sae: one that has these numbers.
        windows: the text from its beginning.
        n_contexts: tokens at which latents are removed, the first of those that the stored numbers are of.

    Returns:
        As ``check_again``; ``batch`` numbers the tokens.

    Raises:
        StaleGridError: as ``check_again``.
    """
    _check_weights(grid, sae)
    contexts = downstream.read_contexts(model, sae.hook_name, windows[:n_contexts])
    moved, removed = downstream.effects_of_latents(model, sae, contexts)
    return _compared(grid, table(sae.name, {MOVED: moved, REMOVED: removed}))


def _check_weights(grid: Grid, sae: LoadedSae) -> None:
    if sae.weights_hash != (stamped := grid.stamps[sae.name]["weights_hash"]):
        raise StaleGridError(
            f"Stored numbers of {sae.name} are of weights {stamped}, it has {sae.weights_hash}."
        )


def _compared(grid: Grid, now: pd.DataFrame) -> pd.DataFrame:
    stored = [
        _stored(grid, row["sae"], row["quantity"], row["at"], row["batch"]) for row in now.to_dict("records")
    ]
    found = now.rename(columns={"value": "now"}).assign(stored=stored)
    found["difference"] = found["now"] / found["stored"] - 1
    size = found["difference"].abs().fillna(np.inf).to_numpy()
    worst = found.to_dict("records")[int(size.argmax())]
    if not abs(worst["difference"]) <= TOLERANCE:
        raise StaleGridError(
            f"Stored numbers come out differently, such as {worst['quantity']} of {worst['sae']}: stored "
            f"{worst['stored']:.6g}, now {worst['now']:.6g}. Make them: {MAKE}."
        )
    return found[["sae", "quantity", "at", "batch", "stored", "now", "difference"]].reset_index(drop=True)


def _stored(grid: Grid, sae: str, quantity: str, at: int, batch: int) -> float:
    values = grid.values(sae, quantity, at)
    return float(values[batch]) if batch < len(values) else float("nan")
