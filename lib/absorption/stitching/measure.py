"""One pass over held-out text with several SAEs of one hook: all sums that the tables of stitching rest on.

Activations live for one batch of windows; what is kept are sums by batch, which is what intervals resample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.stitching.insertion import (
    decode_sparse,
    decoder,
    encode_sparse,
    insertion_sums,
    latents_of,
    without_latents,
)
from absorption.stitching.pairs import THRESHOLD, Pair
from absorption.stitching.steps import Steps, plan_steps
from absorption.stitching.walk import walk_sums
from absorption.training.harvest import keep_rows

WINDOWS_AT_ONCE = 8
"""Windows of a batch, which is the unit of resampling; few, so that dense activations stay small."""


@dataclass(frozen=True)
class PairSums:
    """One pair: sums over the tokens of each batch."""

    insertion: Float[np.ndarray, "batch 3 latent"]
    """Of each latent of the larger SAE, as ``insertion_sums``."""
    walk: Float[np.ndarray, "batch 2 step"]
    """On the way to the larger SAE, as ``walk_sums``."""


@dataclass(frozen=True)
class Sums:
    """Sums over the tokens of each batch."""

    tokens: Float[np.ndarray, " batch"]
    saes: Float[np.ndarray, "batch 2 sae"]
    """Squared error and active latents of each SAE."""
    pairs: tuple[PairSums, ...]
    stitched: Float[np.ndarray, "batch 2 stitched"]
    """The narrowest SAE with the novel latents of the next, of the next two, ...: squared error and active latents."""


@dataclass(frozen=True)
class Plan:
    """What is measured: SAEs, pairs of them, and the ways between the pairs."""

    saes: tuple[LoadedSae, ...]
    """The series, narrow to wide, and then a control's second seed."""
    pairs: tuple[Pair, ...]
    """Neighbours of the series, and then a control."""
    steps: tuple[Steps, ...]
    """One a pair."""

    @property
    def neighbours(self) -> tuple[Pair, ...]:
        """The pairs of different width."""
        return tuple(pair for pair in self.pairs if not pair.control)


def make_plan(series: Sequence[LoadedSae], control: Sequence[LoadedSae] = (), *, seed: int = 0) -> Plan:
    """Pairs of neighbours, and the control.

    Args:
        series: narrow to wide.
        control: an SAE of the series and another seed of it, or none.
        seed: of the order of steps.

    Raises:
        ValueError: a pair that cannot be stitched.
    """
    couples = [*pairwise(series), *([tuple(control)] if control else [])]
    pairs = tuple(Pair(smaller, larger) for smaller, larger in couples)
    steps = tuple(plan_steps(pair.groups(THRESHOLD), seed=seed) for pair in pairs)
    return Plan((*series, *control[1:]), pairs, steps)


def text_rows(
    model: LanguageModel, hook_name: str, windows: Int[Tensor, "window position"]
) -> Iterator[Float[Tensor, "row d_model"]]:
    """Activations of a few windows at a time, without BOS and outliers: the positions that SAEs are trained on."""
    median = None
    for part in windows.split(WINDOWS_AT_ONCE):
        acts = model.residual_stream(part, hook_name)
        median = float(acts[:, 1:].norm(dim=-1).median()) if median is None else median
        yield acts[keep_rows(acts, median)].float().cpu()


def measure_text(model: LanguageModel, plan: Plan, windows: Int[Tensor, "window position"]) -> Sums:
    """All sums over held-out text, kept on disk.

    Args:
        model: what the SAEs read.
        plan: SAEs and pairs.
        windows: token windows, BOS first.
    """
    inputs = {
        "model": model.identity, "saes": [sae.identity for sae in plan.saes],
        "pairs": [[pair.smaller.identity, pair.larger.identity] for pair in plan.pairs],
        "steps": [cache.array_hash(np.concatenate([step.enter, step.leave])) for step in plan.steps],
        "windows": cache.array_hash(windows.numpy()), "windows_at_once": WINDOWS_AT_ONCE, "version": 1,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        batches = text_rows(model, plan.saes[0].hook_name, windows)
        n = -(-len(windows) // WINDOWS_AT_ONCE)
        found = [
            batch_sums(plan, rows) for rows in tqdm(batches, total=n, desc="Held-out text", unit="batch")
        ]
        return {name: torch.stack([one[name] for one in found]) for name in found[0]}

    tensors = {name: t.numpy() for name, t in cache.cached_tensors("stitching", inputs, compute).items()}
    pairs = tuple(
        PairSums(tensors[f"insertion-{number}"], tensors[f"walk-{number}"])
        for number in range(len(plan.pairs))
    )
    return Sums(tensors["tokens"], tensors["saes"], pairs, tensors["stitched"])


@torch.inference_mode()
def batch_sums(plan: Plan, rows: Float[Tensor, "row d_model"]) -> dict[str, Tensor]:
    """Sums over some rows, by name; see ``Sums``."""
    acts = {sae.name: encode_sparse(sae, rows) for sae in plan.saes}
    errors = {sae.name: rows - decode_sparse(sae, acts[sae.name], rows) for sae in plan.saes}
    found = {
        "tokens": torch.tensor(float(len(rows)), dtype=torch.float64),
        "saes": _error_and_l0([(errors[sae.name], len(acts[sae.name].values())) for sae in plan.saes]),
        "stitched": _stitched(plan, acts, errors),
    }
    for number, (pair, steps) in enumerate(zip(plan.pairs, plan.steps, strict=True)):
        small, large = pair.smaller, pair.larger
        error, rows_out = errors[small.name], decoder(large)
        found[f"insertion-{number}"] = insertion_sums(acts[large.name], error, rows_out)
        bias_change = without_latents(large, rows) - without_latents(small, rows)
        found[f"walk-{number}"] = walk_sums(
            (acts[small.name], decoder(small)), (acts[large.name], rows_out), steps, error, bias_change
        )
    return found


def _stitched(plan: Plan, acts: dict[str, Tensor], errors: dict[str, Tensor]) -> Float[Tensor, "2 stitched"]:
    """The narrowest SAE, and novel latents added width by width."""
    first = plan.neighbours[0].smaller.name
    error, active, found = errors[first], len(acts[first].values()), []
    for pair in plan.neighbours:
        novel = latents_of(acts[pair.larger.name], torch.from_numpy(pair.cosines < THRESHOLD))
        error = error - novel @ decoder(pair.larger)
        active += int((novel.values() > 0).sum())
        found.append((error, active))
    return _error_and_l0(found)


def _error_and_l0(found: Sequence[tuple[Tensor, int]]) -> Float[Tensor, "2 sae"]:
    return torch.tensor(
        [
            [float(error.pow(2).sum(dtype=torch.float64)) for error, _ in found],
            [active for _, active in found],
        ],
        dtype=torch.float64,
    )
