"""Checksums beside a folder's files: one file changed, missing or new is named; all that is shipped has them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from absorption.base import data, sums
from absorption.saes import shipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"what is in {name}")
    sums.write(tmp_path, "b", "a")
    return tmp_path


def test_what_was_written_passes_here_and_with_the_usual_tool(folder: Path) -> None:
    sums.check(folder)
    assert list(sums.read(folder)) == ["a", "b"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--quiet", "-c", sums.NAME], cwd=folder, check=True)


def test_a_changed_a_missing_and_a_new_file_are_named(folder: Path) -> None:
    (folder / "b").write_text("what is in c")
    sums.check(folder, "a")
    with pytest.raises(sums.Damaged, match=r"/b is damaged: it has SHA-256 \w{16}, .* git checkout -- "):
        sums.check(folder)
    (folder / "b").unlink()
    with pytest.raises(sums.Damaged, match="/b is damaged: it has SHA-256 none"):
        sums.check(folder, "b")
    with pytest.raises(sums.Damaged, match="/c is not in SHA256SUMS"):
        sums.check(folder, "c")


@pytest.mark.parametrize("rest", ["", "no checksums", "\0" * 30])
def test_damaged_checksums_let_nothing_pass(folder: Path, rest: str) -> None:
    (folder / sums.NAME).write_text(rest)
    with pytest.raises(sums.Damaged):
        sums.check(folder, "a")


def test_everything_that_is_shipped_has_its_checksums_and_fits_them() -> None:
    folders = [shipped.shipped_folder(name) for name in shipped.shipped_ids()]
    folders += [data.data_root() / "results" / name for name in ("family", "grid", "remedies")]
    for folder in folders:
        files = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        assert set(sums.read(folder)) == files - {sums.NAME}, folder
        sums.check(folder)


@pytest.mark.parametrize("name", ["card.json", "cfg.json"])
def test_a_shipped_sae_whose_card_or_configuration_was_changed_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sae = shipped.shipped_ids()[0]
    copy = shutil.copytree(shipped.shipped_folder(sae), tmp_path / "saes" / sae)
    monkeypatch.setattr(shipped, "data_root", lambda: tmp_path)
    shipped.check_shipped(sae)
    content = json.loads((copy / name).read_text())
    (copy / name).write_text(json.dumps(content | {"d_in": 7}))
    with pytest.raises(ValueError, match=rf"shipped SAE '{sae}': .*/{name} is damaged"):
        shipped.check_shipped(sae)


def test_files_that_belong_together_are_all_replaced_or_none(tmp_path: Path) -> None:
    place = tmp_path / "numbers"
    sums.write_together(
        place, {"a": lambda path: path.write_text("1"), "b": lambda path: path.write_text("1")}
    )
    (place / "own.txt").write_text("a reader's own")

    def killed(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sums.write_together(place, {"a": lambda path: path.write_text("2"), "b": killed})
    assert [(place / name).read_text() for name in ("a", "b", "own.txt")] == ["1", "1", "a reader's own"]
    sums.check(place)
    sums.write_together(
        place, {"a": lambda path: path.write_text("3"), "b": lambda path: path.write_text("3")}
    )
    assert [(place / name).read_text() for name in ("a", "b", "own.txt")] == ["3", "3", "a reader's own"]
    sums.check(place, "a", "b")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["numbers"]
