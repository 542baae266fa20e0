"""One SAE on the words: its latents, its main latents under every selection, and what the definitions rest on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.ablation.bench import Contest
from absorption.ablation.engine import AblationEngine
from absorption.definitions.apply import model_scale
from absorption.definitions.evidence import Evidence
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import F1_JUMP, MAX_K, KSparse, probe_k_sparse
from absorption.latents.main import (
    K_SPARSE,
    MAIN_SELECTIONS,
    MainLatents,
    one_each,
    reference_steps,
    unconverged_probe,
)
from absorption.latents.select import select_latents
from absorption.latents.sparse import SparseActs, encode_words, take_rows
from absorption.one_sae.words import StudyWords
from absorption.probes.l1 import SparseProbe, fit_sparse_probe
from absorption.saes.loaded import LoadedSae

FEW_WORDS = 2000
"""Training words of the sample on which the reference code's ranking probe does not converge."""
UNCONVERGED = "few words, unconverged"
"""The ranking probe as the reference code leaves it on a sample smaller than its batch: a warning, not a selection
to use."""
CONVERGED = "few words, converged"
"""The same sample, ranked by a probe that has converged."""


@dataclass(frozen=True)
class Study:
    """One SAE, its latents on the words, and its k-sparse probes."""

    words: StudyWords
    sae: LoadedSae
    acts: SparseActs
    ranking_probe: SparseProbe
    k_sparse: KSparse
    f1_jump: float = F1_JUMP

    @cached_property
    def main(self) -> dict[str, MainLatents]:
        """Main latents by selection and letter."""
        single = select_latents(self.sae, self.words.probed, self.acts)
        return {K_SPARSE: self.k_sparse.main_latents(self.f1_jump)} | {
            name: one_each(single[name], self.words.names) for name in MAIN_SELECTIONS if name != K_SPARSE
        }

    def under(self, probe: str) -> Study:
        """The same SAE and k-sparse probes under another kind of LR probe (``probes.PROBES``)."""
        return replace(self, words=self.words.under(probe))

    def evidence(self, selection: str = K_SPARSE) -> Evidence:
        """What the definitions rest on, under one selection of main latents."""
        return self.evidence_under(self.main[selection])

    def contest(self, selection: str, words: Int[Tensor, " word"]) -> Contest:
        """Words and labels to time the engine with: the relative lead, on the scale of these very words."""
        thresholds = Thresholds()
        engine = AblationEngine(self.words.model, self.sae, self.words.prompts)
        lead = thresholds.relative_lead(model_scale(engine, words, n_words=len(words)).value)
        cosines = self.evidence(selection).cosines
        return Contest(self.acts.csr, words, cosines, thresholds.ablation_rule(lead))

    def on_few_words(self) -> dict[str, Evidence]:
        """The same test words under main latents ranked on ``FEW_WORDS`` training words, two ways.

        Fewer words than the reference code's batch of 4,096 are one step an epoch, so its 50 epochs end long before
        the optimum; on all words of this book they are hundreds of steps, and the ranking is the converged one.
        """
        rows = few_of(self._train, FEW_WORDS, self.words.seed)
        mine, labels = take_rows(self.acts.csr, rows), self.words.probed.labels[rows]
        steps = reference_steps(len(rows))
        probes = {
            CONVERGED: fit_sparse_probe(mine, labels),
            UNCONVERGED: unconverged_probe(mine, labels, steps=steps, seed=self.words.seed),
        }
        found = {name: _k_sparse(self.words, self.acts, probe, MAX_K) for name, probe in probes.items()}
        return {name: self.evidence_under(k.main_latents(self.f1_jump)) for name, k in found.items()}

    @property
    def l0_text(self) -> float:
        """Mean active latents on held-out text, from the SAE's card; NaN without one."""
        return self.sae.l0_text

    @property
    def l0_share(self) -> float:
        """Mean active latents at the words over d_model, so that models can be compared."""
        return float(self.acts.l0.mean()) / self.words.acts.shape[1]

    @property
    def violation(self) -> float:
        """Largest violation of the ranking probes' optimality conditions, as a share of the penalty."""
        return float(self.ranking_probe.violation.max())

    @property
    def _train(self) -> torch.Tensor:
        return train_rows(self.words)

    def evidence_under(self, main: MainLatents) -> Evidence:
        """What the definitions rest on, under main latents of one's own."""
        words = self.words
        return Evidence(
            csr=self.acts.csr,
            letters=words.letters,
            words=words.right,
            train=train_rows(words),
            acts=words.acts,
            directions=words.probed.probes.directions,
            filters=words.filters,
            decoder=self.sae.W_dec.detach().float().cpu(),
            main=main,
            names=words.names,
        )


def study_saes(
    words: StudyWords,
    saes: list[LoadedSae],
    *,
    f1_jump: float = F1_JUMP,
    max_k: int = MAX_K,
    allow_none: bool = False,
) -> list[Study]:
    """Encode the words and find the main latents of each SAE.

    Args:
        words: from ``prepare_words``, at the SAEs' hook.
        saes: SAEs to study.
        f1_jump: rise of F1 by which a further latent counts as a main one.
        max_k: latents tried at most for each letter.
        allow_none: a letter that no latent speaks for is left without main latents; else it is an error.

    Raises:
        RuntimeError: a ranking probe did not converge.
    """
    return [_study(words, sae, f1_jump, max_k, allow_none) for sae in tqdm(saes, desc="SAEs")]


def _study(words: StudyWords, sae: LoadedSae, f1_jump: float, max_k: int, allow_none: bool) -> Study:
    acts = encode_words(sae, words.acts)
    train = train_rows(words)
    probe = fit_sparse_probe(take_rows(acts.csr, train), words.probed.labels[train])
    return Study(words, sae, acts, probe, _k_sparse(words, acts, probe, max_k, allow_none), f1_jump)


def _k_sparse(
    words: StudyWords, acts: SparseActs, probe: SparseProbe, max_k: int, allow_none: bool = False
) -> KSparse:
    return probe_k_sparse(
        acts.csr, words.probed.labels, train_rows(words), torch.from_numpy(words.probed.test),
        max_k=max_k, probe=probe, seed=words.seed, names=words.names, allow_none=allow_none,
    )  # fmt: skip


def few_of(rows: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    """``n`` of the rows, or all, drawn with the seed; in order."""
    picked = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:n]
    return rows[picked.sort().values]


def train_rows(words: StudyWords) -> torch.Tensor:
    """Row numbers of the training words."""
    return torch.from_numpy(words.probed.train)
