"""Kernels whose own complaints stay off the terminal; what a dying one says is kept for the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

MOST_LINES = 50


def writing_stderr_to(path: Path) -> type[AsyncKernelManager]:
    """A kernel manager whose kernels write their process's standard error to a file.

    That is where interpreter crashes and the kernel's own log go; what cells print goes to the notebook.
    """

    class Manager(AsyncKernelManager):
        async def _async_start_kernel(self, **kw: Any) -> None:
            with path.open("ab") as sink:
                await super()._async_start_kernel(**kw, stderr=sink)

        start_kernel = _async_start_kernel  # type: ignore[assignment]

    return Manager


def last_words(path: Path) -> str:
    """The end of what a kernel's process wrote to standard error, as a section of the log."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = [line for line in text.splitlines() if line.strip() and "IPKernelApp] WARNING" not in line]
    return "".join(f"{line}\n" for line in ["--- kernel", *lines[-MOST_LINES:]]) if lines else ""
