"""The planted worlds fire as they say they do."""

import pytest
import torch

from absorption.toy.worlds import World, four_features

N = 200_000


def rates(world: World) -> tuple[torch.Tensor, torch.Tensor]:
    on = world.sample(N, seed=1) > 0
    return on, on.double().mean(dim=0)


def test_directions_are_orthonormal() -> None:
    directions = four_features(hierarchy=False).directions
    assert torch.allclose(directions @ directions.T, torch.eye(4), atol=1e-5)


@pytest.mark.parametrize("p_parent", [0.25, 0.6, 0.95, 1.0])
def test_rates_stay_as_stated_whatever_the_co_occurrence(p_parent: float) -> None:
    world = four_features(hierarchy=True, p_parent=p_parent)
    on, measured = rates(world)
    assert torch.allclose(measured, torch.tensor(world.rates).double(), atol=0.004)
    given_child = on[on[:, 1]][:, 0].double().mean()
    assert abs(float(given_child) - p_parent) < 0.015


def test_without_a_hierarchy_the_child_ignores_the_parent() -> None:
    on, measured = rates(four_features(hierarchy=False))
    assert abs(float(on[on[:, 1]][:, 0].double().mean()) - 0.25) < 0.015
    assert abs(float(measured[1]) - 0.05) < 0.003


def test_a_chain_keeps_every_rate_and_never_skips_a_floor() -> None:
    world = World(rates=(0.4, 0.2, 0.1, 0.05), parents=(None, 0, 1, 2))
    on, measured = rates(world)
    assert torch.allclose(measured, torch.tensor(world.rates).double(), atol=0.004)
    for feature in (1, 2, 3):
        assert not (on[:, feature] & ~on[:, feature - 1]).any()
    assert world.ancestors(3) == [2, 1, 0]
    assert world.descendants(1) == [2, 3]


def test_a_parent_silenced_by_its_own_parent_leaves_its_child_to_the_leak() -> None:
    world = World(rates=(0.4, 0.2, 0.1), parents=(None, 0, 1), p_parent=0.9)
    on, measured = rates(world)
    assert torch.allclose(measured, torch.tensor(world.rates).double(), atol=0.005)
    assert abs(float(on[on[:, 2]][:, 1].double().mean()) - 0.9) < 0.01


def test_magnitudes_vary_only_where_told() -> None:
    acts = four_features(hierarchy=True, parent_spread=0.1).sample(N, seed=0)
    parent, child = acts[acts[:, 0] > 0][:, 0], acts[acts[:, 1] > 0][:, 1]
    assert abs(float(parent.mean()) - 1) < 0.005
    assert abs(float(parent.std()) - 0.1) < 0.005
    assert torch.equal(child, torch.ones_like(child))


def test_sampling_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    four_features(hierarchy=True).sample(10, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_patterns_switch_on_what_they_name() -> None:
    world = four_features(hierarchy=True)
    assert world.pattern(0, 1, f0=0.75).tolist() == [0.75, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("rates", "parents", "p_parent", "named"),
    [
        ((0.25, 0.05), (None,), 1.0, "1 parents"),
        ((0.25, 0.05), (None, 1), 1.0, r"parents\[1\] is 1"),
        ((0.25, 0.05), (1, None), 1.0, r"parents\[0\] is 1"),
        ((0.25, 0.5), (None, 0), 1.0, "rate 0.5"),  # more frequent than its parent
        ((0.25, 0.05), (None, 0), 0.1, "0.1"),  # rarer together than by chance
    ],
)
def test_impossible_worlds_are_refused(rates, parents, p_parent, named) -> None:
    with pytest.raises(ValueError, match=named):
        World(rates=rates, parents=parents, p_parent=p_parent)
