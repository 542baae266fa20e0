"""Stored numbers of the grid come back as they were written, and no number of another SAE passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.ablation.architectures import tiny_model
from tests.scaling.topk_saes import made_up, topk_sae, write_cards

from absorption.scaling import again, collect, downstream, measure, quality, stored
from absorption.scaling.text import read_text
from absorption.training.recipe import BASE, DEAD_RUNS, GRID, at_size

SHIPPED = (at_size(1024).sae_id, BASE.sae_id)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("absorption.scaling.stored.data_root", "absorption.saes.shipped.data_root"):
        monkeypatch.setattr(module, lambda: tmp_path)
    write_cards(tmp_path, made_up(), SHIPPED)
    stored.write_grid(made_up())
    return tmp_path


def change(data: Path, **changes: Any) -> None:
    """Change the stamp of one SAE."""
    path = data / stored.FOLDER / "stamps.json"
    stamps = json.loads(path.read_text())
    stamps["saes"][BASE.sae_id] |= changes
    path.write_text(json.dumps(stamps))


def test_what_was_measured_comes_back(data: Path) -> None:
    found, expected = stored.read_grid(), made_up()
    for sae in (BASE.sae_id, measure.TEXT):
        for quantity in (measure.ERROR, measure.VARIANCE):
            np.testing.assert_array_equal(found.values(sae, quantity), expected.values(sae, quantity))
    assert (
        found.values(BASE.sae_id, measure.KEPT_ERROR, 24).tolist()
        == expected.values(BASE.sae_id, measure.KEPT_ERROR, 24).tolist()
    )
    assert found.kept(BASE.sae_id, measure.KEPT_ERROR) == [3, 6, 12, 24, 48, 96]
    assert found.missing == []
    assert set(found.points.values()) == set(GRID)


def test_what_is_missing_is_named_and_experiments_are_no_points(data: Path) -> None:
    part = made_up((BASE, at_size(1024), *DEAD_RUNS))
    stored.write_grid(part)
    found = stored.read_grid()
    assert len(found.missing) == len(GRID) - 2
    assert list(found.points) == [at_size(1024).sae_id, BASE.sae_id]


def test_another_weight_recipe_model_or_table_is_refused_in_one_line(data: Path) -> None:
    cases = {
        "weights other, here it is weights of": {"weights_hash": "other"},
        "model other, here it is the model": {"model_weights_hash": "other"},
        "of recipe": {"recipe": BASE.to_dict() | {"lr": 1.0}},
    }
    good = (data / stored.FOLDER / "stamps.json").read_text()
    for told, changes in cases.items():
        change(data, **changes)
        with pytest.raises(
            stored.StoredGridError, match=rf"^Stored numbers of {BASE.sae_id} are .*{told}.*[^\n]$"
        ):
            stored.read_grid()
        (data / stored.FOLDER / "stamps.json").write_text(good)
    made_up(seed=1).measured.to_parquet(data / stored.FOLDER / "measured.parquet")
    with pytest.raises(stored.StoredGridError, match=r"^Stored numbers of table are of sha256 "):
        stored.read_grid()


def test_a_shipped_sae_without_numbers_and_numbers_of_no_recipe_are_named(data: Path) -> None:
    with pytest.raises(stored.StoredGridError, match=f"lack the shipped SAE {SHIPPED[0]}"):
        stored.write_grid(made_up((BASE,)))
    odd = made_up()
    odd.stamps["unheard-of"] = odd.stamps[BASE.sae_id]
    with pytest.raises(stored.StoredGridError, match=r"differ in: unheard-of"):
        stored.write_grid(odd)


def test_the_texts_own_numbers_stay_when_an_sae_is_added_and_a_table_without_them_is_refused(
    data: Path,
) -> None:
    first, second = made_up((BASE, at_size(1024))), made_up((at_size(512),))
    alone = stored.Grid(second.measured[second.measured["sae"] != measure.TEXT], second.text, second.stamps)
    found = stored.join([first, alone])
    assert found.text_values(measure.VARIANCE).tolist() == first.text_values(measure.VARIANCE).tolist()
    stored.write_grid(found)
    without = found.measured[found.measured["sae"] != measure.TEXT]
    with pytest.raises(stored.StoredGridError, match=r"lack those of the text alone"):
        stored.write_grid(stored.Grid(without, found.text, found.stamps))


def test_no_numbers_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(stored.StoredGridError, match=r"holds no stored numbers .*absorption grid FOLDER"):
        stored.read_grid(tmp_path)


def test_the_last_numbers_of_an_sae_win_when_grids_are_joined() -> None:
    first, second = made_up((BASE, at_size(512)), seed=0), made_up((BASE,), seed=5)
    found = stored.join([first, second])
    assert list(found.stamps) == [at_size(512).sae_id, BASE.sae_id]
    for sae, of in ((BASE.sae_id, second), (at_size(512).sae_id, first), (measure.TEXT, second)):
        quantity = measure.VARIANCE if sae == measure.TEXT else measure.ERROR
        np.testing.assert_array_equal(found.values(sae, quantity), of.values(sae, quantity))


def test_measured_numbers_are_those_of_the_sae_itself_and_pass_when_measured_again() -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    windows = torch.randint(3, 90, (20, 12), generator=torch.Generator().manual_seed(1))
    text = read_text(model, "blocks.1.hook_resid_post", windows)
    sae = topk_sae("mine", d_model=model.d_model)
    rows, never = measure.measure_sae(model, sae, text)
    measured = pd.concat([measure.text_table(model, text), rows], ignore_index=True)
    stamps = {"mine": {"weights_hash": sae.weights_hash}}
    grid = stored.Grid(measured, collect.describe(model, text), stamps)
    every = torch.cat(list(text.batches))
    expected = (every - sae.reconstruct(every)).double().pow(2).sum()
    assert grid.values("mine", measure.ERROR).sum() == pytest.approx(float(expected), rel=1e-5)
    assert grid.values("mine", measure.ACTIVE).sum() == float((sae.encode(every) > 0).sum())
    assert never == int((sae.encode(every) == 0).all(0).sum())
    mean = every.mean(0)
    assert grid.text_values(measure.VARIANCE).sum() == pytest.approx(
        float((every - mean).pow(2).sum()), rel=1e-5
    )
    at_k = grid.values("mine", measure.KEPT_ERROR, 12)
    assert len(at_k) == len(text.batches)
    part = again.read_part(model, grid, windows, 100)
    assert len(part.windows) == 8  # whole batches
    found = again.check_again(grid, sae, part)
    n_kept = len(measure.KEPT) - 2  # of 24 latents no more can be kept
    assert len(found) == (3 + 4 + n_kept) * len(part.batches)
    assert found["difference"].abs().max() < 1e-6
    wrong = grid.measured.assign(
        value=lambda t: t["value"].where(t["quantity"] != measure.ERROR, t["value"] * 1.01)
    )
    with pytest.raises(again.StaleGridError, match=r"such as error of mine: stored"):
        again.check_again(stored.Grid(wrong, grid.text, grid.stamps), sae, part)
    with pytest.raises(again.StaleGridError, match=r"are of weights other"):
        again.check_again(
            stored.Grid(grid.measured, grid.text, {"mine": {"weights_hash": "other"}}), sae, part
        )
    with pytest.raises(again.StaleGridError, match=r"model weights other"):
        again.read_part(
            model, stored.Grid(grid.measured, grid.text | {"model_weights_hash": "other"}, {}), windows, 100
        )


def test_a_share_of_moved_logits_that_comes_out_differently_is_refused() -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    windows = torch.randint(3, 90, (4, 48), generator=torch.Generator().manual_seed(1))
    sae = topk_sae("mine", d_model=model.d_model)
    contexts = downstream.read_contexts(model, sae.hook_name, windows)
    moved, removed = downstream.effects_of_latents(model, sae, contexts)
    values = {quality.MOVED: moved, quality.REMOVED: removed}
    stamps = {"mine": {"weights_hash": sae.weights_hash}}
    found = again.check_effects(
        stored.Grid(measure.table("mine", values), {}, stamps), model, sae, windows, 3
    )
    assert found["batch"].tolist() == [0, 1, 2] * 2  # the first of the stored ones, in their order
    assert found["now"].tolist() == pytest.approx([*moved[:3], *removed[:3]])
    assert found["difference"].abs().max() < 1e-6
    values[quality.MOVED] = [*moved[:1], moved[1] * 1.01, *moved[2:]]
    other = stored.Grid(measure.table("mine", values), {}, stamps)
    with pytest.raises(again.StaleGridError, match=r"such as share of logits moved of mine: stored"):
        again.check_effects(other, model, sae, windows, 3)
    nothing = stored.Grid(measure.table("mine", {"error": [1.0]}), {}, stamps)
    with pytest.raises(again.StaleGridError, match=r"share of logits moved of mine: stored nan"):
        again.check_effects(nothing, model, sae, windows, 3)
    with pytest.raises(again.StaleGridError, match=r"are of weights other"):
        again.check_effects(
            stored.Grid(other.measured, {}, {"mine": {"weights_hash": "other"}}), model, sae, windows, 3
        )


def test_a_folder_without_a_card_is_refused(tmp_path: Path, data: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(stored.StoredGridError, match=r"empty holds no SAE with a card.json"):
        collect.collect(None, [tmp_path / "empty"])  # type: ignore[arg-type]
