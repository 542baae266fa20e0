"""Every stage that is kept on disk: what changes its result changes its key."""

from __future__ import annotations

import ast
import copy
import importlib.metadata
from dataclasses import replace
from functools import cache as memoised
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.ablation.architectures import CONFIGS, tiny_model
from tests.ablation.conftest import WORDS, Tiny, make_tiny
from tests.latents import hand_made
from tests.planted_model import word_table, word_tokenizer
from tokenizers import normalizers
from transformers import AutoModelForCausalLM, PreTrainedModel

import absorption
from absorption.ablation.effects import all_effects, stored_effects
from absorption.ablation.engine import AblationEngine
from absorption.base import cache
from absorption.latents.select import select_latents
from absorption.models.configuration import configuration
from absorption.models.language_model import LanguageModel, wrap_model
from absorption.probes.l1 import fit_sparse_probe
from absorption.runner import stamp
from absorption.spelling.activations import depth_activations
from absorption.spelling.answers import answer_words
from absorption.training import harvest

MAKES_KEYS = {"key_of", "cached_tensors", "has_tensors"}
HOOK = "blocks.1.hook_resid_post"
TOKENS = torch.arange(40, 64).reshape(2, 12)
pytestmark = pytest.mark.usefixtures("own_cache")


def calls(source: str) -> set[str]:
    """Names of the functions of ``cache`` that a module calls."""
    nodes = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cache"
    }


def test_no_module_that_makes_keys_goes_by_weights_alone() -> None:
    paths = Path(absorption.__file__).parent.rglob("*.py")
    making = {path.name: text for path in paths if calls(text := path.read_text()) & MAKES_KEYS}
    assert {"activations.py", "effects.py", "select.py", "sparse.py", "harvest.py"} < set(making)
    assert not [name for name, text in making.items() if "weights_hash" in text]


@pytest.mark.parametrize("package", cache.PACKAGES)
def test_another_version_of_a_package_that_computes_is_another_key(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, installed = cache.key_of({"a": 1}), importlib.metadata.version
    assert cache.key_of({"a": 1}) == before
    cache.versions.cache_clear()
    assert cache.key_of({"a": 1}) == before
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.0" if name == package else installed(name)
    )
    cache.versions.cache_clear()
    try:
        assert cache.key_of({"a": 1}) != before
    finally:
        cache.versions.cache_clear()


def test_every_package_that_is_in_the_keys_is_stated_on_the_page() -> None:
    assert set(cache.PACKAGES) <= set(stamp.PACKAGES)


def rebuilt(architecture: str, **changes: Any) -> PreTrainedModel | None:
    """A tiny model with the weights that all of its architecture have and other fields; None if they do not fit."""
    config = copy.deepcopy(plain(architecture).config)
    try:
        for name, value in changes.items():
            setattr(config, name, value)
        made = AutoModelForCausalLM.from_config(config, attn_implementation="eager").double().eval()
        made.load_state_dict(plain(architecture).state_dict())
    except Exception:  # the library refuses a wrong field in any way
        return None
    return made.requires_grad_(False)


@memoised
def plain(architecture: str) -> PreTrainedModel:
    return tiny_model(architecture)[1]


def other_value(value: Any) -> Any:
    """Another value of the same type; None if there is none to be thought of."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1 if value % 2 else value // 2 + 1
    if isinstance(value, float):
        return value * 2 + 0.1
    if isinstance(value, str):
        return {"silu": "relu", "gelu": "relu", "gelu_new": "relu", "gelu_pytorch_tanh": "relu"}.get(value)
    if isinstance(value, list):
        return value[::-1] if value != value[::-1] else None
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: other_value(part) if isinstance(part, float) else part for name, part in value.items()}
    return None


DECISIVE = {
    "llama": {"hidden_act", "rms_norm_eps", "rope_parameters"},
    "gemma2": {"attn_logit_softcapping", "final_logit_softcapping", "layer_types", "sliding_window"},
    "gemma3": {"layer_types", "query_pre_attn_scalar", "sliding_window"},
    "gpt2": {"activation_function", "layer_norm_epsilon", "scale_attn_weights"},
    "pythia": {"layer_norm_eps", "use_parallel_residual"},
}
"""Some fields that must be found to change the answers, or nothing is tested."""


@pytest.mark.parametrize("architecture", CONFIGS)
def test_a_field_of_a_model_that_changes_an_answer_changes_its_configuration(architecture: str) -> None:
    first = plain(architecture)
    logits, known = first(TOKENS, use_cache=False).logits, cache.json_hash(configuration(first))
    found = set()
    for name, value in first.config.to_dict().items():
        other = None if (new := other_value(value)) is None else rebuilt(architecture, **{name: new})
        if other is None:
            continue
        try:
            changed = not torch.equal(other(TOKENS, use_cache=False).logits, logits)
        except Exception:  # it takes the field and cannot compute with it
            continue
        if changed:
            found.add(name)
            assert cache.json_hash(configuration(other)) != known, name
    assert found >= DECISIVE[architecture]


def test_where_a_model_comes_from_does_not_count() -> None:
    first = plain("llama")
    moved = rebuilt("llama", _name_or_path="elsewhere", architectures=["Other"], transformers_version="1.0")
    assert moved is not None
    assert configuration(moved) == configuration(first)


def other_model(tiny: Tiny) -> LanguageModel:
    """The same weights with another epsilon in the norms."""
    made = rebuilt("llama", rms_norm_eps=0.5)
    assert made is not None
    made.config.architectures = [type(made).__name__]
    tokenizer = word_tokenizer(word_table()["word"].tolist())
    model = wrap_model(made, tokenizer, name="other epsilon")
    assert model.weights_hash == tiny.model.weights_hash
    return model


@pytest.fixture
def tiny() -> Tiny:
    return make_tiny("llama", HOOK)


def test_activations_and_answers_of_a_model_of_the_same_weights_are_its_own(
    tiny: Tiny, tmp_path: Path
) -> None:
    words = tiny_words(tiny)
    first = depth_activations(tiny.model, tiny.prompts, [2])[2], answer_words(tiny.model, words)["metric"]
    other = other_model(tiny)
    found = depth_activations(other, tiny.prompts, [2])[2], answer_words(other, words)["metric"]
    assert not torch.allclose(found[0], first[0])
    assert not (found[1] == first[1]).all()


def tiny_words(tiny: Tiny) -> Any:
    words = word_table()
    words["token_id"] = tiny.model.tokenizer.convert_tokens_to_ids(words["word"].tolist())
    return words


def test_effects_are_those_of_the_latents_the_answers_and_the_model_that_were_given(tiny: Tiny) -> None:
    stored_effects(tiny.engine, tiny.csr, WORDS, progress=False)
    prompts = tiny.prompts
    half = (tiny.csr.to_dense() * (torch.arange(tiny.csr.shape[1]) % 2)).to_sparse_csr()
    others = {
        "latents": (tiny.engine, half),
        "answers": (engine(tiny, prompts=replace(prompts, answer_ids=prompts.answer_ids.flip(0))), tiny.csr),
        "letters": (engine(tiny, prompts=replace(prompts, letters=25 - prompts.letters)), tiny.csr),
        "model": (engine(tiny, model=other_model(tiny)), tiny.csr),
    }
    for name, (used, csr) in others.items():
        kept = stored_effects(used, csr, WORDS, progress=False)
        expected = all_effects(used, csr, WORDS, progress=False).sort_values(["word", "latent"])
        assert kept["effect"].tolist() == pytest.approx(expected["effect"].tolist(), abs=1e-9), name


def engine(tiny: Tiny, model: LanguageModel | None = None, prompts: Any = None) -> AblationEngine:
    return AblationEngine(model or tiny.model, tiny.sae, prompts or tiny.prompts, batch=16)


def test_the_latents_of_a_letter_are_chosen_from_the_activations_that_were_given() -> None:
    sae, here = hand_made.sae(), hand_made.probed()
    first = select_latents(sae, here, hand_made.encoded())
    assert first["best F1"][0] == hand_made.MAIN_A
    dense = hand_made.encoded().csr.to_dense()
    dense[:, [hand_made.MAIN_A, hand_made.KEEPER]] = dense[:, [hand_made.KEEPER, hand_made.MAIN_A]]
    swapped = select_latents(sae, here, hand_made.sparse(dense))
    assert swapped["best F1"][0] == swapped["k=1 probing"][0] == hand_made.KEEPER


def test_a_sparse_probe_has_a_weight_for_every_latent_also_for_those_never_on() -> None:
    dense = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
    labels = dense[:, :2] > 0.5
    widths = [
        fit_sparse_probe(torch.nn.functional.pad(dense, (0, more)).to_sparse_csr(), labels).weights.shape[1]
        for more in (0, 3)
    ]
    assert widths == [6, 9]


def test_training_rows_are_kept_by_the_windows_that_their_median_is_taken_of(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embeddings of the first windows' tokens are small: by their median alone all other rows are outliers."""
    streams = LanguageModel.residual_streams

    def growing(self: LanguageModel, tokens: torch.Tensor, depths: list[int]) -> dict[int, torch.Tensor]:
        sizes = torch.where(tokens[:, 1] < 100, 1, 100)[:, None, None]
        return {depth: acts * sizes for depth, acts in streams(self, tokens, depths).items()}

    monkeypatch.setattr(LanguageModel, "residual_streams", growing)
    windows = torch.arange(40, 40 + 8 * 12).reshape(8, 12)
    windows[2:] += 100
    kept = [
        len(harvest.store_activations(tiny.model, HOOK, windows, windows_key="w", batch_windows=n).rows)
        for n in (2, 8)
    ]
    assert kept == [2 * 11, 8 * 11]


def test_a_tokenizer_with_the_same_words_that_reads_text_otherwise_has_another_hash(tiny: Tiny) -> None:
    words = tiny_words(tiny)["word"].tolist()
    same, other = word_tokenizer(words), word_tokenizer(words)
    other.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert other(" Aab")["input_ids"] != same(" Aab")["input_ids"]
    models = [replace(tiny.model, tokenizer=tokenizer) for tokenizer in (same, other)]
    same.pad_token = other.pad_token = "<bos>"
    same(["a"] * 2, padding="max_length", truncation=True, max_length=4)
    assert models[0].tokenizer_hash == tiny.model.tokenizer_hash
    assert models[1].tokenizer_hash != tiny.model.tokenizer_hash
