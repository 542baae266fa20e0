"""``make saes``: stopped and started again it continues, and what it writes is SAELens' format."""

import json
from pathlib import Path

import pytest
import torch
from sae_lens import SAE
from safetensors.torch import load_file
from tests.ablation.architectures import tiny_model
from tests.training.tiny import RECIPE, tiny_recipe

from absorption.base import cache
from absorption.models.language_model import LanguageModel
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL
from absorption.training import card, train
from absorption.training.architectures import ARCHITECTURES
from absorption.training.corpus import Windows
from absorption.training.harvest import store_activations
from absorption.training.recipe import Recipe
from absorption.training.trainer import STATE_FILE, ResumableTrainer, make_trainer

OTHER = Recipe(**{**RECIPE.to_dict(), "k": 6})


def tiny_windows(*_arguments: object, n_train: int, n_held_out: int, length: int, **_more: object) -> Windows:
    """Random tokens of the tiny vocabulary in place of text."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(35, 500, ((n_train + n_held_out) // length, length), generator=generator)
    tokens[:, 0] = 1
    return Windows(train=tokens[n_held_out // length :], held_out=tokens[: n_held_out // length])


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("llama", dtype=torch.float32)[0]


@pytest.fixture(autouse=True)
def tiny_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LanguageModel) -> None:
    """The command as it is, with tiny recipes, a tiny model, and its words in place of a real vocabulary."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    recipes = {recipe.sae_id: recipe for recipe in (RECIPE, OTHER)}
    monkeypatch.setattr(train, "SHIPPED_RECIPES", tuple(recipes.values()))
    monkeypatch.setattr(train, "find_recipe", recipes.__getitem__)
    monkeypatch.setattr(train, "load_model", lambda *_arguments: model)
    monkeypatch.setattr(train, "load_windows", tiny_windows)
    monkeypatch.setattr(card, "N_SPELLING_WORDS", 200)


def run(output: Path, *more: str, sae_id: str = RECIPE.sae_id) -> Path:
    assert train.main([sae_id, "--output", str(output), *more]) == 0
    return output / sae_id


def test_stopped_and_started_again_gives_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(tmp_path / "whole")
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "second"))
    stopped = run(tmp_path / "stopped", "--stop-after", "10")
    assert "stopped after 10 steps; the checkpoint is kept" in capsys.readouterr().out
    assert not stopped.exists()
    steps = []
    step = ResumableTrainer.step
    monkeypatch.setattr(ResumableTrainer, "step", lambda self, batch: steps.append(1) or step(self, batch))
    run(tmp_path / "stopped")
    first, second = (json.loads((folder / "card.json").read_text()) for folder in (whole, stopped))
    assert len(steps) == first["training"]["steps"] - 10 > 10
    assert first["weights_sha256"] == second["weights_sha256"]
    assert first["measured"] == second["measured"]
    assert (first["training"] | {"seconds": 0}) == (second["training"] | {"seconds": 0})


def test_a_failure_while_measuring_leaves_nothing_and_loses_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = card.measure

    def failing(*_arguments: object) -> dict:
        raise MemoryError

    monkeypatch.setattr(card, "measure", failing)
    with pytest.raises(MemoryError):
        run(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr(card, "measure", measure)
    monkeypatch.setattr(ResumableTrainer, "step", None)  # trained to the end already: no step is taken
    assert (run(tmp_path / "out") / "card.json").exists()


def test_what_is_there_is_skipped_unless_asked_for_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(tmp_path / "out")
    written = (folder / "card.json").stat().st_mtime_ns
    run(tmp_path / "out")
    assert "already in" in capsys.readouterr().out
    assert (folder / "card.json").stat().st_mtime_ns == written
    run(tmp_path / "out", "--again")
    assert (folder / "card.json").stat().st_mtime_ns > written


def test_without_names_the_whole_family_is_trained_from_the_same_activations(tmp_path: Path) -> None:
    assert train.main(["--output", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {RECIPE.sae_id, OTHER.sae_id}
    assert len(list((cache.root() / "training-activations").iterdir())) == 1
    assert len(list((cache.root() / "training").rglob(STATE_FILE))) == 2


def test_the_saved_sae_is_the_trained_one_on_unscaled_activations(
    tmp_path: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_to_float16", lambda folder: None)  # the fold alone, to full precision
    folder = run(tmp_path / "out")
    trainer, raw = finished_training(model)
    trained, scale = trainer.sae, trainer.data_provider.scale
    assert abs(scale - 1) > 0.05  # or folding it wrongly would not show
    norms = trained.W_dec.norm(dim=-1)
    pre = ((raw * scale - trained.b_dec) @ trained.W_enc + trained.b_enc) * norms
    threshold = float(trained.topk_threshold)  # type: ignore[arg-type]
    wanted = torch.where(pre > threshold, pre, 0)
    assert 0.02 < (wanted > 0).float().mean() < 0.5
    sure = ((pre - threshold).abs() > 1e-4).all(dim=1)  # nothing at the threshold, where rounding decides
    assert sure.float().mean() > 0.9
    theirs = SAE.load_from_disk(folder, dtype="float32")
    # A saved latent counts in units of the raw activations: the fold divides the decoder by the scale.
    torch.testing.assert_close(theirs.encode(raw)[sure] * scale, wanted[sure], rtol=1e-4, atol=1e-4)
    rebuilt = ((wanted / norms) @ trained.W_dec + trained.b_dec) / scale
    torch.testing.assert_close(theirs.decode(theirs.encode(raw))[sure], rebuilt[sure], rtol=1e-4, atol=1e-4)


def finished_training(model: LanguageModel) -> tuple[ResumableTrainer, torch.Tensor]:
    """The trainer at the end of its recipe, read from its checkpoint, and some raw activations."""
    windows = tiny_windows(n_train=RECIPE.n_tokens, n_held_out=RECIPE.n_held_out, length=RECIPE.context)
    stored = store_activations(
        model, RECIPE.hook_name, windows.train, windows_key=cache.array_hash(windows.train.numpy())
    )
    trainer = make_trainer(RECIPE, stored, train.checkpoint_folder(RECIPE, stored), model_name=model.name)
    trainer.restore()
    trainer.sae.requires_grad_(False)
    return trainer, stored.batch(torch.arange(0, 2000, 10).numpy())


def test_rounding_to_float16_changes_the_reconstruction_by_little(
    tmp_path: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = run(tmp_path / "small")
    monkeypatch.setattr(train, "_to_float16", lambda folder: None)
    large = run(tmp_path / "large")  # from the finished checkpoint: the same weights
    raw = finished_training(model)[1]
    rounded, exact = (load_sae(LOCAL, "", model, path=str(f)).reconstruct(raw) for f in (small, large))
    change = (rounded - exact).pow(2).sum() / (raw - exact).pow(2).sum()
    assert 0 < change < 1e-3
    size = [(folder / "sae_weights.safetensors").stat().st_size for folder in (small, large)]
    assert size[0] < 0.6 * size[1]


def test_the_folder_opens_in_saelens_and_gives_the_same_latents_as_ours(
    tmp_path: Path, model: LanguageModel
) -> None:
    folder = run(tmp_path / "out")
    theirs = SAE.load_from_disk(folder, dtype="float32")
    ours = load_sae(LOCAL, "", model, path=str(folder))
    rows = card.rows_of(model, RECIPE.hook_name, tiny_windows(n_train=0, n_held_out=600, length=16).held_out)
    latents = theirs.encode(rows)
    assert (latents > 0).any()
    torch.testing.assert_close(ours.encode(rows), latents, rtol=0, atol=0)
    assert ours.sae.dtype == torch.float32


def test_weights_are_float16_on_disk_but_the_threshold_is_not(tmp_path: Path) -> None:
    folder = run(tmp_path / "out")
    weights = load_file(folder / "sae_weights.safetensors")
    assert {name: w.dtype for name, w in weights.items()} == {
        "W_enc": torch.float16, "b_enc": torch.float16, "W_dec": torch.float16, "b_dec": torch.float16,
        "threshold": torch.float32,
    }  # fmt: skip
    assert (weights["threshold"] > 0).all()


def test_the_config_names_hook_model_and_training_architecture(tmp_path: Path, model: LanguageModel) -> None:
    metadata = json.loads((run(tmp_path / "out") / "cfg.json").read_text())["metadata"]
    assert metadata["hook_name"] == RECIPE.hook_name
    assert metadata["model_name"] == model.name
    assert metadata["training_architecture"] == "batchtopk"
    assert metadata["prepend_bos"] is True


def test_the_card_measures_what_was_written(tmp_path: Path, model: LanguageModel) -> None:
    folder = run(tmp_path / "out")
    found = json.loads((folder / "card.json").read_text())
    sae = load_sae(LOCAL, "", model, path=str(folder))
    windows = tiny_windows(n_train=RECIPE.n_tokens, n_held_out=RECIPE.n_held_out, length=RECIPE.context)
    rows = model.residual_stream(windows.held_out, RECIPE.hook_name)[:, 1:].flatten(0, 1)
    error = (sae.reconstruct(rows) - rows).pow(2).sum()
    text = found["measured"]["held_out_text"]
    assert text["tokens"] == len(rows)
    assert text["l0"] == pytest.approx(float((sae.encode(rows) > 0).sum(1).float().mean()), abs=0.01)
    by_hand = 1 - float(error / (rows - rows.mean(0)).pow(2).sum())
    assert text["explained_variance"] == pytest.approx(by_hand, abs=1e-3)
    assert found["measured"]["words_in_spelling_prompts"]["words"] >= 130
    assert found["training"]["tokens_seen"] == found["training"]["steps"] * RECIPE.batch


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_ends_as_an_sae_that_chapters_load(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LanguageModel
) -> None:
    recipe = tiny_recipe(architecture)
    monkeypatch.setattr(train, "find_recipe", lambda _name: recipe)
    folder = run(tmp_path, sae_id=recipe.sae_id)
    about = json.loads((folder / "card.json").read_text())
    assert about["architecture"] == architecture
    assert Recipe(**about["recipe"]) == recipe
    sae = load_sae(LOCAL, "mine", model, path=str(folder))
    acts = model.residual_stream(tiny_windows(n_train=0, n_held_out=600, length=16).held_out, sae.hook_name)
    on = (sae.encode(acts[:, 1:].flatten(0, 1)) > 0).sum(1).float()
    assert on.mean() > 0
    if architecture == "topk":
        assert on.max() <= recipe.k
