"""What `absorption remedies` measures and in which order, and what it and the check of a build refuse."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.remedies.made_up import first_of, made_up

from absorption.remedies import again, collect, measure, stored
from absorption.remedies.measure import Measured


def write_card(folder: Path, sae: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"sae_id": sae, "weights_hash": f"weights of {sae}"}))
    return folder


@pytest.fixture(autouse=True)
def _nothing_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (collect, stored):
        monkeypatch.setattr(module, "shipped_ids", lambda: [])


def measured(stored_numbers: stored.Remedies, sae: str, **changes: float) -> Measured:
    """What was stored of an SAE, with some numbers changed."""
    numbers = stored_numbers.numbers[stored_numbers.numbers["sae"] == sae].reset_index(drop=True)
    for name, value in changes.items():
        numbers.loc[numbers["quantity"] == getattr(measure, name), "value"] = value
    return Measured(numbers, stored_numbers.resamples[stored_numbers.resamples["sae"] == sae])


def test_seeds_come_one_after_another_and_saes_of_no_arm_are_passed_over(tmp_path: Path) -> None:
    wanted = [first_of("tied"), first_of("OrtSAE", 1), first_of("BatchTopK"), first_of("BatchTopK", 1)]
    for sae in [*wanted, "topk-512-l0-12-layer-6"]:
        write_card(tmp_path / "saes" / sae, sae)
    found = collect._found([tmp_path / "saes"])
    assert list(found) == [wanted[2], wanted[0], wanted[3], wanted[1]]
    assert list(collect._found([found[wanted[0]]])) == [wanted[0]]
    with pytest.raises(
        stored.StoredRemediesError, match=r"holds no SAE with a card.json; allowed: a folder of one"
    ):
        collect._found([tmp_path])


@pytest.fixture
def subject(monkeypatch: pytest.MonkeyPatch) -> stored.Remedies:
    """Words and text that cost nothing, and a measurement that gives what is made up."""
    known = made_up()
    monkeypatch.setattr(collect, "subject_at", lambda *_: (None, SimpleNamespace(key="text", rows=None)))
    monkeypatch.setattr(
        collect, "subject_of", lambda *_: stored.subject_of("m", "the model", "hook", "text", measure.Asked())
    )
    monkeypatch.setattr(collect, "load_sae", lambda *_, **__: _loaded(__["path"]))
    monkeypatch.setattr(collect, "replace", lambda sae, **_: sae)
    monkeypatch.setattr(collect.one_sae, "study_saes", lambda _words, saes: saes)
    monkeypatch.setattr(collect, "measure_sae", lambda study, *_: measured(known, study.name))
    monkeypatch.setattr(collect, "_stamp", lambda sae, *_: known.stamps[sae.name])
    return known


def _loaded(path: str) -> Any:
    name = Path(path).name
    return SimpleNamespace(name=name, weights_hash=f"weights of {name}")


MODEL: Any = SimpleNamespace(name="m", weights_hash="the model")


def test_each_sae_is_measured_once_and_added_to_what_is_stored(
    subject: stored.Remedies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = first_of("BatchTopK"), first_of("tied")
    write_card(tmp_path / "saes" / first, first)
    found = collect.collect(MODEL, [tmp_path / "saes"], tmp_path / "out")
    assert found.saes == [first]
    write_card(tmp_path / "saes" / second, second)
    asked = []
    real = collect.measure_sae
    monkeypatch.setattr(
        collect, "measure_sae", lambda study, *rest: asked.append(study.name) or real(study, *rest)
    )
    found = collect.collect(MODEL, [tmp_path / "saes"], tmp_path / "out")
    assert (asked, found.saes) == ([second], [first, second])
    again_read = stored.read_remedies(tmp_path / "out")
    assert again_read.value(second, measure.FULL) == subject.value(second, measure.FULL)


def test_numbers_of_another_subject_are_not_mixed_in(
    subject: stored.Remedies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sae = first_of("BatchTopK")
    write_card(tmp_path / "saes" / sae, sae)
    collect.collect(MODEL, [tmp_path / "saes"], tmp_path / "out")
    other = subject.subject | {"text": "another"}
    monkeypatch.setattr(collect, "subject_of", lambda *_: other)
    with pytest.raises(
        stored.StoredRemediesError, match="holds numbers of another subject: delete it, or name another"
    ):
        collect.collect(MODEL, [tmp_path / "saes"], tmp_path / "out")


def test_weights_that_are_not_the_cards_are_refused(
    subject: stored.Remedies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sae = first_of("BatchTopK")
    write_card(tmp_path / "saes" / sae, sae)
    wrong = SimpleNamespace(name=sae, weights_hash="other")
    monkeypatch.setattr(collect, "load_sae", lambda *_, **__: wrong)
    with pytest.raises(
        stored.StoredRemediesError, match=f"^{sae}: its card says weights_hash weights of .*has other.$"
    ):
        collect.collect(MODEL, [tmp_path / "saes"], tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "passes"), [({}, True), ({"FULL": 0.0995}, True), ({"FULL": 0.101}, False)]
)
def test_a_stored_number_that_comes_out_differently_stops_the_page(
    changes: dict[str, float], passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, sae = made_up(), first_of("BatchTopK", 2)  # its full absorption is .098
    monkeypatch.setattr(again, "subject_at", lambda *_: (None, SimpleNamespace(rows=None)))
    monkeypatch.setattr(again.one_sae, "study_saes", lambda *_: [None])
    monkeypatch.setattr(again, "measure_sae", lambda *_: measured(known, sae, **changes))
    if passes:
        table = again.check_again(known, _loaded(sae), MODEL)
        assert table["difference"].abs().max() <= again.TOLERANCE + 1e-9
        assert len(table) == len(known.numbers[known.numbers["sae"] == sae])
    else:
        with pytest.raises(
            again.StaleRemediesError, match=r"'rate, full absorption' of .*: stored 0.0980, now 0.1010"
        ):
            again.check_again(known, _loaded(sae), MODEL)


def test_another_model_than_the_stored_one_is_refused() -> None:
    other: Any = SimpleNamespace(name="x", weights_hash="other")
    with pytest.raises(again.StaleRemediesError, match="of model weights the model, model 'x' has other"):
        again.checked_sae(made_up(), other)
