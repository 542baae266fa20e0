"""The one-line command that judges an SAE of the explorer again."""

from __future__ import annotations

import shlex

from absorption.base.settings import EMBEDDED_MODEL
from absorption.chapters.settings import AbsorptionSettings, ReportSettings
from absorption.saes.loaded import LoadedSae
from absorption.saes.shipped import SHIPPED

RUN = "absorption run notebooks/05-absorption.ipynb out.html"


def command(
    settings: AbsorptionSettings | ReportSettings, sae: LoadedSae, max_candidates: int, *, shipped: bool
) -> str:
    """Chapter 5 on one SAE alone; thresholds are added behind it.

    Args:
        settings: of the page that judged it.
        sae: the SAE.
        max_candidates: candidates of a letter that were ablated.
        shipped: it is one of the book's, whatever SAE the page is about.
    """
    if shipped:
        values = {"sae_release": SHIPPED, "sae_id": sae.name}
    else:
        named = ("sae_release", "sae_id", "sae_path", "hook_name")
        values = {name: str(getattr(settings, name)) for name in named if getattr(settings, name)}
    if settings.model != EMBEDDED_MODEL:
        values["model"] = settings.model
    shared = ("n_words", "n_sets", "seed", "probe", "split")
    values |= {name: str(getattr(settings, name)) for name in shared if hasattr(settings, name)}
    values |= {"max_candidates": str(max_candidates), "compare": "false"}
    return " ".join([RUN, *(f"-p {name} {shlex.quote(value)}" for name, value in values.items())])
