"""Stitching on SAEs whose novel and reconstruction latents are known, and against insertion carried out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.ablation.architectures import tiny_model
from tests.stitching.hand_set import UNIT, inputs, known_pair, make_sae, random_sae

from absorption.models.hooks import resolve_site
from absorption.saes.loaded import LoadedSae
from absorption.stitching import effects, insertion, measure, splicing
from absorption.stitching.pairs import Groups, Pair
from absorption.stitching.steps import plan_steps


def squared_error(output: torch.Tensor, rows: torch.Tensor) -> float:
    return float((rows - output).double().pow(2).sum())


def sums_of(pair: Pair, rows: torch.Tensor, *, parts: int = 1) -> measure.Sums:
    """What ``measure_text`` would give for these rows, in some batches."""
    plan = measure.make_plan([pair.smaller, pair.larger])
    found = [measure.batch_sums(plan, part) for part in rows.chunk(parts)]
    joined = {name: torch.stack([one[name] for one in found]).numpy() for name in found[0]}
    of_pair = measure.PairSums(joined["insertion-0"], joined["walk-0"])
    return measure.Sums(joined["tokens"], joined["saes"], (of_pair,), joined["stitched"])


def known() -> tuple[Pair, torch.Tensor]:
    smaller, larger, rows = known_pair()
    return Pair(smaller, larger), rows


def test_known_latents_are_told_apart_by_their_cosine() -> None:
    pair, _ = known()
    assert pair.cosines == pytest.approx([1, 0.8, 0, 0, 0])
    assert pair.nearest[1][:2].tolist() == [0, 1]


def test_known_insertions_change_the_error_by_what_a_hand_computes() -> None:
    pair, rows = known()
    sums = sums_of(pair, rows)
    table = effects.insertions(pair, sums.pairs[0], sums.tokens).set_index("latent")
    # The smaller SAE's error is feature 2 alone: 3 on the third row, 1 on the last.
    # Latent 0 writes 1 and 1 where nothing is missing: 2 more over 4 rows. Latent 2 takes all of 9 + 1 away.
    assert table["change"][:4].tolist() == pytest.approx([2 / 4, 5 / 4, -10 / 4, 2 / 4])
    assert table["relative"][:4].tolist() == pytest.approx([1, 1, -1, 1])
    assert table["kind"].tolist() == ["similar", "similar", "novel", "novel", "novel"]
    assert table["sign"].tolist() == ["raise", "raise", "lower", "raise", "never on"]
    assert table["l0"].tolist() == pytest.approx([0.5, 0.5, 0.5, 0.5, 0])


def test_known_shares_leave_out_latents_that_are_never_on() -> None:
    pair, rows = known()
    shares = effects.Resampled(pair, sums_of(pair, rows).pairs[0], n=20).shares(0.7)
    assert shares["novel"][0] == pytest.approx(3 / 5)
    assert shares["novel that lower the error"][0] == pytest.approx(1 / 2)
    assert shares["similar that raise the error"][0] == 1
    moved = effects.Resampled(pair, sums_of(pair, rows).pairs[0], n=20).shares(0.9)
    assert moved["novel"][0] == pytest.approx(4 / 5)
    assert moved["novel that lower the error"][0] == pytest.approx(1 / 3)


def test_the_closed_form_is_the_insertion_carried_out() -> None:
    pair, rows = Pair(random_sae("s", 12, 0), random_sae("l", 20, 1)), inputs()
    sums = sums_of(pair, rows, parts=3)
    table = effects.insertions(pair, sums.pairs[0], sums.tokens)
    before = squared_error(pair.smaller.reconstruct(rows), rows)
    for latent in range(20):
        acts = pair.larger.encode(rows)[:, latent : latent + 1]
        output = pair.smaller.reconstruct(rows) + acts * pair.larger.W_dec[latent]
        real = (squared_error(output, rows) - before) / len(rows)
        assert table["change"][latent] == pytest.approx(real, abs=1e-3)
        assert table["l0"][latent] == pytest.approx(float((acts > 0).float().mean()))
        only = torch.arange(20) == latent
        assert torch.allclose(splicing.insert(pair, rows, only), output, atol=1e-4)


def test_output_without_encoding_again_is_the_saes_own() -> None:
    sae, rows = random_sae("s", 12, 0), inputs()
    centred = random_sae("c", 12, 0)
    centred.sae.cfg.metadata.model_from_pretrained_kwargs = {"center_writing_weights": True}
    assert centred.centred
    for one in (sae, centred):
        output = insertion.decode_sparse(one, insertion.encode_sparse(one, rows), rows)
        assert torch.allclose(output, one.reconstruct(rows), atol=1e-4)


def test_groups_chain_what_resembles_the_same_latent() -> None:
    tilted = (UNIT[0] + UNIT[1]) / 2**0.5
    smaller = make_sae("s", UNIT[[0, 1, 2]], UNIT[[0, 1, 2]])
    larger = make_sae("l", UNIT[[0, 1, 5, 6]], torch.stack([tilted, UNIT[0], UNIT[5], UNIT[6]]))
    groups = Pair(smaller, larger).groups(0.7)
    assert groups.n == 1
    assert groups.larger.tolist() == [0, 0, -1, -1]
    assert groups.smaller.tolist() == [0, 0, -1]
    assert Pair(smaller, larger).groups(0.72).smaller.tolist() == [0, -1, -1]


def test_steps_add_novel_latents_evenly_and_never_part_a_group() -> None:
    groups = Groups(larger=np.array([-1] * 6 + [0, 0, 1, 2]), smaller=np.array([0, 1, 1, 2, -1]), n=3)
    steps = plan_steps(groups, per_phase=3, seed=4)
    assert sorted(steps.enter[:6]) == [1, 1, 2, 2, 3, 3]
    assert sorted(set(steps.enter[6:])) == [4, 5, 6]
    assert steps.enter[6] == steps.enter[7] == steps.leave[0]
    assert steps.enter[8] == steps.leave[1] == steps.leave[2]
    assert steps.leave[4] == steps.n == 7
    assert [steps.bias_share(step) for step in (0, 3, 5, 7)] == [0, 0, 0.5, 1]
    assert [steps.phase(step) for step in (0, 1, 3, 4, 6, 7)] == [
        "smaller SAE", "adding novel latents", "adding novel latents", "swapping groups", "swapping groups",
        "larger SAE",
    ]  # fmt: skip


def random_pair() -> Pair:
    """Random SAEs with some shared directions, so that there are groups."""
    smaller, larger = random_sae("s", 12, 0), random_sae("l", 20, 1)
    with torch.no_grad():
        larger.sae.W_dec[:7] = smaller.sae.W_dec[:7] + 0.05
    return Pair(smaller, larger)


def test_the_way_ends_at_the_larger_sae_when_all_groups_are_swapped() -> None:
    pair, rows = random_pair(), inputs()
    assert 7 <= sum(pair.cosines >= 0.7) < 20
    sums = sums_of(pair, rows)
    walk = sums.pairs[0].walk[0]
    for step, sae in ((0, pair.smaller), (-1, pair.larger)):
        assert walk[0, step] == pytest.approx(squared_error(sae.reconstruct(rows), rows), rel=1e-5)
        assert walk[1, step] == int((sae.encode(rows) > 0).sum())
    assert sums.saes[0, 0].tolist() == pytest.approx(walk[0, [0, -1]].tolist(), rel=1e-5)
    assert sums.saes[0, 1].tolist() == walk[1, [0, -1]].tolist()


def test_every_step_of_the_way_is_the_sae_with_the_latents_that_have_entered_and_not_left() -> None:
    pair, rows = random_pair(), inputs()
    steps = measure.make_plan([pair.smaller, pair.larger]).steps[0]
    walk = sums_of(pair, rows).pairs[0].walk[0]
    small, large = pair.smaller.encode(rows), pair.larger.encode(rows)
    for step in range(steps.n + 1):
        left, entered = torch.from_numpy(steps.leave > step), torch.from_numpy(steps.enter <= step)
        share = steps.bias_share(step)
        bias = (1 - share) * pair.smaller.sae.b_dec + share * pair.larger.sae.b_dec
        output = (small * left) @ pair.smaller.W_dec + (large * entered) @ pair.larger.W_dec + bias
        assert walk[0, step] == pytest.approx(squared_error(output, rows), rel=1e-4)
        assert walk[1, step] == int((small * left > 0).sum() + (large * entered > 0).sum())


def test_the_stitched_sae_is_the_narrowest_with_novel_latents_of_all_wider_ones() -> None:
    saes = [random_sae("a", 6, 0), random_sae("b", 9, 1), random_sae("c", 14, 2)]
    plan, rows = measure.make_plan(saes), inputs()
    found = measure.batch_sums(plan, rows)["stitched"]
    output, active = saes[0].reconstruct(rows), int((saes[0].encode(rows) > 0).sum())
    for place, pair in enumerate(plan.neighbours):
        acts = pair.larger.encode(rows) * torch.from_numpy(pair.cosines < 0.7)
        output, active = output + acts @ pair.larger.W_dec, active + int((acts > 0).sum())
        assert float(found[0, place]) == pytest.approx(squared_error(output, rows), rel=1e-4)
        assert int(found[1, place]) == active


def test_a_control_is_a_pair_and_no_neighbour() -> None:
    series = [random_sae("a", 6, 0), random_sae("b", 9, 1)]
    plan = measure.make_plan(series, [series[1], random_sae("b again", 9, 5)])
    assert [pair.name for pair in plan.pairs] == ["6 to 9", "two seeds of 9"]
    assert [pair.name for pair in plan.neighbours] == ["6 to 9"]
    assert [sae.name for sae in plan.saes] == ["a", "b", "b again"]


def test_the_area_is_that_of_another_library_and_ties_count_half() -> None:
    pair, rows = Pair(random_sae("s", 12, 0), random_sae("l", 300, 1)), inputs()
    sums = sums_of(pair, rows, parts=5)
    table = effects.insertions(pair, sums.pairs[0], sums.tokens)
    assert set(table["sign"]) >= {"lower", "raise"}
    on = table[table["sign"] != "never on"]
    resampled = effects.Resampled(pair, sums.pairs[0], n=50)
    value, low, high = resampled.area()
    assert value == pytest.approx(roc_auc_score(on["sign"] == "raise", on["cosine"]), abs=1e-9)
    assert low < value < high
    assert effects._area(np.array([0.5, 0.5]), np.array([True, False]), np.ones(2)) == 0.5
    curve = effects.roc_curves(table)
    area = np.trapezoid(curve["true_rate"], curve["false_rate"])
    assert area == pytest.approx(value, abs=0.01)


def test_the_text_s_share_of_an_interval_is_the_jackknife_s_and_one_batch_has_none() -> None:
    pair, rows = Pair(random_sae("s", 12, 0), random_sae("l", 40, 1)), inputs()
    one_batch = effects.Resampled(pair, sums_of(pair, rows).pairs[0], n=100)
    assert one_batch.change.shape == (1, 40)
    several = effects.Resampled(pair, sums_of(pair, rows, parts=6).pairs[0], n=100)
    assert several.change[0] == pytest.approx(one_batch.change[0], rel=1e-6)
    for batch, part in enumerate(rows.chunk(6)):
        alone = effects.Resampled(pair, sums_of(pair, part).pairs[0], n=2).change[0]
        assert several.change[1 + batch] == pytest.approx(several.change[0] - alone, rel=1e-4, abs=1e-4)
    assert several.latents[1:].sum(1).tolist() == [40] * 100
    # Without the batches the value is .4 and .8 (variance .04): t (.975, 1 degree) is 12.706, se = sqrt(1 x .04) = .2.
    draws = np.array([0.6] * 100)
    assert effects.both_intervals(np.array([0.6, 0.4, 0.8]), draws) == (0.6, 0.0, 1.0)
    texts = np.array([0.6, *[0.59, 0.61] * 3])  # se = sqrt(5) x .01; t (5 degrees) is 2.5706
    value, low, high = effects.both_intervals(texts, draws)
    assert (low, high) == pytest.approx(
        (0.6 - 2.5706 * 5**0.5 * 0.01, 0.6 + 2.5706 * 5**0.5 * 0.01), abs=1e-5
    )
    wide = effects.both_intervals(texts, np.linspace(0.5, 0.7, 10_001))  # latents alone: .505 to .695
    assert wide[0] - wide[1] == pytest.approx(np.hypot(0.095, high - value), abs=1e-4)
    assert effects.both_intervals(texts[:1], draws) == (0.6, 0.6, 0.6)
    assert np.isnan(effects.both_intervals(texts * np.nan, draws * np.nan)).all()


def test_a_value_lies_inside_its_interval_where_signs_are_noisy() -> None:
    """Sums in which most latents are on once in the text: redrawn texts are noisier than the text."""
    pair, rng = Pair(random_sae("s", 12, 0), random_sae("l", 300, 1)), np.random.default_rng(0)
    insertion = np.zeros((20, 3, 300))
    for latent in range(300):
        batches = rng.integers(20, size=3)
        insertion[batches, effects.ENERGY, latent] = 1
        insertion[batches, effects.OVERLAP, latent] = rng.normal(0.2, 0.5, size=3)
        insertion[batches, effects.ACTIVE, latent] = 1
    sums = measure.PairSums(insertion, np.zeros((20, 2, 1)))
    resampled = effects.Resampled(pair, sums, n=200)
    for value, low, high in [*resampled.shares(0.5).values(), resampled.area()]:
        assert low < value < high


def test_bad_pairs_are_refused_in_one_line_that_names_both_values() -> None:
    good = random_sae("one", 6, 0)
    cases = [
        (
            replace(good, name="two", site=resolve_site("blocks.2.hook_resid_post", 4)),
            "read blocks.0.hook_resid_post and blocks.2.hook_resid_post; allowed: one hook.",
        ),
        (
            replace(good, name="two", card={"model_weights_hash": "b"}),
            "weights 'a' and 'b'; allowed: one model.",
        ),
        (random_sae("two", 5, 0), "have 6 and 5 latents; allowed: the smaller one first."),
    ]
    for other, line in cases:
        with pytest.raises(ValueError, match=f"^SAEs 'one' and 'two' .*{re.escape(line)}$"):
            Pair(good, other)


def test_a_decoder_row_without_a_direction_is_named() -> None:
    broken = random_sae("broken", 6, 0)
    with torch.no_grad():
        broken.sae.W_dec[[2, 4]] = 0
    with pytest.raises(
        ValueError, match="SAE 'broken' has 2 of 6 decoder rows of norm 0, the first that of latent 2"
    ):
        measure.make_plan([random_sae("a", 5, 1), broken])


def test_an_sae_that_rescales_its_inputs_is_refused() -> None:
    scaled = random_sae("scaled", 6, 0)
    scaled.sae.cfg.normalize_activations = "layer_norm"
    with pytest.raises(ValueError, match="'scaled' scales its inputs \\(layer_norm\\); allowed"):
        Pair(random_sae("a", 5, 1), scaled)


def perfect(name: str, width: int, **more: Any) -> LoadedSae:
    """An SAE that gives back what it gets."""
    both = torch.cat([torch.eye(width), -torch.eye(width)])
    return make_sae(name, both, both, **more)


def test_a_perfect_sae_costs_no_loss_and_what_is_inserted_into_it_does() -> None:
    model, untouched = tiny_model("llama", dtype=torch.float32)
    tokens = torch.randint(3, 90, (3, 12), generator=torch.Generator().manual_seed(0))
    hook = "blocks.1.hook_resid_post"
    smaller, larger = perfect("s", 32, hook=hook), perfect("l", 32, hook=hook)
    with torch.no_grad():
        larger.sae.W_dec[:8] *= 2  # the directions stay: all are similar
    losses = splicing.spliced_losses(model, (Pair(smaller, larger),), tokens)
    with torch.no_grad():
        logits = untouched(tokens).logits[:, :-1].flatten(0, 1)
    clean = torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())
    assert losses["", splicing.CLEAN].mean() == pytest.approx(float(clean), abs=1e-4)
    changes = splicing.as_changes(losses, Pair(smaller, larger))
    name = Pair(smaller, larger).name
    assert losses[name, "smaller"] == pytest.approx(losses["", splicing.CLEAN], abs=1e-4)
    assert changes["smaller with novel"] == pytest.approx(0, abs=1e-6)  # none is novel
    assert np.abs(changes["larger"]).min() > 1e-3
    assert np.abs(changes["smaller with similar"]).min() > 1e-3


def test_text_is_read_without_bos_in_batches_of_windows() -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    tokens = torch.randint(
        3, 90, (measure.WINDOWS_AT_ONCE + 1, 6), generator=torch.Generator().manual_seed(0)
    )
    rows = list(measure.text_rows(model, "blocks.1.hook_resid_post", tokens))
    assert [len(part) for part in rows] == [measure.WINDOWS_AT_ONCE * 5, 5]
    acts = model.residual_stream(tokens, "blocks.1.hook_resid_post")
    assert torch.allclose(torch.cat(rows), acts[:, 1:].flatten(0, 1), atol=1e-3)


def test_measured_sums_are_kept_and_add_up_over_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    tokens = torch.randint(3, 90, (20, 6), generator=torch.Generator().manual_seed(1))
    saes = [random_sae("a", 12, 0, 32), random_sae("b", 20, 1, 32)]
    plan = measure.make_plan(saes)
    sums = measure.measure_text(model, plan, tokens)
    assert len(sums.tokens) == 3
    assert sums.tokens.sum() == 100
    rows = torch.cat(list(measure.text_rows(model, saes[0].hook_name, tokens)))
    whole = measure.batch_sums(plan, rows)
    assert sums.pairs[0].insertion.sum(0) == pytest.approx(whole["insertion-0"].numpy(), rel=1e-3, abs=1e-2)
    assert sums.saes.sum(0) == pytest.approx(whole["saes"].numpy(), rel=1e-5)
    monkeypatch.setattr(measure, "batch_sums", lambda *_: pytest.fail("measured again"))
    again = measure.measure_text(model, plan, tokens)
    assert np.array_equal(again.stitched, sums.stitched)
