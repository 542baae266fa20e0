"""Planted SAEs under the definitions, exactly as language models' SAEs, and beside what was planted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from absorption.ablation.effects import all_effects
from absorption.base.statistics import interval, resample_counts, score_samples
from absorption.base.threads import one_thread
from absorption.definitions.apply import apply_ablation_rule, apply_projection_rules, with_main
from absorption.definitions.calibration import silences
from absorption.definitions.evidence import Evidence, probed_right
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.silence import PUBLISHED, Silence
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import F1_JUMP, KSparse, probe_k_sparse
from absorption.latents.sparse import encode_words
from absorption.planted.linear_model import LinearModel
from absorption.planted.saes import Case
from absorption.probes.words import ProbedWords, probe_words

DEFINITIONS = (ABLATION, FULL_ABSORPTION, FRACTION)
"""The relative lead is left out: with ``linear_model.GAIN`` it is the published one."""
ENOUGH = 0.5
"""Share of a letter that other latents must carry for a word to count as absorbed, in truth."""
N_RESAMPLES = 400


@dataclass(frozen=True)
class PlantedStudy:
    """A case with everything that the definitions need, computed once for all thresholds."""

    case: Case
    evidence: Evidence
    effects: pd.DataFrame
    """Effect of removing each active latent of each judged word (``ablation.all_effects``)."""
    ksparse: KSparse
    _by_jump: dict[float, Evidence] = field(default_factory=dict, repr=False)

    def with_jump(self, f1_jump: float) -> Evidence:
        """The same words under the main latents that this rise of F1 keeps."""
        if f1_jump not in self._by_jump:
            self._by_jump[f1_jump] = with_main(self.evidence, self.ksparse.main_latents(f1_jump))
        return self._by_jump[f1_jump]

    def with_planted_probe(self) -> PlantedStudy:
        """The same words, latents and effects with the planted letter directions in place of the fitted probes'."""
        planted = self.case.alphabet.directions[: len(self.evidence.directions)]
        return replace(self, evidence=replace(self.evidence, directions=planted), _by_jump={})

    def silences(self) -> list[Silence]:
        """The rules of silence, fitted on the training words for the main latents of the published jump."""
        return silences(self.with_jump(F1_JUMP))

    def apply_definitions(
        self,
        thresholds: Thresholds | None = None,
        f1_jump: float = F1_JUMP,
        definitions: Collection[str] = DEFINITIONS,
        silence: Silence = PUBLISHED,
    ) -> pd.DataFrame:
        """Every word that the probe gets right, under each definition.

        Args:
            thresholds: of the definitions; default the published ones.
            f1_jump: rise of F1 by which a further latent counts as a main one.
            definitions: which to apply.
            silence: when main latents count as silent.

        Returns:
            Columns of ``definitions.apply_definitions``, and ``case``, ``family``, ``carried`` (the planted share of
            the letter that other latents carry) and ``truth`` (whether it is at least ``ENOUGH``).
        """
        thresholds, evidence = thresholds or Thresholds(), self.with_jump(f1_jump)
        if silence is not PUBLISHED:
            evidence = replace(evidence, silence=silence)
        tables = []
        if ABLATION in definitions:
            candidates = evidence.words[torch.from_numpy(evidence.main_off)].numpy()
            mine = self.effects[self.effects["word"].isin(candidates)]
            tables.append(apply_ablation_rule(evidence, mine, thresholds, thresholds.min_lead))
        if FULL_ABSORPTION in definitions or FRACTION in definitions:
            tables.append(apply_projection_rules(evidence, thresholds))
        table = pd.concat(tables, ignore_index=True)
        table = table[table["definition"].isin(definitions)]
        words = self.case.alphabet.words.assign(carried=self.case.truth())
        table = table.join(words[["family", "carried"]], on="word")
        # Of the ablation metric's words only candidates are judged; the others it calls not absorbed.
        return table.assign(case=self.case.name, truth=table["carried"] >= ENOUGH, judged=True)


@one_thread()
def study_case(case: Case, *, seed: int = 0) -> PlantedStudy:
    """Probe, k-sparse probe, latents and effects of a case: the stages of the language-model chapters.

    Args:
        case: words and a planted SAE.
        seed: of the split into training and test words.
    """
    alphabet, sae = case.alphabet, case.sae()
    probed = probe_words(alphabet.words[["word", "letter"]], alphabet.acts, seed=seed)
    acts = encode_words(sae, alphabet.acts)
    train = torch.from_numpy(probed.train)
    test = torch.from_numpy(probed.test)
    ksparse = probe_k_sparse(acts.csr, probed.labels, train, test, seed=seed)
    evidence = _evidence(case, probed, acts.csr, ksparse)
    effects = all_effects(LinearModel(alphabet, sae), acts.csr, evidence.words, progress=False)
    return PlantedStudy(case, evidence, effects, ksparse)


def _evidence(case: Case, probed: ProbedWords, csr: torch.Tensor, ksparse: KSparse) -> Evidence:
    letters = probed.labels.float().argmax(dim=1)
    test = torch.from_numpy(probed.test)
    return Evidence(
        csr=csr,
        letters=letters,
        words=probed_right(probed.probes.predict(probed.acts), letters, test),
        train=torch.from_numpy(probed.train),
        acts=probed.acts,
        directions=probed.probes.directions,
        decoder=case.sae().W_dec,
        main=ksparse.main_latents(),
    )


def scores(judged: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Precision and recall of each definition in each case.

    Args:
        judged: from ``PlantedStudy.apply_definitions``, of one or several cases.
        seed: of the bootstrap over words.

    Returns:
        ``case, definition, n, n_true, n_found``, then ``precision``, ``recall`` and ``false_rate`` (share of the words
        that are not absorbed which are called so), each with ``_low`` and ``_high`` over words, and
        ``recall_spread`` (standard deviation over letters). NaN where there is nothing to divide by.
    """
    rows = []
    for (case, definition), mine in judged.groupby(["case", "definition"], sort=False):
        found, truth = mine["absorbed"].to_numpy(), mine["truth"].to_numpy()
        counts = resample_counts(len(mine), n_resamples=N_RESAMPLES, seed=seed)
        row = {
            "case": case, "definition": definition, "n": len(mine), "n_true": int(truth.sum()),
            "n_found": int(found.sum()),
        }  # fmt: skip
        for name, (value, low, high) in _rates(found, truth, counts).items():
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        by_letter = mine[truth].groupby("letter")["absorbed"].mean()
        rows.append({**row, "recall_spread": float(by_letter.std()) if len(by_letter) > 1 else np.nan})
    return pd.DataFrame(rows)


def _rates(found: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> dict[str, tuple[float, float, float]]:
    once = np.ones((1, len(found)), dtype=np.float32)
    values, samples = (score_samples(found[:, None], truth[:, None], n) for n in (once, counts))
    wrong = found & ~truth
    rates = {
        "precision": (values["precision"][0, 0], samples["precision"], found.any()),
        "recall": (values["recall"][0, 0], samples["recall"], truth.any()),
        "false_rate": (
            wrong.sum() / max((~truth).sum(), 1),
            (counts @ wrong) / np.maximum(counts @ ~truth, 1),
            (~truth).any(),
        ),
    }
    nothing = (float("nan"),) * 3
    return {
        name: (float(value), *map(float, map(np.squeeze, interval(drawn)))) if defined else nothing
        for name, (value, drawn, defined) in rates.items()
    }  # type: ignore[return-value]
