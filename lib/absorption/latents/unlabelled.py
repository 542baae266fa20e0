"""Scores of latent pairs that use the SAE alone: its weights and its activations, no probe and no labels.

For an ordered pair (i, j) each score asks: has latent j taken over what latent i stands for? Absorption leaves three
marks (paper, section 3): j *writes* i's direction (decoder cosine), i does not *fire* when j does, and i's encoder has
learned not to *read* what j writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix

Pairs = Float[np.ndarray, "latent latent"]

COSINE, ASYMMETRY, EXCLUSION, SILENCE, CARRIED, WIDE = (
    "decoder cosine",
    "asymmetry",
    "exclusive firing",
    "cosine and exclusion",
    "carried and exclusion",
    "asymmetry and exclusion",
)
SCORES = {
    COSINE: "cosine of the two decoder rows",
    ASYMMETRY: "decoder cosine, less what i's encoder reads of j's decoder row",
    EXCLUSION: "how much rarer i fires with j than on average",
    SILENCE: "decoder cosine times exclusive firing",
    CARRIED: "length that j writes along i's row, in units of i's usual activation (at most 1), times exclusive firing",
    WIDE: "asymmetry times exclusive firing",
}
"""What is tried, in words."""


@dataclass(frozen=True)
class SaeView:
    """An SAE as an outsider sees it.

    Args:
        encoder: encoder vectors, one row a latent.
        decoder: decoder rows.
        acts: sparse activations ``sample latent``.
    """

    encoder: Float[np.ndarray, "latent d_in"]
    decoder: Float[np.ndarray, "latent d_in"]
    acts: csr_matrix

    @cached_property
    def alive(self) -> np.ndarray:
        """Whether each latent fires at least once."""
        return self._counts > 0

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        shape = self.acts.shape
        assert shape is not None
        return int(shape[0])

    @cached_property
    def _on(self) -> Any:
        on = self.acts.copy()
        on.data = (on.data > 0).astype(np.float32)
        return on

    @cached_property
    def _counts(self) -> Float[np.ndarray, " latent"]:
        return np.asarray(self._on.sum(axis=0), dtype=np.float64).ravel()

    @cached_property
    def _norms(self) -> Float[np.ndarray, " latent"]:
        return np.maximum(np.linalg.norm(self.decoder, axis=1), 1e-12)

    @cached_property
    def _rows(self) -> Float[np.ndarray, "latent d_in"]:
        return self.decoder / self._norms[:, None]

    @cached_property
    def cosine(self) -> Pairs:
        """Decoder cosines, not below 0: a latent that writes the opposite of i has not taken it over."""
        return np.maximum(self._rows @ self._rows.T, 0)

    @cached_property
    def asymmetry(self) -> Pairs:
        """Decoder cosine less i's response to j's decoder row, as a share of its response to its own; from 0 to 1."""
        read = self.encoder @ self._rows.T
        own = np.diag(read)[:, None]
        response = np.where(own > 1e-6, read / np.where(own > 1e-6, own, 1.0), 0.0)
        return np.clip(self.cosine - response, 0, 1) * (self.cosine > 0)

    @cached_property
    def exclusion(self) -> Pairs:
        """1 - P(i and j) / (P(i) P(j)), not below 0: 0 for independent latents, 1 for two that never fire together."""
        together = np.asarray((self._on.T @ self._on).todense(), dtype=np.float32)
        share = (self._counts / self.n_samples).astype(np.float32)
        expected = np.outer(self._counts.astype(np.float32), share)
        return np.clip(1 - together / np.maximum(expected, 1e-12), 0, 1) * (expected > 0)

    @cached_property
    def carried(self) -> Pairs:
        """What j writes along i's row when it fires, in units of i's usual activation; at most 1."""
        usual = np.asarray(self.acts.sum(axis=0), dtype=np.float64).ravel() / np.maximum(self._counts, 1)
        length = (usual * self._norms).astype(np.float32)
        return np.minimum(self.cosine * length[None, :] / np.maximum(length[:, None], 1e-12), 1)

    def scores(self) -> dict[str, Pairs]:
        """Every score of every ordered pair (row i, column j), by name as in ``SCORES``."""
        return {
            COSINE: self.cosine, ASYMMETRY: self.asymmetry, EXCLUSION: self.exclusion,
            SILENCE: self.cosine * self.exclusion, CARRIED: self.carried * self.exclusion,
            WIDE: self.asymmetry * self.exclusion,
        }  # fmt: skip
