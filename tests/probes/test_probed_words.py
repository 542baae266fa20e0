"""Words under each kind of probe: fitted on training words only, kept on disk under a key of everything."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from absorption.probes import words as module
from absorption.probes.fit import ProbeSet, fit_probes, one_hot
from absorption.probes.means import difference_in_means, pattern
from absorption.probes.reference import fit_reference
from absorption.probes.words import PROBES, REFERENCE, ProbedWords, probe_words, probes_of
from absorption.spelling.vocab import LETTERS


def words_with_acts(n_each: int = 10) -> tuple[pd.DataFrame, Tensor]:
    """Ten words a letter whose activations are their letter's dimension and noise."""
    letters = np.repeat(LETTERS, n_each)
    words = pd.DataFrame({"word": [f"{a}{n}" for n, a in enumerate(letters)], "letter": letters})
    noise = torch.randn(len(words), 30, generator=torch.Generator().manual_seed(0))
    return words, torch.nn.functional.pad(3.0 * one_hot(words).float(), (0, 4)) + 0.1 * noise


def test_one_hot_marks_the_first_letter() -> None:
    labels = one_hot(pd.DataFrame({"letter": ["b", "z", "a"]}))
    assert labels.nonzero().tolist() == [[0, 1], [1, 25], [2, 0]]


def test_probes_are_fitted_on_training_words_and_cached(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    words, acts = words_with_acts()
    found = probe_words(words, acts, seed=1)
    assert found.words["split"].value_counts().to_dict() == {"train": 208, "test": 52}
    assert (found.words.groupby("letter")["split"].apply(lambda s: (s == "test").sum()) == 2).all()
    train = torch.from_numpy(np.flatnonzero(found.words["split"] == "train"))
    expected = fit_probes(acts[train], one_hot(words)[train])
    torch.testing.assert_close(found.probes.weights, expected.weights)
    assert found.right[found.test].mean() > 0.95
    monkeypatch.setattr(module, "fit_probes", None)  # the second call reads the cache
    again = probe_words(words, acts, seed=1)
    assert torch.equal(again.probes.weights, found.probes.weights)
    with pytest.raises(TypeError):
        probe_words(words, acts, seed=2)


def test_a_word_is_right_if_its_own_probe_says_yes_whatever_the_others_say() -> None:
    words = pd.DataFrame({"word": ["a", "b", "c"], "letter": ["a", "b", "c"], "split": "test"})
    weights = torch.zeros(26, 2)
    weights[0, 0] = weights[1, 0] = 1.0  # the probes of a and of b say yes where dimension 0 is positive
    acts = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    probed = ProbedWords(words, acts, ProbeSet(weights, torch.zeros(26)))
    assert probed.right.tolist() == [True, False, False]
    assert probed.test.tolist() == [0, 1, 2]


def test_each_kind_of_probe_is_its_own_fit_on_the_training_words(own_cache: None) -> None:
    words, acts = words_with_acts()
    probed = probe_words(words, acts, seed=1)
    train = torch.from_numpy(np.flatnonzero(probed.words["split"] == "train"))
    mine, labels = acts[train], one_hot(words)[train]
    converged = fit_probes(mine, labels)
    wanted = {
        "reference": fit_reference(mine, labels, seed=1),
        "converged": converged,
        "difference in means": difference_in_means(mine, labels),
        "pattern": pattern(mine, labels, converged),
    }
    assert tuple(wanted) == PROBES
    for probe, expected in wanted.items():
        found = probed.under(probe)
        assert found.probe == probe
        torch.testing.assert_close(found.probes.weights, expected.weights)
        torch.testing.assert_close(found.probes.biases, expected.biases)
        straight = probe_words(words, acts, seed=1, probe=probe)
        assert torch.equal(straight.probes.weights, found.probes.weights)
        assert straight.words.equals(probed.words)


def test_activations_of_test_words_do_not_move_any_probe(own_cache: None) -> None:
    words, acts = words_with_acts()
    probed = probe_words(words, acts, seed=1)
    other = acts.clone()
    other[probed.test] += 100.0
    for probe in PROBES:
        found = probe_words(words, other, seed=1, probe=probe)
        assert torch.equal(found.probes.weights, probed.under(probe).probes.weights)


def test_which_words_are_right_follows_the_probe() -> None:
    words = pd.DataFrame({"word": ["a", "b"], "letter": ["a", "b"], "split": ["test", "train"]})
    acts = torch.tensor([[1.0], [1.0]])
    weights = torch.zeros(26, 1)
    weights[0] = 1.0
    probed = ProbedWords(words, acts, ProbeSet(weights, torch.zeros(26)))
    changed = ProbedWords(words, acts, ProbeSet(weights, torch.full((26,), -2.0)), "pattern")
    assert probed.right.tolist() == [True, False]
    assert changed.right.tolist() == [False, False]
    assert probed.under("converged") is probed


def test_the_cache_tells_kinds_and_seeds_of_the_reference_apart(own_cache: None) -> None:
    words, acts = words_with_acts()
    labels = one_hot(words)
    assert not torch.equal(
        probes_of(REFERENCE, acts, labels, seed=1).weights, probes_of(REFERENCE, acts, labels, seed=2).weights
    )
    kinds = [probes_of(probe, acts, labels).weights for probe in PROBES]
    for i, one in enumerate(kinds):
        assert not any(torch.equal(one, other) for other in kinds[:i])
    moved = labels.roll(1, 0)
    assert not torch.equal(
        probes_of("difference in means", acts, moved).weights, kinds[PROBES.index("difference in means")]
    )


def test_an_unknown_probe_is_named_with_what_is_allowed() -> None:
    words, acts = words_with_acts()
    with pytest.raises(ValueError, match="probe is 'linear'; allowed: 'reference', 'converged'"):
        probes_of("linear", acts, one_hot(words))
