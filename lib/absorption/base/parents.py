"""Processes that end when the one that started them is gone: a parent that is killed cannot end them itself."""

from __future__ import annotations

import os
import threading
import time

PAUSE = 0.2
"""Seconds between two looks."""


def end_with(parent: int) -> None:
    """From now on end this process as soon as its parent is another one than ``parent``."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PAUSE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
