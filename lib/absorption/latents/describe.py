"""What the main latents of a split letter tell apart: case, leading space, length, and the words
themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from absorption.latents.main import MainLatents
from absorption.probes.l1 import to_scipy

TOP_WORDS = 8


def describe_main(csr: Tensor, words: pd.DataFrame, main: MainLatents) -> pd.DataFrame:
    """One row a main latent: which words it is on for.

    Args:
        csr: sparse CSR matrix ``word latent`` of the words' activations.
        words: their table, with ``word, letter, upper, leading_space, n_letters``.
        main: main latents by letter.

    Returns:
        ``letter, rank, latent, n_on, share_letter`` (of the words it is on for, those of the letter),
        ``recall`` (of the letter's words, those it is on for), ``share_upper, share_space, mean_letters``
        (over the letter's words it is on for) and the letter's own ``letter_upper, letter_space,
        letter_letters`` to compare with, ``top``.
    """
    columns = to_scipy(csr).tocsc()
    rows = [
        {"letter": letter, "rank": rank, "latent": latent}
        | _describe(np.asarray(columns[:, [latent]].todense())[:, 0], words, letter)
        for letter, latents in main.items()
        for rank, latent in enumerate(latents, start=1)
    ]
    return pd.DataFrame(rows)


def _describe(acts: np.ndarray, words: pd.DataFrame, letter: str) -> dict[str, float | str]:
    is_letter = (words["letter"] == letter).to_numpy()
    on, mine = acts > 0, words[is_letter]
    hits = words[on & is_letter]
    best = torch.from_numpy(acts).topk(min(TOP_WORDS, int(on.sum()))).indices.numpy()
    shares = [("upper", "upper"), ("space", "leading_space"), ("letters", "n_letters")]
    values: dict[str, float | str] = {
        "n_on": int(on.sum()),
        "share_letter": len(hits) / max(int(on.sum()), 1),
        "recall": len(hits) / max(len(mine), 1),
    }
    for name, column in shares:
        values["mean_letters" if name == "letters" else f"share_{name}"] = float(hits[column].mean())
        values[f"letter_{name}"] = float(mine[column].mean())
    return values | {"top": ", ".join(dict.fromkeys(words["word"].iloc[best].str.strip()))}


def split_contrast(described: pd.DataFrame) -> pd.DataFrame:
    """How far apart the first two main latents of each split letter are.

    Args:
        described: from ``describe_main``.

    Returns:
        ``letter, first, second, upper, space, letters, first_top, second_top``: the differences (second minus
        first) in the share of capitals, of leading spaces, and in mean length.
    """
    rows = []
    for letter, mine in described.groupby("letter"):
        if len(mine) < 2:
            continue
        one, two = mine.sort_values("rank").iloc[0], mine.sort_values("rank").iloc[1]
        apart = [float(two[n] - one[n]) for n in ("share_upper", "share_space", "mean_letters")]
        rows.append((letter, int(one["latent"]), int(two["latent"]), *apart, one["top"], two["top"]))
    names = ["letter", "first", "second", "upper", "space", "letters", "first_top", "second_top"]
    return pd.DataFrame(rows, columns=names)
