"""A process that is to end with its parent ends when that is killed, and also if it was dead before the first look."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil

CHILD = "import sys, time; from absorption.base import parents; parents.end_with(int(sys.argv[1])); time.sleep(60)"
PARENT = """\
import os, subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())]).pid, flush=True)
time.sleep(60)
"""


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            psutil.Process(pid).kill()
            return False
        time.sleep(0.05)
    return True


def test_a_child_ends_with_its_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    assert ends(child)


def test_a_child_whose_parent_died_before_it_looked_ends_at_once() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert dead.pid != os.getpid()
    with subprocess.Popen([sys.executable, "-c", CHILD, str(dead.pid)]) as child:
        assert child.wait(30) == 1
