"""Settings accept what is allowed and name what is not."""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import Field

from absorption.base import settings as module
from absorption.base.settings import ModelSettings, SaeSettings, Settings


class Example(ModelSettings):
    """A chapter's settings with a field of its own."""

    n_seeds: int = Field(ge=1)


CELL = {"model": "a", "device": "auto", "dtype": "float32", "seed": 0, "n_words": 0, "n_seeds": 5}
"""What the cell of parameters holds."""
SAE_CELL = {**CELL, "sae_release": "shipped", "sae_id": "b", "sae_path": "", "hook_name": ""}


def test_fields_are_picked_from_a_namespace_and_the_rest_is_left_alone() -> None:
    found = Example.from_namespace({**CELL, "n_seeds": 2, "seed": 7, "pd": pd, "_i1": "cell"})
    assert (found.n_seeds, found.seed, found.dtype) == (2, 7, "float32")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_seeds": 0}, "parameter n_seeds is 0; allowed: greater than or equal to 1."),
        ({"n_seeds": "3"}, "parameter n_seeds is '3'; allowed: a valid integer."),
        ({"seed": True}, "parameter seed is True; allowed: a valid integer."),
        ({"dtype": "int8"}, "parameter dtype is 'int8'; allowed: 'float32', 'bfloat16' or 'float16'."),
        ({"device": "gpu"}, "parameter device is 'gpu'; allowed: 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'."),
        ({"n_words": -1, "seed": -1}, "parameter seed is -1; allowed: greater than or equal to 0."),
    ],
)
def test_a_bad_value_is_one_short_error(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="parameter") as caught:
        Example.from_namespace({**CELL, **given})
    lines = str(caught.value).splitlines()
    assert lines[0] == message
    assert len(lines) <= 2
    assert max(len(line) for line in lines) < 200


def test_a_second_bad_value_is_named_too() -> None:
    with pytest.raises(ValueError, match=r"\nAlso wrong: n_words\.$"):
        Example.from_namespace({**CELL, "n_words": -1, "seed": -1})


def test_a_parameter_that_the_cell_lacks_is_named() -> None:
    with pytest.raises(ValueError, match=r"^parameter n_words is missing; .*\nAlso wrong: n_seeds\.$"):
        Example.from_namespace({name: CELL[name] for name in ("model", "device", "dtype", "seed")})


def test_a_huge_value_is_cut_short() -> None:
    with pytest.raises(ValueError, match=r"'x{70,}\.\.\.; allowed") as caught:
        Example.from_namespace({**CELL, "dtype": "x" * 10_000})
    assert len(str(caught.value)) < 200


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Example.from_namespace(CELL).n_seeds = 3


def test_a_local_sae_needs_its_folder() -> None:
    with pytest.raises(ValueError, match="sae_path is empty; with sae_release 'local'"):
        SaeSettings.from_namespace({**SAE_CELL, "sae_release": "local"})
    local = {**SAE_CELL, "sae_release": "local", "sae_path": "mine"}
    assert SaeSettings.from_namespace(local).sae_path == "mine"


def test_a_folder_is_not_silently_ignored_for_another_release() -> None:
    with pytest.raises(ValueError, match="sae_path is 'mine' but sae_release is 'shipped'"):
        SaeSettings.from_namespace({**SAE_CELL, "sae_path": "mine"})


def test_tables_go_to_the_results_folder_as_parquet(tmp_path: Path) -> None:
    table = pd.DataFrame({"letter": ["a", "b"], "f1": [0.5, 0.25]})
    path = Settings(results_dir=str(tmp_path / "new")).write("f1-by_letter", table)
    assert path is not None
    assert path == tmp_path / "new" / "f1-by_letter.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(path), table)


def test_without_a_results_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().write("table", pd.DataFrame({"a": [1]})) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a.b", " "])
def test_a_table_name_cannot_leave_the_results_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="table name"):
        Settings(results_dir=str(tmp_path)).write(name, pd.DataFrame({"a": [1]}))


def test_the_embedded_models_name_is_the_same_in_both_places() -> None:
    from absorption.models.embedded import EMBEDDED

    assert module.EMBEDDED_MODEL == EMBEDDED
