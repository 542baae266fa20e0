"""Every preset names an SAE that exists, is accepted by every chapter, and says what it costs and how that is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from sae_lens.loading.pretrained_sae_loaders import get_gemma_2_config_from_hf
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from tests.settings_of import settings_of

from absorption.base import batches, repository
from absorption.base.data import data_root
from absorption.base.settings import SaeSettings
from absorption.cli.main import main
from absorption.models.before_loading import known_models
from absorption.models.hooks import resolve_site
from absorption.runner import parameters, presets
from absorption.runner.parameters import ParameterError
from absorption.runner.presets import Preset
from absorption.saes.shipped import LOCAL, SHIPPED, shipped_ids
from absorption.sweep import cost
from absorption.sweep.tables import hook_of

ROOT = repository.root()
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PRESETS = presets.shipped()
each_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
MODELS_OF = {
    "gemma-2-2b": "google/gemma-2-2b",
    "google/gemma-3-270m": "google/gemma-3-270m",
    "gpt2-small": "openai-community/gpt2",
    "pythia-70m-deduped": "EleutherAI/pythia-70m-deduped",
}
"""SAELens' names of models, and the same models' Hugging Face ids."""


def memory_gb(parameters: int, bytes_each: int, sizes: cost.Sizes) -> float:
    """Largest memory: weights, the words' activations four times over (raw, standardised, and copies that
    scikit-learn makes), the SAE's weights and what it makes of a batch of words, and a gigabyte of libraries."""
    acts = 4 * sizes.n_words * sizes.d_model * 4
    sae = 3 * sizes.d_model * sizes.d_sae * 4 + 4096 * sizes.d_sae * 4
    return (parameters * bytes_each + acts + sae) / 1e9 + 1


def path_of(preset: Preset) -> Path:
    return data_root() / "presets" / f"{preset.name}.yaml"


def test_the_presets_that_the_book_promises_are_there() -> None:
    names = {preset.name for preset in PRESETS}
    promised = {"gemma-2-2b-case-study", "gemma-2-2b-canonical-16k", "gemma-2-2b-matryoshka", "gemma-3-270m"}
    promised |= {"gpt2-small", "pythia-70m", "llama-3.2-1b", "qwen2-0.5b"}
    assert promised <= names


def test_each_shipped_sae_has_its_preset_and_no_other() -> None:
    found = {preset.parameters["sae_id"] for preset in PRESETS if preset.parameters["sae_release"] == SHIPPED}
    assert found == set(shipped_ids())


@each_preset
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_takes_every_preset(preset: Preset, chapter: Path) -> None:
    defaults = parameters.declared(parameters.read_notebook(chapter))
    values = parameters.resolve(defaults, presets=[path_of(preset)])
    assert values == {name: value for name, value in preset.parameters.items() if name in defaults}


@each_preset
def test_a_preset_holds_only_parameters_of_model_and_sae_within_their_ranges(preset: Preset) -> None:
    folder = {"sae_path": "somewhere"} if preset.parameters["sae_release"] == LOCAL else {}
    settings = settings_of(SaeSettings, **preset.parameters, **folder)
    assert {name: getattr(settings, name) for name in preset.parameters} == preset.parameters


@each_preset
def test_release_id_and_model_are_those_of_saelens_directory(preset: Preset) -> None:
    release, sae_id = preset.parameters["sae_release"], preset.parameters.get("sae_id", "")
    if release in (SHIPPED, LOCAL):
        return
    directory = get_pretrained_saes_directory()
    assert release in directory
    assert sae_id in directory[release].saes_map
    assert MODELS_OF[directory[release].model] == preset.parameters["model"]


@each_preset
def test_the_hook_is_the_one_that_the_sae_states(preset: Preset) -> None:
    """Gemma Scope's metadata is made from its id alone, so it can be asked without a hub; the rest by the id."""
    release, sae_id = preset.parameters["sae_release"], preset.parameters.get("sae_id", "")
    if release == LOCAL:
        assert "hook_name" not in preset.parameters  # the folder's own metadata says it
        return
    hook = preset.parameters["hook_name"]
    assert resolve_site(hook, known_models()[preset.parameters["model"]]["n_layers"]).depth >= 0
    if release == SHIPPED:
        card = yaml.safe_load((data_root() / "saes" / sae_id / "card.json").read_text())
        assert hook == card["hook_name"]
        return
    assert hook == hook_of(release, sae_id)
    about = get_pretrained_saes_directory()[release]
    if about.conversion_func == "gemma_2":
        config = get_gemma_2_config_from_hf(about.repo_id, about.saes_map[sae_id], "cpu")
        assert (config["hook_name"], config["d_in"]) == (hook, known_models()["google/gemma-2-2b"]["d_model"])


@each_preset
def test_costs_are_stated_with_how_they_are_known_and_agree_with_the_estimate(preset: Preset) -> None:
    assert preset.about is not None
    stated = preset.about.cost
    assert stated is not None
    known = known_models()[preset.parameters["model"]]
    weights = known["parameters"] * (2 if preset.parameters["dtype"] == "bfloat16" else 4) / 1e9
    assert stated.memory_gb > weights
    assert stated.disk_gb > weights
    measured = cost.measured()
    of_that_run = preset.parameters.get("sae_id") == measured["parameters"]["sae_id"]
    assert stated.how == ("measured" if of_that_run else "estimated")
    if of_that_run:
        assert stated.minutes == pytest.approx(measured["seconds"] / 60, rel=0.05)
        assert stated.memory_gb == pytest.approx(measured["peak_bytes"] / 1e9, rel=0.05)


def test_the_estimates_of_gemma_3_are_for_the_words_of_its_tokenizer() -> None:
    """139,533 of its 262,144 tokens are words; the stated costs are what the estimate gives for those."""
    (preset,) = [preset for preset in PRESETS if preset.name == "gemma-3-270m"]
    known, basis = known_models()["google/gemma-3-270m"], cost.measured()
    assert known["n_words"] == 139_533
    wanted = cost.Sizes(
        known["n_words"], known["d_model"], 13, known["n_layers"], known["block_parameters"], 16_384
    )
    stages = [basis["shared"], basis["chapters"]["03-the-recall-gap"]]
    at = cost.Sizes(**basis["sizes"])
    seconds = sum(sum(cost.scaled(each, at, wanted).values()) for each in stages)
    assert preset.about is not None
    assert preset.about.cost is not None
    assert preset.about.cost.minutes == pytest.approx(seconds / 60, rel=0.05)
    assert preset.about.cost.memory_gb == pytest.approx(memory_gb(known["parameters"], 4, wanted), rel=0.05)
    assert "139,533" in preset.about.cost.basis


def test_the_case_study_preset_is_the_papers_sae() -> None:
    """Section 5.2: layer 3, width 16k, L0 59."""
    (preset,) = [preset for preset in PRESETS if preset.name == "gemma-2-2b-case-study"]
    assert preset.parameters["sae_id"] == "layer_3/width_16k/average_l0_59"


def copy_with(tmp_path: Path, **changes: object) -> Path:
    content = yaml.safe_load(path_of(PRESETS[0]).read_text())
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


def test_a_typo_in_a_preset_is_refused_with_the_nearest_name(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    preset = copy_with(tmp_path, sae_relaese="x")
    assert main(["run", str(CHAPTERS[2]), str(tmp_path / "out.ipynb"), "-f", str(preset)]) == 2
    said = capsys.readouterr().err
    assert "unknown parameter 'sae_relaese' in mine.yaml. Did you mean 'sae_release'?" in said
    assert len(said.strip().splitlines()) <= 2


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ({"title": "x", "batch": 0}, "about.batch in mine.yaml is 0: "),
        ({"title": "x", "cots": 1}, "about.cots in mine.yaml is 1: "),
        ("a text", "about in mine.yaml is 'a text': "),
        ({"cost": {"memory_gb": 1, "disk_gb": 1}}, "about.cost.minutes in mine.yaml is missing"),
    ],
)
def test_a_wrong_entry_about_is_refused_by_name(tmp_path: Path, about: object, named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        presets.read(copy_with(tmp_path, about=about))


def test_the_last_presets_batch_reaches_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = copy_with(tmp_path, about={"title": "x", "batch": 64})
    first = Path(shutil.move(first, tmp_path / "first.yaml"))
    second = copy_with(tmp_path, about={"title": "y", "batch": 32})
    silent = Path(shutil.copy(second, tmp_path / "silent.yaml"))
    silent.write_text("seed: 1\n")
    variables = presets.variables([first, second, silent])
    assert variables == {batches.VARIABLE: "32"}
    monkeypatch.setenv(*next(iter(variables.items())))
    assert (batches.size(256), batches.size(64), batches.size(1)) == (32, 8, 1)


def test_a_preset_of_ones_own_may_state_the_batch_alone(tmp_path: Path) -> None:
    assert presets.variables([copy_with(tmp_path, about={"batch": 64})]) == {batches.VARIABLE: "64"}


@each_preset
def test_a_shipped_preset_says_what_it_is(preset: Preset) -> None:
    assert preset.about is not None
    assert preset.about.title


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5"])
def test_a_batch_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(batches.VARIABLE, given)
    with pytest.raises(ValueError, match=f"{batches.VARIABLE} is '{given}'"):
        batches.size(64)
