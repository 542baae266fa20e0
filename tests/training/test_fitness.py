"""Fitness on an SAE set by hand, and the rule that chooses among SAEs."""

from dataclasses import replace
from typing import Any, cast

import pandas as pd
import pytest
import torch
from tests.latents import hand_made

from absorption.latents.select import on_f1
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae
from absorption.training.fitness import RULE, Fitness, as_row, explained_variance, measure_fitness

CARD: dict[str, Any] = {
    "sae_id": "by hand",
    "measured": {
        "held_out_text": {"l0": 2.0, "explained_variance": 0.9, "cross_entropy": {"recovered": 0.97}},
        "dead_latents": 4,
    },
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))


def words() -> ProbedWords:
    """The words by hand, with the absorbed one among the training words: nine of the letter a, eight of others."""
    probed = hand_made.probed()
    table = probed.words.copy()
    table.loc[8, "split"] = "train"
    return replace(probed, words=table)


def sae() -> LoadedSae:
    return replace(hand_made.sae(), card=CARD)


def test_fitness_by_hand() -> None:
    found = measure_fitness(sae(), words())
    assert found.f1_encoder_cosine == pytest.approx((16 / 17 + 25) / 26)
    assert found.f1_best == pytest.approx((16 / 17 + 25) / 26)
    assert (found.letters_above_half, found.letters_above_seven_tenths) == (26, 26)
    assert found.recall == pytest.approx((8 / 9 + 25) / 26)
    assert found.precision == pytest.approx(1)
    assert found.on_share == pytest.approx(8 / 209)
    assert found.candidate_share == pytest.approx(1 / 209)
    assert found.l0_words == pytest.approx((200 * 2 + 9) / 209)
    assert found.dead_share == pytest.approx(4 / 40)
    assert (found.l0_text, found.explained_variance_text, found.recovered) == (2.0, 0.9, 0.97)


def test_test_words_play_no_part() -> None:
    mine = words()
    other = mine.acts.clone()
    other[mine.test] = torch.randn(len(mine.test), other.shape[1])
    changed = replace(mine, acts=other)
    assert measure_fitness(sae(), changed) == measure_fitness(sae(), mine)


def test_f1_of_every_latent_is_that_of_counting() -> None:
    generator = torch.Generator().manual_seed(0)
    on = torch.rand(50, 7, generator=generator) < 0.3
    labels = torch.rand(50, 3, generator=generator) < 0.4
    hits = torch.tensor([[int((on[:, j] & labels[:, i]).sum()) for j in range(7)] for i in range(3)])
    expected = 2 * hits / (on.sum(0) + labels.sum(0)[:, None])
    assert torch.allclose(on_f1(on.float().to_sparse_csr(), labels), expected)


def test_an_sae_that_writes_the_mean_explains_nothing() -> None:
    acts = words().acts
    silent = sae().sae
    with torch.no_grad():
        silent.W_enc.zero_()
        silent.b_dec.copy_(acts.mean(0))
    assert explained_variance(replace(sae(), sae=silent), acts) == pytest.approx(0, abs=1e-6)


def row(f1: float, **changes: Any) -> dict[str, Any]:
    fit = {"recovered": 0.95, "explained_variance_words": 0.6, "dead_share": 0.05}
    return {"sae": "", "architecture": "batchtopk", "d_sae": 4096, "f1_encoder_cosine": f1} | fit | changes


def chosen(*rows: dict[str, Any]) -> int:
    return int(cast(int, RULE.choose(pd.DataFrame(rows)).name))


def test_the_base_has_the_highest_f1_among_those_that_clear_the_bars() -> None:
    assert chosen(row(0.5), row(0.7), row(0.6)) == 1
    for failing in ({"recovered": 0.92}, {"explained_variance_words": 0.49}, {"dead_share": 0.11}):
        assert chosen(row(0.5), row(0.7, **failing), row(0.6)) == 2


def test_among_equals_jumprelu_then_width_then_explained_variance_decide() -> None:
    assert chosen(row(0.70), row(0.685, architecture="jumprelu"), row(0.69, d_sae=16_384)) == 1
    assert chosen(row(0.70), row(0.69, d_sae=16_384), row(0.67, architecture="jumprelu")) == 1
    assert chosen(row(0.70), row(0.69, explained_variance_words=0.7)) == 1


def test_no_sae_above_the_bars_is_an_error_that_names_them() -> None:
    with pytest.raises(ValueError, match="none of 1 SAEs clears the bars: min_recovered"):
        chosen(row(0.9, recovered=0.1))


def test_a_row_holds_the_settings_and_every_figure() -> None:
    recipe = {
        "architecture": "standard",
        "d_sae": 40,
        "k": 2,
        "hook_name": "h",
        "n_tokens": 9,
        "n_passes": 1,
        "seed": 0,
    }
    made = as_row(replace(sae(), card=CARD | {"recipe": recipe}), measure_fitness(sae(), words()))
    assert made.items() >= ({"sae": "by hand"} | recipe).items()
    assert set(Fitness.__dataclass_fields__) <= set(made)
