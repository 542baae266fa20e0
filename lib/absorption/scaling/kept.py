"""A TopK SAE with another number of latents kept than it was trained at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.saes.loaded import LoadedSae
from absorption.stitching.insertion import decoder, without_latents


def check_kept(sae: LoadedSae, kept: Sequence[int]) -> None:
    """Whether an SAE can keep so many latents.

    Raises:
        ValueError: an SAE that is not TopK, fewer latents than 1 or more than it has.
    """
    if (kind := sae.sae.cfg.architecture()) != "topk":
        raise ValueError(
            f"SAE {sae.name!r} has architecture {kind!r}; other numbers of latents are kept of: topk."
        )
    for k in kept:
        if not 1 <= k <= sae.d_sae:
            raise ValueError(
                f"k={k} latents cannot be kept of SAE {sae.name!r}; allowed: 1 to its {sae.d_sae}."
            )


def strongest(
    sae: LoadedSae, rows: Float[Tensor, "row d_model"], k: int
) -> tuple[Float[Tensor, "row k"], Int[Tensor, "row k"]]:
    """The ``k`` largest activations of each row, largest first, none below 0, and their latents."""
    inside = sae.sae
    given = rows - inside.b_dec if inside.cfg.apply_b_dec_to_input else rows
    pre = given @ inside.W_enc + inside.b_enc  # type: ignore[operator]
    if getattr(inside.cfg, "rescale_acts_by_decoder_norm", False):
        pre = pre * inside.W_dec.norm(dim=-1)  # 1 as loaded
    top = pre.topk(k, dim=-1)
    return top.values.relu(), top.indices


@torch.inference_mode()
def errors_by_kept(
    sae: LoadedSae, rows: Float[Tensor, "row d_model"], kept: Sequence[int]
) -> Float[Tensor, " kept"]:
    """Squared error summed over the rows, for each number of latents kept.

    Raises:
        ValueError: as ``check_kept``.
    """
    check_kept(sae, kept)
    values, latents = strongest(sae, rows, max(kept))
    rows_out, rest = decoder(sae), rows - without_latents(sae, rows)
    return torch.stack([_error(values[:, :k], latents[:, :k], rows_out, rest) for k in kept])


def _error(values: Tensor, latents: Tensor, rows_out: Tensor, rest: Tensor) -> Tensor:
    starts = torch.arange(0, values.numel() + 1, values.shape[1])
    acts = torch.sparse_csr_tensor(
        starts, latents.flatten(), values.flatten(), (len(values), len(rows_out)), check_invariants=False
    )
    return (rest - acts @ rows_out).double().pow(2).sum()
