"""How splits and absorption move with L0 and width, paired over SAEs on the same resampled words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, interval
from absorption.definitions.rates import mean_rate_samples
from absorption.definitions.rules import DEFINITIONS
from absorption.latents.held_out_splits import FLATS, halves, held_out_splits, letters_that_pass
from absorption.latents.held_out_splits import SPLITS as PICKED
from absorption.latents.score import MeanSamples, slope_per_doubling
from absorption.one_sae.study import Study, train_rows
from absorption.several_saes.one_width import share_width
from absorption.several_saes.rates import LabelledSae

SPLITS, RATE = "splits", "rate"
TOO_FEW, NO_PAIR = "none: fewer than two of one width with a known L0", "none: no two widths at one L0"
"""Why there is no change to show."""
BY_L0, BY_WIDTH = "each doubling of L0", "wider, same L0"


def split_samples(study: Study) -> MeanSamples:
    """Mean number of splits of a letter (main latents beyond the first), with its resamples."""
    counts = [len(latents) - 1 for latents in study.k_sparse.main_latents(study.f1_jump).values()]
    samples = study.k_sparse.count_samples(study.f1_jump).mean(axis=1) - 1
    return MeanSamples(study.sae.name, {SPLITS: float(np.mean(counts))}, {SPLITS: samples})


def rate_samples(
    judged: LabelledSae, definition: str, letters: Sequence[str], *, seed: int = 0
) -> MeanSamples:
    """Mean rate over the letters that pass the SAE's gate, under one definition, with its resamples of stems."""
    mine = judged.table[judged.table["definition"] == definition]
    stems = judged.study.words.stems
    value, samples = mean_rate_samples(mine, letters, valid=judged.valid, seed=seed, stems=stems)
    return MeanSamples(judged.study.sae.name, {RATE: value}, {RATE: samples})


def splits_held_out(study: Study) -> pd.DataFrame:
    """Letters picked on one half of the test words and measured on the other; see ``held_out_splits``."""
    probed, seed = study.words.probed, study.words.seed
    return held_out_splits(
        study.acts.csr, probed.labels, train_rows(study.words),
        halves(study.words.table, probed.test, seed), study.ranking_probe, f1_jump=study.f1_jump, seed=seed,
    )  # fmt: skip


def split_claims(study: Study, held_out: pd.DataFrame) -> pd.DataFrame:
    """What the letters say of the paper's claim: ``claim, part, value, low, high, note``, for the ledger.

    Args:
        study: the SAE.
        held_out: from ``splits_held_out``.
    """
    passed = letters_that_pass(held_out, study.f1_jump)
    picked = held_out["picked"].value_counts()
    rows = [
        ("split", part, *_ends(passed[name]), f"{study.sae.name}; letters picked: {picked.get(name, 0)}")
        for part, name in (("a-letter-splits", PICKED), ("a-letter-does-not", FLATS))
    ]
    return pd.DataFrame(rows, columns=["claim", "part", "value", "low", "high", "note"])


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def split_table(studies: Sequence[Study]) -> pd.DataFrame:
    """One row an SAE: ``sae, d_sae, l0_text, l0_share, letters_split, splits, splits_low, splits_high``."""
    rows = []
    for study in studies:
        found = split_samples(study)
        low, high = interval(found.samples[SPLITS])
        split = sum(len(m) > 1 for m in study.k_sparse.main_latents(study.f1_jump).values())
        about = (study.sae.name, study.sae.d_sae, study.l0_text, study.l0_share, split)
        rows.append((*about, found.values[SPLITS], float(low), float(high)))
    names = ["sae", "d_sae", "l0_text", "l0_share", "letters_split", "splits", "splits_low", "splits_high"]
    return pd.DataFrame(rows, columns=names)


def letters_split_share(study: Study) -> Estimate:
    """Share of letters with more than one main latent, with its interval over words."""
    split = [len(latents) > 1 for latents in study.k_sparse.main_latents(study.f1_jump).values()]
    low, high = interval((study.k_sparse.count_samples(study.f1_jump) > 1).mean(axis=1))
    return Estimate(float(np.mean(split)), float(low), float(high))


def slope(studies: Sequence[Study], found: Mapping[str, MeanSamples], metric: str) -> Estimate:
    """Change each time L0 doubles, over the SAEs of the width that most of them share.

    Args:
        studies: SAEs; those without a measured L0 on text are left out.
        found: values and resamples by the SAE's name.
        metric: name in ``found``.

    Returns:
        NaN with fewer than two such SAEs.
    """
    points = [(s.l0_text, found[s.sae.name]) for s in at_one_width(studies)]
    return slope_per_doubling(points, metric)


def at_one_width(studies: Sequence[Study]) -> list[Study]:
    """The SAEs with a known L0 on text, of the width that most of them share."""
    shared = share_width((study.sae.d_sae for study in studies), (study.l0_text for study in studies))
    return [study for study, mine in zip(studies, shared, strict=True) if mine]


def widest_pair(studies: Sequence[Study], tolerance: float = 0.1) -> tuple[Study, Study] | None:
    """The narrowest and the widest of the SAEs whose L0 on text is the same to a tenth; None without two widths.

    Of several L0s the one with the largest ratio of widths is taken.
    """
    pairs = [
        (narrow, wide)
        for narrow in studies
        for wide in studies
        if wide.sae.d_sae > narrow.sae.d_sae and abs(np.log(wide.l0_text / narrow.l0_text)) < tolerance
    ]
    return max(pairs, key=lambda pair: pair[1].sae.d_sae / pair[0].sae.d_sae, default=None)


def difference(found: Mapping[str, MeanSamples], pair: tuple[Study, Study] | None, metric: str) -> Estimate:
    """The second SAE's value minus the first's, paired; NaN without a pair."""
    if pair is None:
        return Estimate(np.nan, np.nan, np.nan)
    first, second = (found[study.sae.name] for study in pair)
    return second.minus(first, metric)


def rate_trends(judged: Sequence[LabelledSae], letters: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Change of the mean rate with L0 and with width, under every definition.

    Returns:
        ``change`` (``each doubling of L0`` or ``wider, same L0``), ``definition, value, low, high``, ``saes``
        (those compared).
    """
    studies = [item.study for item in judged]
    pair = widest_pair(studies)
    same_width = at_one_width(studies)
    one_width = ", ".join(study.sae.name for study in same_width) if len(same_width) > 1 else TOO_FEW
    two_widths = " and ".join(study.sae.name for study in pair) if pair else NO_PAIR
    rows = []
    for definition in DEFINITIONS:
        found = {item.study.sae.name: rate_samples(item, definition, letters, seed=seed) for item in judged}
        changes = ((BY_L0, slope(studies, found, RATE), one_width),)
        changes += ((BY_WIDTH, difference(found, pair, RATE), two_widths),)
        rows += [(name, definition, e.value, e.low, e.high, saes) for name, e, saes in changes]
    return pd.DataFrame(rows, columns=["change", "definition", "value", "low", "high", "saes"])
