"""The runner refuses what papermill would let through."""

import re
from pathlib import Path

import nbformat
import pytest

from absorption.cli.main import main
from absorption.runner import parameters
from absorption.runner.parameters import ParameterError

DEFAULTS = {"n_words": 100, "ratio": 0.5, "name": "a", "flag": False, "layers": [1, 2], "shares": [0.5]}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n_words", "7", 7),
        ("ratio", "2", 2.0),
        ("ratio", "1e-3", 0.001),
        ("name", "12", "12"),
        ("name", "true", "true"),
        ("flag", "True", True),
        ("layers", "[3]", [3]),
        ("layers", "[]", []),
        ("shares", "[1e-3, .5, 1]", [0.001, 0.5, 1.0]),
    ],
)
def test_text_becomes_a_value_of_the_defaults_type(name: str, text: str, value: object) -> None:
    found = parameters.resolve(DEFAULTS, [(name, text)])[name]
    assert found == value
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n_words", "7.5"),
        ("n_words", "many"),
        ("n_words", "true"),
        ("ratio", "half"),
        ("ratio", "nan"),
        ("flag", "1"),
        ("layers", "3"),
        ("layers", "[a]"),
        ("layers", "[1, 2"),
        ("layers", "[true]"),
        ("shares", "[true]"),
        ("shares", "[half]"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(
        ParameterError, match=f"parameter '{name}' is {re.escape(repr(text))}; allowed: "
    ) as caught:
        parameters.resolve(DEFAULTS, [(name, text)])
    assert len(str(caught.value).splitlines()) <= 2


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(
        ParameterError, match=r"unknown parameter 'n_word'\. Did you mean 'n_words'\?\nAllowed: "
    ):
        parameters.resolve(DEFAULTS, [("n_word", "3")])


def test_later_presets_win_and_single_parameters_win_over_presets(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("n_words: 1\nratio: 1e-3\nname: first\n")
    second.write_text("n_words: 2\nname: second\n")
    found = parameters.resolve(DEFAULTS, [("name", "given")], [first, second])
    assert found == {"n_words": 2, "ratio": 0.001, "name": "given"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("n_words: '7'", r"parameter 'n_words' is '7' in p\.yaml; allowed: a whole number"),
        ("flag: 1", r"parameter 'flag' is 1 in p\.yaml; allowed: true or false"),
        ("name: 3", r"parameter 'name' is 3 in p\.yaml; allowed: text"),
        ("nwords: 3", r"unknown parameter 'nwords' in p\.yaml"),
        ("- 1", "must hold lines"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_preset_is_held_to_the_same_types(tmp_path: Path, content: str, message: str) -> None:
    preset = tmp_path / "p.yaml"
    preset.write_text(content)
    with pytest.raises(ParameterError, match=message):
        parameters.resolve(DEFAULTS, presets=[preset])


def test_a_missing_preset_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"none\.yaml' cannot be read"):
        parameters.resolve(DEFAULTS, presets=[tmp_path / "none.yaml"])


def test_the_parameters_cell_is_read_as_papermill_reads_it(write_notebook) -> None:
    import papermill

    source = write_notebook()
    found = parameters.declared(parameters.read_notebook(source))
    assert list(found) == list(papermill.inspect_notebook(source))
    assert found["layers"] == [1, 2]


@pytest.mark.parametrize("source", ["n = len([1])", "n = 1; print(n)", "n, m = 1, 2", "n ="])
def test_a_parameters_cell_with_logic_is_refused(write_notebook, source: str) -> None:
    with pytest.raises(ParameterError, match="must hold only lines `name = literal`"):
        parameters.declared(parameters.read_notebook(write_notebook(parameters=source)))


def test_a_notebook_without_parameters_is_refused() -> None:
    with pytest.raises(ParameterError, match="has 0 cells tagged 'parameters'"):
        parameters.declared(nbformat.v4.new_notebook())


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "n_word", "3"],
        ["-p", "n_words", "3.5"],
        ["-f", "nothing.yaml"],
        ["-p", "n_words"],
        ["--what"],
    ],
)
def test_bad_input_exits_with_2_before_a_kernel_starts(
    write_notebook, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    started = tmp_path / "started"
    source = write_notebook(f"open({str(started)!r}, 'w')")
    with pytest.raises(SystemExit) as caught:
        raise SystemExit(main(["run", str(source), str(tmp_path / "out.ipynb"), *arguments]))
    said = capfd.readouterr().err.splitlines()
    assert caught.value.code == 2
    assert 1 <= len(said) <= 2
    assert not started.exists()
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize("content", [None, "{}", "not a notebook"])
def test_a_file_that_is_no_notebook_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str | None
) -> None:
    source = tmp_path / "x.ipynb"
    if content is not None:
        source.write_text(content)
    assert main(["run", str(source), str(tmp_path / "out.ipynb")]) == 2
    said = capfd.readouterr().err
    assert "x.ipynb" in said
    assert len(said.splitlines()) <= 2


@pytest.mark.parametrize("out", [".", "small.ipynb/x.ipynb"])
def test_an_output_that_cannot_be_written_is_refused_before_the_run(
    write_notebook, tmp_path: Path, capfd: pytest.CaptureFixture[str], out: str
) -> None:
    source = write_notebook("raise SystemError('ran')")
    assert main(["run", str(source), str(tmp_path / out)]) == 2
    assert capfd.readouterr().err.startswith(f"output {str(tmp_path / out)!r} ")


def test_the_notebook_is_never_overwritten_by_its_own_page(write_notebook) -> None:
    source = write_notebook()
    before = source.read_bytes()
    assert main(["run", str(source), str(source)]) == 2
    assert source.read_bytes() == before
