"""Windows of text: one BOS each, held-out documents that training never sees, and enough of both."""

import io
import itertools
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import torch
import zstandard
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from absorption.training.corpus import NOT_PROSE, Windows, masked, read_documents, token_windows

BOS, BREAK = 1, 2


def number_tokenizer() -> PreTrainedTokenizerFast:
    """One token a number, which is its id; a blank line is a token of its own."""
    vocabulary = {"<unk>": 0, "<bos>": BOS, "\n\n": BREAK} | {str(n): n for n in range(1000, 22_000)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", behavior="removed"),
            pre_tokenizers.Split("\n\n", behavior="isolated"),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", unk_token="<unk>")


def documents(n_documents: int, words_each: int = 9) -> list[str]:
    """Documents whose words occur nowhere else: document 3 says 1030, 1031 ... 1038."""
    return [" ".join(str(1000 + 10 * n + w) for w in range(words_each)) for n in range(n_documents)]


def cut(n_documents: int = 2000, seed: int = 0, n_train: int = 5000, n_held_out: int = 1000) -> Windows:
    return token_windows(
        number_tokenizer(),
        documents(n_documents),
        n_train=n_train,
        n_held_out=n_held_out,
        length=32,
        seed=seed,
    )


def test_every_window_starts_with_the_only_bos() -> None:
    windows = cut()
    for part in (windows.train, windows.held_out):
        assert (part[:, 0] == BOS).all()
        assert not (part[:, 1:] == BOS).any()


def test_there_are_as_many_tokens_as_asked_for_in_whole_windows() -> None:
    windows = cut(n_train=5000, n_held_out=1000)
    assert windows.train.shape == (-(-5000 // 31), 32)
    assert windows.held_out.shape == (-(-1000 // 31), 32)


def test_held_out_documents_are_not_trained_on() -> None:
    windows = cut()
    trained, held_out = (
        {int(token) // 10 for token in part.flatten() if token >= 1000}
        for part in (windows.train, windows.held_out)
    )
    assert len(trained) > 400
    assert len(held_out) > 80
    assert not trained & held_out


def test_text_keeps_its_order_within_a_document() -> None:
    tokens = cut().train[:, 1:].flatten().tolist()
    inside = [(a, b) for a, b in itertools.pairwise(tokens) if a >= 1000 and a % 10 < 8]
    assert len(inside) > 1000
    assert all(b == a + 1 for a, b in inside)


def test_documents_are_shuffled_by_the_seed_alone() -> None:
    first, same, other = cut(seed=0), cut(seed=0), cut(seed=1)
    assert first.train.equal(same.train)
    assert not first.train.equal(other.train)
    assert first.held_out[0, 1:].tolist() != [*list(range(1000, 1009)), BREAK]


def test_a_share_of_the_tokens_is_masked_but_never_a_bos_and_the_rest_stays() -> None:
    tokenizer = number_tokenizer()
    windows = torch.arange(100, 100 + 400 * 128).reshape(400, 128)
    found = masked(windows, tokenizer, 0.1)
    changed = found != windows
    assert found[changed].unique().tolist() == [tokenizer.unk_token_id]
    assert not changed[:, 0].any()
    assert float(changed[:, 1:].float().mean()) == pytest.approx(0.1, abs=0.005)
    assert torch.equal(found, masked(windows, tokenizer, 0.1))
    assert not torch.equal(found, masked(windows, tokenizer, 0.1, seed=1))


def test_a_mask_is_masked_with_the_mask_and_without_special_tokens_with_nothing() -> None:
    tokenizer = number_tokenizer()
    tokenizer.mask_token = "1000"
    windows = torch.full((8, 16), 77)
    assert masked(windows, tokenizer, 0.5).unique().tolist() == [77, tokenizer.mask_token_id]
    tokenizer.mask_token = tokenizer.unk_token = tokenizer.eos_token = None
    with pytest.raises(ValueError, match="no token for masks, for unknown words or for the end of a text"):
        masked(windows, tokenizer, 0.5)


def test_too_little_text_is_an_error_that_says_how_much_there_is() -> None:
    with pytest.raises(ValueError, match=r"5,000 were asked for. Lower n_tokens") as caught:
        cut(n_documents=300)
    assert "440 tokens" in str(caught.value)  # 300 documents of 10 tokens, 256 of them held out


def test_documents_are_distinct_prose_in_a_fixed_order(tmp_path: Path) -> None:
    tables = {
        "b.csv.zst": pd.DataFrame({"prompt": ["two", "one", "two"]}),
        "a.csv.zst": pd.DataFrame({"prompt": ["three", "one"]}),
        f"{NOT_PROSE[0]}.csv.zst": pd.DataFrame({"prompt": ["1 + 1"]}),
        "no-text.csv.zst": pd.DataFrame({"target": [0]}),
    }
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("readme.txt", "not a table")
        for name, table in tables.items():
            text = io.StringIO()
            table.to_csv(text, index=False)
            archive.writestr(f"data/{name}", zstandard.compress(text.getvalue().encode()))
    assert read_documents(wheel) == ["three", "one", "two"]


def test_few_held_out_tokens_are_the_first_of_many() -> None:
    few, many = cut(n_train=0, n_held_out=300), cut(n_train=5000, n_held_out=1000)
    assert len(few.train) == 0
    assert few.held_out.tolist() == many.held_out[: len(few.held_out)].tolist()


def test_a_tokenizer_without_bos_has_its_end_token_in_front() -> None:
    tokenizer = number_tokenizer()
    tokenizer.bos_token, tokenizer.eos_token = None, "\n\n"
    windows = token_windows(tokenizer, documents(200), n_train=0, n_held_out=100, length=32)
    assert set(windows.held_out[:, 0].tolist()) == {BREAK}
