"""Devices: which one a name means, checked before anything is put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch takes seconds to import; a command line that says `cpu` need not wait for it
    import torch


def resolve_device(device: str) -> torch.device:
    """``auto`` picks CUDA when there is one; anything else must exist.

    Raises:
        ValueError: not a device of this machine.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"device {device!r} is not available: {reason} Allowed: auto, cpu, cuda.") from error


def check_device(device: str) -> None:
    """Raise as ``resolve_device`` does; the two names that every machine knows cost no import."""
    if device not in ("auto", "cpu"):
        resolve_device(device)
