"""Addresses of the explorer's states: the fragments that its page reads."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import pandas as pd


def fragment(**state: object) -> str:
    """A state as a fragment: ``sae, letter, word, latent, by``, whatever is given, in this order."""
    return "#" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in state.items())


def of_words(sae: str, table: pd.DataFrame) -> dict[str, Sequence[str]]:
    """States of a table's words and latents, by column.

    Args:
        sae: the SAE's name.
        table: with ``word`` (text), ``letter`` and ``latent``.
    """
    rows = list(zip(table["letter"], table["word"], table["latent"], strict=True))
    return {
        "word": [fragment(sae=sae, letter=letter, word=word) for letter, word, _ in rows],
        "letter": of_letters(sae, table["letter"].tolist()),
        "latent": [fragment(sae=sae, latent=latent) if latent >= 0 else "" for _, _, latent in rows],
    }


def of_latents(sae: str, table: pd.DataFrame) -> dict[str, Sequence[str]]:
    """States of a table's letters and their main latents, by column.

    Args:
        sae: the SAE's name.
        table: with ``letter`` and ``latent``.
    """
    latents = [fragment(sae=sae, latent=latent) for latent in table["latent"]]
    return {"letter": of_letters(sae, table["letter"].tolist()), "latent": latents}


def of_letters(sae: str, letters: Sequence[str]) -> list[str]:
    """States of letters; none of what is no letter."""
    return [fragment(sae=sae, letter=letter) if len(letter) == 1 else "" for letter in letters]
