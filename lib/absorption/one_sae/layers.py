"""Where the word's token stops mattering: effects of replacing its residual stream at each depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.ablation.effects import clean_metrics, direction_effects, patch_effects
from absorption.ablation.engine import StateEngine
from absorption.base.statistics import Estimate, interval, ratio_table, resample_counts
from absorption.models.hooks import Site
from absorption.models.language_model import LanguageModel
from absorption.one_sae.words import StudyWords
from absorption.probes.means import difference_in_means, pattern
from absorption.probes.words import ProbedWords, probe_words
from absorption.spelling.activations import depth_activations
from absorption.spelling.prompts import SpellingPrompts

MEAN, OTHER = "mean state", "another word's state"
PATTERN, MEANS, FILTER = "pattern", "difference in means", "filter (probe weights)"
"""What takes the place of the word's state: the mean over words; the state of a word of another letter;
itself without its part along a line at that depth: along the probe's pattern, the difference of the letter's
mean from that of the other words, or the probe's weights."""


def layer_effects(
    model: LanguageModel,
    prompts: SpellingPrompts,
    words: Int[Tensor, " word"],
    acts: Mapping[int, Float[Tensor, "all_words d_model"]],
    *,
    lines: Mapping[int, Mapping[str, Float[Tensor, "26 d_model"]]] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Effect of each replacement at each depth.

    Args:
        model: a loaded model.
        prompts: the words' prompts.
        words: positions in the prompts' table.
        acts: activations of all words by depth (``activations.depth_activations``), for the means and the
            other words' states; the depths to use are its keys.
        lines: by depth and name, unit directions whose part is set to the mean (from ``probes_by_depth``).
        seed: of the choice of other words.

    Returns:
        ``depth, kind, word, letter, metric, effect``; ``metric`` is the word's own, unchanged.
    """
    partners = other_words(prompts, words, seed)
    mine = prompts.letters[words]
    letters = [prompts.names[i] for i in mine.tolist()]
    tables = []
    for depth in tqdm(sorted(acts), desc="Depths"):
        engine = StateEngine(model, prompts, Site(depth))
        mean = acts[depth].mean(dim=0)
        found = {
            MEAN: patch_effects(engine, words, mean.expand(len(words), -1)),
            OTHER: patch_effects(engine, words, acts[depth][partners]),
        }
        for name, directions in (lines or {}).get(depth, {}).items():
            found[name] = direction_effects(engine, words, directions[mine].float(), centre=mean)
        metric = clean_metrics(engine, words).numpy()
        for kind, effect in found.items():
            about = {"depth": depth, "kind": kind, "word": words.numpy(), "letter": letters, "metric": metric}
            tables.append(pd.DataFrame(about | {"effect": effect.numpy()}))
    return pd.concat(tables, ignore_index=True)


def probes_by_depth(
    words: StudyWords, depths: Sequence[int]
) -> tuple[dict[int, Float[Tensor, "word d_model"]], dict[int, dict[str, Float[Tensor, "26 d_model"]]]]:
    """Activations of all words at each depth, and the letters' unit lines there: pattern, difference in means
    and filter, all fitted on the training words.

    Activations and probes are kept on disk, and shared with the chapter on probe baselines.
    """
    acts = depth_activations(words.model, words.prompts, list(depths))
    table = words.table.drop(columns="split")
    probed = {depth: probe_words(table, acts[depth], seed=words.seed) for depth in depths}
    return acts, {depth: lines_of(found) for depth, found in probed.items()}


def lines_of(probed: ProbedWords) -> dict[str, Float[Tensor, "26 d_model"]]:
    """Each letter's pattern, difference in means and filter, as unit vectors, from the training words."""
    acts, labels = probed.acts[probed.train].float(), probed.labels[probed.train]
    return {
        PATTERN: pattern(acts, labels, probed.probes).weights,
        MEANS: difference_in_means(acts, labels).directions,
        FILTER: probed.probes.directions.float(),
    }


def layer_shares(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Share of the mean metric that is lost: ``depth, kind, share, low, high, words``."""
    lost = table.assign(lost=-table["effect"])
    return ratio_table(lost, "lost", "metric", ["depth", "kind"], seed=seed)


def other_words(prompts: SpellingPrompts, words: Int[Tensor, " word"], seed: int) -> Int[Tensor, " word"]:
    """For each word a random one of another letter, under the same examples where there is one."""
    generator = np.random.default_rng(seed)
    letters, sets = prompts.letters.numpy(), prompts.example_set.numpy()
    chosen = []
    for word in words.tolist():
        others = np.flatnonzero((letters != letters[word]) & (sets == sets[word]))
        others = others if len(others) else np.flatnonzero(letters != letters[word])
        chosen.append(int(generator.choice(others)))
    return torch.tensor(chosen)


def departure_depth(
    table: pd.DataFrame, *, kind: str = MEAN, n_resamples: int = 1000, seed: int = 0
) -> Estimate:
    """The first depth at which the mean effect has fallen below half of its largest, with its interval.

    The depth is between the measured ones: interpolated where the curve crosses. Words are resampled.

    Args:
        table: from ``layer_effects``.
        kind: which replacement.
        n_resamples: bootstrap resamples.
        seed: of the bootstrap.
    """
    effects = table[table["kind"] == kind].pivot(index="word", columns="depth", values="effect")
    depths = effects.columns.to_numpy(dtype=float)
    counts = resample_counts(len(effects), n_resamples=n_resamples, seed=seed)
    samples = [_crossing(depths, curve) for curve in counts @ effects.to_numpy() / len(effects)]
    low, high = interval(np.array(samples))
    value = _crossing(depths, effects.mean().to_numpy())
    return Estimate(value, min(float(low), value), max(float(high), value))


def _crossing(depths: np.ndarray, curve: np.ndarray) -> float:
    """Where ``-curve`` first falls through half of its maximum, after that maximum; the last depth if
    never."""
    lost = -curve
    top = int(lost.argmax())
    half = lost[top] / 2
    below = np.flatnonzero(lost[top:] < half)
    if len(below) == 0:
        return float(depths[-1])
    after = top + int(below[0])
    before = after - 1
    step = (lost[before] - half) / (lost[before] - lost[after])
    return float(depths[before] + step * (depths[after] - depths[before]))
