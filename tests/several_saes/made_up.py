"""A family of made-up SAEs on disk: cards, and a sweep that measured them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sae_lens import StandardSAE, StandardSAEConfig

from absorption.base.settings import EMBEDDED_MODEL
from absorption.models.hooks import Site
from absorption.one_sae.by_silence import SILENCE_COLUMNS
from absorption.saes.loaded import LoadedSae
from absorption.several_saes.numbers import COLUMNS
from absorption.several_saes.quantities import PRECISION, QUANTITIES
from absorption.several_saes.stored_numbers import LETTERS
from absorption.training.recipe import Recipe

MEMBERS = {
    "base": {},
    "sparse": {"k": 16},
    "dense": {"k": 64},
    "wide": {"d_sae": 8192},
    "matryoshka": {"architecture": "matryoshka"},
    "seed-1": {"seed": 1},
    "deep": {"hook_name": "blocks.12.hook_resid_post"},
    "batchtopk-4096-l0-32-seed-2": {"seed": 2},
    "shallow": {"hook_name": "blocks.4.hook_resid_post"},
}
UNSHIPPED = Recipe(seed=2).sae_id
"""Measured from a folder; only its recipe is in the project."""
L0_WORDS = 2.5
"""L0 at the words over L0 on text."""
N = 50
PARAMETERS = {
    "n_words": 0, "n_sets": 4, "seed": 0, "max_candidates": 30, "per_letter": 4, "probe": "reference",
    "model": EMBEDDED_MODEL, "dtype": "float32",
}  # fmt: skip


def card(sae: str, changes: dict[str, Any]) -> dict[str, Any]:
    base = {"architecture": "batchtopk", "d_sae": 4096, "k": 32, "hook_name": "blocks.8.hook_resid_post"}
    about = base | {name: value for name, value in changes.items() if name != "seed"}
    text = {"l0": about["k"] * 1.0, "explained_variance": 0.9, "cross_entropy": {"recovered": 0.98}}
    return about | {
        "sae_id": sae,
        "weights_hash": f"hash of {sae}",
        "recipe": Recipe(seed=changes.get("seed", 0)).to_dict(),
        "measured": {
            "held_out_text": text,
            "dead_latents": 3,
            "words_in_spelling_prompts": {"l0": L0_WORDS * about["k"], "explained_variance": 0.8},
        },
    }


SPLITS = "splits of a letter"
LEAD = "rate, ablation, relative lead"
FULL = "rate, full absorption"
CALIBRATED_MORE = 0.02
"""By how much calibrated silence raises the rate of full absorption."""
SEEDS = ("base", "seed-1", UNSHIPPED)


def configuration(sae: str) -> StandardSAEConfig:
    """Another one for each SAE."""
    return StandardSAEConfig(d_in=4, d_sae=5 + list(MEMBERS).index(sae))


def configuration_hash(sae: str) -> str:
    """As a page reports it."""
    return LoadedSae(sae, StandardSAE(configuration(sae)), Site(1)).configuration_hash


def value_of(sae: str, quantity: str = SPLITS) -> float:
    """Another value for each SAE, by another law for each quantity."""
    power = 1 + [*QUANTITIES, "not kept"].index(quantity) / 10
    return 0.1 + 0.05 * list(MEMBERS).index(sae) ** power


def samples_of(sae: str, quantity: str = SPLITS) -> np.ndarray:
    """Resamples whose noise all SAEs share, so that paired differences have none."""
    return value_of(sae, quantity) + 0.2 * np.random.default_rng(0).normal(size=N)


def null_of(sae: str, quantity: str) -> tuple[float, float, float, float]:
    """Null, its ends, and p of a rate: small for all SAEs but the base's, which is its null's own."""
    if not quantity.startswith("rate"):
        return np.nan, np.nan, np.nan, np.nan
    return 0.05, 0.0, 0.1, 0.5 if sae == "base" else 0.001


def folder_of(place: Path, sae: str) -> Path:
    return place / "own" / sae if sae == UNSHIPPED else place / "data" / "saes" / sae


def sweep_of(place: Path, sae: str) -> Path:
    return place / ("sweep-of-seeds" if sae == UNSHIPPED else "sweep")


def sweeps(place: Path) -> list[Path]:
    return [place / "sweep", place / "sweep-of-seeds"]


def write_run(sweep: Path, sae: str, error: str = "", **parameters: Any) -> None:
    results = sweep / "runs" / sae / "your-sae" / "results"
    results.mkdir(parents=True, exist_ok=True)
    rows = [
        (sae, "recall gap", name, value_of(sae, name), 0.0, 1.0, *null_of(sae, name))
        for name in [*QUANTITIES, "not kept"]
    ]
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(results / "sae-summary.parquet")
    samples = pd.DataFrame({name: samples_of(sae, name) for name in QUANTITIES}).astype(np.float32)
    shorter = pd.Series(samples_of(sae, PRECISION)[: N // 2])
    samples.assign(**{PRECISION: shorter}).to_parquet(results / "sae-resamples.parquet")
    full = value_of(sae, FULL)
    letters = pd.DataFrame(columns=LETTERS[1:])
    for column in letters:
        letters[column] = [np.nan] * 4
    names, valid = ["a", "b", "c", "mean"], ["yes", "yes", "yes", "3 of 3"]
    letters = letters.assign(definition="full absorption", letter=names, valid=valid)
    letters = letters.assign(
        rate=[full - 0.01, full, full + 0.01, full],
        n_right=100,
        n_candidates=50,
        n_judged=50,
        n_absorbed=int(50 * full),
    )
    letters.assign(spread=0.0, all_letters=full).to_parquet(results / "sae-absorption-rates.parquet")
    calibrated = full + CALIBRATED_MORE
    rules = [
        ("off (published)", 0.5, full / 0.5, full, full - 0.01, full + 0.01, 0.02, 0.0, 0.05, 0.001, full, "1 of 1"),
        ("calibrated", 0.8, calibrated / 0.8, calibrated, 0.0, 1.0, 0.3, 0.0, 0.5, 0.9, full, "1 of 1"),
    ]  # fmt: skip
    pd.DataFrame(rules, columns=SILENCE_COLUMNS).to_parquet(results / "sae-silences.parquet")
    own = {"sae_release": "local", "sae_path": str(folder_of(sweep.parent, sae))}
    where = own if sae == UNSHIPPED else {"sae_release": "shipped", "sae_path": ""}
    about = {"name": sae, "weights_hash": f"hash of {sae}", "configuration_hash": configuration_hash(sae)}
    stamp = {
        "error": error, "absorption": "0", "commit": "c", "parameters": PARAMETERS | where | parameters,
        "packages": {},
        "loaded": {"sae": about}, "seconds": 1, "machine": "m", "date": "d",
    }  # fmt: skip
    (results.parent / "record.json").write_text(json.dumps(stamp))
