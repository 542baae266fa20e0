"""Where the definitions disagree: pairs of them on the same words, and the words in dispute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from absorption.chapters.absorption.case import name_latents
from absorption.chapters.findings import Findings
from absorption.definitions.agreement import agreement
from absorption.definitions.tables import disputed_words
from absorption.one_sae.study import Study


@dataclass(frozen=True)
class Disputes(Findings):
    """How often two definitions agree, and the words on which two do not."""

    agreement: pd.DataFrame
    disputed: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Agreement of every pair, and the disputed words."""
        return {"agreement": self.agreement, "disputed-words": self.disputed}


def compare_definitions(mine: Study, words: pd.DataFrame) -> Disputes:
    """Every pair of definitions on the same words.

    Args:
        mine: the SAE on its words.
        words: from ``definitions.judge``.
    """
    return Disputes(agreement(words), name_latents(mine, disputed_words(words)))
