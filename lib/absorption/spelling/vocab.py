"""Words and letters: the single-token words of a tokenizer, and the stratified train/test split.

The vocabulary is the paper's (section 4): every token of the letters a-z or A-Z with an optional leading
space. Both forms count as separate tokens.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from transformers import PreTrainedTokenizerBase

LETTERS = tuple(string.ascii_lowercase)
MIN_WORDS_PER_LETTER = 10
MIN_SAMPLED_PER_LETTER = 5
TEST_SHARE = 0.2
"""Of the words, those that everything is scored on (paper, section 4)."""
BY_WORD, BY_STEM = SPLITS = ("word", "stem")
"""What is kept whole when words are split into training and test words."""
_WORD = re.compile(r"^ ?[A-Za-z]+$")


def load_vocab(
    tokenizer: PreTrainedTokenizerBase, *, leading_space_only: bool = False, min_letters: int = 1
) -> pd.DataFrame:
    """One row a word: ``token_id, word, letter, leading_space, n_letters, upper``.

    Args:
        tokenizer: any Hugging Face tokenizer; a word is what its token decodes to.
        leading_space_only: keep only words with a leading space.
        min_letters: shortest word, in letters.

    Returns:
        Rows in order of token id, which is roughly from common to rare in a byte-pair vocabulary.

    Raises:
        ValueError: fewer than ten words for some letter, so that no probe could be trained.
    """
    ids = sorted(set(tokenizer.get_vocab().values()))
    special = set(tokenizer.all_special_ids)
    texts = _decode_each(tokenizer, ids)
    rows = [
        (token_id, text)
        for token_id, text in zip(ids, texts, strict=True)
        if token_id not in special and _WORD.match(text)
    ]
    table = pd.DataFrame(rows, columns=["token_id", "word"]).drop_duplicates("word", ignore_index=True)
    bare = table["word"].str.removeprefix(" ")
    table["letter"] = bare.str[:1].str.lower()
    table["leading_space"] = table["word"].str.startswith(" ")
    table["n_letters"] = bare.str.len()
    table["upper"] = bare.str[:1].str.isupper()
    keep = (table["n_letters"] >= min_letters) & (table["leading_space"] | (not leading_space_only))
    table = table[keep].reset_index(drop=True)
    counts = table["letter"].value_counts().reindex(LETTERS, fill_value=0)
    if (counts < MIN_WORDS_PER_LETTER).any():
        short = ", ".join(f"{letter} ({n})" for letter, n in counts.items() if n < MIN_WORDS_PER_LETTER)
        raise ValueError(
            f"The tokenizer has {len(table):,} single-token words; at least {MIN_WORDS_PER_LETTER} "
            f"for every letter are needed. Too few: {short}."
        )
    return table


def _decode_each(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[str]:
    """Text of every token, with its leading space.

    SentencePiece tokenizers drop the space of the first piece, so each token is decoded behind an anchor.
    """
    anchor = tokenizer("a", add_special_tokens=False)["input_ids"][-1:]
    prefix = str(tokenizer.decode(anchor))
    decoded = tokenizer.batch_decode([[*anchor, token_id] for token_id in ids])
    return [text.removeprefix(prefix) for text in map(str, decoded)]


def sample_words(table: pd.DataFrame, n_words: int, seed: int) -> pd.DataFrame:
    """About ``n_words`` rows, drawn by letter in proportion, but at least five a letter where it has them, so
    that a stratified split stays possible (all rows when ``n_words`` is 0 or not fewer than there are)."""
    if n_words <= 0 or n_words >= len(table):
        return table
    generator = np.random.default_rng(seed)
    kept = []
    for rows in table.groupby("letter").indices.values():
        wanted = max(MIN_SAMPLED_PER_LETTER, round(n_words * len(rows) / len(table)))
        kept.append(generator.permutation(rows)[:wanted])
    return table.iloc[np.sort(np.concatenate(kept))].reset_index(drop=True)


def pick_words(table: pd.DataFrame, words: Sequence[str]) -> pd.DataFrame:
    """The rows of some words, in the table's order.

    Args:
        table: from ``load_vocab``.
        words: as the tokenizer has them, ``" short"`` with its leading space.

    Raises:
        ValueError: a word that is not a single token, or too few words of some letter to be split in two.
    """
    picked = table[table["word"].isin(set(words))].reset_index(drop=True)
    if missing := sorted(set(words) - set(picked["word"])):
        raise ValueError(
            f"words has {missing[0]!r}, which is not one token of letters ({len(missing)} such words); "
            "allowed: single tokens, most of which begin with a space."
        )
    counts = picked["letter"].value_counts().reindex(LETTERS, fill_value=0)
    if (counts < MIN_SAMPLED_PER_LETTER).any():
        short = ", ".join(f"{letter} ({n})" for letter, n in counts.items() if n < MIN_SAMPLED_PER_LETTER)
        raise ValueError(
            f"words has too few words of {short}; allowed: at least {MIN_SAMPLED_PER_LETTER} of every letter."
        )
    return picked


def stems(table: pd.DataFrame) -> pd.Series:
    """What a word has in common with its variants: its letters in lower case, without the space."""
    return table["word"].str.strip().str.lower().rename("stem")


def split_words(
    table: pd.DataFrame, seed: int, test_share: float = TEST_SHARE, by: str = BY_WORD
) -> pd.Series:
    """``train`` or ``test`` for each word, 80/20 and stratified by letter.

    Args:
        table: the words, with ``word`` and ``letter``.
        seed: of the split.
        test_share: share of the words, or of the stems.
        by: ``word``: each on its own (paper, section 4); ``stem``: all case and space variants of a word fall
            on the same side, so that no test word has a variant among the training words.

    Raises:
        ValueError: ``by`` is neither, or a letter has a single stem.
    """
    if by not in SPLITS:
        raise ValueError(f"split is {by!r}; allowed: {', '.join(map(repr, SPLITS))}.")
    units = table.assign(stem=stems(table)) if by == BY_STEM else table
    units = units.drop_duplicates("stem") if by == BY_STEM else units
    alone = [letter for letter, n in units["letter"].value_counts().items() if n < 2]
    if by == BY_STEM and alone:
        raise ValueError(f"split is 'stem', but all words of {', '.join(map(str, alone))} have one stem.")
    train, _ = train_test_split(
        units.index, test_size=test_share, stratify=units["letter"], random_state=seed
    )
    split = pd.Series("test", index=table.index, name="split")
    split[stems(table).isin(units.loc[train, "stem"]) if by == BY_STEM else train] = "train"
    return split


def variant_share(words: pd.DataFrame) -> float:
    """Share of the test words that have a case or space variant among the training words."""
    test = words["split"] == "test"
    mine = stems(words)
    return float(mine[test].isin(mine[~test]).mean())
