"""Sets of latents, directions, patches, labels and integrated gradients against plain whole passes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from tests.ablation.conftest import WORDS, Tiny, make_tiny, whole_pass_metric

from absorption.ablation.effects import (
    all_effects,
    clean_metrics,
    direction_effects,
    patch_effects,
    removal_effects,
    set_effects,
)
from absorption.ablation.engine import AblationEngine
from absorption.ablation.gradients import integrated_gradients
from absorption.ablation.labels import label_words
from absorption.ablation.ranking import MAGNITUDE, MOST_NEGATIVE, AblationRule
from absorption.ablation.remembered import RememberedEffects
from absorption.ablation.word_latent_pairs import WordLatentPairs, active_pairs

AGREE = 1e-5


def _unit(n: int, d: int, seed: int = 1) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(n, d, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def test_a_set_of_latents_is_removed_together(llama: Tiny) -> None:
    rows = active_pairs(llama.csr, WORDS[:2])
    first = rows.words == WORDS[0]
    group = torch.where(first, 0, 1)
    effects = set_effects(llama.engine, rows, group, WORDS[:2])
    for i, mine in enumerate((first, ~first)):
        removed = (rows.activations[mine, None] * llama.sae.W_dec[rows.latents[mine]]).sum(0)
        clean = whole_pass_metric(llama, int(WORDS[i]), 0 * removed)
        changed = whole_pass_metric(llama, int(WORDS[i]), removed)
        assert abs(changed - clean) > 100 * AGREE
        assert float(effects[i]) == pytest.approx(changed - clean, abs=AGREE)


def test_an_empty_set_has_no_effect_and_a_foreign_row_is_refused(llama: Tiny) -> None:
    rows = active_pairs(llama.csr, WORDS[:1])
    group = torch.zeros(len(rows), dtype=torch.long)
    effects = set_effects(llama.engine, rows, group, WORDS[:2])
    assert float(effects[0]) != 0
    assert float(effects[1]) == 0
    with pytest.raises(ValueError, match="its set's word"):
        set_effects(llama.engine, rows, group + 1, WORDS[:2])


def test_a_direction_is_projected_out_of_the_residual_stream(llama: Tiny) -> None:
    directions = _unit(2, llama.model.d_model)
    centre = llama.engine.states(torch.arange(50)).mean(0)
    effects = direction_effects(llama.engine, WORDS[:2], directions, centre=centre)
    states = llama.engine.states(WORDS[:2])
    for i in range(2):
        removed = ((states[i] - centre) @ directions[i]) * directions[i]
        clean = whole_pass_metric(llama, int(WORDS[i]), 0 * removed)
        expected = whole_pass_metric(llama, int(WORDS[i]), removed) - clean
        assert abs(expected) > 100 * AGREE
        assert float(effects[i]) == pytest.approx(expected, abs=AGREE)


def test_a_decoder_row_can_be_removed_without_its_part_along_a_direction(llama: Tiny) -> None:
    rows = active_pairs(llama.csr, WORDS[:1])[:3]
    directions = _unit(3, llama.model.d_model)
    before = clean_metrics(llama.engine, rows.words)
    effects = removal_effects(llama.engine, rows, before, spare=directions)
    for i in range(3):
        decoder = llama.sae.W_dec[rows.latents[i]].float()
        removed = rows.activations[i] * (decoder - (decoder @ directions[i]) * directions[i])
        expected = whole_pass_metric(llama, int(WORDS[0]), removed) - float(before[i])
        assert float(effects[i]) == pytest.approx(expected, abs=AGREE)
    assert not torch.allclose(effects, removal_effects(llama.engine, rows, before), atol=100 * AGREE)


def test_a_patch_puts_another_words_state_in(llama: Tiny) -> None:
    states = llama.engine.states(WORDS)
    effects = patch_effects(llama.engine, WORDS[:1], states[3:4])
    clean = whole_pass_metric(llama, int(WORDS[0]), 0 * states[0])
    expected = whole_pass_metric(llama, int(WORDS[0]), states[0] - states[3]) - clean
    assert abs(expected) > 100 * AGREE
    assert float(effects[0]) == pytest.approx(expected, abs=AGREE)
    assert float(patch_effects(llama.engine, WORDS[:1], states[:1])[0]) == pytest.approx(0, abs=1e-6)


def test_a_word_given_twice_is_refused(llama: Tiny) -> None:
    with pytest.raises(ValueError, match="once each"):
        active_pairs(llama.csr, torch.tensor([3, 3]))


def _label_from_all(
    effects: pd.DataFrame, cosines: torch.Tensor, floor: float, lead: float, ranking: str
) -> bool:
    """The rule written out on the table of all effects."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    strength = effects["effect"].abs() if ranking == MAGNITUDE else (-effects["effect"]).clip(lower=0)
    order = effects.assign(strength=strength).sort_values("strength", ascending=False)
    top, second = order.iloc[0], order.iloc[1]
    if top["effect"] >= 0:
        return False
    if cosines[letters.index(top["letter"]), top["latent"]] < floor:
        return False
    return top["strength"] - second["strength"] >= lead


@cache
def every_fourth() -> tuple[torch.Tensor, pd.DataFrame]:
    """Words, and all of their effects: what labels at any lead and ranking are compared with."""
    llama, words = make_tiny("llama", "blocks.1.hook_resid_post"), torch.arange(0, 1040, 4)
    return words, all_effects(llama.engine, llama.csr, words, progress=False)


@pytest.mark.parametrize("ranking", [MOST_NEGATIVE, MAGNITUDE])
@pytest.mark.parametrize("lead", [0.02, 0.1, 0.2])
def test_the_label_alone_is_the_label_of_all_effects_in_fewer_passes(
    llama: Tiny, lead: float, ranking: str
) -> None:
    words, effects = every_fourth()
    cosines = torch.rand(26, llama.sae.d_sae, generator=torch.Generator().manual_seed(0)) - 0.6
    labels = label_words(llama.engine, llama.csr, words, cosines, AblationRule(0.0, lead, ranking))
    expected = [_label_from_all(mine, cosines, 0.0, lead, ranking) for _, mine in effects.groupby("word")]
    assert labels["absorbed"].tolist() == expected
    assert 5 < sum(expected) < len(words) - 5
    assert labels["passes"].sum() < labels["active"].sum()
    assert (labels["passes"] == labels["active"])[labels["absorbed"]].all()
    assert labels["active"].tolist() == effects.groupby("word").size().tolist()


def test_effects_that_are_remembered_give_the_same_labels_and_no_pass_is_made_twice(
    llama: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    cosines = torch.rand(26, llama.sae.d_sae, generator=torch.Generator().manual_seed(0)) - 0.6
    rule, made = AblationRule(0.0, 0.1), []

    def counted(engine: AblationEngine, rows: WordLatentPairs, before: torch.Tensor) -> torch.Tensor:
        made.extend(zip(rows.words.tolist(), rows.latents.tolist(), strict=True))
        return removal_effects(engine, rows, before)

    monkeypatch.setattr("absorption.ablation.remembered.removal_effects", counted)
    remember = RememberedEffects()
    effects = all_effects(llama.engine, llama.csr, torch.arange(0, 26), progress=False)
    remember.add(effects)
    for words in (torch.arange(0, 260, 4), torch.arange(0, 260, 2)):
        labels = label_words(llama.engine, llama.csr, words, cosines, rule, remember)
        pd.testing.assert_frame_equal(labels, label_words(llama.engine, llama.csr, words, cosines, rule))
    assert len(made) == len(set(made)) > 100
    assert min(word for word, _ in made) == 26


def test_words_without_an_eligible_latent_cost_no_pass(llama: Tiny) -> None:
    cosines = torch.full((26, llama.sae.d_sae), -1.0)
    labels = label_words(llama.engine, llama.csr, WORDS, cosines, AblationRule(0.025, 1.0))
    assert not labels["absorbed"].any()
    assert (labels["passes"] == 0).all()
    assert (labels["latent"] == -1).all()


def test_a_lead_of_zero_is_refused(llama: Tiny) -> None:
    cosines = torch.zeros(26, llama.sae.d_sae)
    with pytest.raises(ValueError, match="min_lead is 0"):
        label_words(llama.engine, llama.csr, WORDS, cosines, AblationRule(0.025, 0))


def test_gradients_are_the_slopes_of_the_exact_metric(tiny: Tiny) -> None:
    states = tiny.engine.states(WORDS)
    gradients = tiny.engine.gradients(WORDS, states)
    size = gradients.norm(dim=1)
    step = 0.01 * gradients / size[:, None]
    rise = tiny.engine.metrics(WORDS, states + step) - tiny.engine.metrics(WORDS, states - step)
    assert size.min() > 1e-3
    assert (rise / 0.02).numpy() == pytest.approx(size.numpy(), rel=0.01)


def test_integrated_gradients_with_many_steps_add_up_to_the_effect_of_all_latents(llama: Tiny) -> None:
    table = integrated_gradients(llama.engine, llama.csr, WORDS, steps=300, scale_error=False)
    rows = active_pairs(llama.csr, WORDS)
    group = torch.searchsorted(WORDS, rows.words)
    together = set_effects(llama.engine, rows, group, WORDS)
    total = table.groupby("word")["effect"].sum().to_numpy()
    assert np.abs(total) == pytest.approx(np.abs(together.numpy()), rel=0.05, abs=0.02)
    assert np.sign(total).tolist() == np.sign(together.numpy()).tolist()


@pytest.mark.parametrize("scale_error", [True, False])
def test_integrated_gradients_agree_with_captum(llama: Tiny, scale_error: bool) -> None:
    attr = pytest.importorskip("captum.attr", reason="captum is a development dependency")
    table = integrated_gradients(llama.engine, llama.csr, WORDS[:2], steps=6, scale_error=scale_error)
    states = llama.engine.states(WORDS[:2])
    slow = AblationEngine(llama.model, llama.sae, llama.prompts, mode="full passes")
    decoder, constant = llama.sae.W_dec.float(), llama.sae.sae.b_dec.float()
    for i, word in enumerate(WORDS[:2]):
        acts = llama.csr[int(word)].to_dense()[None].float()
        error = states[i] - acts[0] @ decoder - constant

        def metric(acts, error, word=word):
            words = word.repeat(len(acts))
            answers = slow._pass.logits(words, acts @ decoder + constant + error)
            right = answers[:, llama.prompts.letters[word]]
            return right - (answers.sum(1) - right) / 25

        zero = (torch.zeros_like(acts), torch.zeros_like(error[None]) if scale_error else error[None])
        found = attr.IntegratedGradients(metric).attribute(
            (acts, error[None]), zero, n_steps=6, method="riemann_right"
        )
        mine = table[table["word"] == int(word)]
        assert mine["effect"].abs().max() > 1e-2
        assert mine["effect"].to_numpy() == pytest.approx(
            -found[0][0, mine["latent"].to_numpy()].numpy(), abs=1e-5
        )
