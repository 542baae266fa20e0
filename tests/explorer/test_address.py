"""Links from tables lead to states that the explorer reads."""

from __future__ import annotations

import json

import pandas as pd
from tests.explorer import javascript

from absorption.explorer.address import fragment, of_latents, of_letters, of_saes, of_words
from absorption.plots.show import table_html

SAE = "mine: a&b"


def test_the_page_reads_the_addresses_that_tables_have(tmp_path) -> None:
    table = pd.DataFrame({"word": [" so", '"<&#'], "letter": ["s", "x"], "latent": [12, -1]})
    states = of_words(SAE, table)
    read = f'const S=require(SCRIPTS+"/state.js");const A={json.dumps([*states["word"], *states["latent"]])};'
    found = javascript.run(
        f"{read}console.log(JSON.stringify(A.map((a)=>S.read(a,[{json.dumps(SAE)}]))))", tmp_path
    )
    assert [one["errors"] for one in found] == [[]] * 4
    assert [one["state"] for one in found] == [
        {"sae": SAE, "letter": "s", "word": " so"},
        {"sae": SAE, "letter": "x", "word": '"<&#'},
        {"sae": SAE, "latent": "12"},
        {"sae": SAE},
    ]


def test_a_cell_carries_its_state_escaped_and_a_row_without_one_carries_none() -> None:
    table = pd.DataFrame({"letter": ["s", "all"], "n": [3, 4]})
    made = table_html(table, caption="", explorer={"letter": of_letters('a"<', table["letter"].tolist())})
    assert '<td data-explorer="#sae=a%22%3C&amp;letter=s">s</td><td class="n" data-v="3">3</td>' in made
    assert "<td>all</td>" in made
    assert fragment(sae="x", by="full absorption") == "#sae=x&by=full%20absorption"


def test_saes_that_the_explorer_has_lead_to_themselves_judged_by_the_rows_rule() -> None:
    names = ["topk-8192-l0-6-layer-6", "topk-512-l0-12-layer-6", "mine"]
    assert of_saes(names) == ["#sae=topk-8192-l0-6-layer-6", "", ""]
    assert of_saes(names, also="mine")[1:] == ["", "#sae=mine"]
    judged = of_saes(names[:1] * 2, ["full absorption", "ablation, relative lead"])
    assert judged == [
        "#sae=topk-8192-l0-6-layer-6&by=full%20absorption",
        "#sae=topk-8192-l0-6-layer-6&by=ablation%2C%20relative%20lead",
    ]


def test_main_latents_lead_to_themselves_and_to_their_letter() -> None:
    table = pd.DataFrame({"letter": ["s", "s"], "latent": [12, 3]})
    assert of_latents("mine", table) == {
        "letter": ["#sae=mine&letter=s"] * 2,
        "latent": ["#sae=mine&latent=12", "#sae=mine&latent=3"],
    }
