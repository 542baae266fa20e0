"""What the two latents of the case look like from outside: strongest contexts, and tokens that they favour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.latents.contexts import favoured_tokens, strongest_contexts, text_activations
from absorption.one_sae.study import Study
from absorption.training.held_out import held_out_text

N_EXPLORER = 4
"""Contexts of a latent that the explorer shows."""


@dataclass(frozen=True)
class Contexts(Findings):
    """A few latents in held-out text."""

    note: str
    """How much text was read, or why none."""
    pair: Mapping[str, int]
    """Latent by role."""
    contexts: pd.DataFrame
    """As ``latents.strongest_contexts`` gives it."""
    favoured: pd.DataFrame
    """As ``latents.favoured_tokens`` gives it."""
    share_on: Mapping[int, float]
    """Share of the text's tokens on which each latent fires; empty without text."""
    for_explorer: pd.DataFrame
    """The strongest contexts of these and more latents: ``sae, latent, rank, activation, token, context``."""

    @property
    def named(self) -> pd.DataFrame:
        """The contexts with each latent's role before its number."""
        roles = {latent: role for role, latent in self.pair.items()}
        names = [f"{roles[latent]}, {latent}" for latent in self.contexts["latent"]]
        return self.contexts.assign(latent=names)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Contexts and tokens."""
        tables = {"case-contexts": self.contexts, "case-tokens": self.favoured}
        return tables | {"explorer-contexts": self.for_explorer}

    def numbers(self) -> Mapping[str, Any]:
        """How often the latents fire."""
        roles = {latent: role for role, latent in self.pair.items()}
        on = ", ".join(f"{roles[latent]} {share:.2%}" for latent, share in self.share_on.items())
        return {"on_in_text": on or "not measured"}


def look_in_text(
    mine: Study, pair: Mapping[str, int], settings: AbsorptionSettings, more: Sequence[int] = ()
) -> Contexts:
    """Read held-out text with a few latents.

    Args:
        mine: the SAE.
        pair: latent by role; empty if no word was absorbed, and then no text is read.
        settings: the chapter's.
        more: further latents, whose contexts the explorer shows; the text is read once for all.
    """
    model, sae = mine.words.model, mine.sae
    needless = "" if pair else "no word was absorbed, so there are no two latents to look for"
    text = held_out_text(model, settings.text_tokens, needless=needless)
    latents = list(dict.fromkeys([*pair.values(), *more]))
    over_text = text_activations(model, sae, text.windows, latents)
    contexts = strongest_contexts(over_text, model.tokenizer)
    on = over_text.share_on()
    return Contexts(
        text.note,
        pair,
        contexts[contexts["latent"].isin(pair.values())].reset_index(drop=True),
        favoured_tokens(model, sae, pair),
        {latent: on[latent] for latent in pair.values() if latent in on},
        contexts[contexts["rank"] <= N_EXPLORER].assign(sae=sae.name),
    )
