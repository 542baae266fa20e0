"""The data scripts: nothing in a token can leave its string, numbers come back as they were, and what is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.explorer import javascript
from tests.explorer.evidence_at_random import at_random

from absorption.explorer import script
from absorption.explorer.tables import join, tables_of

pytestmark = pytest.mark.usefixtures("own_cache")

HOSTILE = ' </script><script>alert("x")</script><!-- \u2028\u2029 \ud800 \\ \' " '
READ = """
const found = [];
var absorptionData = (name, value) => found.push([name, value]);
const vm = require("vm"), fs = require("fs");
const context = { absorptionData };
vm.createContext(context);
for (const file of FILES) vm.runInContext(fs.readFileSync(file, "utf-8"), context);
console.log(JSON.stringify({ list: context.ABSORPTION_SAES, found }));
"""


def written(folder: Path, tmp_path: Path) -> dict:
    files = sorted(map(str, folder.glob("*.js")))
    return javascript.run(f"const FILES={json.dumps(files)};{READ}", tmp_path)


def keep(tables, folder: Path, prefix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{prefix}{name}.parquet")


def test_a_hostile_token_stays_text_in_a_script_that_is_plain_ascii(tmp_path) -> None:
    text = script.as_script({HOSTILE: [HOSTILE, float("nan"), np.float64(2.5), np.bool_(True)]})
    assert text.isascii()
    assert not set("<>&") & set(text)
    (back,) = javascript.run(f"console.log(JSON.stringify([{text}]));", tmp_path)
    assert back == {HOSTILE: [HOSTILE, None, 2.5, True]}


def test_scripts_hold_the_words_of_a_chapter_and_of_every_report_of_the_book(tmp_path) -> None:
    subject = at_random(0).subject("one")
    tables = tables_of(subject)
    tables["explorer-words"]["text"] = tables["explorer-words"]["text"].where(
        tables["explorer-words"].index > 0, HOSTILE.replace("\ud800", "")
    )
    keep(tables, tmp_path / "results")
    keep(tables_of(at_random(1).subject("two")), tmp_path / "results" / "your-saes" / "mine", "sae-")
    (tmp_path / "results" / "your-saes" / "old report").mkdir()
    assert script.write_scripts(tmp_path / "results", tmp_path / "out") == ["one", "mine: two"]
    back = written(tmp_path / "out", tmp_path)
    assert (
        [one["name"] for one in back["list"]] == ["one", "mine: two"] == [name for name, _ in back["found"]]
    )
    assert {one["file"] for one in back["list"]} == {"00-one.js", "01-mine-two.js"}
    words = back["found"][0][1]["words"]["text"]
    assert sorted(words) == sorted(tables["explorer-words"]["text"])
    assert HOSTILE.replace("\ud800", "") in words


def test_without_tables_there_is_an_empty_list(tmp_path) -> None:
    assert script.write_scripts(tmp_path, tmp_path / "out") == []
    assert (tmp_path / "out" / script.LIST).read_text() == "var ABSORPTION_SAES=[];\n"


def test_an_sae_whose_script_would_be_too_large_is_left_out_and_named(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(script, "MOST_BYTES", 1000)
    keep(tables_of(at_random(0).subject("large")), tmp_path / "results")
    assert script.write_scripts(tmp_path / "results", tmp_path / "out") == []
    assert "leaves out large" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == [script.LIST]


def test_tables_of_several_saes_are_one_with_a_column_that_tells_them_apart() -> None:
    one, two = at_random(0), at_random(1)
    by_jump = [one.subject("one"), two.subject("two")]
    found = join(by_jump)
    assert set(found) == set(script.TABLES)
    assert all(table["sae"].drop_duplicates().tolist() == ["one", "two"] for table in found.values())
    assert found["explorer-words"].groupby("sae").size().eq(len(one.evidence(0.03).words)).all()
    assert join([]) == {}


def test_an_sae_whose_main_latents_are_not_those_of_its_f1_jump_is_left_out() -> None:
    one = at_random(0)
    assert join([replace(one.subject("one"), evidence=one.evidence(0.001))]) == {}


def test_packed_arrays_are_the_smallest_that_hold_the_numbers() -> None:
    assert [script.packed(values)[0] for values in ([0, 255], [256], [65536], [])] == ["u1", "u2", "u4", "u1"]
    kind, text = script.packed([0.1, np.nan], "f4")
    assert (kind, len(text)) == ("f4", 12)
