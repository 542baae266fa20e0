"""Kernels with an environment of their own; their complaints stay off the terminal, a dying one's go to the log."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.manager import AsyncKernelManager

MOST_LINES = 50


class Stopped(RuntimeError):
    """The run was told to stop while its kernel worked."""


@dataclass(eq=False)
class Kernel:
    """The kernel of one run."""

    stderr: Path
    """Where its process writes its standard error: interpreter crashes and its own log, not what cells print."""
    environment: Mapping[str, str]
    """Variables besides this process's own; the kernel's alone, since other notebooks may run in other threads."""
    pid: int = 0
    """0 before it has started."""
    stopped: bool = False

    def manager(self) -> type[AsyncKernelManager]:
        """The class that starts it, for papermill."""
        kernel = self

        class Manager(AsyncKernelManager):
            def __init__(self, **kw: Any) -> None:
                # Its keys and ports: by default a file in the temporary folder, which a kill would leave there.
                super().__init__(**{"connection_file": str(kernel.stderr.with_name("kernel.json")), **kw})

            async def _async_start_kernel(self, **kw: Any) -> None:
                variables = {**os.environ, **kw.pop("env", {}), **kernel.environment}
                with kernel.stderr.open("ab") as sink:
                    await super()._async_start_kernel(**kw, env=variables, stderr=sink)
                kernel.pid = getattr(self.provisioner, "pid", None) or 0
                if kernel.stopped:
                    kernel.stop()

            start_kernel = _async_start_kernel  # type: ignore[assignment]

        return Manager

    def processes(self) -> list[psutil.Process]:
        """Its process and all that this one started; none before it starts and after its end."""
        if not self.pid:
            return []
        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> None:
        """Kill it with all that it started, now or as soon as it has started."""
        self.stopped = True
        for process in reversed(self.processes()):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def last_words(self) -> str:
        """The end of what its process wrote to standard error, as a section of the log."""
        text = self.stderr.read_text(encoding="utf-8", errors="replace") if self.stderr.exists() else ""
        lines = [line for line in text.splitlines() if line.strip() and "IPKernelApp] WARNING" not in line]
        return "".join(f"{line}\n" for line in ["--- kernel", *lines[-MOST_LINES:]]) if lines else ""


class Kernels:
    """The kernels of one book that work now, on any of its threads; they are stopped together."""

    def __init__(self) -> None:
        """None yet."""
        self._working: set[Kernel] = set()
        self._stopped = False
        self._lock = threading.Lock()

    @contextmanager
    def one(self, stderr: Path, environment: Mapping[str, str]) -> Iterator[Kernel]:
        """A kernel among them, until the block ends."""
        kernel = Kernel(stderr, environment)
        with self._lock:
            kernel.stopped = self._stopped
            self._working.add(kernel)
        try:
            yield kernel
        finally:
            with self._lock:
                self._working.discard(kernel)

    def stop(self) -> None:
        """Stop all, and whatever starts from now on; the threads that wait for them raise ``Stopped``."""
        with self._lock:
            self._stopped = True
            for kernel in self._working:
                kernel.stop()
