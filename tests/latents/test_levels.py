"""The best level of a latent, by hand and against scikit-learn's precision-recall curve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_recall_curve

from absorption.latents.levels import best_f1_levels
from absorption.latents.sparse import ACTIVE


def test_a_leaking_latent_is_best_on_above_its_leak_and_a_clean_one_above_zero() -> None:
    """Three words of the letter, four others."""
    truth = torch.tensor([True] * 3 + [False] * 4)[:, None].expand(-1, 4)
    leaks = [0.9, 0.8, 0.0, 0.3, 0.2, 0.3, 0.0]  # above 0: F1 4/8; above .3: 4/5
    clean = [0.9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0]  # above 0: F1 4/5; above .1: 2/4
    never = [0.0] * 7
    tied = [0.5, 0.0, 0.0, 0.2, 0.2, 0.0, 0.0]  # above 0: F1 2/6; above .2: 2/4
    acts = torch.tensor([leaks, clean, never, tied]).T
    assert best_f1_levels(acts, truth).tolist() == pytest.approx([0.3, ACTIVE, ACTIVE, 0.2])


def test_of_equal_levels_the_lowest_is_taken() -> None:
    acts = torch.tensor(
        [[0.9], [0.4], [0.5], [0.0]]
    )  # F1 above 0 and above .4 (of words 0 and 2): 2/4 and 2/3
    truth = torch.tensor([[True], [False], [False], [False]])
    assert best_f1_levels(acts, truth).tolist() == pytest.approx([0.5])
    both = torch.tensor([[True], [True], [False], [True]])  # above 0: 4/6; above .4: 2/5; above .5: 2/4
    assert best_f1_levels(acts, both).tolist() == pytest.approx([ACTIVE])
    equal = torch.tensor([[True], [False], [True], [True]])  # above 0: 4/6; above .4: 4/5; above .5: 2/4
    assert best_f1_levels(acts, equal).tolist() == pytest.approx([0.4])
    level = torch.tensor(
        [[0.9], [0.4], [0.4], [0.4]]
    )  # above 0: 2 * 2/(4 + 2); above .4: 2/(1 + 2), the same
    pair = torch.tensor([[True], [True], [False], [False]])
    assert best_f1_levels(level, pair).tolist() == pytest.approx([ACTIVE])


def test_no_threshold_of_scikit_learn_s_curve_does_better() -> None:
    draw = np.random.default_rng(0)
    truth = draw.random((200, 5)) < 0.2
    acts = np.maximum(draw.normal(truth * 0.8, 0.5), 0).astype(np.float32)
    levels = best_f1_levels(torch.from_numpy(acts), torch.from_numpy(truth)).numpy()
    for mine, own, level in zip(acts.T, truth.T, levels, strict=True):
        precision, recall, _ = precision_recall_curve(own, mine)
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
        assert f1_score(own, mine > level) == pytest.approx(best)
