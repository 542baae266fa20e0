"""The way of a release through SAELens' own loaders, with the download replaced: the same SAE as from the folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError
from sae_lens import SAE
from sae_lens.loading import pretrained_sae_loaders as loaders
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from tests.ablation.architectures import tiny_model
from tests.saes import folders, plain
from tests.saes.hub_stand_in import Hub, serve

from absorption.models.before_loading import model_size
from absorption.models.language_model import LanguageModel, load_model
from absorption.runner.stamp import _describe
from absorption.saes import loader
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL

WEIGHTS = "sae_weights.safetensors"
GEMMA = ("gemma-scope-2b-pt-res", "layer_3/width_16k/average_l0_59")
GPT2 = ("gpt2-small-res-jb", "blocks.2.hook_resid_pre")
PYTHIA = ("sae_bench_pythia70m_sweep_topk_ctx128_0730", "blocks.3.hook_resid_post__trainer_10")


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("gpt2")[0]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the hub's place: repositories are its subfolders."""
    root = tmp_path / "hub"

    def download(repo_id: str, filename: str, subfolder: str | None = None, **_: object) -> str:
        path = root / repo_id / (subfolder or "") / filename
        if not path.exists():
            raise EntryNotFoundError(f"{filename} is not in {repo_id}")
        return str(path)

    monkeypatch.setattr(loaders, "hf_hub_download", download)
    return root


def place_of(hub: Path, release: str, sae_id: str) -> Path:
    about = get_pretrained_saes_directory()[release]
    return hub / about.repo_id / about.saes_map[sae_id]


def assert_equal(first: LoadedSae, second: LoadedSae) -> None:
    x = plain.inputs()
    torch.testing.assert_close(first.encode(x), second.encode(x))
    torch.testing.assert_close(first.reconstruct(x), second.reconstruct(x))
    assert first.weights_hash == second.weights_hash


def test_a_release_in_saelens_format(hub: Path, model: LanguageModel, tmp_path: Path) -> None:
    """``gpt2-small-res-jb`` was made on a centred stream, which only the release's entry in the directory says."""
    w = plain.weights()
    place = folders.saelens_old(place_of(hub, *GPT2), w, GPT2[1])
    sae = load_sae(*GPT2, model)
    x = plain.inputs()
    latents = plain.standard(x - x.mean(1, keepdim=True), w)
    torch.testing.assert_close(sae.encode(x), latents, rtol=1e-4, atol=1e-5)
    assert sae.site.depth == 2
    local = load_sae(LOCAL, "", model, path=str(shutil.copytree(place, tmp_path / "copy")))
    assert not local.centred
    torch.testing.assert_close(local.encode(x), plain.standard(x, w), rtol=1e-4, atol=1e-5)


def test_a_dictionary_learning_release_is_the_sae_of_its_folder(hub: Path, model: LanguageModel) -> None:
    w = plain.weights()
    place = folders.dictionary_learning(place_of(hub, *PYTHIA), "AutoEncoderTopK", w, layer=3)
    sae = load_sae(*PYTHIA, model)
    torch.testing.assert_close(
        sae.encode(plain.inputs()), plain.topk(plain.inputs(), w), rtol=1e-4, atol=1e-5
    )
    assert_equal(sae, load_sae(LOCAL, "", model, path=str(place)))


def test_gemma_scope_of_true_size_is_the_sae_of_its_folder(hub: Path, model: LanguageModel) -> None:
    """SAELens takes width and d_in from the names; all but a few latents are zero, to keep the file small."""
    place = place_of(hub, *GEMMA)
    place.mkdir(parents=True)
    generator = np.random.default_rng(0)
    shapes = {
        "W_enc": (2304, 16384),
        "W_dec": (16384, 2304),
        "b_enc": 16384,
        "b_dec": 2304,
        "threshold": 16384,
    }
    w = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    w["W_enc"][:, :40] = generator.normal(size=(2304, 40))
    w["W_dec"][:40] = generator.normal(size=(40, 2304))
    w["b_dec"][:] = generator.normal(size=2304)
    w["threshold"][:40] = 30.0
    np.savez_compressed(place / "params.npz", **w)  # type: ignore[arg-type]
    sae = loader._from_release(*GEMMA, model, "float32")
    local = loader._from_folder(place, model, "float32")
    x = torch.from_numpy(generator.normal(size=(6, 2304))).float()
    before = x @ torch.from_numpy(w["W_enc"][:, :40])
    expected = torch.where(before > 30.0, before, 0)
    assert 0.1 < float((expected > 0).float().mean()) < 0.9
    torch.testing.assert_close(sae.encode(x)[:, :40], expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(sae.encode(x), local.encode(x))
    torch.testing.assert_close(sae.decode(sae.encode(x)), local.decode(local.encode(x)))
    ours, theirs = local.cfg, sae.cfg
    assert (ours.d_in, ours.d_sae, ours.apply_b_dec_to_input) == (theirs.d_in, theirs.d_sae, False)
    assert ours.metadata.hook_name == theirs.metadata.hook_name == "blocks.3.hook_resid_post"


def test_a_gated_repository_without_a_token_is_said(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise GatedRepoError.__new__(GatedRepoError, "401 Client Error: access to it is restricted")

    monkeypatch.setattr(loaders, "hf_hub_download", refuse)
    with pytest.raises(ConnectionError, match="could not be downloaded") as caught:
        load_sae(*GPT2, model)
    assert "HF_TOKEN" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, asked through the hub's own client, with an empty cache and no token."""
    with serve(Hub(tmp_path / "served")) as served:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", served.address)
        template = served.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(time, "sleep", lambda _: None)  # between tries
        yield served


@pytest.mark.parametrize("subfolder", ["layer_1/mine", "."])
def test_an_sae_in_ones_own_repository_is_the_sae_of_its_folder(
    stand_in: Hub, model: LanguageModel, subfolder: str
) -> None:
    """As ``SAE.from_pretrained("owner/name", subfolder)`` of SAELens, which is asked too."""
    place = stand_in.root / "owner" / "saes" / subfolder
    place.parent.mkdir(parents=True, exist_ok=True)
    folders.saelens(place, "topk", plain.weights(), "blocks.1.hook_resid_post")
    sae = load_sae("owner/saes", subfolder, model)
    assert_equal(sae, load_sae(LOCAL, "", model, path=str(place)))
    if subfolder != ".":
        theirs = SAE.from_pretrained("owner/saes", subfolder)
        torch.testing.assert_close(theirs.encode(plain.inputs()), sae.encode(plain.inputs()))


def test_other_formats_in_ones_own_repository_load_as_well(stand_in: Hub, model: LanguageModel) -> None:
    place = stand_in.root / "owner" / "saes" / "layer_1"
    folders.dictionary_learning(place, "AutoEncoder", plain.weights(), layer=1)
    assert_equal(load_sae("owner/saes", "layer_1", model), load_sae(LOCAL, "", model, path=str(place)))


def told(model: LanguageModel, repo: str = "owner/saes", sae_id: str = "one") -> str:
    with pytest.raises(ConnectionError, match="could not be downloaded") as caught:
        load_sae(repo, sae_id, model)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_a_missing_file_a_missing_repository_and_a_gate_are_each_named(
    stand_in: Hub, model: LanguageModel
) -> None:
    (stand_in.root / "owner" / "saes").mkdir(parents=True)
    assert "owner/saes has no file 'one/cfg.json'" in told(model)
    assert "there is no repository owner/other" in told(model, "owner/other")
    stand_in.gated["owner/saes"] = 403
    assert "accept the licence at the model's page, huggingface.co/owner/saes" in told(model)
    stand_in.gated["owner/saes"] = 401
    assert "accept the licence at huggingface.co/owner/saes, and set HF_TOKEN" in told(model)


def test_a_gated_model_is_told_before_anything_of_it_is_loaded(stand_in: Hub) -> None:
    stand_in.gated["owner/model"] = 403
    for ask in (model_size, load_model):
        with pytest.raises(
            ConnectionError, match=r"accept the licence at the model's page, huggingface\.co/owner/model"
        ):
            ask("owner/model")


def test_a_download_that_is_cut_goes_on_where_it_was(
    stand_in: Hub, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub's client keeps whole blocks, of 250 bytes here: of the 1,100 bytes that came, four of them."""
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 250)
    place = stand_in.root / "owner" / "saes" / "one"
    folders.saelens(place, "standard", plain.weights(), "blocks.1.hook_resid_post")
    stand_in.cut_after, stand_in.cuts = {WEIGHTS: 1100}, 1
    assert_equal(load_sae("owner/saes", "one", model), load_sae(LOCAL, "", model, path=str(place)))
    assert stand_in.asked == [("cfg.json", 0), (WEIGHTS, 0), (WEIGHTS, 1000)]


def test_a_download_that_stays_cut_says_so_and_the_next_call_keeps_what_came_whole(
    stand_in: Hub, model: LanguageModel
) -> None:
    place = stand_in.root / "owner" / "saes" / "one"
    folders.saelens(place, "standard", plain.weights(), "blocks.1.hook_resid_post")
    stand_in.cut_after = {WEIGHTS: 1100}
    said = told(model)
    assert "the download from owner/saes was cut off, several times over" in said
    assert "Run the same again: files that came whole are kept" in said
    stand_in.cut_after.clear()
    stand_in.asked.clear()
    assert_equal(load_sae("owner/saes", "one", model), load_sae(LOCAL, "", model, path=str(place)))
    assert stand_in.asked == [(WEIGHTS, 0)]


@pytest.fixture
def served(stand_in: Hub) -> Path:
    """One SAE in a repository of the stand-in."""
    place = stand_in.root / "owner" / "saes" / "one"
    folders.saelens(place, "standard", plain.weights(), "blocks.1.hook_resid_post")
    return place


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, "takes no more requests from here for now (429). Wait some minutes"),
        (500, "has a fault of its own (500). Try again later"),
        (503, "has a fault of its own (503). Try again later"),
        (401, "(401). Set HF_TOKEN"),
        (403, "(403). Set HF_TOKEN"),
        (302, "leads in a circle. Look at HF_ENDPOINT"),
    ],
)
@pytest.mark.parametrize("file", ["cfg.json", WEIGHTS])
def test_each_status_says_what_to_do(
    stand_in: Hub, served: Path, model: LanguageModel, status: int, said: str, file: str
) -> None:
    stand_in.statuses[file] = status
    assert said in told(model)
    stand_in.statuses.clear()
    assert_equal(load_sae("owner/saes", "one", model), load_sae(LOCAL, "", model, path=str(served)))


def test_a_length_that_is_not_the_files_is_noticed(stand_in: Hub, served: Path, model: LanguageModel) -> None:
    """More than comes is a cut; fewer are a file without its end, which is not the one that the hub names."""
    size = (served / WEIGHTS).stat().st_size
    for stated in (size + 50, size - 50):
        stand_in.claims[WEIGHTS] = stated
        assert "could not be downloaded" in told(model)
    stand_in.claims.clear()
    assert_equal(load_sae("owner/saes", "one", model), load_sae(LOCAL, "", model, path=str(served)))


def test_a_file_with_one_bit_turned_on_the_way_or_on_disk_is_not_used(
    stand_in: Hub, served: Path, model: LanguageModel
) -> None:
    whole = (served / WEIGHTS).read_bytes()
    turned = whole[:-9] + bytes([whole[-9] ^ 64]) + whole[-8:]
    stand_in.altered[WEIGHTS] = turned
    assert "is not the file that the hub names" in told(model)
    stand_in.altered.clear()
    load_sae("owner/saes", "one", model)
    for blob in (Path(constants.HF_HUB_CACHE) / "models--owner--saes" / "blobs").iterdir():
        if blob.stat().st_size == len(whole):
            blob.write_bytes(turned)
    stand_in.asked.clear()
    assert_equal(load_sae("owner/saes", "one", model), load_sae(LOCAL, "", model, path=str(served)))
    assert stand_in.asked == [(WEIGHTS, 0)]


def test_two_files_are_of_one_revision_also_if_it_changes_between_them(
    stand_in: Hub, served: Path, model: LanguageModel
) -> None:
    """The second file is asked for by the first one's commit, not as ``main``'s, which is another SAE by then."""
    old, new = "b" * 40, "c" * 40
    expected = load_sae(LOCAL, "", model, path=str(served))
    shutil.copy(served / WEIGHTS, served / f"{WEIGHTS}.{old}")
    other = folders.saelens(served.parent / "other", "standard", plain.weights(5), "blocks.1.hook_resid_post")
    (served / WEIGHTS).unlink()  # loaded weights are the file's own pages: written over, they would change
    shutil.copy(other / WEIGHTS, served / WEIGHTS)
    stand_in.commits = [old, old, new]  # the config's two answers, and then
    found = load_sae("owner/saes", "one", model)
    assert found.revision == old
    assert_equal(found, expected)
    stamped = _describe(found)
    assert stamped["revision"] == old


def test_a_slow_drip_ends_with_a_word(
    stand_in: Hub, served: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's patience is with each block; here half a second, and a byte comes each second."""
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    stand_in.drip = 1.0
    begin = time.monotonic()
    assert "cut off, several times over. Run the same again" in told(model)
    assert time.monotonic() - begin < 60
