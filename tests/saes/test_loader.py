"""Any SAE in SAELens' format is loaded and checked against the model; what does not fit is named in two lines."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from sae_lens import SAE, StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from safetensors.torch import save_file
from tests.ablation.architectures import tiny_model

from absorption.base.cache import file_sha256
from absorption.base.settings import DEFAULT_SAE
from absorption.models.language_model import LanguageModel
from absorption.saes import loader as module
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL, SHIPPED, shipped_ids

HOOK = "blocks.1.hook_resid_post"
RELEASE = "gpt2-small-res-jb"


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("llama")[0]


def write_sae(folder: Path, *, d_in: int = 32, hook_name: str | None = HOOK) -> StandardSAE:
    """A random SAE, written the way SAELens writes them."""
    torch.manual_seed(1)
    metadata = SAEMetadata(hook_name=hook_name) if hook_name else SAEMetadata()
    sae = StandardSAE(StandardSAEConfig(d_in=d_in, d_sae=48, dtype="float32", metadata=metadata))
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.randn_like(parameter))
    sae.save_model(folder)
    return sae


def load(folder: Path, model: LanguageModel, sae_id: str = "", **more: str) -> LoadedSae:
    return load_sae(LOCAL, sae_id, model, path=str(folder), **more)


def problem(kind: type[Exception], *arguments: object, **more: object) -> str:
    """The message of the error that ``load_sae`` raises: two lines at most, so that a page can show it."""
    with pytest.raises(kind) as caught:
        load_sae(*arguments, **more)  # type: ignore[arg-type]
    text = str(caught.value)
    assert len(text.splitlines()) <= 2
    return text


def test_a_folder_written_by_saelens_gives_the_same_latents(tmp_path: Path, model: LanguageModel) -> None:
    written = write_sae(tmp_path / "mine")
    loaded = load(tmp_path / "mine", model)
    acts = torch.randn(5, 32)
    expected = torch.relu((acts - written.b_dec) @ written.W_enc + written.b_enc)
    assert 0.1 < (expected > 0).float().mean() < 0.9
    torch.testing.assert_close(loaded.encode(acts, batch=2), expected.detach())
    torch.testing.assert_close(
        loaded.reconstruct(acts), (expected @ written.W_dec + written.b_dec).detach(), rtol=1e-4, atol=1e-4
    )
    assert (loaded.d_sae, loaded.hook_name, loaded.card) == (48, HOOK, {})


@pytest.mark.parametrize(("given", "name"), [("", "mine"), (DEFAULT_SAE, "mine"), ("an id", "an id")])
def test_a_local_sae_is_named_after_its_folder_unless_named(
    tmp_path: Path, model: LanguageModel, given: str, name: str
) -> None:
    write_sae(tmp_path / "mine")
    assert load(tmp_path / "mine", model, given).name == name


def test_directions_have_unit_norm_and_a_dead_row_stays_zero(tmp_path: Path, model: LanguageModel) -> None:
    write_sae(tmp_path)
    sae = load(tmp_path, model)
    with torch.no_grad():
        sae.W_dec[3] = 0
    norms = sae.decoder_directions.norm(dim=-1)
    assert norms[3] == 0
    torch.testing.assert_close(norms[4:], torch.ones(44))
    torch.testing.assert_close(sae.encoder_directions[5], sae.W_enc[:, 5] / sae.W_enc[:, 5].norm())


def test_one_changed_weight_changes_the_hash(tmp_path: Path, model: LanguageModel) -> None:
    write_sae(tmp_path)
    first, same, other = (load(tmp_path, model) for _ in range(3))
    with torch.no_grad():
        other.W_enc[0, 0] += 1e-6
    assert first.weights_hash == same.weights_hash != other.weights_hash


def test_the_hook_can_be_given_and_overrides_the_metadata(tmp_path: Path, model: LanguageModel) -> None:
    write_sae(tmp_path)
    assert load(tmp_path, model, hook_name="blocks.3.hook_resid_pre").site.depth == 3
    assert load(tmp_path, model).site.depth == 2


def test_an_unknown_release_is_answered_with_the_nearest(model: LanguageModel) -> None:
    text = problem(ValueError, "gpt2-small-res-jbb", "x", model)
    assert "sae_release 'gpt2-small-res-jbb'" in text
    assert f"nearest first: {RELEASE}" in text
    assert "nearest first: shipped" in problem(ValueError, "shiped", "x", model)


def test_an_unknown_id_of_a_release_is_answered_with_the_nearest(model: LanguageModel) -> None:
    text = problem(ValueError, RELEASE, "blocks.8.hook_resid_pree", model)
    assert "sae_id 'blocks.8.hook_resid_pree'" in text
    assert "nearest first: blocks.8.hook_resid_pre" in text


@pytest.mark.parametrize("sae_id", ["topk-8192-l0-13-layer-6", "", "../saes"])
def test_an_unknown_shipped_id_is_answered_with_the_shipped_ones(model: LanguageModel, sae_id: str) -> None:
    text = problem(ValueError, SHIPPED, sae_id, model)
    assert f"sae_id {sae_id!r}" in text
    assert any(known in text for known in shipped_ids())


def test_an_unknown_type_names_the_known_ones(tmp_path: Path, model: LanguageModel) -> None:
    assert "allowed: float32, bfloat16, float16" in problem(ValueError, LOCAL, "", model, dtype="int8")


@pytest.mark.parametrize("missing", ["cfg.json", "sae_weights.safetensors"])
def test_a_folder_without_config_or_weights_says_which_file_is_missing(
    tmp_path: Path, model: LanguageModel, missing: str
) -> None:
    write_sae(tmp_path)
    (tmp_path / missing).unlink()
    text = problem(ValueError, LOCAL, "", model, path=str(tmp_path))
    assert f"sae_path {str(tmp_path)!r} has no {missing}" in text


def test_a_folder_that_does_not_exist_and_a_file_in_its_place_are_called_so(
    tmp_path: Path, model: LanguageModel
) -> None:
    nowhere, file = tmp_path / "nowhere", tmp_path / "sae_weights.safetensors"
    file.write_bytes(b"x")
    said = problem(ValueError, LOCAL, "", model, path=str(nowhere))
    assert f"sae_path {str(nowhere)!r} does not exist; allowed: the folder" in said
    assert f"sae_path {str(file)!r} is a file; allowed: the folder" in problem(
        ValueError, LOCAL, "", model, path=str(file)
    )


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def as_pickle(path: Path) -> None:
    torch.save({"W_enc": torch.ones(32, 48)}, path)


def without_decoder(path: Path) -> None:
    save_file({"W_enc": torch.ones(32, 48)}, path)


@pytest.mark.parametrize("damage", [cut_off, empty, as_pickle, without_decoder])
def test_damaged_or_foreign_weights_are_refused(tmp_path: Path, model: LanguageModel, damage) -> None:
    write_sae(tmp_path)
    damage(tmp_path / "sae_weights.safetensors")
    assert "could not be read" in problem(ValueError, LOCAL, "", model, path=str(tmp_path))


def test_a_config_that_is_not_json_is_refused(tmp_path: Path, model: LanguageModel) -> None:
    write_sae(tmp_path)
    (tmp_path / "cfg.json").write_text("{")
    assert "could not be read" in problem(ValueError, LOCAL, "", model, path=str(tmp_path))


def test_an_unknown_architecture_is_named(tmp_path: Path, model: LanguageModel) -> None:
    write_sae(tmp_path)
    text = (tmp_path / "cfg.json").read_text()
    (tmp_path / "cfg.json").write_text(text.replace('"standard"', '"unheard-of"'))
    assert "unheard-of" in problem(ValueError, LOCAL, "", model, path=str(tmp_path))


def test_an_sae_of_another_width_names_both_widths(tmp_path: Path, model: LanguageModel) -> None:
    write_sae(tmp_path, d_in=40)
    text = problem(ValueError, LOCAL, "", model, path=str(tmp_path))
    assert "d_in 40" in text
    assert "d_model 32" in text


@pytest.mark.parametrize(
    ("hook_name", "message"),
    [
        ("blocks.9.hook_resid_post", "names layer 9, but the model has layers 0 to 3"),
        ("blocks.1.attn.hook_z", "is not on the residual stream"),
        (None, "does not say which hook it reads; set hook_name"),
    ],
)
def test_a_hook_that_the_model_lacks_is_refused(
    tmp_path: Path, model: LanguageModel, hook_name: str | None, message: str
) -> None:
    write_sae(tmp_path, hook_name=hook_name)
    assert message in problem(ValueError, LOCAL, "", model, path=str(tmp_path))


def test_a_hub_out_of_reach_is_said_with_the_ways_out(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_arguments: object, **_more: object) -> SAE:
        raise OSError("no route to the hub\nwith a long explanation")

    monkeypatch.setattr(module.SAE, "from_pretrained", unreachable)
    text = problem(ConnectionError, RELEASE, "blocks.8.hook_resid_pre", model)
    assert "no route to the hub" in text
    assert "'shipped' or 'local'" in text


def test_a_shipped_sae_without_its_weights_is_not_taken(
    tmp_path: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sae(tmp_path / "saes" / "one")
    card = {"sae_id": "one", "d_sae": 48, "k": 3}
    (tmp_path / "saes" / "one" / "card.json").write_text(json.dumps(card))
    monkeypatch.setenv("ABSORPTION_DATA", str(tmp_path))
    assert "its card states no weights_sha256" in problem(ValueError, SHIPPED, "one", model)
    card["weights_sha256"] = file_sha256(tmp_path / "saes" / "one" / "sae_weights.safetensors")
    (tmp_path / "saes" / "one" / "card.json").write_text(json.dumps(card))
    assert load_sae(SHIPPED, "one", model).card["k"] == 3
    assert shipped_ids() == ["one"]
    (tmp_path / "saes" / "one" / "sae_weights.safetensors").unlink()
    assert "has no sae_weights.safetensors" in problem(ValueError, SHIPPED, "one", model)
    shutil.rmtree(tmp_path / "saes" / "one")
    assert shipped_ids() == []
