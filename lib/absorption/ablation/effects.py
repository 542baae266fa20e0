"""Exact effects on the answer: of single latents, of sets of latents, of directions.

An effect is the metric after the change minus the metric before: negative where the latent helped the right
answer. The SAE's error is always kept, so removing a latent subtracts its activation times its decoder row
from the residual stream, and inserting the SAE alone changes nothing (paper, section 4.2).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.ablation.engine import AblationEngine, RemovalEngine, StateEngine
from absorption.ablation.word_latent_pairs import WordLatentPairs, active_pairs
from absorption.base import cache, seals, timing

VERSION = 1
COLUMNS = ["word", "letter", "latent", "activation", "metric", "effect"]
CHUNK = 4096
"""Rows whose states are held at once."""


def clean_metrics(engine: StateEngine | RemovalEngine, words: Int[Tensor, " word"]) -> Float[Tensor, " word"]:
    """The metric with nothing changed."""
    return engine.metrics(words, engine.states(words))


def all_effects(
    engine: RemovalEngine, csr: Tensor, words: Int[Tensor, " word"], *, progress: bool = True
) -> pd.DataFrame:
    """Effect of removing each active latent of each word: one exact pass a row.

    Args:
        engine: the ablation engine.
        csr: sparse CSR matrix ``word latent`` of activations, a row for each prompt.
        words: positions in the prompts' table, each once.
        progress: show a bar over rows.

    Returns:
        ``word, letter, latent, activation, metric, effect``; ``metric`` is the word's own, unchanged.
    """
    rows = active_pairs(csr, words)
    metrics = clean_metrics(engine, words)
    before = metrics[rows.places_in(words)]
    return effect_table(engine, rows, before, removal_effects(engine, rows, before, progress=progress))


def stored_effects(
    engine: AblationEngine, csr: Tensor, words: Int[Tensor, " word"], *, progress: bool = True
) -> pd.DataFrame:
    """``all_effects``, kept on disk: words whose effects were computed before are not ablated again."""
    path = _path(engine, csr)
    known = _read(path)
    missing = words[~torch.isin(words, torch.tensor(known["word"].unique().tolist(), dtype=torch.long))]
    if len(missing):
        with timing.stage("effects"):
            fresh = all_effects(engine, csr, missing, progress=progress)
        known = pd.concat([known, fresh], ignore_index=True) if len(known) else fresh
        with cache.atomic_path(path) as temporary:
            seals.write_table(temporary, path.stem, known)
    mine = known[known["word"].isin(words.tolist())]
    return mine.sort_values(["word", "latent"], ignore_index=True)


def kept_effects(engine: AblationEngine, csr: Tensor) -> pd.DataFrame:
    """What ``stored_effects`` has kept so far of this engine and these activations; perhaps nothing."""
    return _read(_path(engine, csr))


def _path(engine: AblationEngine, csr: Tensor) -> Path:
    inputs = {
        "model": engine.model.identity, "dtype": str(engine.model.dtype), "sae": engine.sae.identity,
        "site": engine.sae.hook_name, "prefixes": cache.array_hash(engine.prompts.prefixes.numpy()),
        "prompts": cache.array_hash(torch.stack([engine.prompts.word_ids, engine.prompts.example_set]).numpy()),
        "question": cache.array_hash(torch.cat([engine.prompts.suffix, engine.prompts.answer_ids]).numpy()),
        "letters": cache.array_hash(engine.prompts.letters.numpy()),
        "latent_acts": cache.csr_hash(csr), "mode": engine.mode, "version": VERSION,
    }  # fmt: skip
    return cache.root() / "effects" / f"{cache.key_of(inputs)}.parquet"


def _read(path: Path) -> pd.DataFrame:
    try:
        return seals.read_table(path, path.stem)
    except (OSError, ValueError):  # not there, damaged, or another key's: computed anew
        return pd.DataFrame({name: [] for name in COLUMNS}).astype({"word": int, "latent": int})


def effect_table(
    engine: RemovalEngine,
    rows: WordLatentPairs,
    metrics: Float[Tensor, " row"],
    effects: Float[Tensor, " row"],
) -> pd.DataFrame:
    """The tidy table of effects: ``word, letter, latent, activation, metric, effect``."""
    return pd.DataFrame(
        {
            "word": rows.words.numpy(),
            "letter": [engine.prompts.names[i] for i in engine.prompts.letters[rows.words].tolist()],
            "latent": rows.latents.numpy(),
            "activation": rows.activations.numpy(),
            "metric": metrics.numpy(),
            "effect": effects.numpy(),
        }
    )


def removal_effects(
    engine: RemovalEngine,
    rows: WordLatentPairs,
    before: Float[Tensor, " row"],
    *,
    spare: Float[Tensor, "row d_model"] | None = None,
    progress: bool = False,
) -> Float[Tensor, " row"]:
    """Effect of removing each row's latent from its word.

    Args:
        engine: the ablation engine.
        rows: words and latents; not only active ones make sense, but an inactive one has no effect.
        before: each row's metric with nothing changed.
        spare: unit directions that stay: the latent's decoder row is removed without its part along them
            (the control of the paper's appendix A.11).
        progress: show a bar over rows.
    """
    parts = []
    with tqdm(total=len(rows), desc="Ablations", unit="pass", disable=not progress) as bar:
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            removed = some.contributions(engine.sae)
            if spare is not None:
                removed = reject(removed, spare[start : start + CHUNK])
            parts.append(engine.metrics(some.words, engine.states(some.words) - removed))
            bar.update(len(some))
    return torch.cat(parts) - before if parts else before.clone()


def set_effects(
    engine: AblationEngine,
    rows: WordLatentPairs,
    group: Int[Tensor, " row"],
    words: Int[Tensor, " group"],
) -> Float[Tensor, " group"]:
    """Effect of removing several latents of a word together.

    Args:
        engine: the ablation engine.
        rows: words and latents.
        group: which set each row belongs to, ``0`` to ``len(words) - 1``.
        words: each set's word; the rows of a set must be of this word. A set may be empty (no effect).

    Raises:
        ValueError: a row's word is not its set's.
    """
    if not torch.equal(words[group], rows.words):
        raise ValueError("every row must be of its set's word.")
    removed = torch.zeros(len(words), engine.model.d_model)
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        removed.index_add_(0, group[part], rows[part].contributions(engine.sae))
    return shift_effects(engine, words, removed)


def shift_effects(
    engine: StateEngine, words: Int[Tensor, " row"], removed: Float[Tensor, "row d_model"]
) -> Float[Tensor, " row"]:
    """Effect of subtracting a vector from each word's residual stream."""
    states = engine.states(words)
    return engine.metrics(words, states - removed) - engine.metrics(words, states)


def direction_effects(
    engine: StateEngine,
    words: Int[Tensor, " row"],
    directions: Float[Tensor, "row d_model"],
    *,
    centre: Float[Tensor, " d_model"] | None = None,
) -> Float[Tensor, " row"]:
    """Effect of projecting a unit direction out of each word's residual stream.

    Args:
        engine: the ablation engine.
        words: positions in the prompts' table.
        directions: unit vectors, one a row.
        centre: the state whose component along the direction takes the word's place (the mean over words,
            say); default zero.
    """
    states = engine.states(words)
    away = states if centre is None else states - centre
    removed = (away * directions).sum(dim=1, keepdim=True) * directions
    return engine.metrics(words, states - removed) - engine.metrics(words, states)


def patch_effects(
    engine: StateEngine, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
) -> Float[Tensor, " row"]:
    """Effect of putting other states (another word's, or the mean's) in the place of each word's own."""
    return engine.metrics(words, states) - clean_metrics(engine, words)


def reject(vectors: Float[Tensor, "row d"], directions: Float[Tensor, "row d"]) -> Float[Tensor, "row d"]:
    """The vectors without their part along unit directions."""
    return vectors - (vectors * directions).sum(dim=1, keepdim=True) * directions
