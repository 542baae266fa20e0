"""The schema of SAEBench 0.6.0's evaluation ``absorption_first_letter``: names, types and what is required.

Restated from ``sae_bench/evals/absorption/eval_output_schema_absorption_first_letter.json`` of the package
``sae-bench`` 0.6.0 (repository adamkarvonen/SAEBench, commit 8042bb3). That package names no licence, so its file is
not copied: its titles, descriptions and defaults, which no check reads, are left out.
"""

from __future__ import annotations

from typing import Any

VERSION = "0.6.0"
TEXT, WHOLE, NUMBER, TRUTH = ({"type": name} for name in ("string", "integer", "number", "boolean"))
NOTHING = {"type": "null"}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


CONFIG = _object(
    {
        "model_name": TEXT,
        "random_seed": WHOLE,
        "f1_jump_threshold": NUMBER,
        "max_k_value": WHOLE,
        "prompt_template": TEXT,
        "prompt_token_pos": WHOLE,
        "llm_batch_size": WHOLE,
        "llm_dtype": TEXT,
        "k_sparse_probe_l1_decay": NUMBER,
        "k_sparse_probe_batch_size": WHOLE,
        "k_sparse_probe_num_epochs": WHOLE,
        "min_GT_probe_f1": NUMBER,
        "min_feats_for_eval": {"type": "integer", "minimum": 1},
        "eval_k_sparse_probe_batch_size": WHOLE,
        "precalc_k_sparse_probe_sae_acts": TRUTH,
    }
)
MEANS = {
    f"{statistic}_{name}": NUMBER
    for statistic in ("mean", "std_dev")
    for name in ("absorption_fraction_score", "full_absorption_score", "num_split_features")
}
DETAIL = {
    "first_letter": TEXT,
    "mean_absorption_fraction": NUMBER,
    "full_absorption_rate": NUMBER,
    "num_full_absorption": WHOLE,
    "num_probe_true_positives": WHOLE,
    "num_split_features": WHOLE,
}
SCHEMA = {
    "$defs": {
        "AbsorptionEvalConfig": CONFIG,
        "AbsorptionMeanMetrics": _object(MEANS, list(MEANS)),
        "AbsorptionMetricCategories": _object({"mean": {"$ref": "#/$defs/AbsorptionMeanMetrics"}}, ["mean"]),
        "AbsorptionResultDetail": _object(DETAIL, list(DETAIL)),
    },
    **_object(
        {
            "eval_type_id": TEXT,
            "eval_config": {"$ref": "#/$defs/AbsorptionEvalConfig"},
            "eval_id": TEXT,
            "datetime_epoch_millis": WHOLE,
            "eval_result_metrics": {"$ref": "#/$defs/AbsorptionMetricCategories"},
            "eval_result_details": {"type": "array", "items": {"$ref": "#/$defs/AbsorptionResultDetail"}},
            "sae_bench_commit_hash": TEXT,
            "sae_lens_id": {"anyOf": [TEXT, NOTHING]},
            "sae_lens_release_id": {"anyOf": [TEXT, NOTHING]},
            "sae_lens_version": {"anyOf": [TEXT, NOTHING]},
            "sae_cfg_dict": {"anyOf": [{"type": "object", "additionalProperties": True}, NOTHING]},
            "eval_result_unstructured": {"anyOf": [{}, NOTHING]},
        },
        [
            "eval_config", "eval_id", "datetime_epoch_millis", "eval_result_metrics", "sae_bench_commit_hash",
            "sae_lens_id", "sae_lens_release_id", "sae_lens_version", "sae_cfg_dict",
        ],
    ),
}  # fmt: skip
