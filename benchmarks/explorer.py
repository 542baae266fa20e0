"""How fast the explorer of a finished book is, in a headless Chromium: ``python -m benchmarks.explorer [_build]``.

Prints milliseconds until the first view stands, and the median and quickest answer to a slider, letter view drawn.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WAIT = 60
"""Seconds until a page that says nothing is given up."""
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1000,1500",
    "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
)  # fmt: skip
DRIVER = """<script>(function go() {
  if (!document.documentElement.dataset.explorer) return setTimeout(go, 5);
  const first = performance.now(), sliders = [];
  for (const [by, key] of [["ablation", "lead"], ["full absorption", "share"]])
    for (let step = 0; step < 20; step++) {
      const before = performance.now();
      location.hash = `#letter=s&by=${encodeURIComponent(by)}&${key}=${0.4 + step / 50}`;
      dispatchEvent(new HashChangeEvent("hashchange"));
      document.body.offsetHeight;
      sliders.push(performance.now() - before);
    }
  console.log("TIMED" + JSON.stringify([first, ...sliders]) + "END");
})();</script>"""


class NotTimedError(RuntimeError):
    """Nothing was measured; one line says why."""


def measure(page: Path) -> dict[str, float]:
    """``first_view_ms``, ``slider_ms`` (median) and ``quickest_slider_ms`` of an explorer page.

    Raises:
        NotTimedError: no Chromium, no page, or a page that does not draw.
    """
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise NotTimedError("no Chromium: apt-get install chromium")
    if not page.is_file():
        raise NotTimedError(f"no page {str(page)!r}; make book first")
    timed = page.resolve().with_name("explorer-timed.html")
    timed.write_text(page.read_text(encoding="utf-8") + DRIVER, encoding="utf-8")
    try:
        with tempfile.TemporaryDirectory() as profile:
            first, *sliders = _said([browser, *OPTIONS, f"--user-data-dir={profile}", timed.as_uri()])
    finally:
        timed.unlink()
    sliders.sort()
    return {
        "first_view_ms": first, "slider_ms": sliders[len(sliders) // 2], "quickest_slider_ms": sliders[0],
    }  # fmt: skip


def _said(command: list[str]) -> Any:
    """What the page writes to its console."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        try:
            for _ in range(WAIT):
                time.sleep(1)
                log.seek(0)
                if found := re.search(r"TIMED(.*?)END", log.read()):
                    return json.loads(found[1])
        finally:
            browser.terminate()
            browser.wait()
    raise NotTimedError(f"the page drew nothing in {WAIT} seconds")


def main() -> int:
    """Measure, and return the exit code."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "_build")
    try:
        print(
            json.dumps(
                {name: round(value) for name, value in measure(output / "html/book/explorer.html").items()}
            )
        )
    except NotTimedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
