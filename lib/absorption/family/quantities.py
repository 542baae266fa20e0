"""The numbers by which the SAEs of the family are compared, by their name in the one-SAE page's table."""

from __future__ import annotations

from absorption.criteria import ABLATION, FRACTION, FULL, RELATIVE
from absorption.report.numbers import METRICS

SELECTION = "encoder cosine"
"""The choice of a letter's latent in precision, recall and F1 (the paper's in section 5.1)."""
SPLITS = "splits of a letter"
PRECISION, RECALL, F1 = (f"{metric}, {SELECTION}" for metric in METRICS)
SCORES = {PRECISION: "precision", RECALL: "recall", F1: "F1", SPLITS: "splits of a letter"}
"""Quantity and the name that a figure gives it."""
RATES = {
    f"rate, {ABLATION}": "ablation, published lead",
    f"rate, {RELATIVE}": "ablation, relative lead",
    f"rate, {FULL}": "full absorption",
    f"rate, {FRACTION}": "absorption fraction",
}
QUANTITIES = SCORES | RATES
