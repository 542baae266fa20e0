"""What the explorer shows of the chapter's SAEs: words with the little evidence that judges them at any threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from absorption.ablation.effects import stored_effects
from absorption.ablation.engine import AblationEngine
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.count import Counted
from absorption.chapters.absorption.every_sae import EverySae
from absorption.chapters.absorption.thresholds import JUMPS
from absorption.chapters.explorer_command import command
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.apply import null_effects
from absorption.definitions.rules import ABLATION, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.explorer.leaders import leaders_of_effects, leaders_of_labels
from absorption.explorer.tables import Subject, join
from absorption.several_saes.rates import LabelledSae


@dataclass(frozen=True)
class KeptEvidence(Findings):
    """The explorer's tables by name."""

    found: Mapping[str, pd.DataFrame]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """All of them."""
        return self.found


def keep_evidence(
    basis: Basis, counted: Counted, by_sae: EverySae, settings: AbsorptionSettings
) -> KeptEvidence:
    """The evidence of every SAE of the chapter, from what is computed already: no pass of the model is made.

    Of the chapter's own SAE all effects of the candidates are kept, under each F1 jump of the panel; of the others the
    labels.

    Args:
        basis: SAEs and words.
        counted: what was judged of the chapter's own SAE.
        by_sae: what was judged of all of them, with fewer candidates.
        settings: the chapter's.
    """
    mine = basis.mine.sae.name
    others = [_other(basis, one, by_sae, settings) for one in by_sae.judged if one.study.sae.name != mine]
    return KeptEvidence(join([_own(basis, counted, settings), *others]))


def _own(basis: Basis, counted: Counted, settings: AbsorptionSettings) -> Subject:
    study, most = basis.mine, basis.thresholds.max_candidates
    chosen = [basis.evidence.words.numpy()[basis.evidence.chosen(most, settings.seed)]]
    for jump in JUMPS:
        evidence = study.evidence_under(study.k_sparse.main_latents(jump))
        chosen.append(evidence.words.numpy()[evidence.chosen(most, settings.seed)])
    words = torch.from_numpy(np.unique(np.concatenate(chosen)))
    effects = stored_effects(basis.engine, study.acts.csr, words, progress=False)
    return Subject(
        study=study,
        evidence=basis.evidence,
        letters=basis.letters,
        rates=counted.rates,
        leaders=leaders_of_effects(basis.evidence, effects),
        effects=effects,
        thresholds=basis.thresholds,
        leads=_leads(basis, basis.thresholds),
        command=command(settings, basis.mine.sae, most, shipped=False),
        seed=settings.seed,
    )


def _other(basis: Basis, one: LabelledSae, by_sae: EverySae, settings: AbsorptionSettings) -> Subject:
    study, rates = one.study, by_sae.rates
    evidence = study.evidence(settings.selection)
    engine = AblationEngine(study.words.model, study.sae, study.words.prompts)
    return Subject(
        study=study,
        evidence=evidence,
        letters=basis.letters,
        rates=rates[rates["sae"] == study.sae.name].drop(columns="sae"),
        leaders=leaders_of_labels(one.table),
        effects=null_effects(engine, evidence, seed=settings.seed),
        thresholds=by_sae.thresholds,
        leads=_leads(basis, by_sae.thresholds),
        command=command(settings, study.sae, by_sae.thresholds.max_candidates, shipped=True),
        seed=settings.seed,
    )


def _leads(basis: Basis, thresholds: Thresholds) -> dict[str, float]:
    return {ABLATION: thresholds.min_lead, RELATIVE: basis.lead}
