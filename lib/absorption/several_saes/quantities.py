"""The quantities by which the SAEs of the family are compared, and the panels that show them."""

from __future__ import annotations

from absorption.base.quantities import METRICS, SPLITS, UNGATED, rate, score
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION, RELATIVE
from absorption.latents.select import SINGLE_LATENT_SELECTIONS

SELECTION = "encoder cosine"
"""The choice of a letter's latent that the claims on precision and recall are judged by (paper, section 5.1)."""
PRECISION, RECALL = score("precision", SELECTION), score("recall", SELECTION)

Panels = dict[str, dict[str, str]]
"""Quantity of each line of each panel, by the panel's title and the line's name."""
SCORES: Panels = {
    **{
        metric.replace("f1", "F1"): {name: score(metric, name) for name in SINGLE_LATENT_SELECTIONS}
        for metric in METRICS
    },
    SPLITS: {"L1 k-sparse": SPLITS},
}
TITLES = {
    "ablation, published lead": ABLATION,
    "ablation, relative lead": RELATIVE,
    "full absorption": FULL_ABSORPTION,
    "absorption fraction": FRACTION,
}
"""Definition that each panel of rates shows."""
RATES: Panels = {title: {"": rate(definition)} for title, definition in TITLES.items()}
"""Means over the letters whose main latents pass the gate (``definitions.gate``)."""
RATES_UNGATED: Panels = {
    f"{title}{UNGATED}": {"": rate(definition, gated=False)} for title, definition in TITLES.items()
}


def quantities(panels: Panels) -> list[str]:
    """All quantities of some panels."""
    return [quantity for lines in panels.values() for quantity in lines.values()]


QUANTITIES = quantities(SCORES) + quantities(RATES)
"""Everything that is compared."""
CLAIMED = [*quantities(RATES), PRECISION, RECALL, SPLITS]
"""What the paper's claims are judged by."""
