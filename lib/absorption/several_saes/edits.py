"""Letter edits through several SAEs on the same words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from jaxtyping import Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.ablation.engine import AblationEngine
from absorption.base import timing
from absorption.base.statistics import mean_interval
from absorption.latents.main import K_SPARSE
from absorption.mediation.editing import edit_letters, letter_levels
from absorption.one_sae.study import Study, train_rows

EDITED = "edited"


def edits_by_sae(
    studies: Sequence[Study], words: Int[Tensor, " word"], *, selection: str = K_SPARSE, seed: int = 0
) -> pd.DataFrame:
    """``mediation.edit_letters`` for every SAE, with levels from the training words: its columns and ``sae``."""
    tables = []
    with timing.stage("edits"):
        for study in tqdm(studies, desc="SAEs edited with"):
            engine = AblationEngine(study.words.model, study.sae, study.words.prompts)
            subject = study.subject(selection)
            levels = letter_levels(subject, train_rows(study.words))
            table = edit_letters(engine, subject, words, levels, seed=seed)
            tables.append(table.assign(sae=study.sae.name))
    return pd.concat(tables, ignore_index=True)


def edit_rates(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Share of answers that became the target letter, and that stayed the word's own.

    Columns ``sae, method, value, low, high, kept, shift, words``; the interval is of ``value``.
    """
    rows = []
    for (sae, method), mine in table.groupby(["sae", "method"], sort=False):  # type: ignore[misc]
        share = mean_interval(mine[EDITED].to_numpy(), seed=seed)
        means = (float(mine["kept"].mean()), float(mine["shift"].mean()), len(mine))
        rows.append((sae, method, share.value, share.low, share.high, *means))
    names = ["sae", "method", "value", "low", "high", "kept", "shift", "words"]
    return pd.DataFrame(rows, columns=names)
