"""Every SAE's report has a name of its own, however its folder is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from absorption.runner import report_names
from absorption.runner.parameters import ParameterError

DEFAULTS = {"model": "m", "sae_release": "shipped", "sae_id": "default", "sae_path": "", "n_words": 0}


def of(**values: str) -> dict[str, str]:
    return report_names.owner(values, DEFAULTS)


def local(path: Path, **more: str) -> dict[str, str]:
    return of(sae_release="local", sae_id=path.name, sae_path=str(path), **more)


def take(out: Path, name: str, sae: dict[str, str]) -> str:
    return report_names.take(out, name, sae, chosen=False)


def test_local_saes_in_folders_of_one_name_get_reports_of_different_names(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = [take(out, "sae", local(tmp_path / place / "sae")) for place in ("a", "b", "c", "deep/c")]
    assert found[:3] == ["sae", "b-sae", "c-sae"]
    assert len(set(found)) == 4
    assert found[3].startswith("sae-")
    again = [take(out, "sae", local(tmp_path / place / "sae")) for place in ("deep/c", "c", "b", "a")]
    assert again == found[::-1], "an SAE measured again keeps its report"


def test_one_id_in_two_releases_is_two_reports(tmp_path: Path) -> None:
    assert take(tmp_path, "x", of(sae_release="one", sae_id="x")) == "x"
    assert take(tmp_path, "x", of(sae_release="two", sae_id="x")) == "two-x"
    assert take(tmp_path, "x", of(sae_release="one", sae_id="x", model="other")) == "one-x"


def test_a_folder_named_in_two_ways_is_one_sae(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert take(tmp_path, "sae", local(Path("a/sae"))) == "sae"
    assert take(tmp_path, "sae", local(tmp_path / "b" / ".." / "a" / "sae")) == "sae"


def test_a_chosen_name_of_another_sae_is_refused(tmp_path: Path) -> None:
    report_names.take(tmp_path, "mine", local(tmp_path / "a"), chosen=True)
    with pytest.raises(
        ParameterError, match=r"name 'mine' is that of another report, of '.*/a'; allowed: any"
    ):
        report_names.take(tmp_path, "mine", local(tmp_path / "b"), chosen=True)


def test_a_report_of_an_unknown_sae_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae" / report_names.PAGE).write_text("{}")
    assert take(tmp_path, "sae", local(tmp_path / "a" / "sae")) == "a-sae"


def test_a_name_that_is_cut_off_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae" / report_names.OWNER).write_text('{"mod')
    assert take(tmp_path, "sae", local(tmp_path / "a" / "sae")) == "a-sae"
