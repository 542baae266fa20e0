"""What cannot work is refused before a model is loaded: one clear line, and nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from tests.saes import folders, plain
from tests.saes.models import save_model
from tests.settings_of import settings_of

from absorption.base.settings import SaeSettings
from absorption.chapters import loading
from absorption.models.before_loading import ModelSize, model_size
from absorption.models.language_model import load_model
from absorption.saes import loader, preflight
from absorption.saes.shipped import LOCAL, shipped_ids
from absorption.spelling.vocab_size import count_words, words_line

HOOK = "blocks.1.hook_resid_post"


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model("gemma3", tmp_path_factory.mktemp("model") / "tiny")


def settings(model: Path, sae: Path, **more: object) -> SaeSettings:
    given = {"model": str(model), "sae_release": LOCAL, "sae_path": str(sae), "device": "cpu", **more}
    return settings_of(SaeSettings, **given)


def refused(chosen: SaeSettings) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        preflight.check(chosen)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def gemma_2(folder: Path) -> Path:
    return folders.gemma_scope_2(folder, plain.weights(), layer=1)


@pytest.mark.usefixtures("own_cache")
def test_facts_of_a_config_are_those_of_the_loaded_model(model_folder: Path) -> None:
    model = load_model(str(model_folder), "cpu")
    assert model_size(str(model_folder)) == ModelSize(str(model_folder), model.n_layers, model.d_model)


def test_the_shipped_saes_fit_the_facts_of_the_embedded_model() -> None:
    for sae_id in shipped_ids():
        preflight.check_sae(settings_of(SaeSettings, sae_id=sae_id), model_size("smollm2-135m-instruct"))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    "write",
    [
        lambda f: folders.saelens(f, "topk", plain.weights(), HOOK),
        lambda f: folders.saelens_old(f, plain.weights(), HOOK),
        lambda f: folders.gemma_scope(f.parent / "layer_1", plain.weights()),
        gemma_2,
        lambda f: folders.dictionary_learning(f, "AutoEncoder", plain.weights(), layer=1),
    ],
    ids=["saelens", "old saelens", "gemma scope", "gemma scope 2", "dictionary_learning"],
)
def test_every_format_passes_and_its_headers_say_what_the_loaded_sae_says(
    tmp_path: Path, model_folder: Path, write
) -> None:
    chosen = settings(model_folder, write(tmp_path / "sae"))
    preflight.check(chosen)
    size = model_size(str(model_folder))
    assert loader.load_sae(LOCAL, "", size, path=chosen.sae_path).hook_name == HOOK


@pytest.mark.usefixtures("own_cache")
def test_an_sae_of_another_model_is_refused_before_the_model_is_loaded(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the model was loaded first")

    monkeypatch.setattr(loading, "load_model", never)
    wide = folders.saelens(tmp_path / "wide", "standard", plain.weights(), HOOK)
    config = json.loads((model_folder / "config.json").read_text())
    config["hidden_size"] *= 2
    other = tmp_path / "model"
    other.mkdir()
    (other / "config.json").write_text(json.dumps(config))
    (other / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=f"d_in {plain.D_IN}, but model .* d_model {2 * plain.D_IN}"):
        loading.load(settings(other, wide))
    deep = folders.saelens(tmp_path / "deep", "standard", plain.weights(), "blocks.77.hook_resid_post")
    with pytest.raises(ValueError, match="names layer 77, but the model has layers 0 to"):
        loading.load(settings(model_folder, deep))


@pytest.mark.usefixtures("own_cache")
def test_weights_that_the_headers_cannot_judge_are_still_read_before_the_model(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("the model was loaded first"))
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    torch.save({"encoder.weight": torch.ones(3, 4)}, folder / "ae.pt")
    with pytest.raises(ValueError, match="could not be read as dictionary_learning: the weights lack"):
        loading.load(settings(model_folder, folder))


@pytest.mark.usefixtures("own_cache")
def test_weights_of_another_shape_than_the_config_are_named_with_both(
    tmp_path: Path, model_folder: Path
) -> None:
    w = plain.weights()
    folder = folders.saelens(tmp_path / "sae", "standard", w, HOOK, d_sae=7)
    said = f"W_enc has shape {plain.D_IN} x {plain.D_SAE}, but cfg.json says d_in {plain.D_IN} and d_sae 7"
    assert said in refused(settings(model_folder, folder))
    made = folders.dictionary_learning(tmp_path / "dl", "AutoEncoderTopK", w, layer=1)
    raw = torch.load(made / "ae.pt", weights_only=True)
    torch.save({**raw, "b_dec": torch.ones(5)}, made / "ae.pt")
    with pytest.raises(ValueError, match=r"b_dec has shape 5, but its configuration says d_in") as caught:
        loader.load_sae(LOCAL, "", model_size(str(model_folder)), path=str(made))
    assert "state_dict" not in str(caught.value)


@pytest.mark.usefixtures("own_cache")
def test_a_cut_off_file_is_known_by_its_header(tmp_path: Path, model_folder: Path) -> None:
    folder = gemma_2(tmp_path / "sae")
    whole = (folder / "params.safetensors").read_bytes()
    (folder / "params.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "params.safetensors was cut off" in refused(settings(model_folder, folder))


@pytest.mark.usefixtures("own_cache")
def test_a_layer_that_only_hook_name_states_is_enough(tmp_path: Path, model_folder: Path) -> None:
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    config = json.loads((folder / "config.json").read_text())
    del config["trainer"]["layer"]
    (folder / "config.json").write_text(json.dumps(config))
    assert "does not say which hook it reads; set hook_name" in refused(settings(model_folder, folder))
    preflight.check(settings(model_folder, folder, hook_name=HOOK))
    size = model_size(str(model_folder))
    assert loader.load_sae(LOCAL, "", size, path=str(folder), hook_name=HOOK).hook_name == HOOK


def test_a_cache_path_that_is_a_file_is_told_at_once(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("")
    for path, said in {
        tmp_path / "cache": "is a file; it must be a folder",
        tmp_path / "cache" / "in": "lies below the file",
    }.items():
        monkeypatch.setenv("ABSORPTION_CACHE", str(path))
        text = refused(settings(model_folder, gemma_2(tmp_path / said.split()[0])))
        assert text.startswith(f"cache folder {str(path)!r} {said}")
        assert "ABSORPTION_CACHE" in text


def test_a_read_only_cache_is_told_at_once(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write itself is tried: permissions say nothing of a disk that is mounted for reading."""

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    text = refused(settings(model_folder, gemma_2(tmp_path / "sae")))
    assert text.startswith(
        f"cache folder {str(tmp_path / 'cache')!r} cannot be written: Read-only file system"
    )


@pytest.mark.usefixtures("own_cache")
def test_a_results_folder_that_is_a_file_and_a_missing_device_are_refused(
    tmp_path: Path, model_folder: Path
) -> None:
    sae = gemma_2(tmp_path / "sae")
    (tmp_path / "results").write_text("")
    assert "results_dir" in refused(settings(model_folder, sae, results_dir=str(tmp_path / "results")))
    assert "device 'cuda:99' is not available" in refused(settings(model_folder, sae, device="cuda:99"))
    assert not list(tmp_path.glob(".absorption-*"))


@pytest.mark.usefixtures("own_cache")
def test_a_model_without_tokenizer_or_a_file_in_its_place_is_called_so(
    tmp_path: Path, model_folder: Path
) -> None:
    sae, bare, gguf = gemma_2(tmp_path / "sae"), tmp_path / "bare", tmp_path / "model.gguf"
    bare.mkdir()
    (bare / "config.json").write_text((model_folder / "config.json").read_text())
    assert f"model folder {str(bare)!r} has no tokenizer" in refused(settings(bare, sae))
    with pytest.raises(ValueError, match="has no tokenizer"):
        load_model(str(bare), "cpu")
    gguf.write_bytes(b"GGUF1234")
    assert "is a file. Allowed:" in refused(settings(gguf, sae))
    assert "absorption convert" in refused(settings(gguf, sae))


def test_the_preflight_of_the_default_needs_no_torch() -> None:
    """A command line that refuses should not take ten seconds to do so."""
    code = (
        "import sys; from tests.settings_of import settings_of; from absorption.saes import preflight\n"
        "from absorption.base.settings import SaeSettings\n"
        "preflight.check(settings_of(SaeSettings)); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_price_of_fewer_words_is_told_by_time_and_by_width() -> None:
    """139,533 over 4,000 is 34.9, its root 5.9; 47,078 over 11,770 is 4.0, its root 2.0."""
    everything = words_line(139_533, 0)
    assert "all 139,533 single-token words" in everything
    assert "about 1/35 of the time" in everything
    assert "about 5.9 times as wide" in everything
    few = words_line(47_078, 11_770)
    assert "11,770 of the tokenizer's 47,078" in few
    assert "about 2.0 times as wide" in few
    assert (
        words_line(900, 4_000) == words_line(900, 0) == "Words: all 900 single-token words of the tokenizer."
    )


def test_words_are_counted_by_the_tokenizer_alone(model_folder: Path) -> None:
    from absorption.spelling.vocab import load_vocab

    model = load_model(str(model_folder), "cpu")
    assert count_words(str(model_folder)) == len(load_vocab(model.tokenizer))
