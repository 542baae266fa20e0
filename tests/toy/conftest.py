"""Planted SAEs whose absorption is known by construction, and a cache of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from absorption.toy.worlds import World


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or fills the user's cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


Plant = Callable[..., StandardSAE]


@pytest.fixture
def plant() -> Plant:
    """An SAE with one latent a feature, in which child 1 carries ``d`` of parent 0 (paper, appendices A.2-A.6)."""

    def make(world: World, d: float, order: tuple[int, ...] | None = None) -> StandardSAE:
        n = world.n_features
        encoder, decoder = torch.eye(n), torch.eye(n)
        encoder[0, 1] = -d  # f0's latent reads "f0 and not f1"
        decoder[1, 0] = d  # f1's latent writes f1 + d f0
        rows = list(order or range(n))
        sae = StandardSAE(StandardSAEConfig(d_in=world.d_in, d_sae=n))
        with torch.no_grad():
            sae.W_enc.copy_((encoder @ world.directions)[rows].T)
            sae.W_dec.copy_((decoder @ world.directions)[rows])
            sae.b_enc.fill_(-1e-6)  # rounding must not count as firing
            sae.b_dec.zero_()
        sae.fold_W_dec_norm()
        return sae.requires_grad_(False)

    return make
