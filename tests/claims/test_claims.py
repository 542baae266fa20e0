"""Verdicts on intervals by hand, and the ledger that collects them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from absorption import claims
from absorption.base.settings import Settings
from absorption.claims import catalogue, history, rules

ABOVE_0 = {"kind": "greater_than", "than": 0}
BELOW_0 = {"kind": "less_than", "than": 0}
RANGE = {"kind": "between", "low": 25, "high": 50}
CLOSE = {"kind": "close", "value": 0.12, "tolerance": 0.05}
SPREAD = {"kind": "close", "value": 1.27}


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        (ABOVE_0, 0.01, 0.2, "reproduced"),
        (ABOVE_0, -0.1, 0.2, "unclear"),
        (ABOVE_0, 0.0, 0.2, "unclear"),
        (ABOVE_0, -0.2, -0.1, "not reproduced"),
        (ABOVE_0, 0.0, 0.0, "not reproduced"),
        (BELOW_0, -0.2, -0.01, "reproduced"),
        (BELOW_0, -0.1, 0.1, "unclear"),
        (BELOW_0, 0.0, 0.1, "not reproduced"),
        (RANGE, 25, 50, "reproduced"),
        (RANGE, 32, 32, "reproduced"),
        (RANGE, 16, 32, "unclear"),
        (RANGE, 32, 64, "unclear"),
        (RANGE, 16, 64, "unclear"),
        (RANGE, 64, 64, "not reproduced"),
        (RANGE, 8, 16, "not reproduced"),
        (CLOSE, 0.1, 0.15, "reproduced"),
        (CLOSE, 0.1, 0.25, "unclear"),
        (CLOSE, 0.2, 0.25, "not reproduced"),
        (SPREAD, 1.26, 1.28, "reproduced"),
        (SPREAD, 1.28, 1.3, "not reproduced"),
        (ABOVE_0, math.nan, math.nan, "not measured"),
    ],
)
def test_an_interval_is_inside_outside_or_across_the_line(
    rule: dict[str, Any], low: float, high: float, verdict: str
) -> None:
    assert claims.judge(TypeAdapter(rules.Rule).validate_python(rule), low, high) == verdict


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "unclear"], "unclear"),
        (["unclear", "not measured"], "not measured"),
        (["reproduced", "not measured"], "not measured"),
        (["unclear", "not reproduced", "not measured"], "not reproduced"),
    ],
)
def test_a_claim_holds_only_if_all_its_parts_do(parts: list[Any], verdict: str) -> None:
    assert rules.combine(parts) == verdict


TWO_CLAIMS = """\
- id: simple
  chapter: 01-a
  where: Section 1
  statement: A & B.
  published: "0.5"
  parts: [{measures: a share, rule: {kind: greater_than, than: 0}}]
- id: double
  chapter: 02-b
  where: Section 2
  statement: Both hold.
  published: direction
  parts:
    - {name: falls, measures: a slope, rule: {kind: less_than, than: 0}}
    - {name: rises, chapter: 03-c, measures: a slope, rule: {kind: greater_than, than: 0}}
"""


HISTORY = """\
simple:
  - {set_on: 2026-01-02, number_seen: "no", measures: a share, rule: {kind: greater_than, than: 0}}
double.falls:
  - {set_on: 2026-01-02, number_seen: unrecorded, measures: a slope, rule: {kind: less_than, than: 0}}
double.rises:
  - {set_on: 2026-01-02, number_seen: "no", measures: a step, rule: {kind: greater_than, than: 0}}
  - {set_on: 2026-02-03, number_seen: "yes", measures: a slope, rule: {kind: greater_than, than: 0}, why: a < b}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    file = tmp_path / "claims.yaml"
    file.write_text(TWO_CLAIMS)
    (tmp_path / "claims-history.yaml").write_text(HISTORY)
    monkeypatch.setattr(catalogue, "claims_file", lambda: file)
    return Settings(results_dir=str(tmp_path / "results"))


def test_a_record_is_judged_kept_and_found_in_the_ledger(settings: Settings) -> None:
    assert claims.record(settings, "simple", 0.4, 0.3, 0.5, note="26 letters") == "reproduced"
    (row,) = claims.ledger(settings.results_dir).query("id == 'simple'").to_dict("records")
    assert (row["measured"], row["low"], row["high"]) == (0.4, 0.3, 0.5)
    assert (row["verdict"], row["note"], row["chapter"]) == ("reproduced", "26 letters", "01-a")


def test_parts_are_recorded_apart_and_judged_together(settings: Settings) -> None:
    assert claims.record(settings, "double", -1, -2, -0.5, part="falls") == "reproduced"
    assert claims.record(settings, "double", 0.1, -0.1, 0.3, part="rises") == "unclear"
    table = claims.ledger(settings.results_dir)
    double = table[table["id"] == "double"]
    assert list(double["part_verdict"]) == ["reproduced", "unclear"]
    assert set(double["verdict"]) == {"unclear"}
    assert list(double["chapter"]) == ["02-b", "03-c"]
    (deciding,) = claims.summary(table).query("id == 'double'").to_dict("records")
    assert (deciding["part"], deciding["measured"], deciding["verdict"]) == ("rises", 0.1, "unclear")


def test_claims_without_a_record_are_not_measured(settings: Settings) -> None:
    claims.record(settings, "simple", 0.4, 0.3, 0.5)
    table = claims.ledger(settings.results_dir)
    assert claims.tally(table) == {
        "all": 2, "reproduced": 1, "not reproduced": 0, "unclear": 0, "not measured": 1,
    }  # fmt: skip
    assert set(claims.ledger("")["verdict"]) == {"not measured"}


def test_what_a_run_cannot_measure_is_kept_as_such(settings: Settings) -> None:
    assert claims.record(settings, "simple", math.nan, math.nan, math.nan, note="one SAE") == "not measured"
    file = Path(settings.results_dir) / "claims" / "simple.json"
    assert json.loads(file.read_text())["measured"] is None
    assert claims.tally(claims.ledger(settings.results_dir))["not measured"] == 2


def test_a_verdict_follows_from_todays_rule_not_from_the_stored_word(settings: Settings) -> None:
    claims.record(settings, "simple", 0.4, 0.3, 0.5)
    catalogue.claims_file().write_text(TWO_CLAIMS.replace("than: 0}", "than: 0.45}", 1))
    history.history_file().write_text(HISTORY.replace("than: 0}", "than: 0.45}", 1))
    assert "unclear" in set(claims.ledger(settings.results_dir)["verdict"])


def test_without_a_results_folder_a_record_only_judges(tmp_path: Path, settings: Settings) -> None:
    assert claims.record(Settings(), "simple", 1, 1, 1) == "reproduced"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claims-history.yaml", "claims.yaml"]


@pytest.mark.parametrize(
    ("claim", "part", "numbers", "message"),
    [
        ("simpel", "", (1, 1, 1), "claim 'simpel' is not in data/claims.yaml; allowed: simple, double."),
        ("double", "up", (1, 1, 1), "claim 'double' has no part 'up'; allowed: 'falls', 'rises'."),
        ("double", "", (1, 1, 1), "claim 'double' has no part ''; allowed: 'falls', 'rises'."),
        ("simple", "", (1, 2, 0), "allowed: three finite numbers with low <= high"),
        ("simple", "", (1, 0, math.inf), "allowed: three finite numbers"),
        ("simple", "", (1, math.nan, 2), "allowed: three finite numbers"),
    ],
)
def test_a_record_that_cannot_be_right_is_refused(
    settings: Settings, claim: str, part: str, numbers: tuple[float, float, float], message: str
) -> None:
    with pytest.raises(ValueError, match="claim") as caught:
        claims.record(settings, claim, *numbers, part=part)
    assert message in str(caught.value)
    assert not Path(settings.results_dir).exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: greater_than", "kind: bigger", "claim 'simple', parts.0.rule"),
        ("id: double", "id: simple", "the id 'simple' is there twice"),
        ("name: rises", "name: falls", "claim 'double' has two parts of one name"),
        ("published: direction", "publishd: direction", "claim 'double'"),
        ("than: 0}}]", "than: .nan}}]", "claim 'simple', parts.0.rule"),
    ],
)
def test_a_claims_file_with_a_mistake_is_refused(
    settings: Settings, old: str, new: str, message: str
) -> None:
    catalogue.claims_file().write_text(TWO_CLAIMS.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        claims.load()


def test_a_damaged_record_is_named(settings: Settings) -> None:
    claims.record(settings, "simple", 0.4, 0.3, 0.5)
    (Path(settings.results_dir) / "claims" / "simple.json").write_text('{"id"')
    with pytest.raises(ValueError, match=r"simple\.json is damaged"):
        claims.ledger(settings.results_dir)


def test_the_page_shows_each_claim_with_its_numbers_and_chapters(settings: Settings) -> None:
    claims.record(settings, "simple", 0.4, 0.3, 0.5, note="<b>26</b>")
    html = claims.page(claims.ledger(settings.results_dir)).html
    assert "<strong>0.4</strong> [0.3, 0.5]" in html
    assert "A &amp; B." in html
    assert "&lt;b&gt;26" in html
    assert '<a href="03-c.html">C</a>' in html
    assert html.count("<tr><td") == 2
    assert "Nothing has been measured" not in html


def test_the_page_says_so_when_nothing_was_measured(settings: Settings) -> None:
    assert "Nothing has been measured yet" in claims.page(claims.ledger("")).html


def test_the_books_own_claims_can_be_read() -> None:
    found = claims.load()
    assert {"probe", "pr-l0", "top-latent"} <= set(found)
    assert [part.name for part in found["pr-l0"].parts] == [
        "precision",
        "recall",
        "family-precision",
        "family-recall",
    ]


def test_every_rule_of_the_book_is_the_newest_entry_of_its_history() -> None:
    changed = history.changed(claims.load(), history.load_history())
    assert changed == [], "data/claims-history.yaml lacks entries:\n" + "\n".join(changed)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("than: 0}}]", "than: 0.2}}]", 'simple: changed since 2026-01-02; add set_on: ..., number_seen: ..., '
         'measures: "a share", rule: {kind: greater_than, than: 0.2}, why: ...'),
        ("measures: a slope, rule: {kind: greater", "measures: a rise, rule: {kind: greater",
         'double.rises: changed since 2026-02-03'),
        ("name: falls", "name: sinks", "double.sinks: no entry"),
        ("name: falls", "name: sinks", "double.falls: no such part in the claims"),
    ],
)  # fmt: skip
def test_a_rule_that_changed_without_an_entry_is_named_and_stops_the_ledger(
    settings: Settings, old: str, new: str, line: str
) -> None:
    assert history.changed(claims.load(), history.load_history()) == []
    catalogue.claims_file().write_text(TWO_CLAIMS.replace(old, new, 1))
    changed = history.changed(claims.load(), history.load_history())
    assert any(found.startswith(line) for found in changed), changed
    with pytest.raises(ValueError, match=r"claims-history\.yaml: (simple|double\.\w+): "):
        claims.ledger(settings.results_dir)


def test_a_failure_is_open_unless_its_control_is_reproduced() -> None:
    rule = rules.GreaterThan(kind="greater_than", than=0, control="known")
    assert rules.judge(rule, -0.3, -0.1, control="reproduced") == "not reproduced"
    for verdict in (None, "unclear", "not reproduced", "not measured"):
        assert rules.judge(rule, -0.3, -0.1, control=verdict) == "unclear"
        assert rules.judge(rule, 0.1, 0.3, control=verdict) == "reproduced"
        assert rules.judge(rule, math.nan, math.nan, control=verdict) == "not measured"
    assert rules.judge(rules.GreaterThan(kind="greater_than", than=0), -0.3, -0.1) == "not reproduced"


def test_the_ledger_judges_by_the_control_of_the_same_run(settings: Settings) -> None:
    for file in (catalogue.claims_file(), history.history_file()):
        text = file.read_text()
        last = text.rindex("than: 0}")
        file.write_text(text[:last] + "than: 0, control: simple}" + text[last + len("than: 0}") :])
    claims.record(settings, "double", -0.2, -0.3, -0.1, part="rises")

    def verdict() -> str:
        table = claims.ledger(settings.results_dir)
        return str(table.loc[table["part"] == "rises", "part_verdict"].iloc[0])

    assert verdict() == "unclear"  # nothing is known of the control
    claims.record(settings, "simple", -0.2, -0.3, 0.1)
    assert verdict() == "unclear"
    claims.record(settings, "simple", 0.2, 0.1, 0.3)
    assert verdict() == "not reproduced"


def test_a_control_that_is_no_claim_is_refused(settings: Settings) -> None:
    file = catalogue.claims_file()
    for control in ("nobody", "double"):
        file.write_text(TWO_CLAIMS.replace("than: 0}}]", f"than: 0, control: {control}}}}}]"))
        with pytest.raises(ValueError, match=f"'simple': the control '{control}' is no claim of one part"):
            claims.load()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("set_on: 2026-02-03", "set_on: 2026-01-01", "double.rises: the dates do not ascend"),
        (", why: a < b", "", "double.rises: a later entry has no reason"),
        ("unrecorded", "perhaps", "double.falls, number_seen"),
        ("kind: less_than", "kind: under", "double.falls, rule"),
    ],
)
def test_a_history_with_a_mistake_is_refused(settings: Settings, old: str, new: str, message: str) -> None:
    history.history_file().write_text(HISTORY.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        history.load_history()


def test_the_page_dates_every_rule_and_marks_those_restated_after_a_number_was_seen(
    settings: Settings,
) -> None:
    table = claims.ledger(settings.results_dir)
    assert list(table["rule_set"]) == ["2026-01-02", "2026-01-02", "2026-02-03"]
    assert claims.restated(table) == {"all": 3, "before": 1, "after": 1, "unrecorded": 1}
    html = claims.page(table).html
    assert "<small>rule of 2026-01-02</small>" in html
    assert "rule of 2026-01-02, set with the chapter&#x27;s first draft" in html
    assert "rule of 2026-02-03, ↻ restated after a number was seen: a &lt; b" in html
    assert html.count("↻") == 1


def test_the_history_of_the_book_tells_the_rules_that_drafts_had_shaped() -> None:
    past = history.load_history()
    known = ("split.a-letter-does-not", "matryoshka.ablation", "matryoshka.projection", "best-l0")
    for key in known:
        assert len(past[key]) > 1
        assert "yes" in [entry.number_seen for entry in past[key]]
