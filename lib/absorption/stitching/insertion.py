"""What a latent does to another SAE's squared error when it is inserted, in closed form.

With ``e`` the smaller SAE's error on a token, ``f`` the latent's activation there and ``d`` its decoder row, the error
becomes ``e - f d``, and its square changes by ``-2 f e.d + f^2 |d|^2``. Summed over tokens, each latent costs two
numbers, and only tokens on which it is active count.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from absorption.saes.loaded import LoadedSae


def encode_sparse(sae: LoadedSae, rows: Float[Tensor, "row d_model"]) -> Tensor:
    """Activations as a CSR matrix, ``row latent``."""
    return sae.encode(rows).to_sparse_csr()


def decode_sparse(
    sae: LoadedSae, csr: Tensor, rows: Float[Tensor, "row d_model"]
) -> Float[Tensor, "row d_model"]:
    """The SAE's output from its activations: what ``LoadedSae.reconstruct`` gives, without encoding again.

    Args:
        sae: one that does not rescale its inputs.
        csr: its activations.
        rows: what they were made from.
    """
    return csr @ decoder(sae) + without_latents(sae, rows)


def without_latents(sae: LoadedSae, rows: Float[Tensor, "row d_model"]) -> Tensor:
    """The SAE's output with every latent off: its bias, and the input's mean over dimensions if it takes that off."""
    bias = sae.sae.b_dec.detach().float().cpu()
    return bias + rows.mean(dim=1, keepdim=True) if sae.centred else bias


def decoder(sae: LoadedSae) -> Float[Tensor, "latent d_model"]:
    """Decoder rows in float32 on the CPU."""
    return sae.W_dec.float().cpu().contiguous()


def overlaps(
    csr: Tensor, error: Float[Tensor, "row d_model"], rows_out: Float[Tensor, "latent d_model"]
) -> Tensor:
    """``e.d`` for every row and latent that is active there, in the order of the CSR matrix's entries."""
    mask = torch.sparse_csr_tensor(
        csr.crow_indices(),
        csr.col_indices(),
        torch.zeros_like(csr.values()),
        csr.shape,
        check_invariants=False,
    )
    return torch.sparse.sampled_addmm(mask, error, rows_out.T, beta=0.0).values()


def insertion_sums(
    csr: Tensor, error: Float[Tensor, "row d_model"], rows_out: Float[Tensor, "latent d_model"]
) -> Float[Tensor, "3 latent"]:
    """Sums over rows, for each latent of the larger SAE: ``f e.d``, ``f^2 |d|^2``, and the rows on which it is active.

    Args:
        csr: activations of the larger SAE.
        error: of the smaller SAE on the same rows.
        rows_out: decoder rows of the larger SAE.
    """
    acts, latents = csr.values().double(), csr.col_indices()
    dots = overlaps(csr, error, rows_out).double()
    norms = rows_out.double().pow(2).sum(1)

    def summed(weights: Tensor) -> Tensor:
        return torch.bincount(latents, weights=weights, minlength=csr.shape[1])

    return torch.stack([summed(acts * dots), summed(acts * acts) * norms, summed(torch.ones_like(acts))])


def latents_of(csr: Tensor, kept: Tensor) -> Tensor:
    """The same matrix with all other latents switched off.

    Args:
        csr: activations.
        kept: True for latents that stay on.
    """
    values = csr.values() * kept[csr.col_indices()]
    return torch.sparse_csr_tensor(
        csr.crow_indices(), csr.col_indices(), values, csr.shape, check_invariants=False
    )


def change_by_insertion(cosine: float) -> float:
    """Change of the squared error when the latent of one feature enters an SAE that has one latent near it.

    The feature has size 1 along ``d``; the smaller SAE has a latent of direction ``u``, whose cosine with ``d`` is
    given, and writes the feature's projection on it. The insertion is carried out, on these two vectors.
    """
    feature = torch.tensor([1.0, 0.0], dtype=torch.float64)
    near = torch.tensor([cosine, (1 - cosine**2) ** 0.5], dtype=torch.float64)
    written = (feature @ near) * near
    return float((feature - written - feature).pow(2).sum() - (feature - written).pow(2).sum())
