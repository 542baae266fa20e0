"""The other half of the notebooks run at smoke size and measure their claims."""

from pathlib import Path

from tests import smoke


def test_smoke_parameters_belong_to_a_notebook() -> None:
    assert set(smoke.SMOKE) <= {path.stem for path in smoke.NOTEBOOKS}


def test_the_other_notebooks_run_at_smoke_size_and_measure_their_claims(tmp_path: Path) -> None:
    chosen = [path for path in smoke.NOTEBOOKS if not path.stem.startswith(smoke.FIRST_HALF)]
    assert len(chosen) > len(smoke.FIRST_HALF)
    smoke.run_and_read(chosen, tmp_path)
