"""A hand-made language model and SAE in which every word's absorption is known by construction.

The model is a Llama with two blocks whose weights are set by hand. A word's residual stream is the sum of
its letter's feature, features of its own and a large constant; block 0 does nothing, block 1 attends evenly
to all positions and copies the letter features to the answer. So removing a letter feature of size 1 from
the word's token lowers the metric by ``GAIN``, and nothing else moves it. The SAE at block 0 is set by hand
too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from absorption.ablation.engine import AblationEngine
from absorption.definitions.evidence import Evidence
from absorption.models.hooks import resolve_site
from absorption.models.language_model import LanguageModel, wrap_model
from absorption.saes.loaded import LoadedSae
from absorption.spelling.prompts import SpellingPrompts, letter_index, make_prompts
from absorption.spelling.vocab import LETTERS

GAIN = 5.0
"""Metric lost when a letter feature of size 1 is removed from the word's token."""
D_MODEL = 256
ENDINGS = [a + b for a in "aeiou" for b in "bdkmnprt"]
"""Forty words a letter; the first half is capitalised."""
N_CHILDREN = 4
"""Words of each letter with a feature of their own, ten apart in the list."""
KINDS = {
    **dict.fromkeys("abcdef", "none"),
    **dict.fromkeys("ghijkl", "split"),
    **dict.fromkeys("mnopqrs", "full"),
    **dict.fromkeys("tuvwx", "partial"),
    **dict.fromkeys("yz", "two"),
}
"""What the SAE does with a letter's child words. ``none``: main latent and child latent both fire;
``split``: as none, but one main latent for capitals and one for small letters; ``full``: the child latent
carries the letter and the main latent is off; ``partial``: the main latent carries .4 of the letter and the
child latent .6; ``two``: two child latents carry half of the letter each and the main latent is off."""
LETTER, ANSWER, CASE, CHILD, CONSTANT = 0, 26, 52, 54, 54 + 26 * N_CHILDREN
"""First dimension of each group of features."""
NOISE = CONSTANT + 1
N_NOISE = 30
SIZE = 100.0
"""The constant; it keeps the norms' scale the same whatever is removed, to one part in a thousand."""


def word_tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer with one token a word, the spelling template's tokens and the 26 answers."""
    pieces = ["<unk>", "<bos>", "a", "\n", ":", " has", " the", " first", " letter"]
    pieces += [f" {letter.upper()}" for letter in LETTERS] + words
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|\n|:"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    # Without a BOS token: the bridge would look for a tokenizer with one on the hub.
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<bos>", unk_token="<unk>")


def word_table() -> pd.DataFrame:
    """Forty words a letter, without token ids: ``word, letter, n_letters, upper, kind, child``."""
    rows = []
    for letter in LETTERS:
        for number, ending in enumerate(ENDINGS):
            upper = number < len(ENDINGS) // 2
            child = number // 10 if number % 10 == 0 else -1
            first = letter.upper() if upper else letter
            rows.append((f" {first}{ending}", letter, 3, upper, KINDS[letter], child))
    return pd.DataFrame(rows, columns=["word", "letter", "n_letters", "upper", "kind", "child"])


@dataclass(frozen=True)
class Planted:
    """The model, the SAE, the prompts, and what is true of each word."""

    model: LanguageModel
    sae: LoadedSae
    prompts: SpellingPrompts
    words: pd.DataFrame
    """``kind`` is the letter's, ``child`` the number of the word's own feature or -1."""
    features: torch.Tensor
    """Residual stream of each word's token, ``word d_model``."""
    latents: pd.DataFrame
    """One row a latent: ``role`` (main, upper, lower, child, twin, case, noise), ``letter``, ``child``."""

    @property
    def csr(self) -> torch.Tensor:
        """Latent activations of every word."""
        return self.sae.encode(self.features).to_sparse_csr()

    @property
    def directions(self) -> torch.Tensor:
        """The letters' features, as a perfect probe would find them."""
        return torch.eye(D_MODEL)[LETTER : LETTER + 26]

    def main_latents(self) -> dict[str, list[int]]:
        """The true main latents of each letter."""
        main = self.latents[self.latents["role"].isin(["main", "upper", "lower"])]
        return {letter: main.index[main["letter"] == letter].tolist() for letter in LETTERS}

    def latent(self, role: str, letter: str, child: int = -1) -> int:
        """The number of one planted latent."""
        table = self.latents
        found = table[(table["role"] == role) & (table["letter"] == letter) & (table["child"] == child)]
        return int(found.index[0])


def plant(seed: int = 0) -> Planted:
    """Make the planted model and SAE; the seed draws each word's noise features and the examples."""
    words = word_table()
    tokenizer = word_tokenizer(words["word"].tolist())
    words["token_id"] = tokenizer.convert_tokens_to_ids(words["word"].tolist())
    features = _features(words, seed)
    model = wrap_model(_spelling_model(tokenizer, words, features, 4), tokenizer, name="planted")
    prompts = make_prompts(model, words, n_examples=4, n_sets=2, seed=seed)
    sae, latents = _planted_sae()
    site = resolve_site("blocks.0.hook_resid_post", 2)
    return Planted(model, LoadedSae("planted", sae, site), prompts, words, features, latents)


def _features(words: pd.DataFrame, seed: int) -> torch.Tensor:
    """Letter, case, own feature, noise features with chance 1/5, and the constant."""
    noise = np.random.default_rng(seed).random((len(words), N_NOISE)) < 0.2
    rows, letters = torch.arange(len(words)), letter_index(words)
    features = torch.zeros(len(words), D_MODEL)
    features[rows, LETTER + letters] = 1.0
    features[rows, CASE + torch.tensor((~words["upper"]).to_numpy(dtype=np.int64))] = 1.0
    child = torch.tensor(words["child"].to_numpy())
    own = child >= 0
    features[rows[own], CHILD + letters[own] * N_CHILDREN + child[own]] = 1.0
    features[:, NOISE : NOISE + N_NOISE] = torch.from_numpy(noise).float()
    features[:, CONSTANT] = SIZE
    return features


def _spelling_model(
    tokenizer: PreTrainedTokenizerFast, words: pd.DataFrame, features: torch.Tensor, n_examples: int
) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=D_MODEL, intermediate_size=8, num_hidden_layers=2,
        num_attention_heads=1, num_key_value_heads=1, head_dim=32, tie_word_embeddings=False,
        bos_token_id=1, eos_token_id=1, rms_norm_eps=1e-6,
    )  # fmt: skip
    config.architectures = ["LlamaForCausalLM"]
    model = LlamaForCausalLM(config).eval()
    scale = SIZE / D_MODEL**0.5  # what both norms divide by, very nearly
    length = (
        1 + n_examples * 8 + 6
    )  # BOS; examples of word, template (5), answer and line break; word, template
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.zero_() if "norm" not in name else weight.fill_(1.0)
        model.model.embed_tokens.weight[:, CONSTANT] = SIZE
        model.model.embed_tokens.weight[words["token_id"].to_numpy()] = features
        attention: Any = model.model.layers[1].self_attn
        attention.v_proj.weight[range(26), range(LETTER, LETTER + 26)] = 1.0
        attention.o_proj.weight[range(ANSWER, ANSWER + 26), range(26)] = scale * length
        answers = tokenizer.convert_tokens_to_ids([f" {letter.upper()}" for letter in LETTERS])
        model.lm_head.weight[answers, range(ANSWER, ANSWER + 26)] = GAIN * scale
    return model


def _planted_sae() -> tuple[StandardSAE, pd.DataFrame]:
    """One ReLU latent a row of the table: ``(role, letter, child), encoder, bias, decoder``."""
    eye = torch.eye(D_MODEL)
    rows: list[tuple[tuple[str, str, int], torch.Tensor, float, torch.Tensor]] = []
    for number, (letter, kind) in enumerate(KINDS.items()):
        mine = eye[LETTER + number]
        start = CHILD + number * N_CHILDREN
        children = [eye[i] for i in range(start, start + N_CHILDREN)]
        silenced = {"full": 2.0, "two": 2.0, "partial": 0.6}.get(kind, 0.0)
        carried = {"full": 1.0, "two": 0.5, "partial": 0.6}.get(kind, 0.0)
        encoder = mine - silenced * torch.stack(children).sum(0)
        if kind == "split":
            rows.append((("upper", letter, -1), 2 * (encoder + eye[CASE]), -3.0, mine))
            rows.append((("lower", letter, -1), 2 * (encoder + eye[CASE + 1]), -3.0, mine))
        else:
            rows.append((("main", letter, -1), encoder, 0.0, mine))
        for child, own in enumerate(children):
            half = 0.5 if kind == "two" else 1.0
            rows.append((("child", letter, child), own, 0.0, half * own + carried * mine))
            if kind == "two":
                rows.append((("twin", letter, child), own, 0.0, half * own + carried * mine))
    rows += [(("case", "", i), eye[CASE + i], 0.0, eye[CASE + i]) for i in range(2)]
    rows += [(("noise", "", i), eye[NOISE + i], 0.0, eye[NOISE + i]) for i in range(N_NOISE)]
    return _sae_of(rows, constant=SIZE * eye[CONSTANT])


def _sae_of(rows: list, constant: torch.Tensor) -> tuple[StandardSAE, pd.DataFrame]:
    names, encoders, biases, decoders_ = zip(*rows, strict=True)
    metadata = SAEMetadata(hook_name="blocks.0.hook_resid_post")
    sae = StandardSAE(StandardSAEConfig(d_in=D_MODEL, d_sae=len(rows), dtype="float32", metadata=metadata))
    with torch.no_grad():
        sae.W_enc.copy_(torch.stack(encoders).T)
        sae.b_enc.copy_(torch.tensor(biases))
        sae.W_dec.copy_(torch.stack(decoders_))
        sae.b_dec.copy_(constant)
    return sae.requires_grad_(False), pd.DataFrame(list(names), columns=["role", "letter", "child"])


@cache
def planted() -> Planted:
    """The planted model and SAE, made once."""
    return plant()


@cache
def planted_engine() -> AblationEngine:
    """The ablation engine on it, made once."""
    return AblationEngine(planted().model, planted().sae, planted().prompts)


@cache
def planted_evidence() -> Evidence:
    """Every planted word, as if the probe got all of them right, with the true main latents."""
    truth = planted()
    return Evidence(
        csr=truth.csr,
        letters=letter_index(truth.words),
        words=torch.arange(len(truth.words)),
        train=torch.arange(len(truth.words)),
        acts=truth.features,
        directions=truth.directions,
        decoder=truth.sae.W_dec,
        main=truth.main_latents(),
    )
