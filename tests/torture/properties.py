"""Readers under hypothesis: configurations of any JSON, files with edits, presets of any YAML. Each is read or refused.

Unlike ``fuzz``, values are made by their kind, and a failure is shrunk to its smallest example, which hypothesis keeps.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import yaml
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from tests.ablation.architectures import tiny_model
from tests.saes import folders, plain
from tests.torture import fuzz
from tests.torture.kills import Tally

from absorption.base import repository
from absorption.runner import parameters
from absorption.saes import headers
from absorption.saes.loader import load_sae

KEPT = repository.root() / "_build" / "hypothesis"
"""Examples that failed; they are tried first the next time."""
ROUND = 500
"""Examples between two looks at the clock."""
SLOW = [
    hypothesis.HealthCheck.too_slow,
    hypothesis.HealthCheck.data_too_large,
    hypothesis.HealthCheck.large_base_example,
]
"""Complaints that mean nothing where an example reads files."""
WORDS = st.text(max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=12)), min_size=1, max_size=3
)
"""Place as a share of the file, bytes taken out there, bytes put in."""
NAMES = st.sampled_from([*fuzz.DEFAULTS, "about", "unknown"]) | WORDS
PRESETS = st.one_of(
    st.dictionaries(NAMES, JSON, max_size=5).map(yaml.safe_dump),
    JSON.map(yaml.safe_dump),
    st.text(max_size=80),
)


class Saes:
    """SAEs' folders of the four formats, with a tiny model that they fit."""

    def __init__(self, below: Path) -> None:
        """Write them into a folder."""
        w, self.root = plain.weights(), Path(tempfile.mkdtemp(dir=below)) / "layer_1"
        self.model = tiny_model("llama")[0]
        self.made = [
            folders.saelens(self.root / "saelens", "topk", w, fuzz.HOOK),
            folders.gemma_scope(self.root / "gemma", w),
            folders.gemma_scope_2(self.root / "gemma-2", w, 1),
            folders.dictionary_learning(self.root / "dictionary", "AutoEncoderTopK", w, 1),
        ]

    def read(self, change: Any) -> None:
        """Read a changed copy by its header and whole."""
        which, file, edits, key, value = change
        source = self.made[which]
        copy = shutil.copytree(source, self.root / "changed" / source.name, dirs_exist_ok=True)
        try:
            path = sorted(copy.iterdir())[file % len(list(copy.iterdir()))]
            if path.suffix == ".json" and key is not None:
                path.write_text(json.dumps(_replaced(json.loads(path.read_text()), key, value)))
            else:
                path.write_bytes(edited(path.read_bytes(), edits))
            both = (headers.read_header, lambda place: load_sae("local", "", self.model, path=str(place)))
            assert [one for read in both for one in fuzz.read(lambda read=read: read(copy), path.name)] == []
        finally:
            shutil.rmtree(copy)

    def changes(self) -> st.SearchStrategy[Any]:
        """Which folder, which file, edits; or a key of a configuration, and its new value."""
        return st.tuples(
            st.integers(0, len(self.made) - 1), st.integers(0, 3), EDITS, st.none() | st.integers(0, 40), JSON
        )


def _replaced(content: Any, key: int, value: Any) -> Any:
    """A configuration with another value at one of its keys, those of inner mappings included."""
    places = list(_places(content))
    if not places:
        return value
    inner, name = places[key % len(places)]
    inner[name] = value
    return content


def _places(content: Any) -> Any:
    if isinstance(content, dict):
        for name, inner in content.items():
            yield content, name
            yield from _places(inner)


def edited(whole: bytes, edits: Any) -> bytes:
    """Bytes with edits, as ``EDITS`` makes them."""
    data = bytearray(whole)
    for share, out, put in edits:
        at = round(share * len(data))
        data[at : at + out] = put
    return bytes(data)


def read_parameters(path: Path, given: Any) -> None:
    """A preset, and a value of the command line."""
    preset, name, value = given
    path.write_text(preset, encoding="utf-8", errors="replace")
    said = fuzz.read(lambda: parameters.resolve(fuzz.DEFAULTS, presets=[path]), "preset")
    said += fuzz.read(lambda: parameters.resolve(fuzz.DEFAULTS, [(name, value)]), "value")
    assert said == []


def examples(
    check: Callable[[Any], None], made: st.SearchStrategy[Any], number: int, seed: int | None
) -> str:
    """Try so many; the same ones each time without a seed. Returns what failed, smallest example first."""
    settings = hypothesis.settings(
        max_examples=number, derandomize=seed is None, deadline=None, print_blob=True,
        database=None if seed is None else DirectoryBasedExampleDatabase(KEPT),
        suppress_health_check=SLOW,
    )  # fmt: skip

    def one(example: Any) -> None:
        check(example)

    test = settings(hypothesis.given(made)(one))
    try:
        (test if seed is None else hypothesis.seed(seed)(test))()
    except BaseException as error:
        notes = "; ".join(getattr(error, "__notes__", []))
        return f"seed {seed}: {error!r:.600} {notes:.800}"
    return ""


def until(check: Callable[[Any], None], made: st.SearchStrategy[Any], seconds: float, seed: int) -> Tally:
    """Rounds of examples with one seed after another, for so long."""
    tally, end = Tally(), time.monotonic() + seconds
    while time.monotonic() < end and not tally.lost:
        said = examples(check, made, ROUND, seed)
        tally.tried += ROUND
        tally.lost += [said] if said else []
        seed += 1
    return tally


def saes(below: Path, seconds: float, seed: int) -> Tally:
    """Readers of SAEs."""
    readers = Saes(below)
    return until(readers.read, readers.changes(), seconds, seed)


def presets(below: Path, seconds: float, seed: int) -> Tally:
    """The reader of parameters."""
    return until(
        lambda given: read_parameters(below / "preset.yaml", given), given_parameters(), seconds, seed
    )


def given_parameters() -> st.SearchStrategy[Any]:
    """A preset's text, a parameter's name, and its value on the command line."""
    return st.tuples(PRESETS, NAMES, WORDS | JSON.map(repr) | JSON.map(yaml.safe_dump))
