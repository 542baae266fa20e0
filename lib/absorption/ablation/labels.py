"""One word's label without all of its effects.

A word is absorbed only if one *eligible* latent (decoder cosine with the probe above the threshold) has the
most negative effect and leads every other latent by the required margin. So the eligible latents are removed
first, and the others only until one comes too close. Words that are called absorbed
have had all their latents removed: the label is the one that all effects give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.ablation.effects import clean_metrics, removal_effects
from absorption.ablation.engine import AblationEngine
from absorption.ablation.ranking import AblationRule, strengths
from absorption.ablation.word_latent_pairs import WordLatentPairs, active_pairs

Removal = Callable[[AblationEngine, WordLatentPairs, Tensor], Tensor]
"""``removal_effects``, or one that remembers."""
FIRST_RIVALS = 4
"""Other latents tried in the first round; each later round tries twice as many."""


@dataclass
class _Open:
    """What is known of each word: the strongest eligible latent, and how strong any other was so far."""

    latent: Int[Tensor, " word"]
    effect: Float[Tensor, " word"]
    rival: Float[Tensor, " word"]
    passes: Int[Tensor, " word"]
    rule: AblationRule

    @property
    def lead(self) -> Float[Tensor, " word"]:
        """By how much the strongest is ahead of every rival seen."""
        return strengths(self.effect, self.rule.ranking).double() - self.rival

    @property
    def leads(self) -> Bool[Tensor, " word"]:
        """Strongest effect negative, and ahead of every rival seen by enough."""
        return self.rule.leads(self.effect, self.lead)


def label_words(
    engine: AblationEngine,
    csr: Tensor,
    words: Int[Tensor, " word"],
    cosines: Float[Tensor, "26 latent"],
    rule: AblationRule,
    remove: Removal = removal_effects,
) -> pd.DataFrame:
    """Whether the paper's ablation rule (section 5.3) calls each word absorbed, in as few passes as possible.

    Args:
        engine: the ablation engine.
        csr: sparse CSR matrix ``word latent`` of activations, a row for each prompt.
        words: positions in the prompts' table, each once, on which all main latents are off.
        cosines: of each letter's probe direction with each latent's decoder row.
        rule: what makes a latent eligible, and the lead that it needs: above 0.
        remove: how the effects are computed; ``RememberedEffects`` where words are labelled several times.

    Returns:
        ``word, letter, absorbed, latent, effect, lead, passes, active``: ``latent`` is the strongest eligible one
        (-1 if there is none), ``lead`` is over the others that were removed (so it may be too large where the word
        is not absorbed), ``passes`` counts the ablations made, ``active`` those that all effects would take.
    """
    if rule.min_lead <= 0:
        raise ValueError(
            f"min_lead is {rule.min_lead}; above 0 is needed, or the order of passes could decide."
        )
    rows = active_pairs(csr, words)
    where = rows.places_in(words)
    before = clean_metrics(engine, words)
    eligible = rule.aligned(cosines[engine.prompts.letters[rows.words], rows.latents])
    effects = remove(engine, rows[eligible], before[where[eligible]])
    found = _strongest(effects, rows[eligible], where[eligible], len(words), rule)
    _try_rivals(engine, rows[~eligible], where[~eligible], before, found, remove)
    return pd.DataFrame(
        {
            "word": words.numpy(),
            "letter": [engine.prompts.names[i] for i in engine.prompts.letters[words].tolist()],
            "absorbed": found.leads.numpy(),
            "latent": found.latent.numpy(),
            "effect": found.effect.numpy(),
            "lead": found.lead.numpy(),
            "passes": found.passes.numpy(),
            "active": torch.bincount(where, minlength=len(words)).numpy(),
        }
    )


def _strongest(
    effects: Tensor, rows: WordLatentPairs, where: Tensor, n_words: int, rule: AblationRule
) -> _Open:
    """Of every eligible latent's effect: the strongest of each word, and the strength of the next."""
    found = _Open(
        latent=torch.full((n_words,), -1),
        effect=torch.zeros(n_words),
        rival=torch.zeros(n_words),
        passes=torch.bincount(where, minlength=n_words),
        rule=rule,
    )
    strength = strengths(effects, rule.ranking)
    order = strength.argsort(stable=True)
    order = order[where[order].argsort(stable=True)]
    last = order[found.passes.cumsum(0)[found.passes > 0] - 1]  # each word's rows end with its strongest
    found.latent[where[last]] = rows.latents[last]
    found.effect[where[last]] = effects[last]
    second = rows.latents != found.latent[where]
    found.rival.scatter_reduce_(0, where[second], strength[second], "amax")
    return found


def _try_rivals(
    engine: AblationEngine,
    rows: WordLatentPairs,
    where: Tensor,
    before: Tensor,
    found: _Open,
    remove: Removal,
) -> None:
    """Remove the other latents of the words still in doubt, those that write most first."""
    size = rows.contributions(engine.sae).norm(dim=1) if len(rows) else torch.zeros(0)
    order = torch.argsort(size, descending=True)
    order = order[torch.argsort(where[order], stable=True)]
    counts = torch.bincount(where, minlength=len(before))
    rank = torch.empty(len(rows), dtype=torch.long)
    rank[order] = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[where[order]]
    low, high = 0, FIRST_RIVALS
    while len(rows) and low < int(counts.max()):
        now = found.leads[where] & (rank >= low) & (rank < high)
        effects = remove(engine, rows[now], before[where[now]])
        found.rival.scatter_reduce_(0, where[now], strengths(effects, found.rule.ranking), "amax")
        found.passes += torch.bincount(where[now], minlength=len(before))
        low, high = high, 3 * high
