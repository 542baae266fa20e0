"""An SAE on words whose activations, effects and k-sparse scores are drawn at random, so that every clause is met."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from tests.planted_study import mine
from torch import Tensor

from absorption import definitions
from absorption.definitions.apply import apply_ablation_rule, apply_projection_rules
from absorption.definitions.evidence import Evidence
from absorption.definitions.gate import valid_letters
from absorption.definitions.rules import ABLATION, DEFINITIONS, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.explorer.leaders import leaders_of_effects
from absorption.explorer.tables import SMALLEST_JUMP, Subject
from absorption.latents.ksparse import KSparse
from absorption.latents.sparse import SparseActs
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import Study
from absorption.spelling.vocab import LETTERS

MAX_CANDIDATES = 4
LEADS = {ABLATION: 1.0, RELATIVE: 0.6}
THRESHOLDS = Thresholds(max_candidates=MAX_CANDIDATES, min_main_recall=0.05, min_main_lift=1.0)
"""A gate that some letters pass, although nothing here knows a letter."""


@dataclass(frozen=True)
class AtRandom:
    """The SAE, and the effects of all its active latents at every word."""

    study: Study
    effects: pd.DataFrame
    decoder: Tensor

    def evidence(self, jump: float) -> Evidence:
        found = self.study.evidence_under(self.study.k_sparse.main_latents(jump))
        return replace(found, decoder=self.decoder)

    def labels(
        self, definition: str, jump: float, thresholds: Thresholds, known: pd.DataFrame
    ) -> tuple[pd.DataFrame, float]:
        """What the library says of every word, and its mean rate over the letters that count."""
        evidence = self.evidence(jump)
        if definition in (ABLATION, RELATIVE):
            words = evidence.words.numpy()[evidence.chosen(thresholds.max_candidates, 0)]
            mine = known[known["word"].isin(words)]
            table = apply_ablation_rule(evidence, mine, thresholds, thresholds.min_lead, definition)
        else:
            table = apply_projection_rules(evidence, thresholds)
            table = table[table["definition"] == definition]
        valid = valid_letters(gate_table(self.study, evidence.main, thresholds))
        rates = definitions.absorption_rates(table, letters=letters_of(evidence), valid=valid)
        return table, float(rates.loc[rates["letter"] == "mean", "rate"].iloc[0])

    def subject(self, name: str = "") -> Subject:
        """As a chapter hands it over: effects of the words that it would have ablated at three jumps."""
        evidence = self.evidence(0.03)
        known = self.known()
        judged = [self.labels(name, 0.03, THRESHOLDS, known)[0] for name in DEFINITIONS]
        rates = definitions.absorption_rates(pd.concat(judged), letters=letters_of(evidence))
        return Subject(
            study=replace(self.study, sae=replace(self.study.sae, name=name or self.study.sae.name)),
            evidence=evidence,
            letters=letters_of(evidence),
            rates=rates.assign(null=np.nan, null_low=np.nan, null_high=np.nan, p=np.nan),
            leaders=leaders_of_effects(evidence, known),
            effects=known,
            thresholds=THRESHOLDS,
            leads=LEADS,
            command="absorption run x.ipynb",
        )

    def known(self) -> pd.DataFrame:
        chosen = [
            evidence.words.numpy()[evidence.chosen(MAX_CANDIDATES, 0)]
            for evidence in map(self.evidence, (SMALLEST_JUMP, 0.03, 0.05))
        ]
        return self.effects[self.effects["word"].isin(np.concatenate(chosen))]


def letters_of(evidence: Evidence) -> list[str]:
    return sorted({str(evidence.names[int(i)]) for i in evidence.letters[evidence.words].tolist()})


def at_random(seed: int, n_active: int = 5) -> AtRandom:
    """Activations are such that shares of the projection lie on both sides of every threshold."""
    draw = np.random.default_rng(seed)
    study = mine()
    n, d_sae = study.acts.csr.shape
    dense = np.where(draw.random((n, d_sae)) < n_active / d_sae, draw.gamma(2.0, 0.4, (n, d_sae)), 0.0)
    csr = torch.from_numpy(dense).float().to_sparse_csr()
    f1 = np.sort(draw.uniform(0.2, 0.4, (26, 6)), axis=1)
    scores = pd.DataFrame(
        {
            "letter": np.repeat(list(LETTERS), 6),
            "k": np.tile(np.arange(1, 7), 26),
            "latent": np.concatenate([draw.permutation(d_sae)[:6] for _ in LETTERS]),
            "weight": 1.0,
            **dict.fromkeys(("precision", "recall"), 0.5),
            "f1": f1.ravel(),
            "f1_low": f1.ravel() - 0.1,
            "f1_high": f1.ravel() + 0.1,
        }
    )
    made = replace(study, acts=SparseActs(csr), k_sparse=KSparse({}, scores))
    words, latents = dense.nonzero()
    effect = draw.normal(-0.4, 1.0, len(words)).astype(np.float32)
    effects = pd.DataFrame({"word": words, "latent": latents, "effect": effect})
    directions = study.words.probed.probes.directions.numpy()
    leaning = draw.normal(0.1, 0.25, (d_sae, 26)) @ directions
    rows = leaning + draw.normal(0, 0.03, (d_sae, directions.shape[1]))
    return AtRandom(made, effects, torch.from_numpy(rows).float())
