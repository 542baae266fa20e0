"""One figure as a file: the page's own function on a run's table, and one line for what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from absorption.cli.main import REFUSED, main
from absorption.plots import splitting
from absorption.plots.show import save

JUMPS = pd.DataFrame({"letter": ["a", "b"], "jump": [0.01, 0.2], "low": [-0.01, 0.1], "high": [0.04, 0.25]})
AT_TWO = ["splitting.jump_at_two", "TABLE", "-p", "f1_jump", "0.03"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "jumps.parquet"
    JUMPS.to_parquet(path)
    return path


def figure(table: Path, out: Path, arguments: list[str]) -> int:
    return main(["figure", *(str(table) if one == "TABLE" else one for one in arguments), "-o", str(out)])


def test_the_file_holds_what_the_page_draws(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "jumps.svg"
    assert figure(table, out, AT_TWO) == 0
    assert out.read_bytes() == save(splitting.jump_at_two(JUMPS, 0.03), "svg")


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_pictures_and_print_files_are_what_they_say(
    table: Path, tmp_path: Path, kind: str, begins: bytes
) -> None:
    out = tmp_path / f"jumps.{kind}"
    assert figure(table, out, AT_TWO) == 0
    assert out.read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["splitting.jump_at_tow", "TABLE"],
            "unknown figure 'splitting.jump_at_tow'; near it: splitting.jump_at_two",
        ),
        (
            ["splitting.jump_at_two", "TABLE"],
            "missing a required argument: 'f1_jump'; it takes jumps, f1_jump",
        ),
        (
            ["splitting.jump_at_two", "TABLE", "-p", "jump", "1"],
            "unknown argument 'jump'; it takes jumps, f1_jump",
        ),
        (["splitting.splits_against_l0", "TABLE"], "is missing; jumps.parquet has letter, jump, low, high"),
        (["splitting.splits_against_l0", "none.csv"], "none.csv does not exist"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_writes_nothing(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    out = tmp_path / "x.svg"
    assert figure(table, out, arguments) == REFUSED
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
    assert not out.exists()


def test_an_unknown_kind_of_file_is_refused_by_its_name(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert figure(table, tmp_path / "x.gif", AT_TWO) == REFUSED
    assert "x.gif: a figure is written as .svg, .png, .pdf." in capsys.readouterr().err
    assert not (tmp_path / "x.gif").exists()
