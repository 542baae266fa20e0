"""The explorer in a real browser, opened from a folder with the network off."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.explorer.evidence_at_random import THRESHOLDS, at_random

from absorption.base import repository
from absorption.definitions.rules import ABLATION
from absorption.explorer import script
from absorption.explorer.tables import join
from benchmarks import explorer

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.usefixtures("own_cache"),
]
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=10000", "--enable-logging=stderr", "--dump-dom",
)  # fmt: skip
HOSTILE = ' s<img src=x onerror="document.title=1"></script><b>'
READ_META = """
const head = [...document.querySelectorAll("h3")].find((one) => one.textContent === "Its meta-latents");
const rows = head ? [...head.nextElementSibling.querySelectorAll("tbody tr")] : [];
return rows.map((row) => [...row.cells].map((cell) => cell.textContent));
"""
DRIVER = """
const errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const look = () => ({
  view: document.documentElement.dataset.explorer,
  hash: location.hash,
  text: document.getElementById("absorption-explorer").innerText,
  said: [...document.querySelectorAll(".abs-x-errors p")].map((p) => p.textContent),
  means: [...document.querySelectorAll("[data-mean]")].map((span) => Number(span.dataset.mean)),
  sections: document.querySelectorAll(".abs-x-columns > section").length,
  unnamed: [...document.querySelectorAll(".abs-x button, .abs-x a, .abs-x input, .abs-x select")].filter(
    (one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.closest("label"))).length,
  wide: document.documentElement.scrollWidth - innerWidth,
  foreign: performance.getEntriesByType("resource").map((one) => one.name).filter((name) => !name.startsWith("file:")),
  marked: [...document.querySelectorAll("mark")].map((one) => [one.parentNode.textContent, one.textContent]),
  images: document.querySelectorAll("img").length,
  errors,
});
addEventListener("load", async () => {
  await wait(500);
  const result = await (async () => { ACT })();
  const out = document.createElement("pre");
  out.id = "result";
  out.textContent = JSON.stringify(result);
  document.body.append(out);
});
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's own markup around two SAEs at random, one of whose words is hostile."""
    folder = tmp_path_factory.mktemp("site")
    static = repository.root() / "book" / "_static" / "explorer"
    shutil.copytree(static, folder / "_static" / "explorer")
    tables = join([at_random(0).subject("one"), at_random(1).subject("two")])
    words = tables["explorer-words"]
    at = words.index[(words["letter"] == "s") & (words["sae"] == "one")][0]
    words.loc[at, "text"] = HOSTILE
    places = [f"{n} before ⟦{HOSTILE}⟧ behind" for n in ("second", "first")]
    tables[script.CONTEXTS] = pd.DataFrame({"sae": "one", "latent": 3, "rank": [2, 1], "context": places})
    weights, points = [0.2, 0.4, 0.2], ["", "s", ""]
    tables[script.META] = pd.DataFrame(
        {
            "sae": "one",
            "latent": 3,
            "meta": [11, 7, 11],
            "weight": weights,
            "points_to": points,
            "also_in": HOSTILE,
        }
    )
    for name, table in tables.items():
        (folder / "results").mkdir(exist_ok=True)
        table.to_parquet(folder / "results" / f"{name}.parquet")
    script.write_scripts(folder / "results", folder / "_static" / "explorer" / "data")
    return folder


def browse(site: Path, fragment: str = "", act: str = "return look();", width: int = 1100) -> Any:
    """What a script finds on the page after it has done something there."""
    page = (repository.root() / "book" / "explorer.md").read_text(encoding="utf-8")
    markup = re.search(r"```\{raw\} html\n(.*?)```", page, re.DOTALL)
    assert markup
    (site / "book").mkdir(exist_ok=True)
    head = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    driver = f"<script>{DRIVER.replace('ACT', act)}</script>"
    file = site / "book" / "explorer.html"
    file.write_text(head + driver + markup.group(1), encoding="utf-8")
    own = (f"--user-data-dir={site / 'profile'}", f"--window-size={width},1500")
    command = [str(BROWSER), *OPTIONS, *own, f"{file.as_uri()}{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    return json.loads(html.unescape(found.group(1)))


VIEWS = {
    "": "sae",
    "#with=two": "sae",
    "#letter=s&with=two": "letter",
    "#word=%20sub": "word",
    "#latent=3": "latent",
}


@pytest.mark.parametrize("width", [390, 1100])
@pytest.mark.parametrize("fragment", VIEWS)
def test_every_view_opens_without_an_error_a_request_or_a_scroll_sideways(site, fragment, width) -> None:
    found = browse(site, fragment, width=width)
    assert (found["view"], found["said"], found["errors"]) == (VIEWS[fragment], [], [])
    assert (found["foreign"], found["images"], found["unnamed"]) == ([], 0, 0)
    assert found["sections"] == (2 if "with" in fragment else 1)
    assert found["wide"] <= 0


def test_a_slider_moves_the_rate_to_the_librarys_of_the_same_thresholds(site) -> None:
    act = """
    const input = document.querySelector("[data-key=lead]");
    const before = look();
    input.value = 0.3;
    input.dispatchEvent(new Event("input"));
    await wait(100);
    return { before, after: look() };
    """
    found = browse(site, f"#by={ABLATION}", act)
    known = at_random(0)
    for state, lead in (("before", THRESHOLDS.min_lead), ("after", 0.3)):
        _, mean = known.labels(ABLATION, 0.03, replace(THRESHOLDS, min_lead=lead), known.known())
        assert found[state]["means"] == [pytest.approx(mean, abs=1e-9)]
    assert found["after"]["means"] != found["before"]["means"]
    assert found["after"]["hash"] == "#sae=one&by=ablation&lead=0.3"


def test_the_benchmark_times_the_first_view_and_a_slider(site) -> None:
    browse(site)  # writes the page
    found = explorer.measure(site / "book" / "explorer.html")
    assert 0 < found["quickest_slider_ms"] <= found["slider_ms"]
    assert found["first_view_ms"] > 0
    assert not list((site / "book").glob("*timed*"))
    with pytest.raises(explorer.NotTimedError, match="make book first"):
        explorer.measure(site / "nothing.html")


def test_links_lead_from_letter_to_word_to_latent_and_back_and_forward(site) -> None:
    act = """
    const seen = [];
    const click = async (selector) => {
      document.querySelector(selector).dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
      await wait(200);
      seen.push(look().view);
    };
    await click("svg a.letter[href*='letter=s']");
    await click("section td a[href*='word=']");
    await click("section a[href*='latent=']");
    for (const step of [-1, -1, -1, 1]) { history.go(step); await wait(300); seen.push(look().view); }
    return seen;
    """
    assert browse(site, "", act) == ["letter", "word", "latent", "word", "letter", "sae", "letter"]


def test_a_hostile_word_is_text_and_a_bad_address_is_told_in_a_line(site) -> None:
    found = browse(site, "#letter=s&find=onerror&lead=99")
    assert HOSTILE.strip().replace(" ", "␣") in found["text"]
    assert found["said"] == ['lead is "99"; allowed: numbers from 0.01 to 6.']
    assert (found["images"], found["errors"]) == (0, [])


def test_meta_latents_of_a_latent_come_with_the_largest_weight_first_and_once(site) -> None:
    found = browse(site, "#latent=3", READ_META)
    assert [row[:3] for row in found] == [["7", "0.400", "S"], ["11", "0.200", "none"]]
    assert {row[3] for row in found} == {HOSTILE}
    assert browse(site, "#latent=4", READ_META) == []


def test_contexts_of_a_latent_are_text_with_its_token_marked_the_strongest_first(site) -> None:
    found = browse(site, "#latent=3")
    texts = [f"{n} before {HOSTILE} behind" for n in ("first", "second")]
    assert found["marked"] == [[text, HOSTILE] for text in texts]
    assert (found["images"], found["errors"]) == (0, [])
