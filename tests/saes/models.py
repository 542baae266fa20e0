"""Tiny models with random weights saved as Hugging Face folders, with the quirks of real tokenizers."""

from __future__ import annotations

from pathlib import Path

import torch
from tests.ablation.architectures import CONFIGS
from tests.planted_model import word_table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from absorption.spelling.vocab import LETTERS

TEMPLATE = ["has", "the", "first", "letter"]
TOKENIZERS = {
    "llama": "sentencepiece",
    "gemma2": "sentencepiece",
    "gemma3": "sentencepiece",
    "gpt2": "byte-level",
    "pythia": "splits the template",
}
"""The tokenizer that each architecture is tested with, as its real models have it."""
MARK = {"sentencepiece": "▁", "byte-level": "Ġ", "splits the template": "Ġ"}
"""How a leading space is written inside a token."""


def save_model(architecture: str, folder: Path, *, seed: int = 0) -> Path:
    """A folder as ``save_pretrained`` writes it, model and tokenizer."""
    tokenizer = make_tokenizer(TOKENIZERS[architecture])
    config = type(CONFIGS[architecture]).from_dict(CONFIGS[architecture].to_dict())
    config.vocab_size = len(tokenizer)
    config.bos_token_id = config.eos_token_id = tokenizer.convert_tokens_to_ids("<eos>")
    config.pad_token_id = tokenizer.convert_tokens_to_ids("<pad>")
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """A byte-pair tokenizer whose merges make one token of each word.

    ``sentencepiece``: a marker for the space, which decoding takes off the first piece, and BOS in front of
    every text. ``byte-level``: GPT-2's bytes as letters, no BOS. ``splits the template``: the same, but
    `` letter`` is two tokens, so that the template is longer than its words.
    """
    mark = MARK[kind]
    words = [word.replace(" ", mark) for word in word_table()["word"]]
    template = [
        mark + piece for piece in TEMPLATE if not (kind == "splits the template" and piece == "letter")
    ]
    if kind == "splits the template":
        template += [mark + "let", "ter"]
    answers = [mark + letter.upper() for letter in LETTERS]
    newline = "\n" if kind == "sentencepiece" else "Ċ"
    alphabet = sorted({*"".join([*words, *template, *answers]), *"abcdefghijklmnopqrstuvwxyz", newline, ":"})
    wanted = [*words, *template, *answers]
    merges, pieces = _merges(wanted)
    specials = ["<pad>", "<eos>", "<bos>"] if kind == "sentencepiece" else ["<pad>", "<eos>"]
    vocabulary = {
        piece: number for number, piece in enumerate(dict.fromkeys([*specials, *alphabet, *pieces]))
    }
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    if kind == "sentencepiece":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement=mark, prepend_scheme="first", split=True
        )
        tokenizer.decoder = decoders.Metaspace(replacement=mark, prepend_scheme="first")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    bos = {"bos_token": "<bos>"} if kind == "sentencepiece" else {}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", **bos)


def _merges(wanted: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Merges that build each wanted token letter by letter from the left, and all tokens made on the way."""
    merges: dict[tuple[str, str], None] = {}
    pieces: dict[str, None] = {}
    for token in wanted:
        for end in range(1, len(token)):
            merges[token[:end], token[end]] = None
            pieces[token[: end + 1]] = None
    return list(merges), list(pieces)
