"""A run leaves a clean, stamped page; a failed run leaves what there is and says so."""

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

from absorption.cli.main import main
from absorption.runner import execute

SHOWS_EVERYTHING = """\
import sys, warnings
from absorption.base import timing
from absorption.runner import stamp
from IPython.display import display

class Model:
    name, weights_hash, device, dtype = "tiny", "abcdef0123456789", "cpu", "float32"

stamp.note_loaded(model=Model(), sae=[Model(), Model()])
warnings.warn("a warning of the run")
print("\\r 50%|#####     | 1/2 [00:01<00:01]\\r100%|##########| 2/2", file=sys.stderr)
display({"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "bar"}, raw=True)
with timing.stage("small.stage"):
    print("n_words is", n_words)
"""


def page_of(path: Path) -> NotebookNode:
    page = nbformat.read(path, as_version=4)
    nbformat.validate(page)
    return page


def outputs(page: NotebookNode) -> list[NotebookNode]:
    return [output for cell in page.cells for output in cell.get("outputs", [])]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> execute.Outcome:
    """One run of a notebook that prints, warns, draws widgets and reports."""
    folder = tmp_path_factory.mktemp("finished")
    cells = [
        nbformat.v4.new_code_cell('n_words = 1\nresults_dir = ""', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(SHOWS_EVERYTHING),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "in.ipynb"
    )
    return execute.run(
        folder / "in.ipynb", folder / "new" / "out.ipynb", {"n_words": 42, "results_dir": "res"}
    )


def test_given_values_reach_the_cells(finished: execute.Outcome) -> None:
    assert finished.error == ""
    assert "n_words is 42\n" in [output.get("text") for output in outputs(page_of(finished.notebook))]


def test_the_injected_cell_is_hidden_from_the_page(finished: execute.Outcome) -> None:
    injected = [cell for cell in page_of(finished.notebook).cells if cell.id == "injected-parameters"]
    assert [cell.metadata.tags for cell in injected] == [["injected-parameters", "remove-cell"]]
    assert "n_words = 42" in injected[0].source


def test_only_results_stay_on_the_page_and_warnings_go_to_the_log(finished: execute.Outcome) -> None:
    shown = outputs(page_of(finished.notebook))
    assert [output.output_type for output in shown] == ["stream"]
    assert finished.log is not None
    log = finished.log.read_text()
    assert finished.log.name == "out.ipynb.log"
    assert "a warning of the run" in log
    assert "100%" not in log


def test_the_stamp_says_how_the_page_was_made(finished: execute.Outcome) -> None:
    last = page_of(finished.notebook).cells[-1]
    assert last.cell_type == "markdown"
    assert last.source.startswith("<details><summary>How this page was made</summary>")
    wanted = [
        "absorption 0.1.0",
        f"torch {version('torch')}",
        "n_words = 42",
        "abcdef0123456789",
        "small.stage",
    ]
    wanted += ["tiny", "CPU cores", "Python 3.", " UTC", " GB of memory"]
    assert [text for text in wanted if text not in last.source] == []
    assert finished.stamp["loaded"]["model"]["weights_hash"] == "abcdef0123456789"
    assert len(finished.stamp["loaded"]["sae"]) == 2
    assert [(row["stage"], row["calls"]) for row in finished.stamp["stages"]] == [("small.stage", 1)]
    assert 0 < finished.stamp["seconds"] < 600
    assert finished.stamp["peak_bytes"] > 50e6


def test_no_path_of_the_machine_is_on_the_page(finished: execute.Outcome) -> None:
    text = finished.notebook.read_text()
    assert str(finished.notebook.parent.parent) not in text
    assert "absorption-run-" not in text


def test_a_failing_cell_keeps_the_partial_page_and_exits_with_1(
    write_notebook, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = "print('before')\ndef f():\n    raise ValueError('the value 3\\nis not allowed')\nf()"
    source = write_notebook("print('kept')", failing, "print('never')")
    out = tmp_path / "out.ipynb"
    assert main(["run", str(source), str(out), "-p", "n_words", "3"]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "small: cell [4] failed: ValueError: the value 3 is not allowed"
    assert len(said) == 2
    page = page_of(out)
    printed = [output.text for output in outputs(page) if output.output_type == "stream"]
    assert printed == ["kept\n", "before\n"]
    assert "This page is incomplete" in page.cells[0].source
    assert said[0] in page.cells[0].source
    errors = [output for output in outputs(page) if output.output_type == "error"]
    assert [len(error.traceback) for error in errors] == [1]
    assert "raise ValueError" in (tmp_path / "out.ipynb.log").read_text()


@pytest.mark.parametrize(
    "error", ["torch.OutOfMemoryError('CUDA out of memory')", "MemoryError()", "ValueError('something else')"]
)
def test_memory_that_ran_out_is_answered_with_what_to_lower(error: str) -> None:
    told = execute._way_out(f"small: cell [3] failed: {error}")
    assert ("ABSORPTION_BATCH" in told and "n_words" in told) == ("Memory" in error)


def test_a_dead_kernel_is_told_from_a_failed_cell(
    write_notebook, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_notebook("print('kept')", "import os\nos._exit(9)")
    assert main(["run", str(source), str(tmp_path / "out.ipynb")]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("small: cell [3] ended the kernel, perhaps for lack of memory. Lower ")
    assert len(said) == 2
    assert "kept\n" in [output.get("text") for output in outputs(page_of(tmp_path / "out.ipynb"))]


def test_an_unknown_kernel_is_one_error(write_notebook, tmp_path: Path) -> None:
    source = write_notebook(kernelspec={"name": "no-such", "display_name": "x", "language": "python"})
    outcome = execute.run(source, tmp_path / "out.ipynb", {})
    assert outcome.error.startswith("small could not be run: NoSuchKernel:")


def test_a_kernel_that_cannot_start_leaves_its_reason_in_the_log(write_notebook, tmp_path: Path) -> None:
    broken = {"PYTHONHOME": str(tmp_path / "no-python-here")}
    outcome = execute.run(write_notebook(), tmp_path / "out.ipynb", {}, variables=broken)
    assert outcome.error.startswith("small could not be run: RuntimeError: Kernel died")
    assert outcome.log is not None
    assert "No module named 'encodings'" in outcome.log.read_text()


def test_an_interrupted_run_leaves_nothing_behind(write_notebook, tmp_path: Path) -> None:
    started, scratch = tmp_path / "started", tmp_path / "scratch"
    scratch.mkdir()
    source = write_notebook(
        f"import os, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(120)"
    )
    command = [sys.executable, "-m", "absorption.cli", "run", str(source), str(tmp_path / "out.ipynb")]
    runner = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    kernel = int(started.read_text())
    runner.send_signal(signal.SIGTERM)
    _, said = runner.communicate(timeout=60)
    assert runner.returncode == 130
    assert len(said.splitlines()) <= 2
    assert not (tmp_path / "out.ipynb").exists()
    assert list(scratch.glob("absorption-run-*")) == []
    assert not _is_running(kernel)


def _is_running(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_plain_papermill_runs_the_same_notebook(write_notebook, tmp_path: Path) -> None:
    source = write_notebook(
        "from absorption.runner import stamp\nstamp.note_loaded(model='m')\nprint(n_words + 1)"
    )
    papermill.execute_notebook(
        source, tmp_path / "plain.ipynb", parameters={"n_words": 1}, progress_bar=False
    )
    assert "2\n" in [output.get("text") for output in outputs(page_of(tmp_path / "plain.ipynb"))]
