"""Addresses of the explorer's states: the fragments that its page reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from urllib.parse import quote

import pandas as pd

from absorption.several_saes.comparison import COMPANIONS


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


def of_saes(saes: Iterable[str], by: Iterable[str] | None = None, also: str = "") -> list[str]:
    """States of SAEs; none of those that the explorer does not show.

    Args:
        saes: names; the explorer has those that chapter 5 sets beside its own.
        by: the definition to judge each by, if it matters.
        also: chapter 5's own SAE, where it is another one than usual.
    """
    states = (
        {"sae": sae} if definition is None else {"sae": sae, "by": definition}
        for sae, definition in zip(saes, repeat(None) if by is None else by, strict=by is not None)
    )
    return [fragment(**state) if state["sae"] in {*COMPANIONS, also} else "" for state in states]


def of_letters(sae: str, letters: Sequence[str]) -> list[str]:
    """States of letters; none of what is no letter."""
    return [fragment(sae=sae, letter=letter) if len(letter) == 1 else "" for letter in letters]
