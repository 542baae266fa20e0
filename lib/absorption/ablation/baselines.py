"""The effect of removing a latent, with the right letter set against the mean or against the best of the others.

The paper's metric subtracts the mean logit of the 25 wrong letters. The best wrong letter is the other natural
baseline: it is what decides the answer.
"""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation.engine import AblationEngine
from absorption.ablation.word_latent_pairs import active_pairs
from absorption.base.statistics import Estimate, mean_interval
from absorption.spelling.answers import answer_metric


def margin_metric(logits: Float[Tensor, "row 26"], letters: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
    """Logit of the right letter minus the largest logit of the 25 wrong ones."""
    right = logits.gather(1, letters[:, None])
    wrong = logits.scatter(1, letters[:, None], -torch.inf)
    return right[:, 0] - wrong.max(dim=1).values


def effects_by_baseline(engine: AblationEngine, csr: Tensor, words: Int[Tensor, " word"]) -> pd.DataFrame:
    """Effect of removing each active latent of each word, under both metrics; one exact pass a row.

    Args:
        engine: the ablation engine.
        csr: sparse CSR matrix ``word latent`` of activations, a row for each prompt.
        words: positions in the prompts' table, each once.

    Returns:
        ``word, letter, latent, mean_effect, max_effect``.
    """
    rows = active_pairs(csr, words)
    letters = engine.prompts.letters[rows.words]
    states = engine.states(rows.words)
    clean = torch.zeros(len(engine.prompts.word_ids), len(engine.prompts.names))
    clean[words] = engine.logits(words, engine.states(words))
    before, after = clean[rows.words], engine.logits(rows.words, states - rows.contributions(engine.sae))
    return pd.DataFrame(
        {
            "word": rows.words.numpy(),
            "letter": [engine.prompts.names[i] for i in letters.tolist()],
            "latent": rows.latents.numpy(),
            "mean_effect": (answer_metric(after, letters) - answer_metric(before, letters)).numpy(),
            "max_effect": (margin_metric(after, letters) - margin_metric(before, letters)).numpy(),
        }
    )


def same_strongest(effects: pd.DataFrame, *, seed: int = 0) -> Estimate:
    """Share of the words on which one latent has the most negative effect under both metrics, with its interval.

    Args:
        effects: from ``effects_by_baseline``.
        seed: of the bootstrap over words.
    """
    groups = effects.groupby("word")
    first = {
        name: effects.loc[groups[name].idxmin(), "latent"].to_numpy()
        for name in ("mean_effect", "max_effect")
    }
    return mean_interval(first["mean_effect"] == first["max_effect"], seed=seed)
