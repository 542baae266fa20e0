"""Model folders of five architectures, each with a tokenizer of its kind, through a chapter's stages to its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.saes import folders, plain
from tests.saes.models import TOKENIZERS, make_tokenizer, save_model

from absorption import definitions, latents
from absorption.ablation.engine import AblationEngine
from absorption.chapters.recall_gap.scored import mean_table, score_saes
from absorption.models.language_model import LanguageModel, load_model
from absorption.probes.words import ProbedWords, probe_words
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL
from absorption.spelling.activations import word_activations
from absorption.spelling.prompts import SpellingPrompts, letter_index, make_prompts
from absorption.spelling.vocab import LETTERS, load_vocab

ARCHITECTURES = sorted(TOKENIZERS)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(request.param, tmp_path_factory.mktemp("models") / request.param)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(folder: Path) -> LanguageModel:
    return load_model(str(folder), "cpu")


def sae_for(tmp_path: Path, model: LanguageModel, hook: str) -> LoadedSae:
    w = plain.weights()
    return load_sae(LOCAL, "", model, path=str(folders.saelens(tmp_path / "sae", "jumprelu", w, hook)))


@pytest.mark.parametrize("kind", sorted(set(TOKENIZERS.values())))
def test_the_tokenizers_have_the_quirks_that_they_stand_for(kind: str) -> None:
    tokenizer = make_tokenizer(kind)
    template = tokenizer(" has the first letter:", add_special_tokens=False)["input_ids"]
    pieces = {"sentencepiece": 5, "byte-level": 5, "splits the template": 6}
    assert len(template) == pieces[kind]
    word = int(tokenizer.get_vocab()[("▁" if kind == "sentencepiece" else "Ġ") + "Bat"])
    first_alone = "Bat" if kind == "sentencepiece" else " Bat"
    assert tokenizer.decode([word]) == first_alone


def test_words_are_found_with_their_leading_space(model: LanguageModel) -> None:
    words = load_vocab(model.tokenizer, min_letters=3)
    planted = words[words["leading_space"]]
    assert planted["word"].str.match(r"^ [A-Za-z]{3,6}$").all()
    assert set(planted["letter"]) == set(LETTERS)
    assert {" Bab", " bot"} <= set(planted["word"])


def test_prompts_read_as_the_template_and_stand_in_one_row(model: LanguageModel) -> None:
    words = load_vocab(model.tokenizer, leading_space_only=True, min_letters=3)
    prompts = make_prompts(model, words, n_examples=3, n_sets=2, seed=0)
    tokens = prompts.tokens(torch.tensor([5]))[0]
    text = str(model.tokenizer.decode(tokens[1:].tolist()))
    word, letter = words["word"].iloc[5], words["letter"].iloc[5].upper()
    assert text.endswith(f"{word} has the first letter:")
    assert text.count(" has the first letter:") == 4
    assert tokens[0] == model.bos_token_id
    assert int((tokens == model.bos_token_id).sum()) == 1
    assert tokens[prompts.word_position] == words["token_id"].iloc[5]
    answer = [int(tokens[1]), int(prompts.answer_ids[LETTERS.index(letter.lower())])]
    assert str(model.tokenizer.decode(answer)).endswith(f" {letter}")


@pytest.mark.parametrize("hook", ["blocks.2.hook_resid_pre", "blocks.1.hook_resid_post"])
def test_latents_in_the_prompt_are_those_of_a_whole_pass_by_hand(
    tmp_path: Path, model: LanguageModel, hook: str
) -> None:
    """Both names are one place: what block 1 has written and block 2 reads."""
    words = (
        load_vocab(model.tokenizer, leading_space_only=True, min_letters=3).iloc[::40].reset_index(drop=True)
    )
    prompts = make_prompts(model, words, n_examples=2, n_sets=2, seed=0)
    sae = sae_for(tmp_path, model, hook)
    acts = word_activations(model, prompts, [sae.hook_name])[sae.hook_name]
    whole = model.hf(prompts.tokens(torch.arange(len(words))), output_hidden_states=True).hidden_states[2]
    at_word = whole[:, prompts.word_position]
    torch.testing.assert_close(acts, at_word, rtol=1e-4, atol=1e-4)
    by_hand = plain.jumprelu(at_word, plain.weights())
    torch.testing.assert_close(sae.encode(acts), by_hand, rtol=1e-3, atol=1e-3)


def probed_words(model: LanguageModel, sae: LoadedSae) -> ProbedWords:
    words = load_vocab(model.tokenizer, leading_space_only=True, min_letters=3)
    prompts = make_prompts(model, words, n_examples=2, n_sets=2, seed=0)
    return probe_words(words, word_activations(model, prompts, [sae.hook_name])[sae.hook_name], seed=0)


def test_the_recall_gap_comes_out_with_recall_as_counted_by_hand(
    tmp_path: Path, model: LanguageModel
) -> None:
    sae = sae_for(tmp_path, model, "blocks.1.hook_resid_post")
    probed = probed_words(model, sae)
    scored = score_saes([sae], probed)
    table = mean_table(scored, latents.probe_samples(probed))
    assert set(table["selection"]) == {"LR probe", *latents.SINGLE_LATENT_SELECTIONS}
    assert table[["precision", "recall", "f1"]].notna().all(axis=None)
    rows = scored[0].scores.query("selection == 'best F1' and letter == 'b' and metric == 'recall'")
    mine = np.intersect1d(probed.test, np.flatnonzero(probed.words["letter"] == "b"))
    on = sae.encode(probed.acts[mine])[:, int(rows["latent"].iloc[0])] > latents.ACTIVE
    assert float(rows["value"].iloc[0]) == pytest.approx(float(on.float().mean()))
    missed = latents.missed_words(sae, probed, latents.encode_words(sae, probed.acts))
    assert set(missed["word"]) <= set(probed.words["word"].iloc[probed.test])


def test_a_bfloat16_model_gives_float32_tables(folder: Path, tmp_path: Path) -> None:
    model = load_model(str(folder), "cpu", "bfloat16")
    assert model.dtype == torch.bfloat16
    sae = sae_for(tmp_path, model, "blocks.1.hook_resid_post")
    words = (
        load_vocab(model.tokenizer, leading_space_only=True, min_letters=3).iloc[::40].reset_index(drop=True)
    )
    prompts = make_prompts(model, words, n_examples=2, n_sets=2, seed=0)
    acts = word_activations(model, prompts, [sae.hook_name])[sae.hook_name]
    assert acts.dtype == torch.float32
    torch.testing.assert_close(sae.encode(acts), plain.jumprelu(acts, plain.weights()), rtol=1e-4, atol=1e-4)


def test_absorption_is_judged_by_every_definition_and_effects_are_those_of_whole_passes(
    tmp_path: Path, model: LanguageModel
) -> None:
    """The model does not spell, so the scale of the relative lead is given; effects and verdicts are real."""
    sae = sae_for(tmp_path, model, "blocks.1.hook_resid_post")
    words = load_vocab(model.tokenizer, leading_space_only=True, min_letters=3)
    prompts = make_prompts(model, words, n_examples=2, n_sets=2, seed=0)
    acts = word_activations(model, prompts, [sae.hook_name])[sae.hook_name]
    probed = probe_words(words, acts, seed=0)
    csr = latents.encode_words(sae, acts).csr
    letters = letter_index(words)
    right = definitions.probed_right(probed.probes.predict(acts), letters, torch.from_numpy(probed.test))
    main = {letter: [number] for number, letter in enumerate(LETTERS)}
    directions = probed.probes.directions
    train = torch.from_numpy(probed.train)
    evidence = definitions.Evidence(csr, letters, right[:12], train, acts, directions, sae.W_dec, main)
    engine = AblationEngine(model, sae, prompts)
    table = definitions.apply_definitions(
        engine, evidence, definitions.Thresholds(max_candidates=2), mean_metric=6.0
    )
    assert set(table["definition"]) == set(definitions.DEFINITIONS)
    candidates = table[(table["definition"] == definitions.ABLATION) & table["judged"]]
    assert len(candidates) > 0
    word, latent = int(candidates["word"].iloc[0]), int(candidates["latent"].iloc[0])
    by_hand = answer_without(model, sae, prompts, word, latent) - answer_without(
        model, sae, prompts, word, None
    )
    assert float(candidates["strength"].iloc[0]) == pytest.approx(by_hand, rel=0.02, abs=1e-3)


def answer_without(
    model: LanguageModel, sae: LoadedSae, prompts: SpellingPrompts, word: int, latent: int | None
) -> float:
    """The metric after one latent's contribution is taken off the word's token, in one pass of the whole model."""

    def take_off(_module: object, _args: object, output: object) -> object:
        acts = output[0] if isinstance(output, tuple) else output
        assert isinstance(acts, torch.Tensor)
        at = acts[0, prompts.word_position]
        if latent is not None:
            at = at - float(sae.encode(at[None])[0, latent]) * sae.W_dec[latent]
        changed = acts.clone()
        changed[0, prompts.word_position] = at
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = model.blocks[sae.site.depth - 1].register_forward_hook(take_off)
    try:
        logits = model.hf(prompts.tokens(torch.tensor([word]))).logits[0, -1, prompts.answer_ids]
    finally:
        handle.remove()
    letter = int(prompts.letters[word])
    return float(logits[letter] - (logits.sum() - logits[letter]) / 25)
