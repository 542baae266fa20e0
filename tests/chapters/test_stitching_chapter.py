"""Chapter 13's findings on hand-set SAEs: what its text says is what its tables hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.ablation.architectures import tiny_model
from tests.settings_of import settings_of
from tests.stitching.hand_set import make_sae

from absorption.chapters import exercises
from absorption.chapters import stitching as chapter
from absorption.chapters.settings import StitchingSettings
from absorption.chapters.stitching import measured as module
from absorption.chapters.stitching.measured import Measured
from absorption.saes.loaded import LoadedSae
from absorption.stitching import measure
from absorption.training.held_out import HeldOut

HOOK = "blocks.1.hook_resid_post"
WIDTHS = (40, 70, 120)


def sae(name: str, width: int, seed: int) -> LoadedSae:
    draw = torch.Generator().manual_seed(seed)
    decoder = torch.randn(width, 32, generator=draw)
    if seed:  # some latents of every SAE are those of the first
        decoder[:20] = torch.randn(40, 32, generator=torch.Generator().manual_seed(0))[:20]
    decoder = decoder / decoder.norm(dim=1, keepdim=True)
    return make_sae(name, decoder * 0.3, decoder, b_enc=torch.full((width,), -0.1), hook=HOOK)


@cache
def measured() -> Measured:
    model, _ = tiny_model("llama", dtype=torch.float32)
    tokens = torch.randint(3, 90, (24, 12), generator=torch.Generator().manual_seed(1))
    series = [sae(f"w{width}", width, place) for place, width in enumerate(WIDTHS)]
    plan = measure.make_plan(series, [series[1], sae("w70 again", 70, 9)])
    return Measured(model, plan, measure.measure_text(model, plan, tokens), tokens)


def test_the_text_names_the_series_and_the_control() -> None:
    told = measured().numbers()
    assert (told["n_series"], told["widths"], told["control"]) == (3, "40, 70, 120", "two seeds of 70")
    assert told["n_tokens"] == f"{24 * 11:,}"
    assert measured().trained["sae"].tolist() == ["w40", "w70", "w120", "w70 again"]


def test_claims_are_judged_on_pairs_of_widths_and_not_on_the_control() -> None:
    alone = chapter.insert_one_by_one(measured())
    claims = alone.claims().set_index("part")
    shares = alone.at_threshold.set_index(["quantity", "pair"])["value"]
    pairs = ["40 to 70", "70 to 120"]
    lower = shares["novel that lower the error"][pairs]
    assert claims.loc["novel-lower", "value"] == lower.min()
    assert str(lower.idxmin()) in str(claims.loc["novel-lower", "note"])
    novel = [np.mean(pair.cosines < 0.7) for pair in measured().plan.neighbours]
    assert claims.loc["share-novel", "value"] == pytest.approx(np.mean(novel))
    assert claims.loc["cosine-roc", "value"] == alone.areas.set_index("pair")["value"][pairs].min()
    told = alone.numbers()
    assert told["novel_control"] == f"{shares['novel', 'two seeds of 70']:.0%}"
    assert str(told["novel_pairs"]).startswith(f"{min(novel):.0%}")


def test_tables_have_a_row_an_insertion() -> None:
    alone = chapter.insert_one_by_one(measured())
    assert len(alone.tables()["stitching-insertions"]) == 70 + 120 + 70
    assert set(alone.shares["threshold"]) == {0.5, 0.6, 0.7, 0.8, 0.9}
    first = alone.strongest[alone.strongest["pair"] == "40 to 70"]
    assert first["change"].is_monotonic_increasing
    assert first["change"].iloc[0] == alone.table.loc[alone.table["pair"] == "40 to 70", "change"].min()


def test_the_way_up_leaves_the_control_out() -> None:
    ways = chapter.go_step_by_step(measured())
    assert ways.upwards["pair"].unique().tolist() == ["40 to 70", "70 to 120"]
    assert ways.series["sae"].tolist() == ["w40", "w70", "w120"]
    assert ways.claims()["part"].tolist() == ["error", "l0"]
    assert ways.numbers()["n_ways"] == 2


def test_losses_are_told_beside_the_smaller_sae() -> None:
    settings = settings_of(StitchingSettings, spliced_windows=5)
    found = chapter.splice(measured(), settings)
    assert found.table.groupby("pair")["spliced"].agg(list).loc["40 to 70"] == [
        "smaller", "smaller with novel", "smaller with similar", "larger",
    ]  # fmt: skip
    loss = found.table.set_index(["pair", "spliced"])["loss"]
    assert loss["40 to 70", "larger"] == pytest.approx(loss["70 to 120", "smaller"])
    change = found.table.set_index(["pair", "spliced"])["change"]
    assert change["40 to 70", "larger"] == pytest.approx(
        loss["40 to 70", "larger"] - loss["40 to 70", "smaller"]
    )
    assert found.said["spliced_windows"] == 5


def test_single_latents_are_told_by_kind_and_their_agreement_is_that_of_the_table() -> None:
    settings = settings_of(StitchingSettings, single_windows=20, single_latents=3)
    found = chapter.insert_into_the_model(measured(), settings)
    counts = found.table.groupby(["pair", "kind"]).size()
    assert counts.max() == 3
    assert set(found.table["pair"]) == {"40 to 70", "70 to 120"}  # a second seed is no neighbour
    same = (found.table["error"] < 0) == (found.table["loss"] < 0)
    told = found.numbers()
    assert told["n_single"] == len(found.table)
    assert str(told["same_sign"]).startswith(f"{same.mean():.0%} [")
    assert str(told["novel_lower_loss"]).startswith(
        f"{(found.table.loc[found.table['kind'] == 'novel', 'loss'] < 0).mean():.0%} ["
    )


def test_more_text_than_was_held_out_is_refused_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "load_alone", lambda _settings: pytest.fail("loaded"))
    settings = settings_of(StitchingSettings, text_tokens=10**9)
    with pytest.raises(
        ValueError, match=r"^text_tokens is 1,000,000,000; allowed: at most [\d,]+, what \S+ and its like"
    ):
        chapter.load(settings)


def test_a_model_that_the_saes_were_not_trained_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    monkeypatch.setattr(module, "load_alone", lambda _settings: model)
    other = sae("other", 40, 0)
    monkeypatch.setattr(module, "load_sae", lambda *_given: other)
    with pytest.raises(ValueError, match=f"weights {model.weights_hash}, but SAE 'other' was trained on a"):
        chapter.load(settings_of(StitchingSettings))


def test_without_text_the_chapter_stops_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = HeldOut(torch.zeros(0, 128, dtype=torch.long), "No held-out text: no network")
    monkeypatch.setattr(module, "held_out_text", lambda *_given: nothing)
    with pytest.raises(ConnectionError, match="No held-out text: no network"):
        chapter.measure_text(measured().model, measured().plan, settings_of(StitchingSettings))


def test_letters_are_told_by_fate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.planted_study import words
    from tests.stitching.test_stitched_letters import large_sae, small_sae

    from absorption.chapters.stitching import letters

    monkeypatch.setattr(letters, "prepare_words", lambda *_given, **_how: words())
    plan = measure.make_plan([small_sae(), large_sae()])
    found = letters.follow_letters(SimpleNamespace(model=None, plan=plan), settings_of(StitchingSettings))  # type: ignore[arg-type]
    told = found.numbers()
    assert (told["n_kept"], told["n_split"], told["n_gone"], told["n_followed"]) == (22, 1, 1, 26)
    assert (told["n_kept_main"], told["n_same_fate"], told["commonest_main"]) == (22, 26, "kept")
    assert found.widths == ["26", "31"]
    assert set(found.flow["step"]) == {0}


def test_a_rule_with_the_wrong_line_is_no_answer() -> None:
    assert exercises.check_novel(lambda cosine: cosine < 0.707).right
    wrong = exercises.check_novel(lambda cosine: cosine < 0.6)
    assert not wrong.right
    assert "At a cosine of 0.65 the insertion lowers the error" in wrong.message
    assert not exercises.check_novel(lambda cosine: cosine < 0.73).right
