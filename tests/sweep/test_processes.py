"""A stop ends Snakemake and everything below it, by force if need be."""

from __future__ import annotations

import subprocess
import sys
import time

from absorption.sweep import processes


def test_a_process_that_does_not_listen_is_ended_by_force() -> None:
    deaf = "import signal,time,subprocess,sys\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\n"
    child = deaf + "print('ready', flush=True)\ntime.sleep(60)"
    parent = deaf + f"subprocess.Popen([sys.executable, '-c', {child!r}]).wait()\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    begin = time.monotonic()
    assert processes.stop(process, patience=0.5) == (1, 1)
    assert process.returncode == -9
    assert time.monotonic() - begin < 30
