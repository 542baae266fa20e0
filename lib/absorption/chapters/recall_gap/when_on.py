"""How strongly a letter's latent is on, for words with the letter and for others: where a threshold would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from absorption.base.statistics import Estimate, interval, resample_counts
from absorption.chapters.findings import Findings
from absorption.chapters.recall_gap.gap import Scored
from absorption.chapters.settings import RecallGapSettings
from absorption.latents.sparse import encode_words
from absorption.spelling.vocab import stems

N_LETTERS = 4
"""Letters drawn: those with most test words."""
SHARES = np.linspace(0, 1, 101)
OWN, OTHERS = "words with the letter", "other words"


@dataclass(frozen=True)
class Activations(Findings):
    """Distribution functions of the latents' activations on test words."""

    table: pd.DataFrame
    """``letter, latent, words, share, activation``: ``share`` of the words have at most this activation."""
    silent: Mapping[str, Estimate]
    """Share of a letter's own words on which its latent is off, with an interval over stems."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The curves."""
        return {"latent-activations": self.table}

    def numbers(self) -> Mapping[str, str]:
        """Letters with the share of their words on which their latent is silent."""
        return {"silent_letters": ", ".join(f"{letter} {share}" for letter, share in self.silent.items())}


def activations(scored: Scored, settings: RecallGapSettings) -> Activations:
    """Read off each letter's latent on the test words with the letter and on the others."""
    probed, scores = scored.probed, scored.mine.scores
    acts = encode_words(scored.mine.sae, scored.acts)
    letters = probed.words["letter"].to_numpy()[probed.test]
    chosen = scores[(scores["selection"] == settings.selection) & (scores["metric"] == "f1")]
    latents = {
        str(letter): int(latent) for letter, latent in zip(chosen["letter"], chosen["latent"], strict=True)
    }
    drawn = [letter for letter in pd.Series(letters).value_counts().index if letter in latents][:N_LETTERS]
    groups, parts, silent = stems(probed.words).to_numpy()[probed.test], [], {}
    for letter in drawn:
        latent = latents[letter]
        values = acts.dense(torch.tensor([latent]))[:, 0].numpy()[probed.test]
        own = letters == letter
        silent[letter.upper()] = silent_share(values[own], groups[own], settings.seed)
        for words, mine in ((OWN, values[own]), (OTHERS, values[~own])):
            levels = np.quantile(mine, SHARES, method="inverted_cdf")
            row = {"letter": letter, "latent": latent, "words": words, "share": SHARES, "activation": levels}
            parts.append(pd.DataFrame(row))
    return Activations(pd.concat(parts, ignore_index=True), silent)


def silent_share(values: np.ndarray, groups: np.ndarray, seed: int) -> Estimate:
    """Share of words with activation 0, and its 95% bootstrap interval over stems.

    Args:
        values: activation of each word.
        groups: each word's stem.
        seed: of the resamples.
    """
    silent = values == 0
    counts = resample_counts(len(silent), seed=seed, groups=groups)
    return Estimate(float(silent.mean()), *interval(counts @ silent / counts.sum(axis=1)))
