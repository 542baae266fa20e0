"""A sweep's jobs follow from its configuration and table; what does not fit is refused before anything runs."""

from __future__ import annotations

import ast
import csv
import dataclasses
import json
import math
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from absorption.base import repository
from absorption.cli.main import main
from absorption.saes.shipped import shipped_ids
from absorption.sweep import cost, tables

ROOT = repository.root()
CHAPTER = "03-the-recall-gap"
CONFIG: dict[str, Any] = {
    "chapters": [CHAPTER], "parameters": {"seed": 0}, "chapter_parameters": {}, "resources": {},
    "samples": "samples.tsv", "output": "out",
}  # fmt: skip
HEAD = ["sample", "model", "dtype", "sae_release", "sae_id", "sae_path", "hook_name"]
GEMMA = dict(match="width_(16k|65k)/average", layers=range(18), dtype="bfloat16")


def schema(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "sweep" / f"{name}.schema.yaml").read_text())


def write(folder: Path, *rows: list[str], head: list[str] = HEAD, **config: Any) -> Path:
    with (folder / "samples.tsv").open("w", newline="") as handle:
        csv.writer(handle, delimiter="\t").writerows([head, *rows])
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **config}))
    return path


def local(sample: str, hook: str = "blocks.1.hook_resid_post", model: str = "m") -> list[str]:
    return [sample, model, "", "local", "", f"saes/{sample}", hook]


def plan_of(folder: Path, *rows: list[str], **config: Any) -> Any:
    return cost.load_plan(write(folder, *rows, **config), ROOT)


def test_saes_at_one_place_share_one_job_under_either_of_its_names(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path, local("a"), local("b", "blocks.2.hook_resid_pre"), local("c", "blocks.2.hook_resid_post"),
        local("d", model="n"), local("e", ""),
    )  # fmt: skip
    assert plan.waits_for("a") == plan.waits_for("b")
    assert len({*plan.waits_for("a"), *plan.waits_for("c"), *plan.waits_for("d")}) == 3
    assert plan.waits_for("e") == []
    assert len(plan.shared) == 3


def test_a_run_gets_the_samples_parameters_and_the_chapters(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, local("a"), chapter_parameters={CHAPTER: {"compare": False}})
    given = plan.run_arguments("a", CHAPTER).split("-p ")[1:]
    assert {pair.strip() for pair in given} == {
        "seed 0", "model m", "sae_release local", f"sae_path {tmp_path / 'saes' / 'a'}", "compare false",
        "hook_name blocks.1.hook_resid_post",
    }  # fmt: skip


def test_a_relative_folder_is_the_tables_wherever_the_job_runs(tmp_path: Path) -> None:
    rows = [["a", "m", "", "local", "", path, ""] for path in ("saes/a", "../b", "/c", "~/d")]
    rows = [[f"s{number}", *row[1:]] for number, row in enumerate(rows)]
    plan = plan_of(tmp_path, *rows)
    found = [row["sae_path"] for row in plan.samples.values()]
    assert found == [f"{tmp_path}/saes/a", f"{tmp_path.parent}/b", "/c", str(Path.home() / "d")]


def test_values_are_quoted_for_the_shell(tmp_path: Path) -> None:
    row = ["a", "m; touch here", "", "local", "", "$(touch here)", ""]
    assert "'m; touch here'" in plan_of(tmp_path, row).run_arguments("a", CHAPTER)
    assert "$(touch here)'" in plan_of(tmp_path, row).run_arguments("a", CHAPTER)


def test_a_sample_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sample 'a' stands twice"):
        plan_of(tmp_path, local("a"), local("b"), local("a"))


@pytest.mark.parametrize("row", [["a", "m"], [*local("a"), "more"]])
def test_a_row_of_another_length_is_refused(tmp_path: Path, row: list[str]) -> None:
    with pytest.raises(ValueError, match="'a' has more or fewer cells than the head"):
        plan_of(tmp_path, row)


def test_unknown_chapters_and_chapters_without_an_sae_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"chapter '03-the-recal-gap' does not exist; allowed: .*03-the-recall-gap"
    ):
        plan_of(tmp_path, local("a"), chapters=["03-the-recal-gap"])
    with pytest.raises(ValueError, match="'02-probe-baselines' reads no SAE"):
        plan_of(tmp_path, local("a"), chapters=["02-probe-baselines"])
    with pytest.raises(ValueError, match="names '04-', which is not among the chapters"):
        plan_of(tmp_path, local("a"), chapter_parameters={"04-": {}})


def test_all_chapters_are_those_that_read_an_sae(tmp_path: Path) -> None:
    chapters = plan_of(tmp_path, local("a"), chapters="all").chapters
    assert CHAPTER in chapters
    assert not {"01-can-the-model-spell", "02-probe-baselines", "what-reproduced", "your-sae"} & set(chapters)
    assert plan_of(tmp_path, local("a"), chapters=["your-sae"]).chapters == ["your-sae"]


def test_resources_are_the_samples_else_the_jobs_else_the_default(tmp_path: Path) -> None:
    resources = {"default": {"mem_mb": 1000, "gpu": 1}, CHAPTER: {"mem_mb": 2000}}
    plan = plan_of(
        tmp_path, [*local("a"), "3000"], [*local("b"), ""], head=[*HEAD, "mem_mb"], resources=resources
    )
    assert plan.resource("mem_mb", CHAPTER, "a") == 3000
    assert plan.resource("mem_mb", CHAPTER, "b") == 2000
    assert plan.resource("mem_mb", "shared") == 1000
    assert plan.resource("gpu", CHAPTER, "b") == 1


def test_a_plan_needs_no_installed_package() -> None:
    code = f"import runpy; print(runpy.run_path({str(ROOT / 'sweep' / 'plan.py')!r})['choose_chapters'])"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("<function choose_chapters"), done.stderr


def test_a_chapter_whose_parameters_are_no_literals_is_named(tmp_path: Path) -> None:
    choose = runpy.run_path(str(ROOT / "sweep" / "plan.py"))["choose_chapters"]
    cell = {"metadata": {"tags": ["parameters"]}, "source": ["seed = 0\n", "sae_release = pick()"]}
    (tmp_path / "01-a.ipynb").write_text(json.dumps({"cells": [cell]}))
    with pytest.raises(ValueError, match=r"01-a.ipynb: the cell tagged 'parameters' must hold only lines"):
        choose("all", tmp_path)
    cell["source"][1] = "sae_release = 'shipped'"
    (tmp_path / "01-a.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert choose("all", tmp_path) == ["01-a"]


def test_another_sweep_in_the_same_folder_is_noticed_but_more_saes_are_not(tmp_path: Path) -> None:
    first = plan_of(tmp_path, local("a"))
    assert plan_of(tmp_path, local("a"), local("b")).differs_from(first.as_json()) == ""
    assert "parameters are" in plan_of(tmp_path, local("a"), parameters={"seed": 1}).differs_from(
        first.as_json()
    )
    moved = plan_of(tmp_path, local("a", "blocks.3.hook_resid_post"))
    assert "sample 'a' is" in moved.differs_from(first.as_json())


@pytest.mark.parametrize("path", sorted((ROOT / "sweep").glob("[!c]*.yaml")), ids=lambda path: path.stem)
def test_the_sweeps_that_come_with_the_project_fit_the_schemas(path: Path) -> None:
    if path.name.endswith(".schema.yaml"):
        jsonschema.Draft202012Validator.check_schema(yaml.safe_load(path.read_text()))
        return
    jsonschema.validate(yaml.safe_load(path.read_text()), schema("config"))
    for row in cost.load_plan(path, ROOT).samples.values():
        jsonschema.validate(row, schema("samples"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"outptu": "x"}, "outptu"),
        ({"chapters": []}, "[]"),
        ({"parameters": {"seed": "0"}}, "'0'"),
        ({"resources": {"default": {"mem": 1}}}, "mem"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_schema(change: dict[str, Any], named: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=named.replace("[", r"\[")):
        jsonschema.validate({**CONFIG, **change}, schema("config"))


@pytest.mark.parametrize(
    "change",
    [{"sample": "../a"}, {"hook_name": "blocks.1.attn.hook_z"}, {"sae_release": "local"}, {"saee_id": "x"}],
)
def test_a_wrong_row_is_refused_by_its_schema(change: dict[str, str]) -> None:
    row = {"sample": "a", "model": "m", "sae_release": "shipped", "sae_id": "x"}
    jsonschema.validate(row, schema("samples"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**row, **change}, schema("samples"))


def test_the_table_of_gemma_scope_is_the_185_saes_of_saelens_directory() -> None:
    table = tables.release_table("gemma-scope-2b-pt-res", "google/gemma-2-2b", **GEMMA)  # type: ignore[arg-type]
    assert len(table) == table["sample"].nunique() == 185
    assert table["d_sae"].value_counts().to_dict().keys() == {"16384", "65536"}
    stored = cost.load_plan(ROOT / "sweep" / "gemma-scope.yaml", ROOT).samples
    assert [row["sae_id"] for row in stored.values()] == table["sae_id"].tolist()


def test_the_185_saes_wait_for_18_shared_jobs_one_a_layer() -> None:
    plan = cost.load_plan(ROOT / "sweep" / "gemma-scope.yaml", ROOT)
    assert len(plan.shared) == 18
    waiting = [plan.waits_for(sample)[0] for sample in plan.samples]
    assert len(waiting) == 185
    assert set(waiting) == {f"shared/{key}.json" for key in plan.shared}
    by_layer = {row["hook_name"]: plan.shared_of[sample] for sample, row in plan.samples.items()}
    assert len(by_layer) == len(set(by_layer.values())) == 18


def test_the_table_of_the_shipped_saes_names_all_of_them_as_their_cards_do() -> None:
    samples = cost.load_plan(ROOT / "sweep" / "shipped.yaml", ROOT).samples
    assert {row["sae_id"] for row in samples.values()} == set(shipped_ids())
    for row in samples.values():
        card = json.loads((ROOT / "data" / "saes" / row["sae_id"] / "card.json").read_text())
        assert (row["hook_name"], int(row["d_sae"])) == (card["hook_name"], card["d_sae"])


def test_an_mlp_release_states_no_residual_hook() -> None:
    assert tables.hook_of("gemma-scope-2b-pt-mlp", "layer_3/width_16k/average_l0_59") == ""
    assert tables.hook_of("gemma-scope-2b-pt-res", "embedding/width_4k/average_l0_6") == ""
    assert tables.hook_of("gpt2-small-res-jb", "blocks.8.hook_resid_pre") == "blocks.8.hook_resid_pre"


def test_an_unknown_release_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="nearest first: gemma-scope-2b-pt-res"):
        tables.release_table("gemma-scope-2b-pt-ress", "m")


def test_the_estimate_scales_each_stage_with_its_size() -> None:
    """Twice the depth doubles activations and leaves a third of the blocks to ablate through, twice the latents double
    the encoding only; all by hand."""
    seconds = {"activations": 10.0, "probes": 20.0, "latent-activations": 30.0, "other": 40.0, "labels": 50.0}
    at = cost.Sizes(n_words=100, d_model=8, depth=2, n_layers=5, block_parameters=1000, d_sae=16)
    wider = cost.Sizes(n_words=200, d_model=8, depth=4, n_layers=5, block_parameters=1000, d_sae=32)
    found = cost.scaled(seconds, at, wider)
    assert found == pytest.approx(
        {"activations": 40, "probes": 40, "latent-activations": 120, "other": 80, "labels": 50 / 3}
    )


def test_the_estimate_counts_shared_jobs_once(tmp_path: Path) -> None:
    row = ["a", "google/gemma-2-2b", "", "local", "", "x", "blocks.3.hook_resid_post", "16384"]
    rows = [[name, *row[1:]] for name in "abc"]
    plan = plan_of(tmp_path, *rows, head=[*HEAD, "d_sae"])
    one = plan_of(tmp_path, rows[0], head=[*HEAD, "d_sae"])
    three, single = hours(plan), hours(one)
    assert len(plan.shared) == 1
    assert three["shared"] == pytest.approx(single["shared"])
    assert three[CHAPTER] == pytest.approx(3 * single[CHAPTER])
    assert three["all"] == pytest.approx(three["shared"] + three[CHAPTER])


def test_what_every_run_finds_made_is_counted_once(tmp_path: Path) -> None:
    rows = [
        [name, "smollm2-135m-instruct", "", "local", "", "x", "blocks.8.hook_resid_post", "4096"]
        for name in "abc"
    ]
    basis = cost.measured() | {"chapters": {CHAPTER: {"toy.train": 36.0, "everything else": 360.0}}}
    table = cost.estimate(plan_of(tmp_path, *rows, head=[*HEAD, "d_sae"]), basis).set_index("job")
    assert table.loc[CHAPTER, "hours"] == pytest.approx(3 * 0.1 + 0.01)
    assert table.loc[CHAPTER, "longest_minutes"] == pytest.approx(6.6)


def test_the_stages_of_a_chapters_record_add_up_and_activations_in_it_are_those_of_all_depths() -> None:
    stages = [("activations", 3.0), ("labels", 1.0), ("labels", 2.0)]
    record = {"seconds": 10.0, "stages": [{"stage": stage, "seconds": seconds} for stage, seconds in stages]}
    assert cost.chapter_stages(record) == {
        "activations at all depths": 3.0, "labels": 3.0, "everything else": 4.0,
    }  # fmt: skip


def test_what_is_made_at_all_depths_does_not_grow_with_the_saes_depth() -> None:
    seconds = {"activations at all depths": 10.0, "probes at all depths": 20.0}
    at = cost.Sizes(n_words=100, d_model=8, depth=2, n_layers=5, block_parameters=1000, d_sae=16)
    assert cost.scaled(seconds, at, dataclasses.replace(at, depth=4)) == seconds
    twice = cost.scaled(seconds, at, dataclasses.replace(at, n_layers=10, block_parameters=2000))
    assert twice == {name: 2 * value for name, value in seconds.items()}


def test_every_chapter_that_reads_an_sae_was_measured() -> None:
    assert set(gemma_sweep().chapters) <= set(cost.measured()["chapters"])


def gemma_sweep() -> Any:
    return cost.load_plan(ROOT / "sweep" / "gemma-scope.yaml", ROOT)


def hours(plan: Any, basis: Any = None) -> dict[str, float]:
    table = cost.estimate(plan, basis)
    return dict(zip(table["job"], table["hours"].astype(float), strict=True))


def test_a_chapter_that_was_not_measured_has_no_number_and_is_left_out_of_the_sum(tmp_path: Path) -> None:
    row = ["a", "google/gemma-2-2b", "", "local", "", "x", "blocks.3.hook_resid_post", "16384"]
    plan = plan_of(tmp_path, row, head=[*HEAD, "d_sae"], chapters=[CHAPTER, "05-absorption"])
    chapters = {CHAPTER: cost.measured()["chapters"][CHAPTER]}
    found = hours(plan, cost.measured() | {"chapters": chapters})
    assert math.isnan(found["05-absorption"])
    assert found["all"] == pytest.approx(found["shared"] + found[CHAPTER])


def test_the_estimate_of_the_measured_run_is_the_measurement(tmp_path: Path) -> None:
    measured = cost.measured()
    row = ["a", "smollm2-135m-instruct", "", "local", "", "x", "blocks.8.hook_resid_post", "4096"]
    found = hours(plan_of(tmp_path, row, head=[*HEAD, "d_sae"]))
    loading = measured["fixed"][
        "shared"
    ]  # that run was one process; a sweep loads once more for the shared job
    assert found["all"] * 3600 == pytest.approx(measured["seconds"] + loading, rel=0.01)


def test_a_model_of_unknown_size_cannot_be_estimated(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model 'm' has no sizes in models.yaml"):
        cost.estimate(plan_of(tmp_path, local("a")))


def test_a_job_costs_something_before_its_first_word(tmp_path: Path) -> None:
    row = ["a", "smollm2-135m-instruct", "", "local", "", "x", "blocks.8.hook_resid_post", "4096"]
    fixed = cost.measured()["fixed"]
    tiny = plan_of(tmp_path, row, head=[*HEAD, "d_sae"], parameters={"n_words": 1})
    found = hours(tiny)
    assert found["shared"] * 3600 == pytest.approx(fixed["shared"], abs=0.1)
    assert found[CHAPTER] * 3600 == pytest.approx(fixed["run"], abs=0.1)


def test_the_estimate_of_the_shipped_sweep_is_that_of_its_fixed_costs_and_more() -> None:
    """7 runs and a shared job, by hand: 7 x 15.9 s + 12.3 s = 123.6 s before the first word."""
    plan = cost.load_plan(ROOT / "sweep" / "shipped.yaml", ROOT)
    table = cost.estimate(plan)
    assert 123.6 / 3600 < hours(plan)["all"] < 0.5
    assert table["on"].tolist() == ["one CPU core", "one CPU core", ""]


def test_jobs_on_a_gpu_get_no_number_from_a_cpu_and_one_from_a_gpu() -> None:
    plan = gemma_sweep()
    table = cost.estimate(plan).set_index("job")
    assert table.loc["shared", "on"] == "GPU"
    assert table["hours"].isna().all()
    on_gpu = cost.estimate(plan, cost.measured() | {"device": "cuda"}).set_index("job")
    assert on_gpu["hours"].notna().all()


def test_the_command_says_why_a_job_has_no_number(capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", str(ROOT / "sweep" / "gemma-scope.yaml")]) == 0
    said = capsys.readouterr().out
    assert "jobs on a GPU: that was measured on a CPU" in said
    assert main(["estimate", str(ROOT / "sweep" / "shipped.yaml")]) == 0
    assert "?" not in capsys.readouterr().out


def test_every_stage_that_grows_in_a_way_of_its_own_is_one_that_the_library_reports() -> None:
    """A stage under another name would count as growing with the words, and nothing would say so."""
    reported = {
        node.args[0].value
        for path in (ROOT / "lib" / "absorption").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        if getattr(node.func, "attr", "") in ("stage", "cached_tensors")
    }
    named = {cost.ACTIVATIONS, cost.PROBES, cost.ENCODING, *cost.ABLATIONS, *cost.ONCE}
    assert named - set(cost.AT_ALL_DEPTHS.values()) <= reported
