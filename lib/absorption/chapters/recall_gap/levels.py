"""F1 of the letters' latents where "on" means above 0, and above the level that is best on the training words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float

from absorption.base.statistics import Estimate, interval, resample_counts, score_samples
from absorption.chapters.findings import Findings
from absorption.chapters.recall_gap.gap import Scored
from absorption.chapters.settings import RecallGapSettings
from absorption.latents.levels import best_f1_levels
from absorption.latents.select import select_latents
from absorption.latents.sparse import ACTIVE, SparseActs, encode_words
from absorption.probes.words import ProbedWords
from absorption.spelling.vocab import LETTERS, stems

AT_ZERO, AT_BEST = "on above 0", "on above its best level"
LETTER_COLUMNS = ["selection", "letter", "latent", "rule", "level", "value", "low", "high", "share_on"]


@dataclass(frozen=True)
class AtLevels(Findings):
    """F1 on test words under both rules of when a latent is on."""

    letters: pd.DataFrame
    """Columns as in ``LETTER_COLUMNS``: ``level`` above which the latent is on, F1 with its interval, and the share of
    the test words that it is on for."""
    means: pd.DataFrame
    """By selection: mean F1 over letters under either rule, and their paired difference ``gain``, with intervals."""
    selection: str

    @property
    def mine(self) -> pd.DataFrame:
        """The chapter's selection."""
        return self.letters[self.letters["selection"] == self.selection]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Letters and means."""
        return {"latent-f1-by-level": self.letters, "latent-f1-by-level-means": self.means}

    def numbers(self) -> Mapping[str, str]:
        """Mean F1 of the chapter's selection under both rules, and the gain."""
        row: Any = self.means.set_index("selection").loc[self.selection]
        found = {name: Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in _MEANS}
        return {f"level_{name}": str(value) for name, value in found.items()}


_MEANS = ("at_zero", "at_best", "gain")


def at_levels(scored: Scored, settings: RecallGapSettings) -> AtLevels:
    """Score the latents of the chapter's SAE under both rules."""
    probed, sae = scored.probed, scored.mine.sae
    acts = encode_words(sae, scored.acts)
    letters, means = [], []
    for selection, latents in select_latents(sae, probed, acts).items():
        table, row = f1_at_levels(acts, probed, latents.tolist(), seed=settings.seed)
        letters.append(table.assign(selection=selection)[LETTER_COLUMNS])
        means.append({"selection": selection, **row})
    return AtLevels(pd.concat(letters, ignore_index=True), pd.DataFrame(means), settings.selection)


def f1_at_levels(
    acts: SparseActs, probed: ProbedWords, latents: list[int], *, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, float]]:
    """F1 of one latent a letter on the test words, by letter and in the mean; intervals over stems.

    Args:
        acts: activations of the words.
        probed: words, letters and split; the levels are fitted on the training words.
        latents: the latent of each letter.
        seed: of the resamples, which both rules share.
    """
    mine, labels = acts.dense(torch.tensor(latents)), probed.labels
    train, test = torch.from_numpy(probed.train), torch.from_numpy(probed.test)
    levels = {AT_ZERO: torch.full((len(latents),), ACTIVE, dtype=torch.float64)}
    levels[AT_BEST] = best_f1_levels(mine[train], labels[train])
    counts = resample_counts(len(test), seed=seed, groups=stems(probed.words).to_numpy()[probed.test])
    here = labels[test].any(dim=0).numpy()
    tables, drawn = [], {}
    for rule, level in levels.items():
        said = (mine[test].double() > level).numpy()
        value, drawn[rule] = _f1(said, labels[test].numpy(), counts)
        low, high = interval(drawn[rule])
        columns = {"latent": latents, "level": level.numpy(), "value": value, "low": low, "high": high}
        table = pd.DataFrame({"letter": list(LETTERS), **columns, "share_on": said.mean(axis=0)})
        tables.append(table[here].assign(rule=rule))
    letters = pd.concat(tables, ignore_index=True)
    return letters, _means(letters, {rule: samples[:, here].mean(axis=1) for rule, samples in drawn.items()})


def _f1(
    said: Bool[np.ndarray, "word letter"],
    truth: Bool[np.ndarray, "word letter"],
    counts: Float[np.ndarray, "resample word"],
) -> tuple[Float[np.ndarray, " letter"], Float[np.ndarray, "resample letter"]]:
    once = np.ones((1, len(truth)), dtype=np.float32)
    value, samples = (score_samples(said, truth, weights)["f1"] for weights in (once, counts))
    return value[0], samples


def _means(letters: pd.DataFrame, drawn: Mapping[str, Float[np.ndarray, " resample"]]) -> dict[str, float]:
    by_rule = letters.groupby("rule")["value"].mean()
    values = {"at_zero": by_rule[AT_ZERO], "at_best": by_rule[AT_BEST]}
    samples = {"at_zero": drawn[AT_ZERO], "at_best": drawn[AT_BEST]}
    values["gain"] = values["at_best"] - values["at_zero"]
    samples["gain"] = samples["at_best"] - samples["at_zero"]
    row = {}
    for name in _MEANS:
        low, high = interval(samples[name])
        row |= {name: float(values[name]), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row
