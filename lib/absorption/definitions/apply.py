"""The three definitions applied to the same words: one tidy table, one row a word and definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from absorption.ablation.effects import clean_metrics, removal_effects, stored_effects
from absorption.ablation.engine import AblationEngine
from absorption.ablation.labels import Removal, label_words
from absorption.ablation.ranking import AblationRule
from absorption.base.statistics import Estimate, mean_interval
from absorption.definitions.evidence import Evidence
from absorption.definitions.nulls import Null, null_by_effects, null_by_projection
from absorption.definitions.rules import (
    ABLATION,
    FRACTION,
    FULL_ABSORPTION,
    MAIN_ON,
    RELATIVE,
    WordLabel,
    ablation_rule,
    fraction_rule,
    full_rule,
)
from absorption.definitions.thresholds import Thresholds

NULL_CANDIDATES = 4
"""Candidates of a letter on which the ablation metric's null rests, where not all effects are known anyway."""
NOT_CHOSEN = "a candidate that was not ablated"
REFUTED = "not the leading effect, or not aligned"
"""Reason where only the label was computed: passes stopped before all effects were known."""
COLUMNS = [
    "definition", "word", "letter", "candidate", "judged", "absorbed", "value", "reason", "latent", "cosine",
    "strength", "lead",
]  # fmt: skip
"""One row a word (row number in the prompts' table) that the probe gets right, and definition. ``candidate``:
all main latents silent. ``judged``: the rule was applied (of the ablation metric's candidates a letter, at most
a seeded number). ``absorbed``: the rule holds; ``value``: 1, 0, or the absorption fraction. ``reason``: why
not absorbed. ``latent, cosine, strength, lead``: as in ``rules.WordLabel``."""


def apply_projection_rules(evidence: Evidence, thresholds: Thresholds) -> pd.DataFrame:
    """Full absorption and absorption fraction of every word that the probe gets right."""
    pairs = list(zip(evidence.active_latents, evidence.totals.tolist(), strict=True))
    everyone = np.ones(len(pairs), dtype=bool)
    full = [full_rule(word, total, thresholds) for word, total in pairs]
    fraction = [fraction_rule(word, total, thresholds) for word, total in pairs]
    tables = [
        _table(evidence, FULL_ABSORPTION, full, everyone),
        _table(evidence, FRACTION, fraction, everyone),
    ]
    return pd.concat(tables, ignore_index=True)


def apply_ablation_rule(
    evidence: Evidence,
    effects: pd.DataFrame,
    thresholds: Thresholds,
    min_lead: float,
    definition: str = ABLATION,
) -> pd.DataFrame:
    """The ablation metric of every word whose effects are known; other candidates stay unjudged.

    Args:
        evidence: words and latents.
        effects: ``word, latent, effect`` of every active latent, as ``ablation.all_effects`` gives them.
        thresholds: the definition's thresholds.
        min_lead: least lead, in logits.
        definition: what to call it.

    Raises:
        ValueError: a word's effects are not those of its active latents.
    """
    by_word = {int(word): mine for word, mine in effects.groupby("word")}  # type: ignore[call-overload]
    judged = evidence.main_off & np.isin(evidence.words.numpy(), list(by_word))
    found = []
    for word, latents, now in zip(evidence.words.tolist(), evidence.active_latents, judged, strict=True):
        if not now:
            found.append(WordLabel(MAIN_ON if latents.main_on else NOT_CHOSEN))
            continue
        mine = by_word[word].set_index("latent")["effect"]
        if set(mine.index) != set(latents.latents.tolist()):
            raise ValueError(f"the effects of word {word} are not those of its active latents.")
        found.append(ablation_rule(latents, mine.loc[latents.latents].to_numpy(), thresholds, min_lead))
    return _table(evidence, definition, found, judged)


def table_of_labels(
    evidence: Evidence, labels: pd.DataFrame, rule: AblationRule, definition: str = ABLATION
) -> pd.DataFrame:
    """The ablation metric from ``ablation.label_words``, run with this rule or a smaller lead."""
    by_word = labels.set_index("word")
    judged = evidence.main_off & np.isin(evidence.words.numpy(), by_word.index)
    found = []
    for word, latents, now in zip(evidence.words.tolist(), evidence.active_latents, judged, strict=True):
        if not now:
            found.append(WordLabel(MAIN_ON if latents.main_on else NOT_CHOSEN))
            continue
        row = by_word.loc[word]
        lead = float(row["lead"])
        cosine = (
            float(evidence.cosines[evidence.letters[word], int(row["latent"])])
            if row["latent"] >= 0
            else np.nan
        )
        about = (int(row["latent"]), cosine, float(row["effect"]), lead)
        held = bool(row["absorbed"]) and rule.leads(about[2], lead)
        found.append(WordLabel("", *about, value=1.0) if held else WordLabel(REFUTED, *about))
    return _table(evidence, definition, found, judged)


def apply_definitions(
    engine: AblationEngine,
    evidence: Evidence,
    thresholds: Thresholds,
    *,
    mean_metric: float,
    seed: int = 0,
    every_effect: bool = True,
    known: pd.DataFrame | None = None,
    remove: Removal = removal_effects,
) -> pd.DataFrame:
    """All definitions on the same words; columns as in ``COLUMNS``.

    Args:
        engine: the ablation engine, whose prompts are the words of the evidence.
        evidence: words and latents.
        thresholds: of all definitions; ``max_candidates`` caps the ablations.
        mean_metric: the model's own scale for the relative lead, over words chosen without looking at
            outcomes.
        seed: of the choice among too many candidates.
        every_effect: compute all effects (kept on disk); else only the labels, in far fewer passes.
        known: all effects of some words, such as ``null_effects``; without ``every_effect`` these words are judged by
            them, and no pass is made for them again. The labels are the same.
        remove: how the effects that labels need are computed; ``RememberedEffects`` makes none twice.
    """
    words = torch.from_numpy(evidence.words.numpy()[evidence.chosen(thresholds.max_candidates, seed)])
    leads = {ABLATION: thresholds.min_lead, RELATIVE: thresholds.relative_lead(mean_metric)}
    if every_effect:
        effects = stored_effects(engine, evidence.csr, words)
        tables = [
            apply_ablation_rule(evidence, effects, thresholds, lead, name) for name, lead in leads.items()
        ]
    else:
        tables = _labelled(engine, evidence, thresholds, words, leads, known, remove)
    return pd.concat([*tables, apply_projection_rules(evidence, thresholds)], ignore_index=True)


def _labelled(
    engine: AblationEngine,
    evidence: Evidence,
    thresholds: Thresholds,
    words: Int[Tensor, " word"],
    leads: Mapping[str, float],
    known: pd.DataFrame | None,
    remove: Removal,
) -> list[pd.DataFrame]:
    """The ablation metric at each lead: by effects where they are known, by labels for the other words."""
    has_effects = np.isin(words.numpy(), [] if known is None else known["word"])
    rule = thresholds.ablation_rule(min(leads.values()))
    unknown = words[torch.from_numpy(~has_effects)]
    labels = label_words(engine, evidence.csr, unknown, evidence.absorber_cosines, rule, remove)
    tables = [
        table_of_labels(evidence, labels, replace(rule, min_lead=lead), name) for name, lead in leads.items()
    ]
    if known is None:
        return tables
    mine = known[known["word"].isin(words.tolist())]
    exact = [apply_ablation_rule(evidence, mine, thresholds, lead, name) for name, lead in leads.items()]
    return [a.where(~b["judged"], b) for a, b in zip(tables, exact, strict=True)]


def null_effects(
    engine: AblationEngine, evidence: Evidence, *, per_letter: int = NULL_CANDIDATES, seed: int = 0
) -> pd.DataFrame:
    """All effects of the candidates on which ``null_of_definitions`` rests, kept on disk; arguments as there."""
    words = torch.from_numpy(evidence.words.numpy()[evidence.chosen(per_letter, seed)])
    return stored_effects(engine, evidence.csr, words)


def null_of_definitions(
    engine: AblationEngine,
    evidence: Evidence,
    thresholds: Thresholds,
    *,
    mean_metric: float,
    per_letter: int = NULL_CANDIDATES,
    seed: int = 0,
) -> Null:
    """What the same definitions say of the same words under directions that are not the letter's (``nulls``).

    Every effect of a word is needed, since any latent may be aligned with another direction; so the ablation metric's
    null rests on a part of the candidates, the first that ``apply_definitions`` takes too. Effects are kept on disk.

    Args:
        engine: the ablation engine, whose prompts are the words of the evidence.
        evidence: words and latents.
        thresholds: of all definitions.
        mean_metric: the model's own scale for the relative lead.
        per_letter: candidates of a letter of which all effects are computed.
        seed: of the choice of candidates and of the random directions.
    """
    effects = null_effects(engine, evidence, per_letter=per_letter, seed=seed)
    leads = {ABLATION: thresholds.min_lead, RELATIVE: thresholds.relative_lead(mean_metric)}
    by_effects = null_by_effects(evidence, effects, thresholds, leads, seed=seed)
    return by_effects | null_by_projection(evidence, thresholds, seed=seed)


def model_scale(
    engine: AblationEngine, words: Int[Tensor, " word"], *, n_words: int = 500, seed: int = 0
) -> Estimate:
    """The model's own scale: mean unchanged metric over a seeded choice of words, with its interval.

    Args:
        engine: the ablation engine.
        words: words to choose from (all that the probe gets right: outcomes play no part).
        n_words: how many to ask.
        seed: of the choice and of the bootstrap.
    """
    order = np.random.default_rng(seed).permutation(len(words))[:n_words]
    return mean_interval(clean_metrics(engine, words[torch.from_numpy(order)]).numpy(), seed=seed)


def model_accuracy(
    engine: AblationEngine, words: Int[Tensor, " word"], *, n_words: int = 500, seed: int = 0
) -> Estimate:
    """Share of the same seeded words on which the model's most likely letter is the right one."""
    order = np.random.default_rng(seed).permutation(len(words))[:n_words]
    chosen = words[torch.from_numpy(order)]
    right = engine.logits(chosen, engine.states(chosen)).argmax(dim=1) == engine.prompts.letters[chosen]
    return mean_interval(right.numpy(), seed=seed)


def with_main(evidence: Evidence, main: dict[str, list[int]]) -> Evidence:
    """The same words under other main latents."""
    return replace(evidence, main=main)


def _table(evidence: Evidence, definition: str, found: list[WordLabel], judged: np.ndarray) -> pd.DataFrame:
    table = evidence.frame().assign(definition=definition, judged=judged)
    for name in ("value", "reason", "latent", "cosine", "strength", "lead"):
        table[name] = [getattr(label, name) for label in found]
    table["absorbed"] = table["judged"] & (table["value"] > 0)
    return table[COLUMNS]
