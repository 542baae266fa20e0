"""A shared job leaves in the cache exactly what the chapters look for."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from tests.saes.models import save_model

from absorption import one_sae
from absorption.cli.main import main
from absorption.models.language_model import load_model
from absorption.probes import fit
from absorption.runner.parameters import ParameterError
from absorption.spelling import activations
from absorption.sweep import prepare


def pairs(folder: Path) -> list[tuple[str, str]]:
    return [
        ("model", str(folder)),
        ("hook_name", "blocks.1.hook_resid_post"),
        ("n_words", "400"),
        ("seed", "3"),
    ]


def test_chapters_find_activations_and_probes_of_a_shared_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    folder = save_model("gpt2", tmp_path / "model")
    record = prepare.prepare(prepare.settings_from(pairs(folder)))
    assert {"activations", "probes"} <= {row["stage"] for row in record["stages"]}
    assert record["sizes"]["depth"] == 2
    assert record["sizes"]["d_model"] == 32
    assert record["sizes"]["n_words"] == pytest.approx(400, abs=30)

    def again(*_: object, **__: object) -> NoReturn:
        raise AssertionError("computed again")

    monkeypatch.setattr(activations, "_compute", again)
    monkeypatch.setattr(fit, "_fit_one", again)
    # The place under its other name, as another SAE's metadata may have it.
    model = load_model(str(folder))
    hook = model.site("blocks.2.hook_resid_pre").name
    found = one_sae.prepare_words(model, hook, n_words=400, seed=3)
    assert len(found.table) == record["sizes"]["n_words"]


def test_a_shared_job_refuses_what_a_notebook_would(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(ParameterError, match="Did you mean 'hook_name'"):
        prepare.settings_from([("hook_nam", "x")])
    assert main(["prepare", "-p", "n_sets", "1"]) == 2
    assert "parameter n_sets is 1" in capsys.readouterr().err
