"""Through what does the letter go? Effects of removing the letter's direction, and sets of latents, from the
same words.

If the letter went through the main latents, removing them would cost as much as removing the direction along
which it is written, the probe's pattern. What the absorbing latents add, and what any other latents of the same
size would do, is measured on the same words. The probe's weights, the filter, are removed for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.ablation.effects import direction_effects, patch_effects, set_effects
from absorption.ablation.engine import AblationEngine
from absorption.ablation.word_latent_pairs import WordLatentPairs, active_pairs
from absorption.base.statistics import interval, resample_counts
from absorption.definitions.evidence import Evidence
from absorption.definitions.thresholds import Thresholds

PATTERN, FILTER = "pattern", "filter (probe weights)"
MEANS, STATE = "difference in means", "whole state"
MAIN, ABSORBING, BOTH = "main latents", "absorbing latents", "main + absorbing"
RANDOM, ALL = "random latents", "all latents"
REMOVED_PARTS = (STATE, ALL, BOTH, MAIN, ABSORBING, RANDOM, PATTERN, MEANS, FILTER)
"""What is removed. ``pattern``: the residual stream's part along the probe's pattern is set to the mean over
words; ``difference in means``: likewise along the difference of the letter's mean from that of the other
words; ``filter``: along the probe's weights.
``absorbing latents``: those that the absorption fraction counts. ``random latents``: as many as main
and absorbing together, of the word's other latents, each the nearest in size. ``all latents``: only the SAE's
error and bias stay. ``whole state``: the mean over words takes its place."""


@dataclass(frozen=True)
class PartSets:
    """Which of the active rows belong to each part."""

    rows: WordLatentPairs
    where: Int[Tensor, " row"]
    """Number of each row's word among those mediated."""
    members: dict[str, Bool[Tensor, " row"]]
    """By part, for the parts that are sets of latents."""


def choose_words(evidence: Evidence, per_letter: int, seed: int) -> Int[Tensor, " word"]:
    """At most ``per_letter`` words a letter with a main latent on, and as many with all main latents off."""
    frame = evidence.frame()
    frame["draw"] = np.random.default_rng(seed).random(len(evidence.letters))[evidence.words.numpy()]
    rank = frame.groupby(["letter", "candidate"])["draw"].rank(method="first")
    return evidence.words[torch.from_numpy((rank <= per_letter).to_numpy(copy=True))]


def mediate(
    engine: AblationEngine,
    evidence: Evidence,
    words: Int[Tensor, " word"],
    *,
    thresholds: Thresholds | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Effect of removing each part from each word.

    Args:
        engine: the ablation engine.
        evidence: words, latents, main latents, probe directions.
        words: some of the words of the evidence, each once.
        thresholds: which latents count as absorbing (as in the absorption fraction).
        seed: of the random latents.

    Returns:
        ``word, letter, main_on, part, n_latents, effect``; ``main_on``: some main latent is on at the word;
        ``n_latents`` is 0 for parts that are no sets of latents.
    """
    sets = part_sets(engine, evidence, words, thresholds or Thresholds(), seed)
    states = evidence.acts
    mean = states.mean(dim=0)
    lines = {PATTERN: evidence.patterns, MEANS: evidence.mean_directions, FILTER: evidence.directions.float()}
    letters = evidence.letters[words]
    found = {
        part: direction_effects(engine, words, directions[letters], centre=mean)
        for part, directions in lines.items()
    }
    found[STATE] = patch_effects(engine, words, mean.expand(len(words), -1))
    counts = {part: torch.zeros(len(words)) for part in found}
    for part, member in sets.members.items():
        found[part] = set_effects(engine, sets.rows[member], sets.where[member], words)
        counts[part] = torch.bincount(sets.where[member], minlength=len(words)).float()
    main_on = torch.bincount(sets.where[sets.members[MAIN]], minlength=len(words)) > 0
    names = [evidence.names[i] for i in letters.tolist()]
    about = {"word": words.numpy(), "letter": names, "main_on": main_on.numpy()}
    tables = [
        pd.DataFrame(
            about | {"part": part, "n_latents": counts[part].int().numpy(), "effect": found[part].numpy()}
        )
        for part in REMOVED_PARTS
    ]
    return pd.concat(tables, ignore_index=True)


def part_sets(
    engine: AblationEngine, evidence: Evidence, words: Int[Tensor, " word"], thresholds: Thresholds, seed: int
) -> PartSets:
    """Main, absorbing and matched random latents among the active latents of each word."""
    rows = active_pairs(evidence.csr, words)
    where = rows.places_in(words)
    letters = evidence.letters[rows.words]
    contributions = rows.contributions(engine.sae)
    along = (contributions * evidence.directions[letters].float()).sum(dim=1)
    main = _is_main(evidence, rows.latents, letters)
    aligned = evidence.cosines[letters, rows.latents] >= thresholds.fraction_cosine
    absorbing = _largest(
        torch.where(~main & aligned & (along > 0), along, -torch.inf), where, thresholds.max_absorbers
    )
    both = main | absorbing
    random = _matched(contributions.norm(dim=1), both, where, np.random.default_rng(seed))
    members = {MAIN: main, ABSORBING: absorbing, BOTH: both, RANDOM: random, ALL: torch.ones_like(main)}
    return PartSets(rows, where, members)


def _is_main(
    evidence: Evidence, latents: Int[Tensor, " row"], letters: Int[Tensor, " row"]
) -> Bool[Tensor, " row"]:
    table = torch.zeros(len(evidence.names), evidence.decoder.shape[0], dtype=torch.bool)
    for number, name in enumerate(evidence.names):
        table[number, list(evidence.main.get(name, ()))] = True
    return table[letters, latents]


def _largest(score: Float[Tensor, " row"], where: Int[Tensor, " row"], n: int) -> Bool[Tensor, " row"]:
    """The ``n`` rows of each word with the highest score, ``-inf`` excluded."""
    ranks = pd.Series(-score.numpy()).groupby(where.numpy()).rank(method="first")
    return torch.from_numpy((ranks <= n).to_numpy(copy=True)) & torch.isfinite(score)


def _matched(
    size: Float[Tensor, " row"],
    taken: Bool[Tensor, " row"],
    where: Int[Tensor, " row"],
    rng: np.random.Generator,
) -> Bool[Tensor, " row"]:
    """For each taken row another of the same word, nearest in size, none twice; rows are visited at
    random."""
    sizes, chosen = size.numpy(), np.zeros(len(size), dtype=bool)
    free = ~taken.numpy()
    for row in rng.permutation(np.flatnonzero(taken.numpy())):
        mine = np.flatnonzero(free & (where.numpy() == int(where[row])))
        if len(mine) == 0:
            continue
        nearest = mine[np.abs(sizes[mine] - sizes[row]).argmin()]
        chosen[nearest], free[nearest] = True, False
    return torch.from_numpy(chosen)


def mediation_shares(
    table: pd.DataFrame,
    *,
    whole: str = PATTERN,
    by: tuple[str, ...] = ("main_on",),
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each part's mean effect over the mean effect of ``whole``, with intervals over words.

    Args:
        table: from ``mediate``.
        whole: the part that stands for all of the letter.
        by: columns to group by (``main_on``, ``letter``); none for all words together.
        n_resamples: bootstrap resamples of the words in each group.
        seed: of the bootstrap.

    Returns:
        ``*by, part, share, low, high, effect, n_words, n_latents`` (means over words).
    """
    groups = table.groupby(list(by), sort=True) if by else [((), table)]
    rows = []
    for key, mine in groups:
        effects = mine.pivot(index="word", columns="part", values="effect")
        counts = resample_counts(len(effects), n_resamples=n_resamples, seed=seed)
        with np.errstate(invalid="ignore", divide="ignore"):
            for part in REMOVED_PARTS:
                samples = (counts @ effects[part].to_numpy()) / (counts @ effects[whole].to_numpy())
                low, high = interval(samples)
                mean = float(effects[part].mean())
                latents = float(mine.loc[mine["part"] == part, "n_latents"].mean())
                share = mean / float(effects[whole].mean())
                rows.append((*key, part, share, float(low), float(high), mean, len(effects), latents))
    columns = [*by, "part", "share", "low", "high", "effect", "n_words", "n_latents"]
    return pd.DataFrame(rows, columns=columns)
