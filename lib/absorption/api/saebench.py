"""SAEBench's own file of the evaluation ``absorption_first_letter``, in the schema of its version 0.6.0.

The schema's structured part has no room for intervals; they are in ``eval_result_unstructured``, with the version of
each definition. SAEBench averages over all letters that are probed well, without a gate on their main latents, and so
does the structured part.
"""

from __future__ import annotations

import json
import math
import statistics
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from absorption.base import cache
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION
from absorption.definitions.versions import SOURCES
from absorption.probes.l1 import L1
from absorption.spelling.task import TEMPLATE

if TYPE_CHECKING:
    from absorption.api.result import Result

SCHEMA = "SAEBench 0.6.0"
EVALUATION = "absorption_first_letter"
WORD_POSITION = -6
"""Where the word's token is, counted from the end of the prompt: five tokens of the template follow it."""
LEFT_OUT = (
    "llm_batch_size", "k_sparse_probe_batch_size", "k_sparse_probe_num_epochs", "eval_k_sparse_probe_batch_size",
    "precalc_k_sparse_probe_sae_acts",
)  # fmt: skip
"""Settings of SAEBench that nothing here corresponds to: the ranking probe is solved to its optimum, not trained for a
number of epochs. A reader that fills in SAEBench's defaults for them says what was not done."""


def write_saebench(result: Result, path: Path) -> Path:
    """Write the file; see ``Result.to_saebench``."""
    cache.write_text(path, json.dumps(saebench(result), indent=2, allow_nan=False) + "\n")
    return path


def saebench(result: Result) -> dict[str, Any]:
    """The file's content as JSON values.

    Raises:
        ValueError: fewer than two letters were judged, or without the two definitions by projection.
    """
    facts = result.facts
    details = _details(result)
    return {
        "eval_type_id": EVALUATION,
        "eval_config": _configuration(facts),
        "eval_id": str(uuid.uuid4()),
        "datetime_epoch_millis": time.time_ns() // 1_000_000,
        "eval_result_metrics": {"mean": _means(details)},
        "eval_result_details": details,
        "sae_bench_commit_hash": f"none: measured by absorption {facts['versions']['absorption']}",
        "sae_lens_id": facts["sae_lens_id"],
        "sae_lens_release_id": facts["sae_lens_release"],
        "sae_lens_version": facts["versions"]["sae-lens"],
        "sae_cfg_dict": _plain(facts["sae_configuration"]),
        "eval_result_unstructured": _unstructured(result),
    }


def _details(result: Result) -> list[dict[str, Any]]:
    """One row a letter, with SAEBench's six columns."""
    tables = {name: _letters(result.rates, name) for name in (FULL_ABSORPTION, FRACTION)}
    if lacking := [name for name, table in tables.items() if table.empty]:
        raise ValueError(
            f"definitions lacks {lacking[0]!r}, without which SAEBench's file cannot be written."
        )
    full, fraction = tables[FULL_ABSORPTION], tables[FRACTION]
    if len(full) < 2:
        raise ValueError(f"letters judged: {len(full)}; SAEBench's standard deviations need at least two.")
    n_main = result.latents["letter"].value_counts()
    table = pd.DataFrame(
        {
            "mean_absorption_fraction": fraction["rate"],
            "full_absorption_rate": full["rate"],
            "num_full_absorption": full["n_absorbed"],
            "num_probe_true_positives": full["n_right"],
            "num_split_features": n_main.loc[full.index],
        }
    )
    return _records(table.rename_axis("first_letter").reset_index())


def _letters(rates: pd.DataFrame, definition: str) -> pd.DataFrame:
    mine = rates[(rates["definition"] == definition) & (rates["letter"] != MEAN)]
    return mine.set_index("letter")


def _means(details: list[dict[str, Any]]) -> dict[str, float]:
    """Mean and standard deviation over letters of three columns."""
    names = {
        "absorption_fraction_score": "mean_absorption_fraction",
        "full_absorption_score": "full_absorption_rate",
        "num_split_features": "num_split_features",
    }
    columns = {name: [row[column] for row in details] for name, column in names.items()}
    means = {f"mean_{name}": float(statistics.mean(column)) for name, column in columns.items()}
    return means | {f"std_dev_{name}": float(statistics.stdev(column)) for name, column in columns.items()}


def _configuration(facts: dict[str, Any]) -> dict[str, Any]:
    limits = facts["thresholds"]
    return {
        "model_name": facts["model"],
        "random_seed": facts["seed"],
        "f1_jump_threshold": limits["f1_jump"],
        "max_k_value": limits["max_k"],
        "prompt_template": "{word}" + TEMPLATE,
        "prompt_token_pos": WORD_POSITION,
        "llm_dtype": facts["model_dtype"],
        "k_sparse_probe_l1_decay": L1,
        "min_GT_probe_f1": limits["min_probe_f1"],
        "min_feats_for_eval": 2,
    }


def _unstructured(result: Result) -> dict[str, Any]:
    facts = {name: value for name, value in result.facts.items() if name != "sae_configuration"}
    note = (
        "Structured means are over all letters whose probe's F1 is above min_GT_probe_f1, as in SAEBench; here the "
        "rows 'mean' of rates are over the letters whose main latents pass a gate, and all_letters is the mean "
        "without it. Intervals are 95% bootstrap intervals over words; null is what the same rule finds along other "
        "directions than the letter's."
    )
    return {
        "schema": SCHEMA,
        "definitions": {name: SOURCES[name] for name in facts["definitions"]},
        "structured_definitions": {
            "mean_absorption_fraction": SOURCES[FRACTION],
            "full_absorption_rate": SOURCES[FULL_ABSORPTION],
        },
        "settings_that_do_not_apply": list(LEFT_OUT),
        "note": note,
        "rates": _records(result.rates),
        "main_latents": _records(result.latents),
        "facts": _plain(facts),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    """JSON has no NaN, and knows no types of arrays."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)
