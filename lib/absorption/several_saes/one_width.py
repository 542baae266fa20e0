"""Which of several SAEs share a width, for trends against L0."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from jaxtyping import Bool


def share_width(d_sae: Iterable[int], l0: Iterable[float]) -> Bool[np.ndarray, " sae"]:
    """Whether each SAE has the width that most of those with a known L0 share.

    Args:
        d_sae: number of latents of each SAE.
        l0: mean number of active latents of each; an SAE whose L0 is not known (NaN) is left out.
    """
    widths = pd.Series(list(d_sae), dtype=np.int64)
    known = ~np.isnan(np.array(list(l0), dtype=np.float64))
    if not known.any():
        return known
    return known & (widths == widths[known].value_counts().index[0]).to_numpy()
