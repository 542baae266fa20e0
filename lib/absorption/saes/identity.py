"""What decides an SAE's output besides its weights; and what no SAE may be.

The same weights with k 32 and with k 16 are two SAEs: results are kept, and stored numbers accepted, under weights
*and* configuration.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from sae_lens import SAE

NOT_DECISIVE = {
    "device": "where it is computed changes an output by rounding only",
    "metadata": "says how the SAE came about; the one fact in it that is acted on is `centred`",
}
"""Fields of SAELens' configurations that no output depends on. All others count, also ones that come later."""


def is_centred(sae: SAE[Any]) -> bool:
    """Whether the SAE was made for a residual stream whose mean over dimensions was taken out.

    TransformerLens does so to GPT-2 (``center_writing_weights``); its layer norms do not notice.
    """
    made_for = sae.cfg.metadata.model_from_pretrained_kwargs or {}
    return bool(made_for.get("center_writing_weights"))


def configuration(sae: SAE[Any]) -> dict[str, Any]:
    """All that decides ``encode`` and ``decode`` besides the weights, as JSON values."""
    names = [each.name for each in dataclasses.fields(sae.cfg) if each.name not in NOT_DECISIVE]
    return {
        "class": type(sae).__name__,
        "architecture": sae.cfg.architecture(),
        "fields": {name: _plain(getattr(sae.cfg, name)) for name in names},
        "activation": _activation(sae.activation_fn),
        "computes_in": str(sae.dtype),
        "error_term": bool(sae.use_error_term),
        "centred": is_centred(sae),
    }


def _activation(function: Any) -> dict[str, Any]:
    """The function's name and settings (TopK keeps a k of its own, taken from the configuration when it was made)."""
    settings = {name: value for name, value in vars(function).items() if not name.startswith("_")}
    settings.pop("training", None)  # every module's; nothing here drops out at random
    return {"name": type(function).__name__, **{name: _plain(value) for name, value in settings.items()}}


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else repr(value)


def check_values(sae: SAE[Any], name: str) -> None:
    """Refuse an SAE whose outputs could only be nonsense.

    Raises:
        ValueError: weights that are not finite, or a ``k`` that is not a whole number from 1 to the number of latents.
    """
    for part, values in sae.state_dict().items():
        if bad := int((~torch.isfinite(values)).sum()):
            raise ValueError(
                f"SAE {name!r} has NaN or infinite values in {part} ({bad:,} of {values.numel():,}); "
                "allowed: finite weights."
            )
    k = getattr(sae.cfg, "k", 1)
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= sae.cfg.d_sae:
        raise ValueError(
            f"SAE {name!r} has k {repr(k)[:80]}; allowed: a whole number from 1 to d_sae ({sae.cfg.d_sae})."
        )
