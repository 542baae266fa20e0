"""SAEs in memory are what they would be from disk, and stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tests.ablation.architectures import tiny_model

from absorption.saes.loader import load_sae
from absorption.saes.objects import wrap_sae
from absorption.saes.shipped import LOCAL

HOOK = "blocks.1.hook_resid_post"
D_IN, D_SAE = 32, 96
pytestmark = pytest.mark.usefixtures("own_cache")


def acts() -> torch.Tensor:
    return torch.randn(50, D_IN, generator=torch.Generator().manual_seed(0))


def fill(sae: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)


def test_an_sae_in_training_is_measured_as_it_would_be_saved(tmp_path: Path) -> None:
    model, _ = tiny_model("llama")
    config = BatchTopKTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, k=8, metadata=SAEMetadata(hook_name=HOOK))
    sae = BatchTopKTrainingSAE(config)
    fill(sae)
    sae.topk_threshold.fill_(0.7)
    before = {name: value.clone() for name, value in sae.state_dict().items()}
    mine = wrap_sae(sae, model)
    sae.save_inference_model(tmp_path)
    saved = load_sae(LOCAL, "", model, path=str(tmp_path))
    assert torch.equal(mine.encode(acts()), saved.encode(acts()))
    assert (mine.encode(acts()) > 0).any()
    assert mine.identity == saved.identity
    assert all(torch.equal(before[name], value) for name, value in sae.state_dict().items())
    assert sae.W_dec.requires_grad


def test_the_copy_is_of_the_type_asked_for_and_the_object_of_its_own() -> None:
    model, _ = tiny_model("llama")
    metadata = SAEMetadata(hook_name=HOOK, neuronpedia_id="some-model/1-res")
    sae = StandardSAE(StandardSAEConfig(d_in=D_IN, d_sae=D_SAE, dtype="float16", metadata=metadata))
    mine = wrap_sae(sae, model)
    assert (mine.W_dec.dtype, sae.W_dec.dtype) == (torch.float32, torch.float16)
    assert mine.name == "some-model/1-res"
    assert wrap_sae(sae, model, name="mine", hook_name="blocks.0.hook_resid_pre").site.depth == 0
    with pytest.raises(ValueError, match="dtype 'float8' is unknown"):
        wrap_sae(sae, model, dtype="float8")
