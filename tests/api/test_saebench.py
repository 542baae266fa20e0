"""The file that ``to_saebench`` writes: SAEBench's own schema, and the tables' own numbers."""

from __future__ import annotations

import json
import statistics
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from tests.api.planted_result import measured
from tests.api.saebench_schema import CONFIG, DETAIL, MEANS, SCHEMA, VERSION

from absorption.api.saebench import LEFT_OUT
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION

pytestmark = pytest.mark.usefixtures("own_cache")


def written(folder: Path) -> dict[str, Any]:
    return json.loads(measured().to_saebench(folder / "planted_custom_sae_eval_results.json").read_text())


def test_the_file_is_what_saebenchs_schema_asks_for(tmp_path: Path) -> None:
    found = written(tmp_path)
    jsonschema.validate(found, SCHEMA)
    assert set(found) == set(SCHEMA["properties"])
    assert set(found["eval_result_metrics"]["mean"]) == set(MEANS)
    assert all(list(row) == list(DETAIL) for row in found["eval_result_details"])
    assert set(found["eval_config"]) | set(LEFT_OUT) == set(CONFIG["properties"])


def test_the_schema_refuses_a_file_without_its_numbers(tmp_path: Path) -> None:
    found = written(tmp_path)
    found["eval_result_metrics"]["mean"]["mean_full_absorption_score"] = None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)


def test_the_details_are_the_rates_of_the_letters_judged(tmp_path: Path) -> None:
    details = pd.DataFrame(written(tmp_path)["eval_result_details"]).set_index("first_letter")
    rates = measured().rates[measured().rates["letter"] != MEAN].set_index(["definition", "letter"])
    full, fraction = rates.loc[FULL_ABSORPTION], rates.loc[FRACTION]
    assert details.index.tolist() == full.index.tolist()
    for column, expected in {
        "full_absorption_rate": full["rate"],
        "mean_absorption_fraction": fraction["rate"],
        "num_full_absorption": full["n_absorbed"],
        "num_probe_true_positives": full["n_right"],
        "num_split_features": measured().latents.groupby("letter").size(),
    }.items():
        assert details[column].tolist() == expected.tolist(), column
    assert details["num_split_features"]["g"] == 2
    shares = details["num_full_absorption"] / details["num_probe_true_positives"]
    assert shares.to_numpy() == pytest.approx(details["full_absorption_rate"].to_numpy())


def test_the_means_are_over_all_letters_judged_whether_or_not_they_pass_the_gate(tmp_path: Path) -> None:
    gate = measured().rates.assign(valid="no")
    ungated = replace(measured(), rates=gate).to_saebench(tmp_path / "ungated.json")
    for found in (written(tmp_path), json.loads(ungated.read_text())):
        mean = found["eval_result_metrics"]["mean"]
        column = [row["full_absorption_rate"] for row in found["eval_result_details"]]
        assert mean["mean_full_absorption_score"] == pytest.approx(np.mean(column))
        assert max(column) > 0
        assert mean["std_dev_full_absorption_score"] == pytest.approx(statistics.stdev(column))
    all_letters = measured().means.set_index("definition")["all_letters"]
    assert mean["mean_absorption_fraction_score"] == pytest.approx(all_letters[FRACTION])


def test_intervals_nulls_and_the_version_of_each_definition_go_with_the_file(tmp_path: Path) -> None:
    more = written(tmp_path)["eval_result_unstructured"]
    assert more["schema"] == f"SAEBench {VERSION}"
    assert more["definitions"]["absorption fraction"] == "SAEBench 0.6.0"
    assert more["definitions"]["absorption fraction, no thresholds"] == "SAEBench 0.3.2"
    read = pd.DataFrame(more["rates"])
    pd.testing.assert_frame_equal(read, measured().rates, check_dtype=False)
    limits = more["facts"]["thresholds"]
    assert (limits["fraction_cosine"], limits["min_share"], limits["max_absorbers"]) == (0.1, 0.4, 3)


def test_the_file_says_who_measured_what(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert uuid.UUID(found["eval_id"]).version == 4
    assert found["sae_bench_commit_hash"].startswith("none: measured by absorption")
    named = replace(measured(), facts=measured().facts | {"sae_lens_release": "r", "sae_lens_id": "layer_3"})
    other = json.loads(named.to_saebench(tmp_path / "named.json").read_text())
    assert (other["sae_lens_release_id"], other["sae_lens_id"]) == ("r", "layer_3")
    assert (found["sae_lens_release_id"], found["sae_lens_id"]) == ("in memory", "custom_sae")
    assert found["eval_config"]["model_name"] == "planted"
    assert found["sae_cfg_dict"]["d_in"] == 256
    assert found["sae_cfg_dict"]["architecture"] == "standard"


def test_without_a_definition_that_saebench_reports_there_is_no_file(tmp_path: Path) -> None:
    some = measured().rates[measured().rates["definition"] != FRACTION]
    with pytest.raises(ValueError, match="definitions lacks 'absorption fraction'"):
        replace(measured(), rates=some).to_saebench(tmp_path / "x.json")
    one = measured().rates[measured().rates["letter"].isin(["a", MEAN])]
    with pytest.raises(
        ValueError, match="letters judged: 1; SAEBench's standard deviations need at least two"
    ):
        replace(measured(), rates=one).to_saebench(tmp_path / "x.json")
    assert not list(tmp_path.iterdir())
