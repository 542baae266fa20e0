"""The numbers by which the SAEs of the family are compared, by their name in the one-SAE page's table."""

from __future__ import annotations

from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION, RELATIVE
from absorption.latents.select import SINGLE_LATENT_SELECTIONS
from absorption.several_saes.numbers import METRICS, UNGATED

SELECTION = "encoder cosine"
"""The choice of a letter's latent that the claims on precision and recall are judged by (paper, section 5.1)."""
SPLITS = "splits of a letter"
PRECISION, RECALL, F1 = (f"{metric}, {SELECTION}" for metric in METRICS)

Panels = dict[str, dict[str, str]]
"""Quantity of each line of each panel, by the panel's title and the line's name."""
SCORES: Panels = {
    **{
        metric.replace("f1", "F1"): {name: f"{metric}, {name}" for name in SINGLE_LATENT_SELECTIONS}
        for metric in METRICS
    },
    SPLITS: {"L1 k-sparse": SPLITS},
}
RATES: Panels = {
    "ablation, published lead": {"": f"rate, {ABLATION}"},
    "ablation, relative lead": {"": f"rate, {RELATIVE}"},
    "full absorption": {"": f"rate, {FULL_ABSORPTION}"},
    "absorption fraction": {"": f"rate, {FRACTION}"},
}
"""Means over the letters whose main latents pass the gate (``definitions.gate``)."""
RATES_UNGATED: Panels = {
    f"{title}{UNGATED}": {"": f"{quantity}{UNGATED}"}
    for title, lines in RATES.items()
    for quantity in lines.values()
}


def quantities(panels: Panels) -> list[str]:
    """All quantities of some panels."""
    return [quantity for lines in panels.values() for quantity in lines.values()]


QUANTITIES = quantities(SCORES) + quantities(RATES)
"""Everything that is compared."""
CLAIMED = [*quantities(RATES), PRECISION, RECALL, SPLITS]
"""What the paper's claims are judged by."""
