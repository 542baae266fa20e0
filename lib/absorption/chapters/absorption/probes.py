"""The same SAE under every kind of probe, and with what all words share left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from absorption.ablation.engine import AblationEngine
from absorption.base import timing
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.tables import mean_rows
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.beside_null import apply_with_null
from absorption.definitions.evidence import Evidence
from absorption.definitions.nulls import null_by_projection
from absorption.definitions.rates import absorption_rates
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.latents.main import K_SPARSE
from absorption.one_sae.study import Study
from absorption.probes.words import CONVERGED, PROBES, REFERENCE

RAW, CENTRED = "raw", "centred"
"""What is projected on the probe: the activation (as published), or the activation less the training words' mean.
Ablation projects nothing and is the same under both."""
IN_TEXT = (REFERENCE, CONVERGED)
"""Probes of which the text tells the numbers."""


@dataclass(frozen=True)
class ByProbe(Findings):
    """Rates and levels under every probe."""

    rates: pd.DataFrame
    """As ``rates_by_probe`` gives it, and ``under``: probe and projection."""
    levels: pd.DataFrame
    """As ``probe_table`` gives it."""

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return mean_rows(self.rates, "probe", "projection")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Rates, and what tells the probes apart."""
        return {"rates-by-probe": self.rates, "probe-levels": self.levels}

    def numbers(self) -> Mapping[str, Any]:
        """Offset and total of two probes; full absorption and its null, raw and centred."""
        numbers = {
            f"{name}_{row['probe']}": float(row[name])
            for row in self.levels.to_dict("records")
            for name in ("offset", "total")
            if row["probe"] in IN_TEXT
        }
        full = self.means[self.means["definition"] == FULL_ABSORPTION]
        told = full[full["probe"].isin(IN_TEXT)]
        for row in told.to_dict("records"):
            under = f"{row['probe']}_{row['projection']}"
            numbers |= {f"full_{under}": float(row["rate"]), f"null_{under}": float(row["null"])}
        return numbers


def apply_under_every_probe(basis: Basis, settings: AbsorptionSettings) -> ByProbe:
    """Judge the chapter's own SAE under every probe, with the same letters and main latents."""
    rates = rates_by_probe(
        basis.engine,
        basis.mine,
        basis.thresholds,
        basis.letters,
        valid=basis.valid,
        mean_metric=basis.scale.value,
        selection=settings.selection,
        seed=settings.seed,
    )
    rates["under"] = rates["probe"] + ", " + rates["projection"]
    return ByProbe(rates, probe_table(basis.mine, basis.letters))


def rates_by_probe(
    engine: AblationEngine,
    study: Study,
    thresholds: Thresholds,
    letters: Sequence[str],
    *,
    mean_metric: float,
    valid: Collection[str] | None = None,
    selection: str = K_SPARSE,
    seed: int = 0,
) -> pd.DataFrame:
    """The same letters and main latents; the probe decides which words it gets right, and every cosine and share.

    Effects that were computed before are not computed again: they do not depend on the probe.

    Args:
        engine: the ablation engine.
        study: one SAE on the words.
        thresholds: of all definitions.
        letters: letters to use, for every probe.
        mean_metric: the model's own scale.
        valid: letters over which the mean is taken (``definitions.valid_letters``); default all.
        selection: of the main latents, made once with the study's own probe.
        seed: of the choice among too many candidates, and of the bootstrap.

    Returns:
        ``probe, projection`` (``raw`` or ``centred``) and the columns of ``definitions.absorption_rates``; a rate's
        null is along directions in place of that probe's, projected in the same way.
    """
    main, tables = study.main[selection], []
    with timing.stage("probes compared"):
        for probe in tqdm(PROBES, desc="Probes"):
            evidence = study.under(probe).evidence_under(main)
            raw, null = apply_with_null(engine, evidence, thresholds, mean_metric=mean_metric, seed=seed)
            less_mean = replace(evidence, centred=True)
            centred = apply_projection_rules(less_mean, thresholds)
            null_centred = null_by_projection(less_mean, thresholds, seed=seed)
            for projection, judged, beside in ((RAW, raw, null), (CENTRED, centred, null_centred)):
                rates = absorption_rates(
                    judged, letters=letters, valid=valid, null=beside, seed=seed, stems=study.words.stems
                )
                tables.append(rates.assign(probe=probe, projection=projection))
    return pd.concat(tables, ignore_index=True)


def probe_table(study: Study, letters: Sequence[str]) -> pd.DataFrame:
    """What tells the probes apart, as means over letters.

    Returns:
        ``probe, f1`` (on the test words), ``cosine`` (with the converged probe), ``main_cosine`` (of the first main
        latent's decoder), ``offset`` (projection of the training words' mean on the letter's unit direction),
        ``total`` (mean projection of the judged words, less the offset).
    """
    rows = []
    converged = study.under(CONVERGED).evidence().directions
    for probe in PROBES:
        under = study.under(probe)
        evidence = under.evidence()
        f1 = under.words.probe_f1.set_index("letter")["value"].loc[list(letters)]
        mine = [list(evidence.names).index(letter) for letter in letters]
        cosine = (evidence.directions * converged).sum(dim=1)[mine]
        firsts = [evidence.main[letter][0] for letter in letters]
        main = evidence.cosines[mine, firsts]
        rows.append(
            (probe, float(f1.mean()), float(cosine.mean()), float(main.mean()), *_levels(evidence, mine))
        )
    return pd.DataFrame(rows, columns=["probe", "f1", "cosine", "main_cosine", "offset", "total"])


def _levels(evidence: Evidence, letters: Sequence[int]) -> tuple[float, float]:
    """Mean offset over letters, and mean total of the judged words without it."""
    offsets = evidence.directions @ evidence.acts[evidence.train].mean(0)
    mine = evidence.letters[evidence.words]
    totals = torch.from_numpy(replace(evidence, centred=True).totals)
    means = [float(totals[mine == letter].mean()) for letter in letters if (mine == letter).any()]
    return float(offsets[list(letters)].mean()), float(np.mean(means))
