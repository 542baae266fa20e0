"""Chapter "Is the metric right?": the three definitions on planted SAEs, where every absorbed word is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from absorption.chapters.toy_settings import MetricSettings
from absorption.definitions.rules import ABLATION, FRACTION, FULL
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import F1_JUMP
from absorption.planted.judged import DEFINITIONS, Evidence, gather, scores
from absorption.planted.saes import Case, absorbing, merged, missed, split

SILENCED = 1.5
"""A hole in the letter's latent deep enough to silence it in every word of an absorbing family."""
FINDS, MISSES, FOOLED = 0.8, 0.2, 0.01
"""A definition finds a case from this recall, misses it below this one, and is fooled above this false rate."""
CASES = {
    "true dictionary": "a latent for every feature",
    "even split": "two latents a letter, upper and lower case, in equal numbers",
    "small split": "the same with one word in twenty in lower case",
    "hedging": "no latent for letters; what goes with a letter writes it",
    "under-trained": "the letter's latent is off in faint words, and nothing takes its place",
    "full absorption": "two small families of each letter carry it, the letter's latent is off",
    "barely on": "the same, but the letter's latent supplies what is missing in strong words",
    "half absorbed": "the two families carry half of the letter",
    "two absorbers": "full absorption, each family's work shared by two latents",
    "large families": "full absorption by families of many words",
}
"""What is planted; the last five absorb."""


def cases(settings: MetricSettings) -> Iterator[Case]:
    """The planted SAEs, in the order of ``CASES``."""
    plain = settings.alphabet()
    faint, uneven = replace(plain, faint_share=0.2), replace(plain, upper_share=0.95)
    large = replace(plain, families=(plain.n_words * 3 // 20,) * 2 + plain.families[2:])
    made = [
        absorbing(plain, 0.0),
        split(plain),
        split(uneven),
        merged(plain),
        missed(faint),
        absorbing(plain, 1.0, hole=SILENCED),
        absorbing(plain, 1.0),
        absorbing(plain, 0.5),
        absorbing(plain, 1.0, hole=SILENCED, twins=True),
        absorbing(large, 1.0, hole=SILENCED),
    ]
    for name, case in zip(CASES, made, strict=True):
        yield replace(case, name=name)


def case_table(settings: MetricSettings) -> pd.DataFrame:
    """``case, planted, words, absorbed, carried``: number of words, how many absorb, what others carry in those."""
    rows = []
    for case in cases(settings):
        truth = case.truth()
        mean = float(truth[truth > 0].mean()) if truth.any() else 0.0
        rows.append((case.name, CASES[case.name], len(truth), int((truth > 0).sum()), mean))
    return pd.DataFrame(rows, columns=["case", "planted", "words", "absorbed", "carried"])


def gather_all(settings: MetricSettings) -> list[Evidence]:
    """Probes, latents and effects of every case."""
    return [gather(case, seed=settings.seed) for case in cases(settings)]


def judge_all(
    evidence: Iterable[Evidence],
    thresholds: Thresholds | None = None,
    f1_jump: float = F1_JUMP,
    definitions: Collection[str] = DEFINITIONS,
) -> pd.DataFrame:
    """Every case under every definition; arguments and columns as in ``Evidence.judge``."""
    return pd.concat([one.judge(thresholds, f1_jump, definitions) for one in evidence], ignore_index=True)


def claims_table(table: pd.DataFrame) -> pd.DataFrame:
    """What each definition may claim: ``case, planted`` and a column of words a definition.

    Args:
        table: from ``judged.scores``.
    """
    said = table.assign(said=[_said(row) for row in table.to_dict("records")])
    wide = said.pivot(index="case", columns="definition", values="said").loc[list(CASES), list(DEFINITIONS)]
    wide.insert(0, "planted", pd.Series(CASES))
    return wide.reset_index().rename_axis(columns=None)


def _said(row: dict) -> str:
    if row["n_true"] == 0:
        return "fooled" if row["false_rate_low"] > FOOLED else "right"
    found = (
        "finds it" if row["recall"] >= FINDS else "misses it" if row["recall"] < MISSES else "finds a part"
    )
    return f"{found}, fooled" if row["false_rate_low"] > FOOLED else found


def fraction_error(judged: pd.DataFrame) -> pd.DataFrame:
    """Absorption fraction against the planted share: ``case, carried, fraction, low, high, words``, by case.

    Only words that absorb; the interval is the range of the middle 95% of words.
    """
    mine = judged[(judged["definition"] == FRACTION) & (judged["carried"] > 0)]
    groups = mine.groupby("case", sort=False)
    ends = groups["value"].quantile(np.array([0.025, 0.975])).unstack()
    return pd.DataFrame(
        {
            "carried": groups["carried"].mean(), "fraction": groups["value"].mean(),
            "low": ends[0.025], "high": ends[0.975], "words": groups.size(),
        }
    ).reset_index()  # fmt: skip


VARIED: dict[str, tuple[str, tuple[float, ...]]] = {
    "min_cosine": ("least cosine", (0.0, 0.025, 0.1, 0.2, 0.4)),
    "min_lead": ("least lead", (0.1, 0.5, 1.0, 3.0, 5.0)),
    "min_share": ("least share", (0.1, 0.2, 0.4, 0.6, 0.9)),
    "fraction_cosine": ("least cosine (fraction)", (0.0, 0.05, 0.1, 0.2, 0.4)),
    "f1_jump": ("F1 jump", (0.01, 0.02, 0.03, 0.05, 0.1)),
}
CONCERNED = {
    "min_cosine": (ABLATION, FULL), "min_lead": (ABLATION,), "min_share": (FULL, FRACTION),
    "fraction_cosine": (FRACTION,), "f1_jump": DEFINITIONS,
}  # fmt: skip
"""Which definitions a threshold concerns."""


def sensitivity(evidence: list[Evidence], *, seed: int = 0) -> pd.DataFrame:
    """Precision and recall over all cases together, as one threshold at a time moves.

    Precision depends on the mix of cases, which here is one of each.

    Returns:
        ``threshold, setting`` and the columns of ``judged.scores``.
    """
    tables = []
    for name, (label, settings) in VARIED.items():
        for setting in settings:
            jump = setting if name == "f1_jump" else F1_JUMP
            moved = Thresholds() if name == "f1_jump" else replace(Thresholds(), **{name: setting})
            judged = judge_all(evidence, moved, jump, CONCERNED[name])
            table = scores(judged.assign(case="all"), seed=seed)
            tables.append(table.assign(threshold=label, setting=setting))
    return pd.concat(tables, ignore_index=True)


def sweep(settings: MetricSettings) -> pd.DataFrame:
    """One property of the planted SAE at a time: ``factor, setting`` and the columns of ``judged.scores``.

    Factors: ``carried`` (share of the letter that families carry), ``family size`` (share of the letter's words in an
    absorbing family), ``strength`` (activation of the family's feature; the letter's is 1), ``small half`` (share of
    the words in the smaller half of a split letter: nothing absorbs, so only the false rate counts).
    """
    tables = []
    for factor, setting, case in _sweep_cases(settings):
        judged = gather(case, seed=settings.seed).judge()
        if factor == "carried":  # any share counts as absorbed here, so that recall can be drawn against it
            judged["truth"] = judged["carried"] > 0
        tables.append(scores(judged, seed=settings.seed).assign(factor=factor, setting=setting))
    return pd.concat(tables, ignore_index=True)


def _sweep_cases(settings: MetricSettings) -> Iterator[tuple[str, float, Case]]:
    plain = settings.alphabet()
    for d in settings.carried:
        yield "carried", d, absorbing(plain, d)
    for share in settings.family_shares:
        size = max(1, round(share * plain.n_words))
        families = replace(plain, families=(size, size, *plain.families[2:]))
        yield "family size", share, absorbing(families, 1.0, hole=SILENCED)
    for strength in settings.strengths:
        yield "strength", strength, absorbing(replace(plain, strength=strength), 1.0, hole=SILENCED)
    for share in settings.small_halves:
        yield "small half", share, split(replace(plain, upper_share=1 - share))


def probe_leak(evidence: list[Evidence]) -> pd.DataFrame:
    """False rates and recall under the fitted probes and under the planted letter directions.

    Returns:
        ``probe`` and the columns of ``judged.scores``.
    """
    probes = {"fitted": evidence, "planted": [one.with_planted_probe() for one in evidence]}
    tables = [scores(judge_all(mine)).assign(probe=name) for name, mine in probes.items()]
    return pd.concat(tables, ignore_index=True)
