"""Snakemake as a process of its own, ended with its jobs when the sweep is stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import psutil

from absorption.base import locks

PATIENCE = 60.0
"""Seconds that Snakemake and its jobs get to end by themselves."""


def watch(command: Sequence[str], lock: int) -> int:
    """Run Snakemake, which keeps the sweep's lock as long as it lives; a stop ends it and its jobs.

    It has a session of its own: a terminal's Ctrl-C reaches this process alone, which passes it on once and in order.

    Args:
        command: Snakemake's command line.
        lock: descriptor of the held lock; negative if there is none.

    Raises:
        KeyboardInterrupt: stopped; nothing of the sweep runs on this machine any more.
    """
    handed = [lock] if lock >= 0 else []
    process = subprocess.Popen(command, pass_fds=handed, start_new_session=True)
    locks.sign(lock, process.pid)  # if this process is killed, Snakemake is the one that is to be ended
    try:
        return process.wait()
    except KeyboardInterrupt:
        ignored = [
            (number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)
        ]
        print("stopping Snakemake and its jobs ...", file=sys.stderr, flush=True)
        jobs, killed = stop(process)
        for number, handler in ignored:
            signal.signal(number, handler)
        forced = f", {killed} of them by force" if killed else ""
        print(
            f"stopped Snakemake and {jobs} processes of its jobs{forced}; the same command continues.",
            file=sys.stderr,
        )
        raise


def stop(process: subprocess.Popen[bytes], patience: float = PATIENCE) -> tuple[int, int]:
    """End Snakemake and all below it.

    Snakemake gets an interrupt, on which it starts nothing more and cancels a cluster's jobs; jobs on this machine
    get SIGTERM, on which the runner ends its kernel and removes what is half-written.

    Returns:
        How many processes were below Snakemake, and how many had to be killed.
    """
    children = _below(process.pid)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    for child in children:
        with suppress(psutil.Error):
            child.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    everyone = {child.pid: child for child in [*children, *_below(process.pid)]}
    _, left = psutil.wait_procs(list(everyone.values()), timeout=5)
    for child in left:
        with suppress(psutil.Error):
            child.kill()
    if process.poll() is None:
        process.kill()
        process.wait()
    return len(children), len(left)


def _below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
