"""The control: is it the letter that an absorbing latent carries to the answer, or the rest of the word?

Paper, appendix A.11: take the letter out of the latent's decoder row, remove the latent again, and see what is
left of the effect. The letter is taken out along the probe's *pattern*, the direction along which it is written.
The probe's weights are the *filter* that reads it out; they lean away from whatever varies together with it,
and a decoder row keeps most of its letter when only its part along them goes (Haufe et al. 2014).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.ablation.engine import AblationEngine
from absorption.ablation.word_latent_pairs import WordLatentPairs
from absorption.base.statistics import Estimate, ratio_table
from absorption.definitions.evidence import Evidence

PATTERN_OUT, FILTER_OUT = "the probe's pattern", "the probe's weights (filter)"
MEANS_OUT, GRADIENT_OUT = "the letter's difference in means", "the letter's mean gradient"
WRONG_OUT, RANDOM_OUT = "another letter's pattern, each in turn", "a random direction, each in turn"
N_RANDOM = 26
CONTROL_TABLE = ["taken_out", "directions", "cosine", "share", "low", "high", "words"]


def control_table(
    engine: AblationEngine,
    evidence: Evidence,
    found: pd.DataFrame,
    *,
    others: Mapping[str, Float[Tensor, "letter d_model"]] | None = None,
    n_gradient: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """What is left of the absorbing latents' effects when one direction is taken out of their decoder rows.

    Args:
        engine: the ablation engine.
        evidence: words and latents.
        found: from ``absorbed_words``.
        others: further unit directions of each letter, by name (of another probe, say).
        n_gradient: training words of a letter that its mean gradient is taken over.
        seed: of the random directions, the words of the gradient and the bootstrap over words.

    Returns:
        ``taken_out, directions, cosine, share, low, high, words``. ``directions``: how many are tried on each
        word, one at a time; their effects are averaged. ``cosine``: mean over the words of the absorbing
        latent's decoder cosine with the direction (of its size, where several are tried).
    """
    if found.empty:
        return pd.DataFrame(columns=CONTROL_TABLE)
    rows = absorber_pairs(evidence, found)
    letters = evidence.letters[rows.words]
    single = {
        PATTERN_OUT: evidence.patterns, MEANS_OUT: evidence.mean_directions,
        GRADIENT_OUT: mean_gradients(engine, evidence, letters.unique(), n_gradient, seed),
        FILTER_OUT: evidence.read_out, **(others or {}),
    }  # fmt: skip
    tried = {name: directions[letters][:, None].float() for name, directions in single.items()}
    tried |= {WRONG_OUT: _wrong(evidence, letters), RANDOM_OUT: _random(evidence, len(rows), seed)}
    whole = found["effect"].to_numpy()
    tables = []
    for name, directions in tried.items():
        left, cosine = _left(engine, rows, directions)
        table = ratio_table(
            pd.DataFrame({"left": left, "effect": whole, "all": ""}), "left", "effect", ["all"], seed=seed
        )
        tables.append(table.assign(taken_out=name, directions=directions.shape[1], cosine=cosine))
    return pd.concat(tables, ignore_index=True)[CONTROL_TABLE]


def control_of(table: pd.DataFrame, taken_out: str) -> str:
    """One row of ``control_table`` as text: share and interval."""
    mine = table[table["taken_out"] == taken_out]
    if mine.empty:
        return "not measured"
    return str(Estimate(*(float(mine[name].iloc[0]) for name in ("share", "low", "high"))))


def control_share(found: pd.DataFrame, *, seed: int = 0) -> Estimate:
    """Effect that is left when the letter's pattern is taken out of the absorbing latents, as a share of all.

    Mean over words of the one over the mean of the other (paper, appendix A.11: nothing is left).
    """
    if found.empty:
        return Estimate(np.nan, np.nan, np.nan)
    row = ratio_table(found.assign(all=""), "control_effect", "effect", ["all"], seed=seed).iloc[0]
    return Estimate(float(row["share"]), float(row["low"]), float(row["high"]))


def absorber_pairs(evidence: Evidence, found: pd.DataFrame) -> WordLatentPairs:
    """The absorbing latents (columns ``word, latent``) with their activations."""
    place = {word: number for number, word in enumerate(evidence.words.tolist())}
    activations = []
    for word, latent in zip(found["word"], found["latent"], strict=True):
        mine = evidence.active_latents[place[int(word)]]
        activations.append(float(mine.activations[mine.latents == latent][0]))
    words = torch.from_numpy(found["word"].to_numpy(copy=True))
    latents = torch.from_numpy(found["latent"].to_numpy(copy=True)).long()
    return WordLatentPairs(words, latents, torch.tensor(activations))


def mean_gradients(
    engine: AblationEngine, evidence: Evidence, letters: Tensor, n_words: int, seed: int
) -> Float[Tensor, "letter d_model"]:
    """Unit mean gradient of the metric over some training words of each letter; zeros for letters not asked
    for."""
    generator = np.random.default_rng(seed)
    gradients = torch.zeros(len(evidence.names), engine.model.d_model)
    for letter in letters.tolist():
        pool = evidence.train[evidence.letters[evidence.train] == letter].numpy()
        some = torch.from_numpy(generator.choice(pool, min(n_words, len(pool)), replace=False))
        gradients[letter] = engine.gradients(some, engine.states(some)).mean(dim=0)
    return torch.nn.functional.normalize(gradients, dim=1)


def _wrong(evidence: Evidence, letters: Tensor) -> Float[Tensor, "row wrong d_model"]:
    """For each row the patterns of all letters but its own."""
    numbers = torch.arange(len(evidence.names)).expand(len(letters), -1)
    wrong = numbers[numbers != letters[:, None]].view(len(letters), -1)
    return evidence.patterns[wrong]


def _random(evidence: Evidence, n_rows: int, seed: int) -> Float[Tensor, "row random d_model"]:
    """The same seeded unit vectors for every row."""
    drawn = np.random.default_rng(seed).standard_normal((N_RANDOM, evidence.acts.shape[1]))
    unit = torch.nn.functional.normalize(torch.from_numpy(drawn).float(), dim=1)
    return unit.expand(n_rows, -1, -1)


def _left(
    engine: AblationEngine, rows: WordLatentPairs, directions: Float[Tensor, "row k d_model"]
) -> tuple[Float[np.ndarray, " row"], float]:
    """Effect of removing each row's latent without its part along one direction, mean over its ``k``; and the
    mean size of the decoder rows' cosines with them."""
    written, states = rows.contributions(engine.sae), engine.states(rows.words)
    before = engine.metrics(rows.words, states)
    along = torch.einsum("rd,rkd->rk", written, directions)
    kept = written[:, None] - along[:, :, None] * directions
    changed = (states[:, None] - kept).flatten(0, 1)
    after = engine.metrics(rows.words.repeat_interleave(directions.shape[1]), changed)
    effects = after.view(len(rows), -1).mean(dim=1) - before
    cosines = along / written.norm(dim=1, keepdim=True).clamp_min(1e-12)
    mean = cosines.mean() if directions.shape[1] == 1 else cosines.abs().mean()
    return effects.numpy(), float(mean)
