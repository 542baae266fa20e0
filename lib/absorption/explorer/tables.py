"""All tables of judged SAEs that the explorer shows, tidy, each with a column ``sae``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import torch

from absorption.ablation.ranking import MOST_NEGATIVE
from absorption.base.statistics import interval
from absorption.definitions.evidence import Evidence
from absorption.definitions.factors import with_factors
from absorption.definitions.thresholds import Thresholds
from absorption.explorer.latents import names_table, neighbours_table
from absorption.explorer.letters import cosine_bins, scores_table
from absorption.explorer.words import latents_table, words_table
from absorption.latents.main import K_SPARSE
from absorption.latents.score import MeanSamples, mean_samples, probe_samples
from absorption.latents.sparse import ACTIVE
from absorption.one_sae.study import Study
from absorption.spelling.vocab import BY_STEM, LETTERS, stems

SMALLEST_JUMP = 0.01
"""Least rise of F1 that the explorer's slider sets; more main latents than it keeps are never asked for."""
SMALLEST_LEAD = 0.01
"""Least lead that the slider sets where all effects are known."""
PROBE, MAIN_TOGETHER = "LR probe", "main latents, any on"


@dataclass(frozen=True)
class Subject:
    """One SAE with all that was judged of it."""

    study: Study
    evidence: Evidence
    """Its words under the main latents that were judged."""
    letters: Sequence[str]
    """Letters whose probe is good enough for a rate."""
    rates: pd.DataFrame
    """As ``definitions.absorption_rates`` gives it, of this SAE alone."""
    leaders: pd.DataFrame
    """As ``leaders_of_effects`` or ``leaders_of_labels`` gives it."""
    effects: pd.DataFrame
    """``word, latent, effect`` of what was removed, as far as it is kept."""
    thresholds: Thresholds
    leads: Mapping[str, float]
    """Least lead in logits, by the definition's name."""
    command: str
    """What computes all this again; a threshold is added behind it."""
    seed: int = 0
    """Of the choice of candidates."""


def tables_of(subject: Subject) -> dict[str, pd.DataFrame]:
    """The explorer's tables of one SAE, by name.

    Raises:
        ValueError: thresholds under which the page could not judge again.
    """
    if subject.thresholds.ranking != MOST_NEGATIVE:
        raise ValueError(
            f"ranking is {subject.thresholds.ranking!r}; the explorer judges by {MOST_NEGATIVE!r}."
        )
    study, evidence, thresholds = subject.study, subject.evidence, subject.thresholds
    texts = study.words.table["word"].tolist()
    ranking = study.k_sparse.main_latents(min(SMALLEST_JUMP, study.f1_jump))
    rows = latents_table(evidence, ranking, subject.effects, thresholds)
    ranked = {latent for latents in ranking.values() for latent in latents}
    led = subject.leaders["leader"]
    shown = sorted({*rows["latent"].tolist(), *led[led >= 0].tolist(), *ranked})
    neighbours = neighbours_table(study.sae, shown)
    words = words_table(evidence, texts, ranking, seed=subject.seed)
    named = sorted({*shown, *neighbours["neighbour"].tolist()})
    norms = evidence.decoder.norm(dim=1)[torch.tensor(named)].numpy()
    tables = {
        "explorer-saes": pd.DataFrame([_about(subject)]),
        "explorer-quality": _quality(study, evidence),
        "explorer-rates": with_factors(subject.rates),
        "explorer-scores": scores_table(study, ranking, thresholds),
        "explorer-cosines": cosine_bins(evidence.cosines.numpy()),
        "explorer-words": words,
        "explorer-leaders": subject.leaders[subject.leaders["word"].isin(words["word"])],
        "explorer-word-latents": rows,
        "explorer-latents": names_table(study.acts.csr, texts, named).assign(norm=norms),
        "explorer-neighbours": neighbours,
    }
    for table in tables.values():
        table.insert(0, "sae", study.sae.name)
    return tables


def join(subjects: Sequence[Subject]) -> dict[str, pd.DataFrame]:
    """The tables of several SAEs, one under another.

    An SAE whose main latents were chosen in another way than by k-sparse probing is left out: the page could not move
    the F1 jump.
    """
    found = [tables_of(subject) for subject in subjects if _by_jump(subject)]
    if not found:
        return {}
    return {name: pd.concat([tables[name] for tables in found], ignore_index=True) for name in found[0]}


def _by_jump(subject: Subject) -> bool:
    return dict(subject.evidence.main) == subject.study.main[K_SPARSE]


def _about(subject: Subject) -> dict[str, Any]:
    study, exact = subject.study, bool(subject.leaders["exact"].all())
    smallest = SMALLEST_LEAD if exact else min(subject.leads.values())
    return {
        "d_sae": study.sae.d_sae,
        "hook": study.sae.hook_name,
        "l0_words": float(study.acts.l0.mean()),
        "l0_text": float(study.l0_text),
        "n_words": len(study.words.table),
        "letters": "".join(subject.letters),
        "f1_jump": study.f1_jump,
        "smallest_jump": min(SMALLEST_JUMP, study.f1_jump),
        "leads": json.dumps(dict(subject.leads)),
        "smallest_lead": smallest,
        "smallest_cosine": 0.0 if exact else subject.thresholds.min_cosine,
        "thresholds": json.dumps(asdict(subject.thresholds)),
        "command": subject.command,
    }


def _quality(study: Study, evidence: Evidence) -> pd.DataFrame:
    """Precision, recall and F1 of probe and main latents: ``what, metric, value, low, high``, means over letters."""
    probed = study.words.probed
    test = torch.from_numpy(probed.test)
    on = torch.stack(
        [
            (study.acts.dense(torch.tensor(list(evidence.main[letter])))[test] > ACTIVE).any(dim=1)
            for letter in LETTERS
        ],
        dim=1,
    )
    groups, seed = stems(probed.words).to_numpy()[probed.test], study.words.seed
    main = mean_samples(study.sae.name, on, probed.labels[test], groups=groups, seed=seed)
    probe = probe_samples(probed, resample=BY_STEM, seed=seed)
    return pd.concat([_scores(PROBE, probe), _scores(MAIN_TOGETHER, main)], ignore_index=True)


def _scores(what: str, samples: MeanSamples) -> pd.DataFrame:
    rows = []
    for metric, value in samples.values.items():
        low, high = interval(samples.samples[metric])
        rows.append((what, metric, value, float(low), float(high)))
    return pd.DataFrame(rows, columns=["what", "metric", "value", "low", "high"])
