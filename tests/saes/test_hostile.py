"""Files of strangers: nothing in them is executed, and pages show their texts as text."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.ablation.architectures import tiny_model
from tests.saes import folders, plain
from tests.saes.models import save_model

from absorption.models.language_model import LanguageModel, load_model
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL

HOOK = "blocks.1.hook_resid_post"


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("llama")[0]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "somebody was here"


def refused(folder: Path, model: LanguageModel) -> str:
    with pytest.raises(ValueError, match="could not be read") as caught:
        load_sae(LOCAL, "", model, path=str(folder))
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_the_bomb_goes_off_where_pickles_are_trusted(mark: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists()


def test_weights_that_are_a_pickle_are_not_unpickled(
    tmp_path: Path, model: LanguageModel, mark: Path
) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK)
    (folder / "sae_weights.safetensors").write_bytes(pickle.dumps(Bomb(mark)))
    refused(folder, model)
    torch.save({"W_enc": Bomb(mark)}, folder / "sae_weights.safetensors")
    refused(folder, model)
    assert not mark.exists()


def test_an_ae_pt_that_holds_more_than_tensors_is_refused(
    tmp_path: Path, model: LanguageModel, mark: Path
) -> None:
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    torch.save({"encoder.weight": Bomb(mark)}, folder / "ae.pt")
    said = refused(folder, model)
    assert "a pickle with more than tensors in it" in said
    assert "weights_only" not in said
    assert "nothing in it was executed" in said
    assert not mark.exists()


def test_an_npz_with_objects_is_refused(tmp_path: Path, model: LanguageModel, mark: Path) -> None:
    folder = tmp_path / "layer_1"
    folder.mkdir()
    np.savez(folder / "params.npz", W_enc=np.array([Bomb(mark)], dtype=object))
    refused(folder, model)
    assert not mark.exists()


@pytest.mark.parametrize("architecture", ["os.system", "../../sae", "__import__('os')", 3])
def test_a_config_that_names_a_class_or_a_path_is_refused(
    tmp_path: Path, model: LanguageModel, architecture: object
) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, "architecture": architecture}))
    with pytest.raises(ValueError, match="sae_path"):
        load_sae(LOCAL, "", model, path=str(folder))


def test_a_dictionary_class_of_ones_own_is_not_looked_up(tmp_path: Path, model: LanguageModel) -> None:
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    config = json.loads((folder / "config.json").read_text())
    config["trainer"]["dict_class"] = "os.system"
    (folder / "config.json").write_text(json.dumps(config))
    assert "dict_class 'os.system'; allowed: AutoEncoder" in refused(folder, model)


def test_a_models_own_code_is_never_run(tmp_path: Path, mark: Path) -> None:
    folder = save_model("llama", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    with pytest.raises((ValueError, ConnectionError)) as caught:
        load_model(str(folder), "cpu")
    assert len(str(caught.value).splitlines()) <= 2
    assert not mark.exists()


def test_a_models_weights_that_are_a_pickle_are_not_unpickled(tmp_path: Path, mark: Path) -> None:
    folder = save_model("llama", tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({"x": Bomb(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="damaged or not a causal language model") as caught:
        load_model(str(folder), "cpu")
    assert len(str(caught.value).splitlines()) <= 2
    assert "weights_only" not in str(caught.value)
    assert not mark.exists()
