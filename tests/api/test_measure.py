"""``absorption.measure`` on the planted SAE, whose absorbed words are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tests.api.planted_result import CONVERGED, arguments, measured, same_tables
from tests.planted_model import D_MODEL, _spelling_model, planted, word_tokenizer

import absorption
from absorption import one_sae
from absorption.api import inputs
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.definitions.versions import FRACTION_UNTHRESHOLDED
from absorption.one_sae import summary

pytestmark = pytest.mark.usefixtures("own_cache")

BY_PROJECTION = (FULL_ABSORPTION, FRACTION)


def small_sae(d_in: int = D_MODEL, **metadata: Any) -> StandardSAE:
    config = StandardSAEConfig(d_in=d_in, d_sae=8, dtype="float32", metadata=SAEMetadata(**metadata))
    return StandardSAE(config)


def test_the_absorbed_words_are_the_planted_ones() -> None:
    """Children of letters of kind ``full`` carry the letter alone, each twin of kind ``two`` half of it."""
    truth = planted().words.set_index("word")
    words = measured().words
    full = words[words["definition"] == FULL_ABSORPTION].set_index("word")
    mine = truth.loc[full.index]
    expected = (mine["child"] >= 0) & mine["kind"].isin(["full", "two"])
    assert full["absorbed"].to_dict() == expected.to_dict()
    assert expected.sum() > 5
    relative = words[words["definition"] == RELATIVE].set_index("word")["absorbed"]
    assert relative.to_dict() == ((mine["child"] >= 0) & (mine["kind"] == "full")).to_dict()


def test_the_tables_are_what_the_functions_of_the_one_sae_page_give_on_the_same_words() -> None:
    words = one_sae.prepare_words(
        planted().model, planted().sae.hook_name, vocabulary=planted().words[list(VOCABULARY)]
    )
    (mine,) = one_sae.study_saes(words, [planted().sae])
    effects = summary.measure_effects(mine, Thresholds(max_candidates=10), per_letter=1, probe=CONVERGED)
    rates = measured().rates[measured().rates["definition"] != FRACTION_UNTHRESHOLDED]
    pd.testing.assert_frame_equal(rates[effects.rates.columns], effects.rates)
    judged = measured().words[measured().words["definition"] != FRACTION_UNTHRESHOLDED]
    text = words.table["word"].to_numpy()[effects.judged["word"].to_numpy()]
    assert judged["word"].tolist() == text.tolist()
    columns = ["definition", "candidate", "judged", "absorbed", "value", "latent", "lead"]
    pd.testing.assert_frame_equal(judged[columns], effects.judged[columns])


VOCABULARY = ("token_id", "word", "letter", "n_letters", "upper")


def test_a_rate_is_the_share_of_candidates_times_the_share_absorbed_among_them() -> None:
    rates = measured().rates
    known = rates.dropna(subset=["share_absorbed"])
    assert set(known["definition"]) == set(absorption.DEFINITIONS) - {FRACTION, FRACTION_UNTHRESHOLDED}
    product = known["share_candidates"] * known["share_absorbed"]
    assert product.to_numpy() == pytest.approx(known["rate"].to_numpy())
    letters = known[known["letter"] != MEAN]
    assert letters["share_absorbed"].to_numpy() == pytest.approx(
        (letters["n_absorbed"] / letters[["n_judged", "n_candidates"]].min(axis=1)).to_numpy()
    )


def test_full_absorption_under_the_published_rule_of_silence_is_the_rate_and_planted_main_latents_are_clean() -> (
    None
):
    by_rule: Any = measured().silences.set_index("silence")
    assert list(by_rule.index) == ["off (published)", "calibrated", "share up to 0.1", "share up to 0.3"]
    columns = ["rate", "low", "high", "null", "p"]
    means: Any = measured().means.set_index("definition")
    assert by_rule["rate"].iloc[0] > 0
    for rule in ("off (published)", "calibrated"):
        assert by_rule.loc[rule, columns].tolist() == means.loc["full absorption", columns].tolist()


def test_the_main_latents_are_the_planted_ones_each_with_its_gate() -> None:
    latents = measured().latents
    truth = planted().main_latents()
    found = {letter: sorted(mine["latent"]) for letter, mine in latents.groupby("letter")}
    assert {letter: found[letter] for letter in "abcdefghijklnopqrstuvwxy"} == {
        letter: sorted(truth[letter]) for letter in "abcdefghijklnopqrstuvwxy"
    }
    assert latents["valid"].all()
    assert (latents["f1_low"] <= latents["f1"]).all()
    assert latents.loc[latents["letter"] == "g", "rank"].tolist() == [1, 2]


def test_a_folder_and_an_object_give_the_same_tables(tmp_path: Path) -> None:
    planted().sae.sae.save_model(tmp_path / "mine")
    found = absorption.measure(tmp_path / "mine", planted().model.bridge, **arguments())
    assert same_tables(found, measured())
    assert found.facts["sae"] == "mine"
    assert (found.facts["sae_lens_release"], found.facts["sae_lens_id"]) == ("mine", "custom_sae")
    assert found.facts["sae_hash"] == measured().facts["sae_hash"]


def test_a_hugging_face_model_gives_the_same_tables_twice_and_is_given_back_as_it_was() -> None:
    tokenizer = word_tokenizer(planted().words["word"].tolist())
    model = _spelling_model(tokenizer, planted().words, planted().features, 4).train()
    model.lm_head.requires_grad_(False)
    for _ in range(2):
        found = absorption.measure(planted().sae.sae, model, tokenizer=tokenizer, **arguments())
        assert same_tables(found, measured())
    assert model.training
    asked = {name.split(".")[0]: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert asked == {"model": True, "lm_head": False}


def test_an_sae_in_memory_stays_as_it_is() -> None:
    sae = planted().sae.sae
    sae.train()
    absorption.measure(sae, planted().model.bridge, definitions=BY_PROJECTION, **arguments())
    assert sae.training
    sae.eval()


def test_without_definitions_by_ablation_nothing_is_ablated(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an ablation engine was made")

    monkeypatch.setattr(summary, "AblationEngine", refuse)
    found = absorption.measure(
        planted().sae.sae, planted().model.bridge, definitions=BY_PROJECTION, **arguments()
    )
    assert found.rates["definition"].unique().tolist() == list(BY_PROJECTION)
    assert "not asked for" in found.facts["missing"]
    mine = measured().rates[measured().rates["definition"].isin(BY_PROJECTION)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.rates, mine)


def test_behind_the_last_attention_layer_only_projections_are_judged_and_the_facts_say_why() -> None:
    found = absorption.measure(
        planted().sae.sae, planted().model.bridge, hook_name="blocks.1.hook_resid_post", **arguments()
    )
    assert found.facts["hook_name"] == "blocks.1.hook_resid_post"
    assert "behind the last attention layer" in found.facts["missing"]
    asked = [*BY_PROJECTION, FRACTION_UNTHRESHOLDED]
    assert found.rates["definition"].unique().tolist() == asked == found.facts["definitions"][2:]
    assert found.words["definition"].unique().tolist() == asked


def test_a_pair_of_names_is_a_release_and_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(*names: Any, **_: Any) -> Any:
        seen.append(names[:2])
        return planted().sae

    monkeypatch.setattr(inputs, "load_sae", note)
    pair = ("some-release", "layer_3")
    found = absorption.measure(pair, planted().model.bridge, definitions=(FULL_ABSORPTION,), **arguments())
    assert seen == [pair]
    assert (found.facts["sae_lens_release"], found.facts["sae_lens_id"]) == pair


def test_thresholds_of_ones_own_are_used_and_stated() -> None:
    strict = Thresholds(max_candidates=10, min_share=0.8)
    found = absorption.measure(
        planted().sae.sae,
        planted().model.bridge,
        definitions=(FULL_ABSORPTION,),
        thresholds=strict,
        **arguments(),
    )
    words = found.words[found.words["absorbed"]]
    assert set(planted().words.set_index("word").loc[words["word"], "kind"]) == {"full"}
    assert found.facts["thresholds"]["min_share"] == 0.8


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"sae": 3}, TypeError, "sae is a int; allowed: an SAE of SAELens"),
        ({"sae": "no-such-sae"}, ValueError, "sae 'no-such-sae' does not exist .* Nor is it a folder"),
        ({"model": 3}, TypeError, "model is a int; allowed: the embedded model's name"),
        ({"sae": small_sae(d_in=8)}, ValueError, "reads d_in 8, but model 'planted' has d_model 256"),
        ({"sae": small_sae()}, ValueError, "does not say which hook it reads; set hook_name"),
        (
            {"hook_name": "blocks.7.hook_resid_post"},
            ValueError,
            "names layer 7, but the model has layers 0 to 1",
        ),
        ({"hook_name": "blocks.0.mlp.hook_out"}, ValueError, "is not on the residual stream"),
        ({"definitions": ("by eye",)}, ValueError, "definitions has 'by eye'; allowed: 'ablation'"),
        ({"definitions": ()}, ValueError, "definitions is empty"),
        ({"probe": "guess"}, ValueError, "probe is 'guess'; allowed: 'reference'"),
        ({"n_words": -1}, ValueError, "n_words is -1; allowed: 0"),
        ({"words": ["no such word"]}, ValueError, "words has 'no such word', which is not one token"),
        ({"words": [" Aab"]}, ValueError, r"words has too few words of a \(1\), b \(0\)"),
        ({"dtype": "float16"}, ValueError, "dtype is 'float16', but the model has torch.float32"),
        ({"model": "smollm2-135m-instruct", "tokenizer": 1}, ValueError, "brings its own; leave it out"),
        ({"tokenizer": "gpt2"}, TypeError, "tokenizer is a str; allowed: a tokenizer of transformers"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(given: Any, error: Any, says: str) -> None:
    usual = {"sae": planted().sae.sae, "model": planted().model.bridge}
    with pytest.raises(error, match=says) as raised:
        absorption.measure(**{**usual, **given})
    assert "\n" not in str(raised.value)


def test_a_model_in_memory_needs_its_tokenizer() -> None:
    tokenizer = word_tokenizer(planted().words["word"].tolist())
    model = _spelling_model(tokenizer, planted().words, planted().features, 4)
    with pytest.raises(ValueError, match="tokenizer is missing; a Hugging Face model in memory needs one"):
        absorption.measure(planted().sae.sae, model)


def test_a_bridge_whose_weights_are_folded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted().model.bridge, "compatibility_mode", True)
    with pytest.raises(ValueError, match="in compatibility mode, whose weights are folded"):
        absorption.measure(planted().sae.sae, planted().model.bridge)


def test_the_result_prints_its_mean_rates_and_holds_no_tensor() -> None:
    lines = str(measured()).splitlines()
    assert lines[0] == "Absorption of in memory on planted, blocks.0.hook_resid_post"
    assert len(lines) == 2 + len(absorption.DEFINITIONS)
    assert not [value for value in vars(measured()).values() if isinstance(value, torch.Tensor)]
    assert np.isfinite(measured().means["rate"]).all()


def test_words_of_letters_that_are_probed_badly_are_in_no_table() -> None:
    """The published probe does not find the planted letters; under a low limit some pass, and only those count."""
    limit = Thresholds(max_candidates=10, min_probe_f1=0.2)
    found = absorption.measure(
        planted().sae.sae,
        planted().model.bridge,
        definitions=BY_PROJECTION,
        thresholds=limit,
        words=arguments()["words"],
    )
    letters = found.facts["letters_judged"]
    assert 0 < len(letters) < 26
    assert set(found.words["letter"]) <= set(letters)
    assert set(found.rates["letter"]) - {MEAN} == set(found.words["letter"])
    assert set(found.latents.loc[found.latents["judged"], "letter"]) == set(letters)
