"""The exercises' checks pass the printed solutions and fail wrong answers."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from absorption.chapters import exercises
from absorption.runner import headers
from absorption.toy import theory
from absorption.toy.recipes import fast

NOTEBOOKS = [
    path
    for path in sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
    if "exercises" in path.read_text(encoding="utf-8")
]


def tagged(tag: str) -> list[Any]:
    return [
        pytest.param(path, cell.source, id=f"{path.stem}:{cell.id}")
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        if tag in cell.metadata.get("tags", [])
    ]


def last_value(path: Path, source: str) -> exercises.Feedback:
    """Runs a cell as the notebook does, after its own imports; the value of its last line."""
    namespace: dict[str, Any] = {}
    settings_cell = nbformat.read(path, as_version=4).cells[2].source
    exec(settings_cell.split("\nsettings =")[0], namespace)
    *before, last = source.splitlines()
    exec("\n".join(before), namespace)
    return eval(last, namespace)


@pytest.mark.parametrize(("path", "source"), tagged("solution"))
def test_the_printed_solution_is_right(path: Path, source: str) -> None:
    verdict = last_value(path, source)
    assert verdict.right, verdict.message


@pytest.mark.parametrize(("path", "source"), tagged("exercise"))
def test_an_untouched_answer_is_not_taken_for_a_wrong_one(path: Path, source: str) -> None:
    assert last_value(path, source) == exercises.NOT_ANSWERED


def test_every_exercise_has_a_solution_a_difficulty_and_minutes() -> None:
    assert len(NOTEBOOKS) == 17
    assert len(tagged("exercise")) == len(tagged("solution")) == 3 * len(NOTEBOOKS)
    for path in NOTEBOOKS:
        page = nbformat.read(path, as_version=4)
        texts = [cell.source for cell in page.cells if "```{exercise}" in cell.source]
        found = headers.exercises(page)
        assert len(found) == len(texts) == 3, path.stem
        levels = {level for _, level, _ in found}
        assert len(levels) > 1, path.stem
        assert levels & {"open", "hard"}, path.stem
        assert sum("predict" in text.lower() for text in texts) >= 2, path.stem


def test_wrong_sums_fail_with_the_input_that_shows_it() -> None:
    assert not exercises.check_sparsity(lambda d, p11, p10: p11 * (2 + d) + p10).right
    forgets_parent_alone = exercises.check_sparsity(lambda d, p11, p10: p11 * (2 - d))
    assert "p10 = 0.2" in forgets_parent_alone.message


def test_the_true_dictionary_does_not_count_as_absorbing() -> None:
    verdict = exercises.check_weights([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    assert not verdict.right
    assert "still fires" in verdict.message


def test_a_decoder_that_forgets_the_parent_fails() -> None:
    verdict = exercises.check_weights([[1, -1], [0, 1]], [[1, 0], [0, 1]])
    assert "off by 1.00" in verdict.message


def test_a_large_coefficient_absorbs_too_much() -> None:
    assert theory.imperfect(0.95, 0.06).absorbed > exercises.MOST_ABSORBED
    assert not exercises.check_coefficient(0.06).right


def test_a_decoder_that_leans_the_wrong_way_fails() -> None:
    assert not exercises.check_magnitude(lambda magnitude: magnitude).right


def test_an_oversized_recipe_is_refused_before_any_training() -> None:
    assert "Allowed" in exercises.check_remedy(fast("standard", 12, 0.03, 50_000_000)).message


def test_plain_l1_is_no_remedy() -> None:
    assert not exercises.check_remedy(fast("standard", 12, 0.03, 1_000_000)).right


def test_a_share_without_the_rise_of_f1_fails() -> None:
    verdict = exercises.check_split_share(lambda jump: jump)
    assert not verdict.right
    assert "0.058" in verdict.message


def test_the_decoder_cosine_alone_is_no_better_score() -> None:
    assert not exercises.check_score(lambda view: view.cosine).right


def test_a_score_of_the_wrong_shape_is_named() -> None:
    assert "yours is (3,)" in exercises.check_score(lambda view: view.cosine[0, :3]).message
