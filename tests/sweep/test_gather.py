"""The numbers of a sweep's runs, and what its records say a further sweep will cost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from absorption.sweep import cost, gather, page

CHAPTER = "03-the-recall-gap"


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A sweep of two SAEs, one of them done."""
    samples = {name: {"sample": name, "model": "m", "sae_id": name, "d_sae": "64"} for name in ("a", "b")}
    plan = {"samples": samples, "chapters": [CHAPTER], "shared_of": {"a": "k", "b": "k"}}
    write_json(tmp_path / gather.PLAN, plan)
    stages = [{"stage": "latent-activations", "seconds": 4.0}, {"stage": "activations", "seconds": 0.0}]
    record = {"error": "", "seconds": 10.0, "peak_bytes": 3e9, "stages": stages}
    write_json(tmp_path / "runs" / "a" / CHAPTER / "record.json", record)
    sizes = {"n_words": 100, "d_model": 8, "n_layers": 4, "depth": 2, "block_parameters": 1000}
    shared = [{"stage": "activations", "seconds": 20.0}, {"stage": "probes", "seconds": 2.0}]
    write_json(tmp_path / "shared" / "k.json", {"sizes": sizes, "stages": shared})
    names = ["sae", "selection", "precision", "precision_low", "precision_high"]
    names += [f"{metric}{end}" for metric in ("recall", "f1") for end in ("", "_low", "_high")]
    rows = [
        ("LR probe", "LR probe", 0.9, 0.8, 1.0, 0.7, 0.6, 0.8, 0.75, 0.7, 0.8),
        ("a", "best F1", 0.5, 0.4, 0.6, 0.3, 0.2, 0.4, 0.35, 0.3, 0.4),
        ("companion", "best F1", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ]
    results = tmp_path / "runs" / "a" / CHAPTER / "results"
    results.mkdir()
    pd.DataFrame(rows, columns=names).to_parquet(results / "recall-gap.parquet")
    claim = {"id": "probe", "part": "gap", "measured": None, "low": None, "high": None}
    write_json(results / "claims" / "probe.gap.json", claim)
    return tmp_path


def test_the_comparison_has_the_numbers_of_the_sae_and_the_probe_only(output: Path) -> None:
    found = gather.gather(output).comparison.set_index("quantity")
    assert list(found.loc["recall, best F1", ["sample", "value", "low", "high"]]) == ["a", 0.3, 0.2, 0.4]
    assert found.loc["precision, LR probe", "value"] == 0.9
    assert len(found) == 6, "three metrics of SAE and probe; no companion, no claim that was not measured"


def test_each_runs_tables_are_joined_under_the_samples_name(output: Path) -> None:
    gather.gather(output)
    joined = pd.read_parquet(output / "tables" / f"{CHAPTER}.recall-gap.parquet")
    assert joined.columns[0] == "sample"
    assert joined["sample"].tolist() == ["a"] * 3


def test_a_run_that_has_not_happened_is_said_to_be_open(output: Path) -> None:
    found = gather.gather(output)
    assert gather.failures(found.status) == [f"b, {CHAPTER}: not run: the sweep stopped before it"]
    assert list(found.status.loc[0, ["status", "seconds", "peak_gb"]]) == ["done", 10.0, 3.0]


def test_a_log_of_a_run_that_succeeded_after_all_is_no_failure(output: Path) -> None:
    log = output / "logs" / "runs" / "a" / f"{CHAPTER}.log"
    log.parent.mkdir(parents=True)
    log.write_text("a warning\n")
    assert gather.gather(output).status["status"].tolist() == ["done", "not run"]


def test_seconds_of_stages_are_taken_from_a_sweeps_records(output: Path) -> None:
    basis = cost.measured_in(output)
    assert basis["shared"] == {"activations": 20.0, "probes": 2.0}
    assert basis["chapters"] == {
        CHAPTER: {"latent-activations": 4.0, "activations at all depths": 0.0, cost.ELSE: 6.0}
    }
    assert basis["sizes"]["d_sae"] == 64


def test_a_sweep_that_found_everything_in_the_cache_is_no_basis(output: Path) -> None:
    write_json(output / "shared" / "k.json", {"sizes": {}, "stages": []})
    with pytest.raises(ValueError, match="give it an empty cache"):
        cost.measured_in(output)


def test_a_local_sae_is_called_by_its_folder_in_the_comparison(output: Path) -> None:
    plan = json.loads((output / gather.PLAN).read_text())
    plan["samples"]["a"] = {"sample": "a", "model": "m", "sae_release": "local", "sae_path": "/x/my-sae"}
    write_json(output / gather.PLAN, plan)
    assert set(gather.gather(output).comparison["sae_id"]) == {"my-sae"}


def test_numbers_for_people_are_rounded_and_those_for_programs_are_not(output: Path) -> None:
    path = output / "runs" / "a" / CHAPTER / "results" / "recall-gap.parquet"
    table = pd.read_parquet(path)
    table["recall"] = 0.123456789
    table.to_parquet(path)
    gather.gather(output)
    text = (output / "comparison.tsv").read_text()
    assert "\t0.1235\t" in text
    assert "0.12345" not in text
    assert 0.123456789 in pd.read_parquet(output / "comparison.parquet")["value"].tolist()


def test_the_page_has_every_number_and_every_run_and_needs_nothing_else(output: Path) -> None:
    html = page.to_html(gather.gather(output), "<b>mine</b>")
    assert "<h1>Sweep &lt;b&gt;mine&lt;/b&gt;</h1>" in html
    assert "<p>1 of 2 runs done.</p>" in html
    assert "0.3 <small>[0.2, 0.4]</small>" in html
    assert '<th scope="row">b</th>' in html
    assert "the sweep stopped before it" in html
    assert not re.search(r"<(script|link|img)|https?:", html)
    assert f'<a href="runs/a/{CHAPTER}/page.ipynb">' in html


def test_the_bar_behind_a_number_is_its_place_between_nothing_and_the_largest() -> None:
    rows = [
        (name, "m", "r", name, "h", "c", "rate", value, value, value)
        for name, value in (("a", 1.0), ("b", 4.0))
    ]
    comparison = pd.DataFrame(rows, columns=gather.COMPARISON)
    html = page.to_html(gather.Sweep(pd.DataFrame(columns=gather.STATUS), comparison), "t")
    assert html.count("#cfe3f3 25%,") == 1
    assert html.count("#cfe3f3 100%,") == 1
