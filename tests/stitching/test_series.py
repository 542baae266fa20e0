"""The series is found from the cards alone."""

from __future__ import annotations

from typing import Any

import pytest

from absorption.stitching import series


def card(
    sae_id: str, width: int, *, seed: int = 0, architecture: str = "topk", k: int = 8, **more: Any
) -> dict:
    return {
        "sae_id": sae_id, "d_sae": width, "architecture": architecture, "k": k, "hook_name": "blocks.8.hook_resid_post",
        "model_weights_hash": "m", "data": "text", "recipe": {"seed": seed, "n_held_out": 200}, **more,
    }  # fmt: skip


def found(monkeypatch: pytest.MonkeyPatch, *cards: dict, ids: tuple[str, ...] = ()) -> series.Series:
    known = {one["sae_id"]: one for one in cards}
    monkeypatch.setattr(series, "shipped_ids", lambda: list(known))
    monkeypatch.setattr(series, "shipped_card", known.__getitem__)
    return series.find_series(ids)


def test_the_series_has_the_most_widths_and_is_narrow_first(monkeypatch: pytest.MonkeyPatch) -> None:
    one = found(
        monkeypatch, card("c", 64), card("a", 16), card("b", 32), card("x", 16, k=4), card("y", 32, k=4),
        card("other hook", 128, hook_name="blocks.4.hook_resid_post"), card("other text", 256, data="another"),
        card("other model", 512, model_weights_hash="n"),
    )  # fmt: skip
    assert one.ids == ("a", "b", "c")
    assert one.control == ()
    assert one.n_held_out == 200


def test_a_second_seed_is_the_control_and_not_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [card(f"{width} seed {seed}", width, seed=seed) for width in (16, 32, 64, 128) for seed in (0, 1)]
    one = found(monkeypatch, *cards)
    assert one.ids == ("16 seed 0", "32 seed 0", "64 seed 0", "128 seed 0")
    assert one.control == ("32 seed 0", "32 seed 1")


def test_the_control_has_the_width_nearest_to_the_middle_that_was_trained_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = [card(f"w{width}", width) for width in (16, 32, 64, 128, 256)]
    one = found(monkeypatch, *cards, card("w16 again", 16, seed=1), card("w128 again", 128, seed=3))
    assert one.control == ("w128", "w128 again")
    assert "w16 again" not in one.ids


def test_the_text_held_out_is_that_of_all_members(monkeypatch: pytest.MonkeyPatch) -> None:
    short = card("b", 32, recipe={"seed": 0, "n_held_out": 150})
    assert found(monkeypatch, card("a", 16), short).n_held_out == 150


def test_ids_that_are_no_series_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ValueError, match="sae_ids a, b: no two of them differ in d_sae and share architecture"
    ):
        found(monkeypatch, card("a", 16), card("b", 32, k=4), card("c", 64), ids=("a", "b"))


def test_the_shipped_saes_hold_a_series_with_a_control() -> None:
    shipped = series.find_series()
    cards = [series.shipped_card(sae_id) for sae_id in shipped.ids]
    widths = [one["d_sae"] for one in cards]
    assert widths == sorted(set(widths))
    assert len(widths) >= 3
    assert len({one["hook_name"] for one in cards}) == len({one["k"] for one in cards}) == 1
    first, second = map(series.shipped_card, shipped.control)
    assert first["d_sae"] == second["d_sae"]
    assert first["recipe"]["seed"] != second["recipe"]["seed"]
