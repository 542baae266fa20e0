"""How many words a run will use, and what fewer of them cost: said before it starts."""

from __future__ import annotations

from absorption.base.settings import EMBEDDED_MODEL, ModelSettings
from absorption.models.before_loading import known_models, model_source

FEW = 4000
"""A number of words for a first look (that of the one-SAE page)."""


def describe_words(settings: ModelSettings) -> str:
    """One or two sentences on the words of these settings; the tokenizer is read, the model is not.

    Raises:
        ValueError: a tokenizer with too few words.
        OSError: one that cannot be had.
    """
    return words_line(count_words(settings.model), settings.n_words)


def count_words(model: str) -> int:
    """Single-token words of a model's tokenizer (of the embedded one it is known).

    Raises:
        ValueError, OSError: as ``describe_words``.
    """
    if model == EMBEDDED_MODEL:
        return known_models()[model]["n_words"]
    from transformers import AutoTokenizer

    from absorption.spelling.vocab import load_vocab

    return len(load_vocab(AutoTokenizer.from_pretrained(model_source(model), trust_remote_code=False)))


def words_line(total: int, n_words: int) -> str:
    """The words used, and the price of using fewer.

    Time goes with the number of words; the width of an interval with one over its square root.

    Args:
        total: single-token words of the tokenizer.
        n_words: as the parameter; 0: all.
    """
    if 0 < n_words < total:
        wider = (total / n_words) ** 0.5
        return (
            f"Words: {n_words:,} of the tokenizer's {total:,}, drawn with the seed; intervals are about "
            f"{wider:.1f} times as wide as with all (n_words 0), and rare letters have few words."
        )
    line = f"Words: all {total:,} single-token words of the tokenizer."
    if total <= FEW:
        return line
    return (
        f"{line} With n_words {FEW} the steps on words take about 1/{total / FEW:.0f} of the time; intervals "
        f"get about {(total / FEW) ** 0.5:.1f} times as wide, and rare letters have few words."
    )
