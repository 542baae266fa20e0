"""A GGUF becomes a folder that loads as the model it was made of; what is none is refused, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from absorption.cli.main import main
from absorption.models.gguf_folder import convert
from absorption.models.language_model import load_model

TOKENS = ["<eos>", *"abcdefgh", "Ġ", "ab", "abc"]
MERGES = ["a b", "ab c"]
HEADS = 2


@pytest.fixture(scope="module")
def original() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=64,
        tie_word_embeddings=False, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def interleaved(weight: np.ndarray) -> np.ndarray:
    """llama.cpp keeps the two halves of a rotation side by side, Hugging Face one after the other."""
    rows, columns = weight.shape
    return weight.reshape(HEADS, 2, rows // HEADS // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(path: Path, model: LlamaForCausalLM, architecture: str = "llama") -> Path:
    """As llama.cpp's converter writes a Llama, without quantisation."""
    config, w = model.config, {name: value.numpy() for name, value in model.state_dict().items()}
    out = gguf.GGUFWriter(path, architecture)
    out.add_context_length(64)
    out.add_embedding_length(config.hidden_size)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(10000.0)
    out.add_vocab_size(len(TOKENS))
    out.add_tokenizer_model("gpt2")
    out.add_token_list(TOKENS)
    out.add_token_types([3, *[1] * (len(TOKENS) - 1)])
    out.add_token_merges(MERGES)
    out.add_bos_token_id(0)
    out.add_eos_token_id(0)
    tensors = {"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm"}
    parts = {
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    }  # fmt: skip
    for layer in range(config.num_hidden_layers):
        tensors |= {f"blk.{layer}.{ours}": f"model.layers.{layer}.{theirs}" for ours, theirs in parts.items()}
    for ours, theirs in tensors.items():
        value = w[f"{theirs}.weight"]
        value = interleaved(value) if ours.endswith(("attn_q", "attn_k")) else value
        out.add_tensor(f"{ours}.weight", np.ascontiguousarray(value))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


def test_the_folder_loads_as_the_model_that_the_gguf_was_made_of(
    tmp_path: Path, original: LlamaForCausalLM, capsys: pytest.CaptureFixture
) -> None:
    source, out = write_gguf(tmp_path / "model.gguf", original), tmp_path / "folder"
    assert main(["convert", str(source), str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    model = load_model(str(out), "cpu")
    tokens = torch.tensor([[0, 1, 4, 10, 11, 2]])
    torch.testing.assert_close(model.hf(tokens).logits, original(tokens).logits, rtol=1e-4, atol=1e-5)
    assert model.tokenizer("abc", add_special_tokens=False)["input_ids"] == [11]
    assert not list(tmp_path.glob("*.unfinished"))


def test_what_is_no_gguf_or_has_no_place_to_go_is_refused(
    tmp_path: Path, original: LlamaForCausalLM, capsys: pytest.CaptureFixture
) -> None:
    source = write_gguf(tmp_path / "model.gguf", original)
    wrong, strange, cut = tmp_path / "x.gguf", tmp_path / "strange.gguf", tmp_path / "cut.gguf"
    wrong.write_bytes(b"not a model")
    write_gguf(strange, original, "unheard-of")
    cut.write_bytes(source.read_bytes()[:3000])
    (tmp_path / "there").mkdir()
    for given, out, said in [
        (tmp_path / "nothing", "new", "does not exist; allowed: a GGUF file"),
        (tmp_path, "new", "is a folder; allowed: a GGUF file"),
        (wrong, "new", "is not a GGUF file"),
        (strange, "new", "unheard-of"),
        (cut, "new", "could not be read"),
        (source, "there", "exists; name a folder that does not"),
    ]:
        assert main(["convert", str(given), str(tmp_path / out)]) == 2
        text = capsys.readouterr().err
        assert said in text
        assert len(text.strip().splitlines()) <= 2
    assert not (tmp_path / "new").exists()
    assert not list((tmp_path / "there").iterdir())
    with pytest.raises(ValueError, match="is not a GGUF file"):
        convert(wrong, tmp_path / "new")
