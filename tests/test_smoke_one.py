"""Half of the notebooks run at smoke size and measure their claims."""

from pathlib import Path

from tests import smoke


def test_half_of_the_notebooks_run_at_smoke_size_and_measure_their_claims(tmp_path: Path) -> None:
    chosen = [path for path in smoke.NOTEBOOKS if path.stem.startswith(smoke.FIRST_HALF)]
    assert len(chosen) == len(smoke.FIRST_HALF)
    smoke.run_and_read(chosen, tmp_path)
