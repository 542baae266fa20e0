"""Next-token loss when one latent is inserted, beside the change of the squared error on the same tokens.

The squared error of an insertion is a sum over tokens. The loss is not: what is written at one token moves the losses
of all later ones. So each latent is inserted alone, in short windows in which it is on, and the blocks above run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata
from torch import Tensor

from absorption.base.statistics import interval, resample_counts
from absorption.models.language_model import LanguageModel
from absorption.stitching.above import Above
from absorption.stitching.effects import NOVEL, SIMILAR
from absorption.stitching.insertion import decode_sparse, decoder, encode_sparse
from absorption.stitching.pairs import THRESHOLD, Pair

LENGTH = 32
"""Tokens of a window, BOS among them."""
LEAST, MOST = 2, 2
"""Windows in which a latent must be on to be drawn, and windows in which it is inserted at most."""
N_RESAMPLES = 1000


@dataclass(frozen=True)
class Spliced:
    """A pair on some windows: the smaller SAE's output, and what the larger one's latents are there."""

    pair: Pair
    acts: Float[Tensor, "window position d_model"]
    """Residual stream, BOS first."""
    output: Float[Tensor, "window position d_model"]
    """The smaller SAE's, the stream itself at BOS."""
    latents: Float[Tensor, "window position latent"]
    """Activations of the larger SAE, 0 at BOS."""

    @property
    def on(self) -> Bool[Tensor, "window latent"]:
        """Whether a latent is on anywhere in a window."""
        return (self.latents > 0).any(dim=1)

    def written(self, window: int, latent: int) -> Float[Tensor, "position d_model"]:
        """What one latent writes in one window."""
        return self.latents[window, :, latent, None] * decoder(self.pair.larger)[latent]

    def error_change(self, window: int, latent: int) -> float:
        """By how much the squared error of a window changes, in closed form."""
        error, added = self.acts[window] - self.output[window], self.written(window, latent)
        return float((added * added - 2 * error * added).sum(dtype=torch.float64))


@torch.inference_mode()
def splice(pair: Pair, acts: Float[Tensor, "window position d_model"]) -> Spliced:
    """Run both SAEs of a pair on a residual stream."""
    rows = acts[:, 1:].flatten(0, 1)
    written = decode_sparse(pair.smaller, encode_sparse(pair.smaller, rows), rows)
    latents = pair.larger.encode(rows).view(len(acts), -1, pair.larger.d_sae)
    output = torch.cat([acts[:, :1], written.view(acts[:, 1:].shape)], dim=1)
    return Spliced(pair, acts, output, torch.cat([torch.zeros_like(latents[:, :1]), latents], dim=1))


def draw_latents(spliced: Spliced, n: int, draw: np.random.Generator) -> list[tuple[int, list[int]]]:
    """Up to ``n`` novel and ``n`` similar latents that are on in enough windows, each with some of these windows."""
    on = spliced.on.numpy()
    novel = spliced.pair.cosines < THRESHOLD
    found = []
    for kind in (novel, ~novel):
        often = np.flatnonzero((on.sum(axis=0) >= LEAST) & kind)
        for latent in sorted(draw.permutation(often)[:n].tolist()):
            found.append((latent, sorted(draw.permutation(np.flatnonzero(on[:, latent]))[:MOST].tolist())))
    return found


@torch.inference_mode()
def insert_each(
    model: LanguageModel,
    pairs: tuple[Pair, ...],
    windows: Int[Tensor, "window position"],
    *,
    n: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Single latents of the larger SAEs in the smaller ones: what each does to the squared error and to the loss.

    Args:
        model: what the SAEs read.
        pairs: smaller and larger SAEs.
        windows: token ids, BOS first; their first ``LENGTH`` positions are used.
        n: latents of either kind, a pair.
        seed: of which latents and windows.

    Returns:
        ``pair, latent, cosine, kind, windows`` (in which it was inserted), ``error`` and ``loss``: mean changes a token
        of these windows, of the squared error and of the next-token loss in nats.
    """
    tokens = windows[:, :LENGTH]
    site = pairs[0].smaller.site
    acts = model.residual_stream(tokens, site.name).float().cpu()
    above, draw = Above(model, site.depth), np.random.default_rng(seed)
    parts = [_insert_each(above, splice(pair, acts), tokens, n, draw) for pair in pairs]
    return pd.concat(parts, ignore_index=True)


def _insert_each(
    above: Above, spliced: Spliced, tokens: Tensor, n: int, draw: np.random.Generator
) -> pd.DataFrame:
    drawn = draw_latents(spliced, n, draw)
    runs = [(latent, window) for latent, of in drawn for window in of]
    used = sorted({window for _, window in runs})
    states = [spliced.output[used], *(spliced.output[[w]] + spliced.written(w, latent) for latent, w in runs)]
    at = torch.tensor([*used, *(window for _, window in runs)], dtype=torch.long)
    losses = above.losses(tokens[at], torch.cat(states)).mean(dim=1).double().numpy()
    before = dict(zip(used, losses[: len(used)], strict=True))
    changes = {run: after - before[run[1]] for run, after in zip(runs, losses[len(used) :], strict=True)}
    cosines, per_token = spliced.pair.cosines, 1 / (tokens.shape[1] - 1)
    rows = [
        (
            spliced.pair.name, latent, cosines[latent], NOVEL if cosines[latent] < THRESHOLD else SIMILAR, len(of),
            np.mean([spliced.error_change(window, latent) for window in of]) * per_token,
            np.mean([changes[latent, window] for window in of]),
        )
        for latent, of in drawn
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["pair", "latent", "cosine", "kind", "windows", "error", "loss"])


def agreement(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Whether the two changes go together: ``kind`` (or ``all``), ``latents, quantity, value, low, high``.

    Quantities: share of latents that lower the error, share that lower the loss, share on whose sign both agree, the
    share that would agree if the two signs were independent, and the rank correlation of the two changes. Intervals are
    over latents.
    """
    parts = [("all", table), *((str(kind), rows) for kind, rows in table.groupby("kind"))]
    rows = [
        (kind, len(part), quantity, *_with_interval(part, quantity, seed))
        for kind, part in parts
        for quantity in (LOWER_ERROR, LOWER_LOSS, SAME_SIGN, BY_CHANCE, CORRELATION)
    ]
    return pd.DataFrame(rows, columns=["kind", "latents", "quantity", "value", "low", "high"])


LOWER_ERROR, LOWER_LOSS = "lower the error", "lower the loss"
SAME_SIGN, BY_CHANCE, CORRELATION = "same sign", "same sign by chance", "rank correlation"


def _with_interval(table: pd.DataFrame, quantity: str, seed: int) -> tuple[float, float, float]:
    if len(table) < 2:
        return float("nan"), float("nan"), float("nan")
    error, loss = table["error"].to_numpy(), table["loss"].to_numpy()
    counts = resample_counts(len(table), n_resamples=N_RESAMPLES, seed=seed)
    drawn = [np.repeat(np.arange(len(table)), row.astype(int)) for row in counts]
    value, samples = (
        _quantity(error, loss, quantity),
        [_quantity(error[rows], loss[rows], quantity) for rows in drawn],
    )
    low, high = interval(np.array(samples))
    return value, float(low), float(high)


def _quantity(
    error: Float[np.ndarray, " latent"], loss: Float[np.ndarray, " latent"], quantity: str
) -> float:
    if quantity == CORRELATION:
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.corrcoef(rankdata(error), rankdata(loss))[0, 1])
    lower, also = error < 0, loss < 0
    p, q = lower.mean(), also.mean()
    shares = {
        LOWER_ERROR: p, LOWER_LOSS: q, SAME_SIGN: (lower == also).mean(), BY_CHANCE: p * q + (1 - p) * (1 - q),
    }  # fmt: skip
    return float(shares[quantity])
