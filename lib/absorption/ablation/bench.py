"""The engine against whole passes and integrated gradients: same words, same process, in turn.

The rivals are given their best: a twin of the model without the bridge's hooks, weights without gradients,
only the 26 answer logits of the last token, words batched, and the batch size that is fastest on this
machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation.effects import all_effects
from absorption.ablation.engine import FULL_PASSES, AblationEngine
from absorption.ablation.gradients import integrated_gradients
from absorption.ablation.labels import label_words
from absorption.ablation.ranking import AblationRule, leader
from absorption.ablation.word_latent_pairs import active_pairs
from absorption.spelling.vocab import LETTERS

RIVAL_BATCHES = (6, 12, 24)
"""Batch sizes tried for the rivals."""
ROUNDS = 3
"""Parts that the words are cut into; the ways take turns, so that a change of load falls on all of them."""


@dataclass(frozen=True)
class Contest:
    """What is timed: words whose main latents are off, their latents, and the rule of the label."""

    csr: Tensor
    words: Int[Tensor, " word"]
    cosines: Float[Tensor, "26 latent"]
    rule: AblationRule


def race(
    engine: AblationEngine, contest: Contest, *, n_gradient: int = 24, n_whole: int = 4
) -> dict[str, float]:
    """Ratios and seconds a word.

    Args:
        engine: the engine, in its fast mode.
        contest: at least ``n_gradient`` words; labels are compared on all of them.
        n_gradient: words on which integrated gradients are timed, against all effects and labels of these
            words.
        n_whole: words on which whole passes are timed, against all effects of these words.

    Returns:
        ``ablation.speedup_full``, ``ablation.speedup_ig``, ``ablation.label_speedup_ig``, the seconds a word
        that they are ratios of, ``ablation.words``, ``ablation.latents_per_word``,
        ``ablation.labels_differing`` (from the rule on all effects), ``ablation.labels_absorbed``,
        ``ablation.label_passes_share``.
    """
    rival = AblationEngine(engine.model, engine.sae, engine.prompts, mode=FULL_PASSES)
    _warm_up(engine, rival, contest)
    ways = {
        "effects": lambda words: all_effects(engine, contest.csr, words, progress=False),
        "labels": lambda words: _labels(engine, contest, words),
        "gradients": lambda words: integrated_gradients(rival, contest.csr, words),
        "whole": lambda words: all_effects(rival, contest.csr, words, progress=False),
    }
    few = _in_turn(engine, contest.words[:n_whole], {name: ways[name] for name in ("whole", "effects")})
    some = _in_turn(
        engine, contest.words[:n_gradient], {name: ways[name] for name in ("gradients", "effects", "labels")}
    )
    return {
        "ablation.speedup_full": few["whole"] / few["effects"],
        "ablation.speedup_ig": some["gradients"] / some["effects"],
        "ablation.label_speedup_ig": some["gradients"] / some["labels"],
        "ablation.whole_passes.seconds_a_word": few["whole"],
        "ablation.gradients.seconds_a_word": some["gradients"],
        "ablation.all_effects.seconds_a_word": some["effects"],
        "ablation.labels.seconds_a_word": some["labels"],
        **_compare_labels(ways["effects"](contest.words), ways["labels"](contest.words), contest),
    }


WAYS = {
    "whole forward passes, all effects": "whole_passes",
    "integrated gradients over whole prompts": "gradients",
    "engine, all effects": "all_effects",
    "engine, label only": "labels",
}


def cost_table(found: dict[str, float]) -> pd.DataFrame:
    """``way, seconds_a_word, times_faster_than_whole, times_faster_than_gradients`` from ``race``.

    The first ratio is taken on the words that all effects and whole passes share, the second on those shared
    with integrated gradients; NaN where a way was not timed against the other.
    """
    ratios = {
        "all_effects": (found["ablation.speedup_full"], found["ablation.speedup_ig"]),
        "labels": (np.nan, found["ablation.label_speedup_ig"]),
    }
    rows = [
        (way, found[f"ablation.{key}.seconds_a_word"], *ratios.get(key, (np.nan, np.nan)))
        for way, key in WAYS.items()
    ]
    names = ["way", "seconds_a_word", "times_faster_than_whole", "times_faster_than_gradients"]
    return pd.DataFrame(rows, columns=names)


def _in_turn(
    engine: AblationEngine, words: Int[Tensor, " word"], ways: Mapping[str, Callable[[Tensor], object]]
) -> dict[str, float]:
    """Seconds a word of each way, on the same words."""
    seconds = dict.fromkeys(ways, 0.0)
    for part in words.chunk(ROUNDS):
        for name, way in ways.items():
            engine.forget()
            start = time.perf_counter()
            way(part)
            seconds[name] += time.perf_counter() - start
    return {name: value / len(words) for name, value in seconds.items()}


def _compare_labels(effects: pd.DataFrame, labels: pd.DataFrame, contest: Contest) -> dict[str, float]:
    expected = {word: _rule(mine, contest) for word, mine in effects.groupby("word")}
    found = dict(zip(labels["word"], labels["absorbed"], strict=True))
    active = int(labels["active"].sum())
    return {
        "ablation.words": float(len(contest.words)),
        "ablation.latents_per_word": active / len(contest.words),
        "ablation.labels_differing": float(sum(found[word] != expected[word] for word in found)),
        "ablation.labels_absorbed": float(labels["absorbed"].sum()),
        "ablation.label_passes_share": float(labels["passes"].sum()) / active,
    }


def _rule(effects: pd.DataFrame, contest: Contest) -> bool:
    """The paper's rule on all effects of one word."""
    values, latents = effects["effect"].to_numpy(), effects["latent"].to_numpy()
    top = leader(values, contest.rule.ranking)
    letter = LETTERS.index(effects["letter"].iloc[0])
    cosine = float(contest.cosines[letter, int(latents[top.at])])
    return not contest.rule.why_not(top.effect, cosine, top.lead)


def _labels(engine: AblationEngine, contest: Contest, words: Int[Tensor, " word"]) -> pd.DataFrame:
    return label_words(engine, contest.csr, words, contest.cosines, contest.rule)


def _warm_up(engine: AblationEngine, rival: AblationEngine, contest: Contest) -> None:
    """Run the prefixes, which all words share, and give the rival its fastest batch size."""
    sets = engine.prompts.example_set[contest.words]
    for number in sets.unique():
        engine.states(contest.words[sets == number][:1])
    words = active_pairs(contest.csr, contest.words[:1]).words.repeat(max(RIVAL_BATCHES))[
        : max(RIVAL_BATCHES)
    ]
    states = engine.states(words)
    rival.gradients(words[:2], states[:2])  # the first call pays for what every later one finds ready
    seconds = {}
    for size in RIVAL_BATCHES:
        rival.batch = size
        start = time.perf_counter()
        rival.gradients(words, states)
        seconds[size] = time.perf_counter() - start
    rival.batch = min(seconds, key=lambda size: seconds[size])
    np.testing.assert_allclose(
        engine.metrics(words[:2], states[:2]), rival.metrics(words[:2], states[:2]), atol=0.05
    )
