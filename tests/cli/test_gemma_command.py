"""README's command for a release of SAELens, word for word, from a hub on this machine to the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import torch
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from tests.planted_model import word_table, word_tokenizer
from tests.saes.hub_stand_in import COMMIT, Hub, serve
from transformers import Gemma2Config, Gemma2ForCausalLM

from absorption.base import repository
from absorption.spelling.prompts import letter_index

D_MODEL, D_SAE, LAYER = 2304, 16384, 8
"""SAELens takes the SAE's shape from the release's name, so both are of true size; the model is otherwise tiny."""
SIZES = {"n_words": "600", "layer_words": "200"}


def readme_command() -> list[str]:
    """The arguments of the README's command on Gemma, without the program's name."""
    text = (repository.root() / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    [line] = re.findall(r"^\.venv/bin/absorption (run .*google/gemma-2-2b.*)$", text, flags=re.MULTILINE)
    return shlex.split(line)


def serve_model(place: Path) -> None:
    """A Gemma 2 of true width whose embedding holds each word's letter, and whose blocks are random."""
    words = word_table()
    tokenizer = word_tokenizer(words["word"].tolist())
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=len(tokenizer), hidden_size=D_MODEL, intermediate_size=8, num_hidden_layers=LAYER + 1,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, bos_token_id=1, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    model = Gemma2ForCausalLM(config).bfloat16()
    rows = torch.tensor(tokenizer.convert_tokens_to_ids(words["word"].tolist()))
    with torch.no_grad():
        model.model.embed_tokens.weight[rows, letter_index(words)] += 8.0
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)


def serve_sae(place: Path) -> None:
    """A latent a letter, the others never on."""
    shapes = {"W_enc": (D_MODEL, D_SAE), "W_dec": (D_SAE, D_MODEL), "b_enc": D_SAE, "b_dec": D_MODEL}
    weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    weights["threshold"] = np.full(D_SAE, 50.0, dtype=np.float32)
    letters = np.arange(26)
    weights["W_enc"][letters, letters] = weights["W_dec"][letters, letters] = 1.0
    place.mkdir(parents=True)
    np.savez_compressed(place / "params.npz", **weights)  # type: ignore[arg-type]


def test_readmes_command_on_gemma_goes_from_the_hub_to_the_page(tmp_path: Path) -> None:
    command = readme_command()
    given = dict(
        command[at + 1 : at + 3] for at, word in enumerate(command) if word == "-p"
    )  # parameter and value
    about = get_pretrained_saes_directory()[given["sae_release"]]
    with serve(Hub(tmp_path / "served")) as hub:
        serve_model(hub.root / given["model"])
        serve_sae(hub.root / about.repo_id / about.saes_map[given["sae_id"]])
        out = tmp_path / command[2]
        command[1:3] = [str(repository.root() / command[1]), str(out)]
        smaller = [word for name, value in SIZES.items() for word in ("-p", name, value)]
        env = os.environ | {
            "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0",
            "ABSORPTION_CACHE": str(tmp_path / "cache"),
        }  # fmt: skip
        found = subprocess.run(
            [sys.executable, "-m", "absorption.cli", *command, *smaller],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr[-2000:]
        assert {"model.safetensors", "params.npz"} <= {name for name, _ in hub.asked}
    page = nbformat.read(out, as_version=4)
    text = "".join(cell.source for cell in page.cells)
    for loaded in (given["model"], f"{given['sae_release']} {given['sae_id']}"):
        # The revision that was loaded is stamped on the page.
        assert re.search(rf"<dd>{re.escape(loaded)}, [^<]*revision {COMMIT}", text), loaded
    assert not [o for cell in page.cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
