"""The exploration: each SAE is trained and judged once, and the table holds what is done."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from absorption.training import explore as module
from absorption.training.explore import EXPLORATION, SHORT, explored_id
from absorption.training.fitness import Fitness

NUMBERS = {name: 0.5 for name in Fitness.__dataclass_fields__}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Training, loading and measuring stand-ins that note what was trained."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    done: list[str] = []

    def train(recipe: Any, model: Any, folder: Path) -> None:
        done.append(explored_id(recipe))
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps({"model_weights_hash": model.weights_hash}))

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "prepare_words", lambda *_: SimpleNamespace(probed=None))
    monkeypatch.setattr(module, "_with_card", lambda _model, folder: folder.name)
    monkeypatch.setattr(module, "measure_fitness", lambda *_: None)
    monkeypatch.setattr(module, "as_row", lambda *_: {"architecture": "batchtopk", "d_sae": 1, **NUMBERS})
    monkeypatch.setattr(module, "_columns", lambda rows: ["sae", "changes", *NUMBERS])
    return done


def model_with(weights_hash: str) -> Any:
    return SimpleNamespace(name="a model", weights_hash=weights_hash)


def test_every_recipe_has_a_name_of_its_own() -> None:
    assert len({explored_id(recipe) for recipe in EXPLORATION}) == len(EXPLORATION)


def test_an_interrupted_exploration_goes_on_where_it_was(tmp_path: Path, trained: list[str]) -> None:
    path, model = tmp_path / "table.csv", model_with("0123")
    module.explore(model, EXPLORATION[:2], path)
    first = path.read_text()
    module.explore(model, EXPLORATION[:3], path)
    assert trained == [explored_id(recipe) for recipe in EXPLORATION[:3]]
    assert path.read_text().startswith(first)
    table = pd.read_csv(path, keep_default_na=False)
    assert table["changes"].tolist() == ["", "k 4", "k 16"]


def test_an_sae_of_another_model_is_refused_and_nothing_is_trained_or_written(
    tmp_path: Path, trained: list[str]
) -> None:
    path = tmp_path / "table.csv"
    module.explore(model_with("0123"), EXPLORATION[:1], path)
    first = path.read_text()
    with pytest.raises(ValueError, match=r"was trained on a model with weights 0123, 'a model' has 4567"):
        module.explore(model_with("4567"), EXPLORATION[:2], path)
    assert trained == [explored_id(EXPLORATION[0])]
    assert path.read_text() == first


def test_the_exploration_varies_sparsity_width_architecture_and_seed() -> None:
    assert {recipe.k for recipe in EXPLORATION} == {2, 4, 6, 8, 10, 12, 16, 32}
    assert {recipe.d_sae for recipe in EXPLORATION} == {4096, 8192, 16_384}
    assert len({recipe.architecture for recipe in EXPLORATION}) == 5
    assert replace(SHORT, seed=1) in EXPLORATION
