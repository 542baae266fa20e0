"""The nth decoder projection by hand, and that it sees an L0 that is too low in a planted world."""

from __future__ import annotations

import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from absorption.models.hooks import resolve_site
from absorption.remedies.projections import nth_projections
from absorption.saes.loaded import LoadedSae


def sae_of(decoder: torch.Tensor, b_dec: torch.Tensor) -> LoadedSae:
    d_sae, d_in = decoder.shape
    sae = StandardSAE(StandardSAEConfig(d_in=d_in, d_sae=d_sae, dtype="float32", device="cpu"))
    with torch.no_grad():
        sae.W_dec.copy_(decoder)
        sae.b_dec.copy_(b_dec)
    return LoadedSae("by hand", sae.requires_grad_(False), resolve_site("blocks.1.hook_resid_post", 4))


def test_by_hand() -> None:
    decoder = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    sae = sae_of(decoder, torch.tensor([1.0, 1.0]))
    rows = torch.tensor([[4.0, 1.0], [1.0, 3.0]])
    # Without the bias (3, 0) and (0, 2); projections 3, 0, 1.8 and 0, 2, 1.6. The rows' distance from their mean
    # (2.5, 2) is the root of 2.25 + 1 both times.
    scale = 3.25**0.5
    found = nth_projections(sae, rows, ranks=(1, 2, 3))
    # Sorted 3, 2, 1.8, 1.6, 0, 0; n times two rows: places 2, 4 and 6 from the top.
    assert found == pytest.approx({1: 2 / scale, 2: 1.6 / scale, 3: 0.0})


def test_mixed_rows_project_more_than_pure_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.eye(40)
    on = (torch.rand(2000, 40, generator=generator) < 0.1).float()
    rows = on @ features
    pure = sae_of(features, torch.zeros(40))
    mixed = sae_of(features + 0.5 * features.roll(1, 0), torch.zeros(40))
    n = 6  # four features are on in the mean
    assert nth_projections(mixed, rows, (n,))[n] > nth_projections(pure, rows, (n,))[n] + 0.05


def test_an_n_that_no_row_has_is_refused() -> None:
    with pytest.raises(ValueError, match="n=4; allowed: 1 to d_sae=3"):
        nth_projections(sae_of(torch.eye(3), torch.zeros(3)), torch.ones(2, 3), (4,))
