"""Letters against L0, and choices against depth: which SAEs make a trend, and that the figures draw the tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from tests.planted_model import planted
from tests.plots.reading import drawn_series, panels

from absorption.chapters.recall_gap import choices
from absorption.chapters.recall_gap.trends import f1_by_letter
from absorption.latents.select import select_latents
from absorption.latents.sparse import encode_words
from absorption.plots import choices as choice_figures
from absorption.plots import letters as figures
from absorption.probes.words import probe_words
from absorption.several_saes import letter_trends
from absorption.spelling.activations import word_activations
from absorption.spelling.prompts import make_prompts
from absorption.spelling.vocab import load_vocab


def scored(name: str, d_sae: int, l0: float, f1: dict[str, float]) -> Any:
    rows = [
        {
            "letter": letter,
            "selection": selection,
            "metric": metric,
            "value": value,
            "low": value - 0.1,
            "high": 1.0,
        }
        for letter, value in {**f1, "mean": 0.9}.items()
        for selection in ("encoder cosine", "best F1")
        for metric in ("f1", "recall")
    ]
    sae, table = SimpleNamespace(name=name, d_sae=d_sae), pd.DataFrame(rows)
    return SimpleNamespace(sae=sae, l0_text=l0, l0_share=l0 / 200, scores=table)


def family() -> list[Any]:
    return [
        scored("mid", 4096, 32.0, {"a": 0.7, "b": 0.2}),
        scored("low", 4096, 16.0, {"a": 0.5, "b": 0.4}),
        scored("wide", 16384, 32.0, {"a": 0.9, "b": 0.9}),
        scored("no card", 4096, float("nan"), {"a": 0.1, "b": 0.1}),
    ]


def test_f1_by_letter_takes_one_selection_and_the_width_that_most_saes_share() -> None:
    found = f1_by_letter(family(), "encoder cosine")
    assert found[["letter", "sae", "l0_text", "value"]].values.tolist() == [
        ["a", "low", 16.0, 0.5], ["a", "mid", 32.0, 0.7], ["b", "low", 16.0, 0.4], ["b", "mid", 32.0, 0.2],
    ]  # fmt: skip
    assert set(found["d_sae"]) == {4096}


def test_one_sae_of_a_width_makes_no_trend() -> None:
    assert f1_by_letter(family()[1:], "best F1").empty
    assert list(f1_by_letter(family()[3:], "best F1")) == letter_trends.COLUMNS


def test_each_letter_has_a_panel_with_its_values_against_l0() -> None:
    a, b = panels(figures.letters_against_l0(f1_by_letter(family(), "best F1"), "F1"))
    assert (a.title, b.title) == ("A", "B")
    assert [mark[:2] for mark in a.series[""]] == [pytest.approx(pair) for pair in ((0.08, 0.5), (0.16, 0.7))]
    assert [mark[:2] for mark in b.series[""]] == [pytest.approx(pair) for pair in ((0.08, 0.4), (0.16, 0.2))]
    assert a.x == "L0 at the words, share of d_model"


def test_the_choices_are_drawn_against_depth() -> None:
    table = pd.DataFrame(
        [(depth, what, depth / 20, 0.0, 1.0) for depth in (5, 9) for what in (*choices.PAIR, choices.SAME)],
        columns=["depth", "what", "value", "low", "high"],
    )
    names = ("F1, latent by encoder cosine", "F1, latent by k=1 probing", "letters with the same latent")
    found = drawn_series(choice_figures.choices_by_layer(table))
    assert found == dict.fromkeys(names, ([5, 9], [0.25, 0.45]))


@pytest.mark.usefixtures("own_cache")
def test_f1_and_agreement_of_the_choices_are_those_counted_by_hand() -> None:
    truth = planted()
    found = choices.choices_by_layer(truth.model, [truth.sae], n_words=0, n_sets=2).set_index("what")["value"]
    words = load_vocab(truth.model.tokenizer)
    acts = word_activations(truth.model, make_prompts(truth.model, words, n_sets=2), [truth.sae.hook_name])
    probed = probe_words(words, acts[truth.sae.hook_name])
    latent_acts = encode_words(truth.sae, probed.acts)
    chosen = select_latents(truth.sae, probed, latent_acts)
    on = latent_acts.csr.to_dense()[probed.test] > 0
    for selection in choices.PAIR:
        f1 = []
        for column, latent in enumerate(chosen[selection].tolist()):
            said, right = on[:, latent], probed.labels[probed.test][:, column]
            f1.append(2 * float((said & right).sum()) / float(said.sum() + right.sum()))
        assert found[selection] == pytest.approx(sum(f1) / 26, abs=1e-5)
    same = chosen[choices.PAIR[0]] == chosen[choices.PAIR[1]]
    assert found[choices.SAME] == pytest.approx(float(same.float().mean()))
    assert 0 < found[choices.SAME] <= 1


def test_other_layers_are_the_shipped_saes_of_the_same_recipe_and_model_by_depth(monkeypatch: Any) -> None:
    cards = {
        "mine": {"hook_name": "blocks.8", "recipe": {"k": 32, "hook_name": "blocks.8"}, "model_weights_hash": "w"},
        "deep": {"hook_name": "blocks.9", "recipe": {"k": 32, "hook_name": "blocks.9"}, "model_weights_hash": "w"},
        "first": {"hook_name": "blocks.1", "recipe": {"k": 32, "hook_name": "", "newer": 1}, "model_weights_hash": "w"},
        "sparse": {"hook_name": "blocks.9", "recipe": {"k": 16, "hook_name": "blocks.9"}, "model_weights_hash": "w"},
        "foreign": {"hook_name": "blocks.9", "recipe": {"k": 32, "hook_name": "blocks.9"}, "model_weights_hash": "v"},
    }  # fmt: skip

    def loaded(_release: str, name: str, _model: Any) -> Any:
        hook = cards[name]["hook_name"]
        return SimpleNamespace(
            name=name, card=cards[name], hook_name=hook, site=SimpleNamespace(depth=int(str(hook)[-1]))
        )

    monkeypatch.setattr(choices, "shipped_ids", lambda: list(cards))
    monkeypatch.setattr(choices, "shipped_card", cards.__getitem__)
    monkeypatch.setattr(choices, "load_sae", loaded)
    model: Any = SimpleNamespace(weights_hash="w")
    mine = loaded("", "mine", model)
    assert [sae.name for sae in choices.at_other_layers(mine, model)] == ["first", "mine", "deep"]
    mine.card = {}
    assert [sae.name for sae in choices.at_other_layers(mine, model)] == ["mine"]
