"""Which shipped SAEs are set beside one."""

import json
from pathlib import Path

import pytest
import torch
from tests.ablation.architectures import tiny_model
from tests.latents.hand_made import sae

from absorption.base.cache import file_sha256
from absorption.saes.loader import load_sae
from absorption.several_saes import comparison
from absorption.several_saes.comparison import companions


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))


def test_companions_read_the_same_hook_of_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model("llama", dtype=torch.float32)[0]
    monkeypatch.setenv("ABSORPTION_DATA", str(tmp_path))
    made = sae().sae
    right = model.weights_hash
    names = ("itself", "same", "other-model", "other-hook", "deeper-model")
    monkeypatch.setattr(comparison, "COMPANIONS", names)
    cards = {
        "itself": (right, "blocks.0.hook_resid_post"),
        "same": (right, "blocks.1.hook_resid_pre"),  # another name of the same place
        "other-model": ("wrong", "blocks.0.hook_resid_post"),
        "other-hook": (right, "blocks.2.hook_resid_post"),
        "deeper-model": (right, "blocks.9.hook_resid_post"),
        "of-the-wider-family": (right, "blocks.0.hook_resid_post"),
    }
    for number, (name, (model_hash, hook_name)) in enumerate(cards.items()):
        folder = tmp_path / "saes" / name
        made.cfg.metadata.hook_name = hook_name
        made.save_model(folder)
        card = {"sae_id": name, "d_sae": 40, "k": number, "model_weights_hash": model_hash}
        card["weights_sha256"] = file_sha256(folder / "sae_weights.safetensors")
        (folder / "card.json").write_text(json.dumps(card))
    mine = load_sae("shipped", "itself", model)
    assert [other.name for other in companions(mine, model)] == ["same"]
