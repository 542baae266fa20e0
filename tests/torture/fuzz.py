"""Seeded changes to the files of SAEs and to presets: each is read as it is, or refused in two lines."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.ablation.architectures import tiny_model
from tests.saes import folders, plain
from tests.torture.kills import Tally

from absorption.models.language_model import LanguageModel
from absorption.runner import parameters
from absorption.saes import headers
from absorption.saes.loader import load_sae

HOOK = "blocks.1.hook_resid_post"
PRESET = b"about: {title: a preset, batch: 64}\nn_words: 100\nratio: 0.5\nname: 'a'\nlayers: [1, 2]\n"
DEFAULTS = {"n_words": 5, "ratio": 0.1, "name": "a", "layers": [1], "flag": False}
PIECES = (
    b"[" * 400,
    b"{",
    b"*a",
    b"&a ",
    b"!!python/name:os.system ",
    b"\0",
    b"\xff",
    b"-1",
    b"1e999",
    b"9" * 5000,
)


def mutated(whole: bytes, choose: random.Random) -> bytes:
    """A few bytes changed, put in, taken out, or cut off."""
    data = bytearray(whole)
    for _ in range(choose.choice((1, 1, 1, 2, 8))):
        place = choose.randrange(len(data) + 1)
        match choose.randrange(5):
            case 0:
                data[place : place + 1] = bytes([choose.randrange(256)])
            case 1:
                del data[place : place + choose.choice((1, 4, 100))]
            case 2:
                data[place:place] = choose.choice(PIECES)
            case 3:
                del data[place:]
            case _:
                other = choose.randrange(len(data) + 1)
                data[place : place + 8] = data[other : other + 8]
    return bytes(data)


def saes(number: int, seed: int, below: Path, model: LanguageModel | None = None) -> Tally:
    """So many changed folders of the four formats, read by header and whole."""
    model = model or tiny_model("llama")[0]
    choose, tally = random.Random(seed), Tally()
    for folder, name in _changed(number, choose, below):
        for reader in (headers.read_header, lambda place: load_sae("local", "", model, path=str(place))):
            tally.add(
                read(
                    lambda reader=reader, folder=folder: reader(folder),
                    f"{folder.name}/{name} of seed {seed}",
                )
            )
    return tally


def _changed(number: int, choose: random.Random, below: Path) -> Iterator[tuple[Path, str]]:
    w, origin = plain.weights(), below / "layer_1"
    made = [
        folders.saelens(origin / "saelens", "topk", w, HOOK),
        folders.gemma_scope(origin / "gemma", w),
        folders.gemma_scope_2(origin / "gemma-2", w, 1),
        folders.dictionary_learning(origin / "dictionary", "AutoEncoderTopK", w, 1),
    ]
    for _ in range(number):
        source = choose.choice(made)
        copy = origin / "changed" / source.name
        shutil.copytree(source, copy)
        file = choose.choice(sorted(copy.iterdir()))
        file.write_bytes(mutated(file.read_bytes(), choose))
        yield copy, file.name
        shutil.rmtree(copy)


def presets(number: int, seed: int, below: Path) -> Tally:
    """So many changed presets and values of the command line."""
    choose, tally = random.Random(seed), Tally()
    path = below / "preset.yaml"
    for _ in range(number):
        text = mutated(PRESET, choose)
        path.write_bytes(text)
        tally.add(read(lambda: parameters.resolve(DEFAULTS, presets=[path]), f"preset {text!r}"))
        value = text.decode(errors="replace")
        pair = (choose.choice(sorted(DEFAULTS)), value[choose.randrange(len(value) + 1) :])
        tally.add(read(lambda pair=pair: parameters.resolve(DEFAULTS, [pair]), f"value {pair!r}"))
    return tally


def read(action: Callable[[], object], what: str) -> list[str]:
    """What is wrong with how a reader took something: another error than a short refusal, or half a minute."""
    begin = time.monotonic()
    try:
        action()
    except ValueError as error:
        lines = str(error).splitlines()
        if not 1 <= len(lines) <= 2 or len(str(error)) > 1500:
            return [f"{what}: {len(lines)} lines, {len(str(error))} characters: {str(error)[:200]}"]
    except Exception as error:
        return [f"{what[:300]}: {type(error).__name__}: {str(error)[:200]}"]
    return [] if time.monotonic() - begin < 20 else [f"{what[:300]} took {time.monotonic() - begin:.0f} s"]
