"""Words that the probe gets and the letter's latent misses, and what is on instead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from absorption.latents.select import select_latents
from absorption.latents.sparse import ACTIVE, SparseActs
from absorption.probes import ProbedWords
from absorption.saes import LoadedSae


def missed_words(
    sae: LoadedSae,
    probed: ProbedWords,
    latent_acts: SparseActs,
    *,
    selection: str = "encoder cosine",
    top: int = 3,
) -> pd.DataFrame:
    """Test words that the probe gets and the letter's latent misses, with what is on instead.

    Returns:
        ``word, letter, latent, probe_logit``, ``carrier`` (the first of those that follow) and ``instead``: the
        active latents whose contribution
        (activation times decoder row) is largest along the probe direction, as ``latent (share)``, where
        share is of the word's own projection on the probe direction.
    """
    latents = select_latents(sae, probed, latent_acts)[selection]
    letters = probed.labels.float().argmax(dim=1)
    logits = probed.probes.logits(probed.acts)
    right = torch.from_numpy(probed.right)
    mine = latent_acts.dense(latents).gather(1, letters[:, None])[:, 0]
    missed = (right & (mine <= ACTIVE)).numpy()
    rows = np.intersect1d(probed.test, np.flatnonzero(missed))
    table = probed.words.iloc[rows][["word", "letter"]].copy()
    table["latent"] = latents[letters[rows]].numpy()
    table["probe_logit"] = logits[rows, letters[rows]].numpy()
    carried = [_carriers(sae, probed, latent_acts, int(row), int(letters[row]), top) for row in rows]
    table["instead"] = [text for text, _ in carried]
    table["carrier"] = [first for _, first in carried]
    return table.sort_values(["letter", "word"], ignore_index=True)


def _carriers(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs, row: int, letter: int, top: int
) -> tuple[str, int]:
    """The text for a reader, and the first of the carrying latents (-1 if none points along the probe)."""
    start, end = latent_acts.csr.crow_indices()[row : row + 2].tolist()
    active = latent_acts.csr.col_indices()[start:end]
    direction = probed.probes.directions[letter]
    along = latent_acts.csr.values()[start:end] * (sae.W_dec[active].float().cpu() @ direction)
    whole = (probed.acts[row] - probed.acts.mean(0)) @ direction
    order = along.argsort(descending=True)[:top]
    kept = [i for i in order if along[i] > 0]
    text = ", ".join(f"{int(active[i])} ({float(along[i] / whole):.0%})" for i in kept)
    return text, int(active[kept[0]]) if kept else -1


def top_words(
    latent_acts: SparseActs, words: pd.DataFrame, latents: list[int], n_words: int = 6
) -> dict[int, str]:
    """The words on which each latent is strongest: a name for it, read off its own activations."""
    if not latents:
        return {}
    acts = latent_acts.dense(torch.tensor(latents))
    names = {}
    for column, latent in enumerate(latents):
        best = acts[:, column].topk(min(n_words, len(acts)))
        kept = [words["word"].iloc[int(i)] for v, i in zip(*best, strict=True) if v > ACTIVE]
        names[latent] = ", ".join(dict.fromkeys(word.strip() for word in kept)) or "never on"
    return names
