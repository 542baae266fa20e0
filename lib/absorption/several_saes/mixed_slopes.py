"""How absorption changes with L0, width and architecture: a linear mixed model over letters and SAEs.

Each point is one letter's rate in one SAE. L0, width and architecture are its fixed effects. Letters differ, and change
differently, so each letter has an intercept and slopes of its own; an SAE's training seed, and what no line through
L0 and width catches, move all its letters together, so each SAE has an intercept too. The interval of a slope
holds for other letters and other SAEs then, not only for other words.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from absorption.definitions.rates import MEAN
from absorption.several_saes.contrasts import ARCHITECTURE, WIDTH, base_setting
from absorption.several_saes.seeds import LEVEL, PER_L0, PER_WIDTH, SETTING
from absorption.several_saes.stored_numbers import SaeFamily, members
from absorption.training.fitness import RULE

LETTER, LETTER_L0, LETTER_WIDTH, SAE = (
    "letters",
    "letters' slopes with L0",
    "letters' slopes with width",
    "SAEs",
)
"""What varies at random."""
COLUMNS = ["change", "value", "low", "high", "saes", "letters"]


@dataclass(frozen=True)
class MixedSlopes:
    """One fitted model."""

    slopes: pd.DataFrame
    """Columns as in ``COLUMNS``: change of the rate, with its 95% interval over letters and SAEs."""
    spread: dict[str, float]
    """Standard deviation of each random effect, and ``rest``."""


def fit_members(family: SaeFamily) -> pd.DataFrame:
    """The rows of ``members`` that pass the bars of ``training.fitness`` and whose
    rates by letter are kept."""
    rows = members(family)
    fit = rows.assign(dead_share=rows["dead"] / rows["d_sae"]).apply(RULE.admits, axis=1)
    return rows[fit & rows["sae"].isin(family.letters["sae"])]


def seeds_by_point(chosen: pd.DataFrame) -> pd.DataFrame:
    """How many seeds each setting of these SAEs has: the columns of a setting, and ``seeds``."""
    return chosen.groupby(SETTING, sort=False).size().rename("seeds").reset_index()


def letter_rates(family: SaeFamily, chosen: pd.DataFrame, definition: str) -> pd.DataFrame:
    """One row a letter that passes the gate in an SAE: ``sae, letter, rate``, and the SAE's row of ``members``."""
    mine = family.letters[
        (family.letters["definition"] == definition)
        & (family.letters["letter"] != MEAN)
        & (family.letters["valid"] == "yes")
    ]
    return mine[["sae", "letter", "rate"]].merge(chosen, on="sae", validate="many_to_one")


def mixed_slopes(rows: pd.DataFrame, base_architecture: str) -> MixedSlopes:
    """Fit the model by restricted maximum likelihood.

    Intervals are Student's t with as many degrees of freedom as SAEs are left after the fixed effects.

    Args:
        rows: ``sae, letter, rate, l0_words, d_sae, architecture``, as in ``letter_rates``.
        base_architecture: the one that the others are compared with.

    Raises:
        ValueError: fewer SAEs than fixed effects and one more, settings that cannot be told apart, or one letter.
    """
    fixed, names = _fixed(rows, base_architecture)
    n_saes, n_letters = rows["sae"].nunique(), rows["letter"].nunique()
    if n_letters < 2:
        raise ValueError(f"{n_letters} letters say nothing of letters; needed: at least 2.")
    if np.linalg.matrix_rank(fixed) < fixed.shape[1] or n_saes <= fixed.shape[1]:
        raise ValueError(f"{n_saes} SAEs cannot tell {', '.join(names[1:])} apart.")
    groups = np.ones(len(rows))
    model = MixedLM(rows["rate"].to_numpy(), fixed, groups, exog_vc=_random(rows, fixed, names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # says that a spread is at 0, which it may be
        warnings.simplefilter("ignore", RuntimeWarning)
        found = model.fit(reml=True, method=["lbfgs", "powell"])
    sd = dict(zip(_effects(names), np.sqrt(np.maximum(found.vcomp, 0)), strict=True))
    reach = stats.t.ppf((1 + LEVEL) / 2, n_saes - fixed.shape[1])
    error = standard_errors(rows, fixed, names, found.vcomp, float(found.scale))
    table = [
        (name, value, value - reach * se, value + reach * se)
        for name, value, se in zip(names, found.fe_params, error, strict=True)
    ][1:]
    slopes = pd.DataFrame(table, columns=COLUMNS[:4])
    slopes = slopes.assign(saes=n_saes, letters=n_letters)
    return MixedSlopes(slopes, {**sd, "rest": float(np.sqrt(found.scale))})


def fit_slopes(family: SaeFamily, definitions: Sequence[str]) -> pd.DataFrame:
    """The slopes of each definition over the fit SAEs: ``definition`` and ``COLUMNS``; no rows where too few SAEs are
    fit."""
    chosen, base = fit_members(family), base_setting(family)[ARCHITECTURE]
    tables = []
    for definition in definitions:
        try:
            slopes = mixed_slopes(letter_rates(family, chosen, definition), base).slopes
        except ValueError:
            continue
        tables.append(slopes.assign(definition=definition))
    columns = ["definition", *COLUMNS]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _fixed(rows: pd.DataFrame, base: str) -> tuple[Float[np.ndarray, "row effect"], list[str]]:
    """Intercept, L0 and width in doublings from their means, and each architecture but the base's, with their names.

    A setting that all SAEs share has no column."""
    sizes = {PER_L0: "l0_words", PER_WIDTH: WIDTH}
    doublings = {name: np.log2(rows[size].to_numpy(float)) for name, size in sizes.items()}
    columns = {"intercept": np.ones(len(rows))}
    columns |= {name: at - at.mean() for name, at in doublings.items() if np.ptp(at) > 0}
    others = [name for name in rows[ARCHITECTURE].unique() if name != base]
    columns |= {f"{name} minus {base}": (rows[ARCHITECTURE] == name).to_numpy(float) for name in others}
    return np.stack(list(columns.values()), axis=1), list(columns)


def _effects(names: Sequence[str]) -> list[str]:
    slopes = {PER_L0: LETTER_L0, PER_WIDTH: LETTER_WIDTH}
    return [LETTER, *(slopes[name] for name in names if name in slopes), SAE]


def _matrices(
    rows: pd.DataFrame, fixed: Float[np.ndarray, "row effect"], names: Sequence[str]
) -> list[Float[np.ndarray, "row level"]]:
    """What multiplies the levels of each random effect."""
    letter, sae = (pd.get_dummies(rows[name]).to_numpy(float) for name in ("letter", "sae"))
    slopes = [letter * fixed[:, [at]] for at, name in enumerate(names) if name in (PER_L0, PER_WIDTH)]
    return [letter, *slopes, sae]


def _random(rows: pd.DataFrame, fixed: Float[np.ndarray, "row effect"], names: Sequence[str]) -> VCSpec:
    matrices = _matrices(rows, fixed, names)
    labels = [[[str(level) for level in range(matrix.shape[1])]] for matrix in matrices]
    return VCSpec(_effects(names), labels, [[matrix] for matrix in matrices])


def standard_errors(
    rows: pd.DataFrame,
    fixed: Float[np.ndarray, "row effect"],
    names: Sequence[str],
    variances: Float[np.ndarray, " random"],
    rest: float,
) -> Float[np.ndarray, " effect"]:
    """Of the fixed effects by generalised least squares, given the variances.

    The library's own are of the joint information, which is singular where a variance is 0."""
    of_random = zip(variances, _matrices(rows, fixed, names), strict=True)
    covariance = rest * np.eye(len(rows)) + sum(v * matrix @ matrix.T for v, matrix in of_random)
    return np.sqrt(np.diag(np.linalg.inv(fixed.T @ np.linalg.solve(covariance, fixed))))
