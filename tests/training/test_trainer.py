"""Training that was killed and resumed ends in the same weights as training that was not, bit for bit."""

import dataclasses
import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from tests.training.tiny import D_IN, RECIPE, planted_activations, tiny_recipe, tiny_trainer

from absorption.training import trainer as module
from absorption.training.architectures import ARCHITECTURES
from absorption.training.trainer import STATE_FILE, ResumableTrainer, ShuffledRows, input_scale


class Killed(Exception):
    """Stands for a kill: nothing of the trainer gets to run after it."""


def kill_after(trainer: ResumableTrainer, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run ``fit`` and break it off inside a step, as a kill would."""
    step, done = trainer.step, iter(range(steps))

    def until_killed(batch: torch.Tensor):
        if next(done, None) is None:
            raise Killed
        return step(batch)

    monkeypatch.setattr(trainer, "step", until_killed)
    with pytest.raises(Killed):
        trainer.fit()


def state_of(trainer: ResumableTrainer) -> dict[str, torch.Tensor]:
    """All that decides the rest of the training."""
    state = dict(trainer.sae.state_dict())
    for number, moments in trainer.optimizer.state_dict()["state"].items():
        state |= {f"{number}.{name}": torch.as_tensor(value) for name, value in moments.items()}
    for name in ("n_forward_passes_since_fired", "act_freq_scores", "n_training_samples", "n_training_steps"):
        state[name] = torch.as_tensor(getattr(trainer, name))
    state["position"] = torch.tensor(trainer.data_provider.position)
    state["lr"] = torch.tensor(trainer.optimizer.param_groups[0]["lr"], dtype=torch.float64)
    return {name: value.clone() for name, value in state.items()}


def assert_same_bits(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    different = [name for name in expected if not torch.equal(found[name], expected[name])]
    assert not different


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_trainer(tmp_path / "whole")
    whole.fit()
    killed = tiny_trainer(tmp_path / "killed")
    kill_after(killed, 11, monkeypatch)
    torch.manual_seed(99)  # another process starts with another random state
    resumed = tiny_trainer(tmp_path / "killed")
    untrained = state_of(resumed)
    resumed.restore()
    assert resumed.n_training_steps == 7
    resumed.fit()
    assert_same_bits(state_of(resumed), state_of(whole))
    assert not torch.equal(state_of(resumed)["W_dec"], untrained["W_dec"])
    assert torch.equal(state_of(resumed)["topk_threshold"], whole.sae.topk_threshold)  # type: ignore[arg-type]


REMEDIES = [
    ("batchtopk", {"tied": True}),
    ("batchtopk", {"consistency": 5.0, "cosine_chunk": 20}),  # chunks are drawn at every fifth step
    ("matryoshka", {"level_weight": 0.75}),
]


@pytest.mark.parametrize(("architecture", "remedy"), [*((name, {}) for name in ARCHITECTURES), *REMEDIES])
def test_every_architecture_and_remedy_resumes_to_the_same_bits(
    architecture: str, remedy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling = {} if architecture in ("standard", "jumprelu") else {"first_k": 16, "k_warm_up_steps": 20}
    recipe = tiny_recipe(architecture, **falling, **remedy)
    whole = tiny_trainer(tmp_path / "whole", recipe)
    whole.fit()
    kill_after(tiny_trainer(tmp_path / "killed", recipe), 11, monkeypatch)
    resumed = tiny_trainer(tmp_path / "killed", recipe)
    untrained = state_of(resumed)
    resumed.fit()
    assert_same_bits(state_of(resumed), state_of(whole))
    assert not torch.equal(state_of(resumed)["W_dec"], untrained["W_dec"])


def test_a_resumed_run_is_killed_again_and_still_equals_the_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny_trainer(tmp_path / "whole")
    whole.fit()
    for steps in (9, 8):
        kill_after(tiny_trainer(tmp_path / "killed"), steps, monkeypatch)
    resumed = tiny_trainer(tmp_path / "killed")
    resumed.fit()
    assert_same_bits(state_of(resumed), state_of(whole))


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    first, second = (
        tiny_trainer(tmp_path / str(seed), dataclasses.replace(RECIPE, seed=seed)) for seed in (0, 1)
    )
    for trainer in (first, second):
        trainer.stop_after = 3
        trainer.fit()
    assert not torch.equal(state_of(first)["W_enc"], state_of(second)["W_enc"])


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, dataclasses.replace(RECIPE, n_passes=20))
    rows = planted_activations().batch(np.arange(500)) * trainer.data_provider.scale
    before = float((trainer.sae(rows) - rows).pow(2).sum(-1).mean())
    trainer.fit()
    after = float((trainer.sae(rows) - rows).pow(2).sum(-1).mean())
    assert after < 0.7 * before


def test_a_checkpoint_that_fails_while_it_is_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = tiny_trainer(tmp_path / "run")
    trainer.stop_after = 7
    trainer.fit()
    before = (tmp_path / "run" / STATE_FILE).read_bytes()

    def half_written(_state: object, sink: BinaryIO) -> None:
        sink.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(module.torch, "save", half_written)
    trainer.stop_after = 14
    with pytest.raises(OSError, match="disk full"):
        trainer.fit()
    assert (tmp_path / "run" / STATE_FILE).read_bytes() == before
    assert [path.name for path in tmp_path.rglob("*")] == ["run", STATE_FILE]
    monkeypatch.undo()
    resumed = tiny_trainer(tmp_path / "run")
    resumed.restore()
    assert resumed.n_training_steps == 7


def test_a_new_checkpoint_replaces_the_old_one_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = tiny_trainer(tmp_path / "run")
    trainer.stop_after = 7
    trainer.fit()
    replace, seen = Path.replace, []

    def watched(self: Path, target: Path) -> Path:
        moved = replace(self, target)
        seen.append((tmp_path / "run" / STATE_FILE).exists())
        return moved

    monkeypatch.setattr(Path, "replace", watched)
    trainer.stop_after = 14
    trainer.fit()
    assert seen
    assert all(seen), "a kill here would have lost all training so far"


def test_the_time_of_all_parts_is_added_up(tmp_path: Path) -> None:
    first = tiny_trainer(tmp_path)
    first.stop_after = 7
    first.fit()
    second = tiny_trainer(tmp_path)
    second.stop_after = 14
    second.fit()
    assert second.seconds > first.seconds > 0


def test_dead_latents_are_recorded_as_the_trainer_counts_them_and_a_resumed_run_keeps_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECORD_STEPS", 5)
    recipe = dataclasses.replace(RECIPE, architecture="topk", k=2, aux_coefficient=0.0)
    whole = tiny_trainer(tmp_path / "whole", recipe)
    whole.fit()
    assert [step for step, _ in whole.dead_over_time] == list(range(5, whole.n_training_steps + 1, 5))
    assert whole.dead_over_time[0] == (5, 0) or whole.dead_over_time[0][1] < whole.dead_over_time[-1][1]
    halted = tiny_trainer(tmp_path / "halted", recipe)
    halted.stop_after = 15
    halted.fit()
    assert halted.dead_over_time[-1] == (15, int(halted.dead_neurons.sum()))
    assert halted.dead_over_time[-1][1] > 0
    resumed = tiny_trainer(tmp_path / "halted", recipe)
    resumed.fit()
    assert resumed.dead_over_time == whole.dead_over_time


def test_an_encoder_of_its_own_starts_as_long_as_the_decoders_transpose_and_elsewhere(tmp_path: Path) -> None:
    tied, own = (
        tiny_trainer(tmp_path / start, tiny_recipe("topk", encoder_start=start)).sae
        for start in ("decoder", "random")
    )
    torch.testing.assert_close(tied.W_enc.T, tied.W_dec)
    torch.testing.assert_close(own.W_dec, tied.W_dec)
    torch.testing.assert_close(own.W_enc.norm(dim=0), own.W_dec.norm(dim=1))
    cosines = torch.nn.functional.cosine_similarity(own.W_enc.T, own.W_dec)
    assert cosines.abs().mean() < 0.3


def test_multi_topk_resumes_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny_recipe("topk", also_k=16)
    whole = tiny_trainer(tmp_path / "whole", recipe)
    whole.fit()
    kill_after(tiny_trainer(tmp_path / "killed", recipe), 11, monkeypatch)
    resumed = tiny_trainer(tmp_path / "killed", recipe)
    resumed.fit()
    assert_same_bits(state_of(resumed), state_of(whole))


def test_a_second_number_of_latents_is_topks_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="also_k=16 is not of architecture 'batchtopk'; allowed: topk"):
        tiny_trainer(tmp_path, tiny_recipe("batchtopk", also_k=16))


def test_every_row_comes_once_a_pass_in_another_order_each_pass() -> None:
    stored = planted_activations(n_rows=200)
    numbered = dataclasses.replace(stored, rows=np.arange(200, dtype=np.float16)[:, None])
    rows = ShuffledRows(numbered, batch=40, seed=5, scale=2.0)
    passes = [torch.cat([next(rows) for _ in range(5)])[:, 0] / 2 for _ in range(2)]
    for found in passes:
        assert sorted(found.tolist()) == list(range(200))
    assert not torch.equal(*(found[:40] for found in passes))


def test_fewer_rows_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="39 stored activations are fewer than a batch of 40"):
        ShuffledRows(planted_activations(n_rows=39), batch=40, seed=5, scale=1.0)


def test_a_batch_depends_on_the_position_and_the_seed_alone() -> None:
    stored = planted_activations(n_rows=200)
    straight = ShuffledRows(stored, batch=40, seed=5, scale=1.0)
    batches = [next(straight) for _ in range(12)]
    for position in (11, 0, 7):
        jumped = ShuffledRows(stored, batch=40, seed=5, scale=1.0)
        jumped.position = position
        assert torch.equal(next(jumped), batches[position])
    other = ShuffledRows(stored, batch=40, seed=6, scale=1.0)
    assert not torch.equal(next(other), batches[0])


def test_the_scale_brings_centred_activations_to_the_norm_that_saes_expect() -> None:
    stored = planted_activations()
    centred = torch.from_numpy(stored.rows.astype(np.float32)) - stored.mean
    scaled = centred * input_scale(stored)
    assert math.isclose(float(scaled.pow(2).sum(-1).mean()), D_IN, rel_tol=1e-4)


def test_the_decoder_bias_starts_at_the_scaled_mean(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path)
    expected = planted_activations().mean * trainer.data_provider.scale
    torch.testing.assert_close(trainer.sae.b_dec.detach(), expected)  # type: ignore[attr-defined]


def test_the_number_of_steps_follows_from_rows_and_passes(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path)
    trainer.fit()
    assert trainer.n_training_steps == 2 * 1000 // 64
    assert trainer.optimizer.param_groups[0]["lr"] < RECIPE.lr / 5


def test_an_architecture_without_a_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="architecture 'gated' has no recipe"):
        tiny_trainer(tmp_path, dataclasses.replace(RECIPE, architecture="gated"))


def test_active_latents_fall_evenly_in_the_logarithm_and_stay_at_k() -> None:
    recipe = tiny_recipe("topk", first_k=16, k_warm_up_steps=20)
    assert [recipe.k_at(step) for step in (0, 10, 20, 500)] == [16, 8, 4, 4]
    assert tiny_recipe("topk").k_at(0) == 4


def test_the_steps_ask_for_as_many_latents_as_the_recipe_says(tmp_path: Path) -> None:
    recipe = tiny_recipe("topk", first_k=16, k_warm_up_steps=20)
    trainer = tiny_trainer(tmp_path, recipe)
    asked: list[int] = []
    step = trainer.step

    def noted(batch: torch.Tensor):
        output = step(batch)
        asked.append(trainer.sae.cfg.k)
        return output

    trainer.step = noted  # type: ignore[method-assign]
    sae = trainer.fit()
    assert asked[0] == 16
    assert asked[10] == 8
    assert asked == sorted(asked, reverse=True)
    assert asked[-1] == sae.cfg.k == 4
