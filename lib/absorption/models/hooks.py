"""Hook names: where on the residual stream an SAE reads, resolved once and checked.

TransformerLens' bridge ignores unknown hook names without a word, so every name passes through
``resolve_site`` first. The residual stream has ``n_layers + 1`` places; ``hook_resid_post`` of one block and
``hook_resid_pre`` of the next are the same tensor, so a place is known by its *depth*: how many blocks
have been applied to the embedding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(r"^blocks\.(\d+)\.(hook_resid_pre|hook_resid_post|hook_in|hook_out)$")
_FINAL = "hook_resid_post"


@dataclass(frozen=True)
class Site:
    """A place on the residual stream."""

    depth: int
    """Blocks applied so far: 0 is the embedding, ``n_layers`` the input of the final norm."""

    @property
    def name(self) -> str:
        """The usual hook name, ``blocks.8.hook_resid_post``."""
        return f"blocks.{self.depth - 1}.{_FINAL}" if self.depth else "blocks.0.hook_resid_pre"

    @property
    def label(self) -> str:
        """What figures call it: ``embedding`` or ``layer 8``."""
        return f"layer {self.depth - 1}" if self.depth else "embedding"


def resolve_site(hook_name: str, n_layers: int) -> Site:
    """The place that a hook name means.

    Raises:
        ValueError: not a residual-stream hook, or a layer that the model does not have.
    """
    match = _PATTERN.match(hook_name)
    if match is None:
        if hook_name == "hook_embed":
            return Site(0)
        raise ValueError(
            f"hook {hook_name[:80]!r} is not on the residual stream; "
            f"allowed: blocks.L.hook_resid_pre or blocks.L.hook_resid_post with L from 0 to {n_layers - 1}."
        )
    layer = int(match.group(1))
    if layer >= n_layers:
        raise ValueError(
            f"hook {hook_name[:80]!r} names layer {layer}, but the model has layers 0 to {n_layers - 1}."
        )
    return Site(layer if match.group(2) in ("hook_resid_pre", "hook_in") else layer + 1)
