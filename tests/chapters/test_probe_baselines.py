"""Chapter 2's findings, from scores written by hand."""

import pandas as pd
import pytest
import torch

from absorption.chapters import probe_baselines as chapter
from absorption.chapters.probe_baselines import LR, ByDepth, ByLetter, BySplit, letter_table
from absorption.probes.fit import ProbeSet
from absorption.probes.scores import METRICS

COLUMNS = ["depth", "seed", "method", "letter", "metric", "value", "low", "high"]


def scores(f1: dict[tuple[int, int], float], method: str = LR) -> pd.DataFrame:
    """Scores whose mean F1 is given by depth and seed, .1 below it at the low end and .1 above at the high one;
    every other score is 1."""
    rows = [
        (depth, seed, method, letter, metric, *((v, v - 0.1, v + 0.1) if metric == "f1" else (1.0, 1.0, 1.0)))
        for (depth, seed), v in f1.items()
        for letter in ("a", "mean")
        for metric in METRICS
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_the_claim_is_the_lowest_depth_of_the_probe_alone() -> None:
    table = pd.concat([scores({(0, 0): 0.6, (9, 0): 0.9, (3, 0): 0.7}), scores({(6, 0): 0.1}, "means")])
    found = ByDepth(table, 1200, 0.05)
    (row,) = found.claims().to_dict("records")
    assert (row["claim"], row["part"]) == ("probe", "every-layer")
    assert (row["value"], row["low"], row["high"]) == pytest.approx((0.6, 0.5, 0.7))
    assert row["note"] == "lowest at depth 0; 3 depths, 1,200 words"
    assert dict(found.numbers()) == {
        "worst": 0.6, "worst_depth": 0, "best": 0.9, "best_depth": 9, "floor": 0.05, "n_some": "1,200",
    }  # fmt: skip


def test_the_text_has_the_mean_over_splits_and_the_range_of_f1() -> None:
    table = scores({(9, 0): 0.8, (9, 1): 0.9, (9, 2): 1.0})
    means = table[table["letter"] == "mean"]
    numbers = ByLetter(table, table, table, means).numbers()
    assert numbers["probe_f1"] == pytest.approx(0.9)
    assert (numbers["f1_min"], numbers["f1_max"]) == (0.8, 1.0)
    assert numbers["probe_auroc"] == 1.0


def test_the_letters_table_counts_test_words_and_writes_intervals() -> None:
    table = scores({(9, 0): 0.8})
    words = pd.DataFrame({"letter": ["a", "a", "a", "b"], "split": ["test", "test", "train", "test"]})
    (row,) = letter_table(pd.concat([table, scores({(9, 0): 0.2}, "means")]), words).to_dict("records")
    assert row == {
        "letter": "a", "precision": "1.00 [1.00, 1.00]", "recall": "1.00 [1.00, 1.00]",
        "f1": "0.80 [0.70, 0.90]", "auroc": "1.00 [1.00, 1.00]", "test words": 2,
    }  # fmt: skip


def test_the_text_takes_the_converged_probe_of_each_split() -> None:
    rows = [
        ("reference", "word", 0.4, 0.1), ("converged", "word", 0.4, 0.8),
        ("reference", "stem", 0.0, 0.2), ("converged", "stem", 0.0, 0.7),
    ]  # fmt: skip
    found = BySplit(pd.DataFrame(rows, columns=["probe", "split", "variants", "value"]))
    assert dict(found.numbers()) == {"variants": 0.4, "f1_by_word": 0.8, "f1_by_stem": 0.7}


def test_directions_are_compared_letter_by_letter_and_alike_letters_stand_side_by_side() -> None:
    weights = torch.eye(26) * 3  # lengths do not matter
    patterns = torch.eye(26)
    patterns[7] = 0  # no word with H
    patterns[25] = torch.nn.functional.normalize(
        patterns[0] + 0.1 * patterns[25], dim=0
    )  # Z is written like A
    bias = torch.zeros(26)
    found = chapter.direction_cosines(
        {"weights": ProbeSet(weights, bias), "patterns": ProbeSet(patterns, bias)}
    )
    pair = found[(found["letter"] == "a") & (found["other"] == "z")].set_index("direction")["cosine"]
    assert pair["weights"] == pytest.approx(0)
    assert pair["patterns"] == pytest.approx(1 / 1.01**0.5)
    order = list(dict.fromkeys(found["letter"]))
    assert abs(order.index("a") - order.index("z")) == 1
    assert list(dict.fromkeys(found["other"])) == order
    assert found.loc[(found["direction"] == "patterns") & (found["letter"] == "h"), "cosine"].isna().all()
    assert chapter.Directions(found).numbers()["alike_patterns"] == "A and Z"
