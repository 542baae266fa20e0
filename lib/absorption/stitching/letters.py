"""What becomes of a letter's latent in a wider SAE: kept, split, narrower, absorbed, or gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import probe_k_sparse
from absorption.latents.main import K_SPARSE
from absorption.latents.select import on_f1
from absorption.latents.sparse import ACTIVE, SparseActs, encode_words, take_rows
from absorption.one_sae.study import train_rows
from absorption.one_sae.words import StudyWords
from absorption.probes.l1 import fit_sparse_probe
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import LETTERS
from absorption.stitching.pairs import THRESHOLD, Pair, directions

KEPT, SPLIT, NARROWER, ABSORBED, GONE = FATES = ("kept", "split", "narrower", "absorbed", "gone")
"""``kept``: one successor has the latent's F1. ``split``: several together have it. ``absorbed``: they miss words that
it had, and most of these another single latent carries. ``narrower``: they miss words, and none carries most of them.
``gone``: there is no successor."""
TIE = 0.05
"""F1 that a successor may lack and still count as good as the latent."""
SELECTIONS = ("best F1", K_SPARSE)
"""How a letter's latents are chosen: the one whose being on has the best F1 over training words, or the main latents
of k-sparse probing, which may be several."""
MOST_MAIN = 5
"""Main latents of a letter that k-sparse probing tries here; what it keeps is one or two."""


@dataclass(frozen=True)
class OnWords:
    """One SAE on the words."""

    sae: LoadedSae
    words: StudyWords

    @cached_property
    def acts(self) -> SparseActs:
        """Latent activations of every word."""
        return encode_words(self.sae, self.words.acts)

    def chosen(self, selection: str) -> list[list[int]]:
        """Each letter's latents under one of ``SELECTIONS``, the most important first."""
        return self._k_sparse if selection == K_SPARSE else [[latent] for latent in self._best.tolist()]

    @cached_property
    def _best(self) -> Int[Tensor, " letter"]:
        return on_f1(self._on_training_words, self._labels).argmax(dim=1)

    @cached_property
    def _k_sparse(self) -> list[list[int]]:
        probe = fit_sparse_probe(self._on_training_words, self._labels)
        test = torch.from_numpy(self.words.probed.test)
        how = {"max_k": MOST_MAIN, "probe": probe, "n_resamples": 1}
        found = probe_k_sparse(self.acts.csr, self.words.probed.labels, train_rows(self.words), test, **how)
        main = found.main_latents()
        return [main[letter] for letter in LETTERS]

    @property
    def _on_training_words(self) -> Tensor:
        return take_rows(self.acts.csr, train_rows(self.words))

    @property
    def _labels(self) -> Bool[Tensor, "train letter"]:
        return self.words.probed.labels[train_rows(self.words)]

    def on(self, latents: Int[Tensor, " latent"]) -> Bool[Tensor, "test latent"]:
        """Whether latents are on at the test words."""
        return self.acts.dense(latents)[torch.from_numpy(self.words.probed.test)] > ACTIVE


def follow_letters(
    words: StudyWords,
    series: Sequence[LoadedSae],
    pairs: Sequence[Pair],
    selections: Sequence[str] = SELECTIONS,
) -> pd.DataFrame:
    """The letters' latents of every SAE but the last, in the next wider one.

    Args:
        words: at the SAEs' hook.
        series: narrow to wide.
        pairs: their neighbours, in order.
        selections: how a letter's latents are chosen, of ``SELECTIONS``.

    Returns:
        ``selection, pair, letter, latent`` (the first), ``followed`` (how many), ``f1`` (on test words, any is on),
        ``nearest, cosine`` (in the wider SAE), ``successors`` (latents there with a cosine of at least ``THRESHOLD``
        with one of them), ``f1_best`` (of one successor for each), ``f1_all`` (any is on), ``lost`` (test words of the
        letter that a followed latent is on for and no successor), ``taken`` (share of these that another single latent
        carries), ``own, f1_own`` (the letter's latents of the wider SAE, the first of them) and ``fate``.
    """
    on_words = [OnWords(sae, words) for sae in series]
    probes = words.probed.probes.directions.float()
    rows = [
        {
            "selection": selection, "pair": pair.name, "letter": letter,
            **_follow(pair, small, large, number, selection, probes[number]),
        }
        for selection in selections
        for pair, small, large in zip(pairs, on_words, on_words[1:], strict=False)
        for number, letter in enumerate(LETTERS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _follow(
    pair: Pair,
    small: OnWords,
    large: OnWords,
    letter: int,
    selection: str,
    direction: Float[Tensor, " d_model"],
) -> dict[str, Any]:
    latents, own = small.chosen(selection)[letter], large.chosen(selection)[letter]
    cosines = directions(pair.larger) @ directions(pair.smaller)[latents].T
    like = cosines >= THRESHOLD
    successors = like.any(dim=1).nonzero()[:, 0]
    truth = small.words.probed.labels[torch.from_numpy(small.words.probed.test)][:, letter]
    mine, theirs = small.on(torch.tensor(latents)).any(dim=1), large.on(successors)
    lost = truth & mine & ~theirs.any(dim=1)
    found = {
        "latent": latents[0], "followed": len(latents), "f1": _f1(mine, truth),
        "nearest": int(cosines[:, 0].argmax()), "cosine": float(cosines[:, 0].max()), "successors": len(successors),
        "f1_best": _f1(_one_for_each(theirs, like[successors], truth), truth),
        "f1_all": _f1(theirs.any(dim=1), truth), "lost": int(lost.sum()),
        "taken": _taken_over(small, large, successors, lost, direction),
        "own": own[0], "f1_own": _f1(large.on(torch.tensor(own)).any(dim=1), truth),
    }  # fmt: skip
    return found | {"fate": fate(found)}


def _one_for_each(
    on: Bool[Tensor, "test successor"], like: Bool[Tensor, "successor followed"], truth: Bool[Tensor, " test"]
) -> Bool[Tensor, " test"]:
    """Where one of the successors is on that together have the best F1, one for each followed latent, one by one."""
    found = torch.zeros_like(truth)
    for mine in like.T:
        if bool(mine.any()):
            found = max((found | one for one in on.T[mine]), key=lambda either: _f1(either, truth))
    return found


def _f1(on: Bool[Tensor, " test"], truth: Bool[Tensor, " test"]) -> float:
    return float(2 * (on & truth).sum() / (on.sum() + truth.sum()).clamp_min(1))


def _taken_over(small: OnWords, large: OnWords, successors: Tensor, lost: Tensor, direction: Tensor) -> float:
    """Share of lost words that one other latent carries, by the thresholds of full absorption; NaN if none is lost.

    It has at least ``min_share`` of the word's projection on the probe, and a decoder cosine of ``min_cosine`` with it.
    """
    if not bool(lost.any()):
        return float("nan")
    thresholds = Thresholds()
    rows = torch.from_numpy(small.words.probed.test)[lost]
    projection = small.words.acts[rows].float() @ direction
    write = large.sae.W_dec.float().cpu() @ direction
    write[directions(large.sae) @ direction < thresholds.min_cosine] = 0
    write[successors] = 0
    strongest = (take_rows(large.acts.csr, rows).to_dense() * write).amax(dim=1)
    return float(((projection > 0) & (strongest >= thresholds.min_share * projection)).double().mean())


def fate(found: dict[str, Any]) -> str:
    """One of ``FATES``, from the columns of ``follow_letters``."""
    if found["successors"] == 0:
        return GONE
    if found["f1_best"] >= found["f1"] - TIE:
        return KEPT
    if found["f1_all"] >= found["f1"] - TIE:
        return SPLIT
    return ABSORBED if found["taken"] > 0.5 else NARROWER


def count_fates(table: pd.DataFrame) -> pd.DataFrame:
    """Letters by fate: a row a selection and pair, a column a fate, and mean F1 before and after (any successor on)."""
    by = ["selection", "pair"]
    counts = pd.crosstab([table[name] for name in by], table["fate"]).reindex(
        columns=list(FATES), fill_value=0
    )
    means = table.groupby(by)[["f1", "f1_best", "f1_all", "f1_own"]].mean()
    order = list(dict.fromkeys(zip(table["selection"], table["pair"], strict=True)))
    return counts.join(means).loc[order].reset_index().rename_axis(columns=None)
