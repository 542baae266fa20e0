"""The fragment of the explorer's address: every state comes back from it, and a bad one says what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.explorer import javascript

SAE = {
    "text": [" short", "short", " Sun", "a<b>"],
    "letter": [18, 18, 18, 0],
    "rates": [{"definition": name} for name in ("ablation", "full absorption")],
    "latents": {"id": [3, 12]},
    "about": {"smallest_lead": 0.5, "smallest_cosine": 0, "smallest_jump": 0.01},
}
READ = """
const S = require(SCRIPTS + "/state.js"), judge = require(SCRIPTS + "/judge.js");
console.log(JSON.stringify(FRAGMENTS.map((fragment) => {
  const { state, errors } = S.check(S.read(fragment, ["one", "two & three"]), SAE, judge);
  return { state, errors, view: S.view(state), back: S.format(state) };
})));
"""


def read(fragments: list[str], folder: Path) -> list[dict[str, Any]]:
    return javascript.run(f"const SAE={json.dumps(SAE)},FRAGMENTS={json.dumps(fragments)};{READ}", folder)


def test_every_state_comes_back_from_its_address(tmp_path) -> None:
    fragments = [
        "",
        "#sae=one&letter=s",
        "#sae=two%20%26%20three&with=one&letter=s&by=full%20absorption&share=0.3&show=missed&find=%5Es.%2B%24",
        "#sae=one&letter=s&word=%20short&lead=1&cosine=0.02&jump=0.05",
        "#sae=one&letter=s&word=%20Sun&latent=12",
        "#sae=one&letter=a&word=a%3Cb%3E",
    ]
    found = read(fragments, tmp_path)
    assert [one["errors"] for one in found] == [[]] * len(fragments)
    assert [one["view"] for one in found] == ["sae", "letter", "letter", "word", "latent", "word"]
    assert [one["back"] for one in found[1:]] == fragments[1:]
    assert found[0]["back"] == "#sae=one"
    again = read([one["back"] for one in found], tmp_path)
    assert [one["state"] for one in again] == [one["state"] for one in found]
    assert found[3]["state"] == {
        "sae": "one", "letter": "s", "word": " short", "lead": 1, "cosine": 0.02, "jump": 0.05,
    }  # fmt: skip


def test_a_word_is_found_without_its_space_where_no_other_word_is_written_so(tmp_path) -> None:
    found = read(["#word=Sun", "#word=short", "#word=+short"], tmp_path)
    assert [one["state"]["word"] for one in found] == [" Sun", "short", " short"]
    assert {one["state"]["letter"] for one in found} == {"s"}


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("#sae=three", 'sae is "three"; allowed: one, two & three.'),
        ("#leter=s", 'The address has "leter", which is nothing here; allowed: sae, with, letter,'),
        ("#letter=ss", 'letter is "ss"; allowed: a to z.'),
        ("#word=long", 'word is "long"; allowed: one of the test words'),
        ("#latent=4", 'latent is "4"; allowed: one of the 2 latents'),
        ("#latent=3.0", 'latent is "3.0"; allowed'),
        ("#by=magic", 'by is "magic"; allowed: ablation; full absorption.'),
        ("#lead=0.4", 'lead is "0.4"; allowed: numbers from 0.5 to 6 (the run stopped'),
        ("#lead=much", 'lead is "much"; allowed: numbers'),
        ("#share=0", 'share is "0"; allowed: numbers from 0.01 to 1.'),
        ("#jump=1", 'jump is "1"; allowed: numbers from 0.01 to 0.1.'),
        ("#cosine=-1", 'cosine is "-1"; allowed: numbers from 0 to 0.3.'),
        ("#show=some", 'show is "some"; allowed: all, absorbed, caught, missed, not ablated.'),
        ("#find=(", 'find is "(", which is no regular expression'),
        ("#letter=%", 'letter is "%"; allowed: a to z.'),
    ],
)
def test_a_bad_address_says_what_is_allowed_and_the_rest_of_it_holds(fragment, said, tmp_path) -> None:
    (found,) = read([f"{fragment}&with=one&with=two%20%26%20three"], tmp_path)
    assert len(found["errors"]) == 1
    assert found["errors"][0].startswith(said)
    assert found["state"]["sae"] == "one"
    assert found["state"]["with"] == "two & three"
    assert found["view"] == "sae"
