"""Planted worlds: features whose directions, rates and hierarchy are known, built from ``sae_lens.synthetic``.

A world states the *overall* firing rate of every feature and who is whose parent; the rates that SAELens'
generator needs before gating follow from them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from sae_lens.synthetic import ActivationGenerator, FeatureDictionary, HierarchyNode, hierarchy_modifier
from torch import Tensor

D_IN = 50
"""Dimensions of the toy residual stream (paper section 3)."""


@dataclass(frozen=True)
class World:
    """Features, how often each fires, and their hierarchy.

    Raises:
        ValueError: lengths that differ, a parent that does not come before its child, or rates that cannot be.
    """

    rates: tuple[float, ...]
    """Overall firing rate of each feature, after the hierarchy has had its say."""
    parents: tuple[int | None, ...]
    """Index of each feature's parent, None for a root; a parent comes before its children."""
    p_parent: float = 1.0
    """P(parent fires | child fires), for every pair; 1 is the paper's hierarchy."""
    magnitudes: tuple[float, ...] = ()
    """Mean activation of each feature when it fires; empty: 1 each."""
    spread: tuple[float, ...] = ()
    """Standard deviation of each feature's activation; empty: 0 each."""
    d_in: int = D_IN
    seed: int = 0
    """Seed of the feature directions."""

    def __post_init__(self) -> None:
        for name in ("magnitudes", "spread"):
            if not getattr(self, name):
                object.__setattr__(self, name, (1.0 if name == "magnitudes" else 0.0,) * len(self.rates))
        lengths = {len(self.rates), len(self.parents), len(self.magnitudes), len(self.spread)}
        if len(lengths) != 1 or len(self.rates) > self.d_in:
            raise ValueError(
                f"world of {len(self.rates)} rates, {len(self.parents)} parents, "
                f"{len(self.magnitudes)} magnitudes in {self.d_in} dimensions; "
                "allowed: one of each per feature, and at most d_in features."
            )
        for child, parent in self.pairs:
            self._check_pair(child, parent)

    def _check_pair(self, child: int, parent: int) -> None:
        if not 0 <= parent < child:
            raise ValueError(f"parents[{child}] is {parent}; allowed: None or a feature before {child}.")
        base, leak = self.gate(child, parent)
        if not (0 <= leak <= 1 and 0 < base <= 1):
            raise ValueError(
                f"feature {child} fires at rate {self.rates[child]:g} with parent {parent} at "
                f"{self.rates[parent]:g} and P(parent | child) = {self.p_parent:g}; allowed: P from the "
                "parent's rate to 1, and a child no more frequent than that leaves room for."
            )

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.rates)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(child, parent) of every feature that has a parent."""
        return [(child, parent) for child, parent in enumerate(self.parents) if parent is not None]

    @property
    def true_l0(self) -> float:
        """Mean number of features that fire at once."""
        return sum(self.rates)

    def ancestors(self, feature: int) -> list[int]:
        """The feature's parent, its parent's parent, and so on."""
        parent = self.parents[feature]
        return [] if parent is None else [parent, *self.ancestors(parent)]

    def descendants(self, feature: int) -> list[int]:
        """All features below a feature."""
        return [other for other in range(self.n_features) if feature in self.ancestors(other)]

    def gate(self, child: int, parent: int) -> tuple[float, float]:
        """Rate of the child before gating, and the share of it that passes while the parent is silent.

        Both rates stay as stated: P(child) = base (P(parent) + (1 - P(parent)) leak), and Bayes gives leak.
        """
        above = self.rates[parent]
        leak = above * (1 - self.p_parent) / (self.p_parent * (1 - above)) if above < 1 else 0.0
        return self.rates[child] * self.p_parent / above, leak

    @cached_property
    def directions(self) -> Float[Tensor, "feature d_in"]:
        """Orthonormal feature directions (exactly orthogonal, as the paper's are)."""
        return self.dictionary().feature_vectors.detach()

    def dictionary(self) -> FeatureDictionary:
        """SAELens' map from feature activations to the toy residual stream."""
        return FeatureDictionary(self.n_features, self.d_in, initializer=_orthonormal, seed=self.seed)

    def generator(self) -> ActivationGenerator:
        """SAELens' source of feature activations; it draws from torch's global random state."""
        before = list(self.rates)
        for child, parent in self.pairs:
            before[child] = self.gate(child, parent)[0]
        return ActivationGenerator(
            self.n_features,
            firing_probabilities=torch.tensor(before),
            mean_firing_magnitudes=torch.tensor(self.magnitudes),
            std_firing_magnitudes=torch.tensor(self.spread),
            modify_activations=self._modifier(),
        )

    def sample(self, n: int, seed: int) -> Float[Tensor, "sample feature"]:
        """Feature activations of ``n`` samples; the global random state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.generator().sample(n)

    def pattern(self, *features: int, **magnitudes: float) -> Float[Tensor, " feature"]:
        """One sample with only these features on; ``f0=0.75`` sets feature 0's activation."""
        row = torch.zeros(self.n_features)
        for feature in features:
            row[feature] = magnitudes.get(f"f{feature}", self.magnitudes[feature])
        return row

    def inputs(self) -> dict[str, Any]:
        """Everything that defines the world, as JSON values (a cache key's part)."""
        return asdict(self)

    def _modifier(self):
        if not self.pairs:
            return None
        if self.p_parent == 1:
            return hierarchy_modifier(self._trees())
        return self._leaky_gate()

    def _trees(self) -> list[HierarchyNode]:
        nodes = [HierarchyNode(feature_index=feature, children=[]) for feature in range(self.n_features)]
        for child, parent in self.pairs:
            nodes[parent].children = [*nodes[parent].children, nodes[child]]
        return [node for node, parent in zip(nodes, self.parents, strict=True) if parent is None]

    def _leaky_gate(self):
        # What SAELens' hierarchy lacks: a child that sometimes fires without its parent.
        gates = [(child, parent, self.gate(child, parent)[1]) for child, parent in self.pairs]

        def modify(acts: Tensor) -> Tensor:
            acts = acts.clone()
            for child, parent, leak in gates:  # parents come first, so a silenced parent silences below
                passes = (acts[:, parent] > 0) | (torch.rand(len(acts)) < leak)
                acts[:, child] *= passes
            return acts

        return modify


def _orthonormal(dictionary: FeatureDictionary) -> None:
    with torch.no_grad():
        basis, _ = torch.linalg.qr(dictionary.feature_vectors.T)
        dictionary.feature_vectors.copy_(basis.T)


def four_features(
    *, hierarchy: bool, p_parent: float = 1.0, p_child: float = 0.05, parent_spread: float = 0.0
) -> World:
    """The paper's world (section 3): f0 fires at .25 and three others at .05; f1 may be f0's child.

    Args:
        hierarchy: f1 needs f0 (up to ``p_parent``); else all four are independent.
        p_parent: P(f0 | f1).
        p_child: overall rate of f1.
        parent_spread: standard deviation of f0's activation (paper, appendices A.2-A.6).
    """
    return World(
        rates=(0.25, p_child, 0.05, 0.05),
        parents=(None, 0 if hierarchy else None, None, None),
        p_parent=p_parent,
        spread=(parent_spread, 0.0, 0.0, 0.0),
    )
