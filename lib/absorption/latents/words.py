"""Words that the probe gets and the letter's latent misses, and what is on instead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from absorption.latents.select import select_latents
from absorption.latents.sparse import ACTIVE, SparseActs
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae


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
    carried = _carriers(sae, probed, latent_acts, rows, top)
    table["instead"] = [text for text, _ in carried]
    table["carrier"] = [first for _, first in carried]
    return table.sort_values(["letter", "word"], ignore_index=True)


def _carriers(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs, rows: np.ndarray, top: int
) -> list[tuple[str, int]]:
    """For each word the text for a reader, and the first carrying latent (-1 if none points along the probe)."""
    along_probe = sae.W_dec.float().cpu() @ probed.probes.directions.T
    letters = probed.labels.float().argmax(dim=1)
    whole = (probed.acts - probed.acts.mean(0)) @ probed.probes.directions.T
    starts = latent_acts.csr.crow_indices()
    carried = []
    for row in rows:
        letter, part = letters[row], slice(starts[row], starts[row + 1])
        active = latent_acts.csr.col_indices()[part]
        along = latent_acts.csr.values()[part] * along_probe[active, letter]
        best = along.argsort(descending=True)[:top]
        kept = best[along[best] > 0]
        shares = zip(active[kept].tolist(), (along[kept] / whole[row, letter]).tolist(), strict=True)
        text = ", ".join(f"{latent} ({share:.0%})" for latent, share in shares)
        carried.append((text, int(active[kept[0]]) if len(kept) else -1))
    return carried


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
