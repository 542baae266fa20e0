"""The letters' latents under both splits, on an SAE whose latents are set word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from absorption.chapters.recall_gap.by_split import f1_by_split, splits_in_words
from absorption.models.hooks import Site
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import LETTERS, SPLITS, split_words, stems

N_STEMS, SEED = 5, 3
WORDS = pd.DataFrame(
    [(space + f"{a}{n}", a) for a in LETTERS for n in range(N_STEMS) for space in (" ", "")],
    columns=["word", "letter"],
)
"""Five stems a letter, each with and without a space."""
TEST = {split: (split_words(WORDS, SEED, by=split) == "test").to_numpy() for split in SPLITS}
HALF, BY_HEART = "b", "d"
"""B's latent is on for words with a space only; D has one that is on for the training words of each split."""
LEARNT = {"word": 26, "stem": 27}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))


def sae() -> LoadedSae:
    """A word's activation is a dimension of its own, so that each encoder column says where its latent is on."""
    on = torch.zeros(len(WORDS), 28)
    letters, spaced = WORDS["letter"].to_numpy(), WORDS["word"].str.startswith(" ").to_numpy()
    for number, letter in enumerate(LETTERS):
        on[torch.from_numpy((letters == letter) & (spaced | (letter != HALF))), number] = 1.0
    on[:, LETTERS.index(BY_HEART)] = 0.0
    for split, latent in LEARNT.items():
        on[torch.from_numpy((letters == BY_HEART) & ~TEST[split]), latent] = 1.0
    made = StandardSAE(StandardSAEConfig(d_in=len(WORDS), d_sae=28))
    with torch.no_grad():
        made.W_enc.copy_(on)
        made.W_dec.copy_(on.T)
        made.b_enc.zero_()
        made.b_dec.zero_()
    return LoadedSae("by-hand", made.requires_grad_(False), Site(1))


def found() -> Any:
    table = f1_by_split(sae(), WORDS, torch.eye(len(WORDS)), selection="best F1", seed=SEED)
    return table.set_index(["split", "letter"])


def test_each_split_scores_its_own_test_words_with_the_latent_chosen_on_its_own_training_words() -> None:
    table = found()
    for split in SPLITS:
        assert table.loc[(split, "a"), ["latent", "value"]].tolist() == [0, 1]
        # A latent that knows the training words by heart is chosen, and on for no test word.
        assert table.loc[(split, BY_HEART), ["latent", "value"]].tolist() == [LEARNT[split], 0]
        tested = WORDS[TEST[split] & (WORDS["letter"] == HALF)]
        hits = int(tested["word"].str.startswith(" ").sum())
        expected = 2 * hits / (hits + len(tested))  # no word of another letter
        assert table.loc[(split, HALF), "value"] == pytest.approx(expected)
        assert table.loc[(split, "mean"), "value"] == pytest.approx((24 + expected) / 26)
    assert table.loc[("stem", HALF), "value"] == pytest.approx(2 / 3)  # one variant of each stem


def test_a_word_and_its_variants_are_drawn_together() -> None:
    tested = stems(WORDS[TEST["stem"] & (WORDS["letter"] == HALF).to_numpy()])
    assert (tested.value_counts() == 2).all()
    row = found().loc[("stem", HALF)]
    # Half of the letter's words are found in every resample that has any of them.
    assert row["high"] == pytest.approx(2 / 3)
    assert row["low"] in (pytest.approx(0), pytest.approx(2 / 3))


def test_the_text_says_both_means_and_counts_letters_with_one_latent_and_with_intervals_apart() -> None:
    rows = [
        ("word", "a", 1, 0.9, 0.8, 1.0), ("word", "b", 2, 0.5, 0.4, 0.6), ("word", "c", 3, 0.5, 0.4, 0.6),
        ("word", "mean", -1, 0.633, 0.6, 0.65),
        ("stem", "a", 1, 0.6, 0.5, 0.7), ("stem", "b", 9, 0.7, 0.61, 0.8), ("stem", "c", 3, 0.5, 0.4, 0.6),
        ("stem", "mean", -1, 0.6, 0.55, 0.65),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["split", "letter", "latent", "value", "low", "high"])
    assert splits_in_words(table) == {
        "mean_by_word": "0.633 [0.600, 0.650]", "mean_by_stem": "0.600 [0.550, 0.650]",
        "n_letters": 3, "n_same": 2, "n_apart": 2,
    }  # fmt: skip


def test_an_unknown_selection_is_refused() -> None:
    with pytest.raises(ValueError, match=r"selection is 'largest'; allowed: 'encoder cosine'"):
        f1_by_split(sae(), WORDS, torch.eye(len(WORDS)), selection="largest")
