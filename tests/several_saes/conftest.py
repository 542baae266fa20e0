"""The made-up family, collected into a data folder of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.several_saes.made_up import MEMBERS, card, configuration, folder_of, sweep_of, sweeps, write_run

from absorption import several_saes
from absorption.base.data import data_root
from absorption.several_saes import stored_numbers
from absorption.training.recipe import Recipe


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with cards and a sweep beside it, collected."""
    root = tmp_path / "data"
    for sae, changes in MEMBERS.items():
        folder = folder_of(tmp_path, sae)
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps(card(sae, changes)))
        (folder / "cfg.json").write_text(json.dumps(configuration(sae).to_dict()))
    for name in ("claims.yaml", "models.yaml"):
        shutil.copy(data_root() / name, root)
    monkeypatch.setenv("ABSORPTION_DATA", str(root))
    monkeypatch.setattr(stored_numbers, "UNSHIPPED_RECIPES", (Recipe(seed=2),))
    for sae in MEMBERS:
        write_run(sweep_of(tmp_path, sae), sae)
    several_saes.collect(sweeps(tmp_path))
    return root
