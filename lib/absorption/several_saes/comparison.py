"""The shipped SAEs that chapters set beside the one they are about."""

from __future__ import annotations

from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import shipped_ids

COMPANIONS = (
    "topk-8192-l0-6-layer-6", "topk-8192-l0-12-layer-6", "topk-8192-l0-24-layer-6", "topk-4096-l0-12-layer-6",
)  # fmt: skip
"""Three L0s and two widths. The whole family has a chapter of its own."""
EDITED_WITH = (*COMPANIONS, "topk-8192-l0-96-layer-6")
"""Letters are edited with one more: the paper finds edits best at L0 75 to 150."""


def companions(sae: LoadedSae, model: LanguageModel, *, ids: tuple[str, ...] = ()) -> list[LoadedSae]:
    """Those of the shipped ``ids`` (default: ``COMPANIONS``) that read the same hook of the same model, without
    ``sae`` itself."""
    others = []
    for sae_id in shipped_ids():
        if sae_id == sae.name or sae_id not in (ids or COMPANIONS):
            continue
        try:
            other = load_sae("shipped", sae_id, model)
        except ValueError:
            continue  # made for a model of another width
        if other.site == sae.site and other.card.get("model_weights_hash") == model.weights_hash:
            others.append(other)
    return others
