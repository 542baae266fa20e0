"""Stands in for the command ``absorption`` where only the order of jobs is tested: no model, no kernel."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Note the call, wait as long as told, fail if the SAE's folder is called bad, else leave a result."""
    values = {arguments[i + 1]: arguments[i + 2] for i, word in enumerate(arguments) if word == "-p"}
    record = Path(arguments[arguments.index("--record") + 1])
    with Path(os.environ["CALLS"]).open("a") as calls:
        calls.write(json.dumps([arguments[0], record.as_posix(), os.environ["ABSORPTION_BATCH"]]) + "\n")
    time.sleep(float(os.environ.get("PAUSE", "0")))
    if "bad" in values.get("sae_path", "").rpartition("/")[2] or (
        arguments[0] == "prepare" and "missing" in values["model"]
    ):
        print("a warning of no interest\nthe folder 'bad' has no cfg.json", file=sys.stderr)
        return 1
    if arguments[0] == "run":
        claims = Path(values["results_dir"]) / "claims"
        claims.mkdir(parents=True)
        entry = {"id": "probe", "part": "gap", "measured": 0.25, "low": 0.2, "high": 0.3, "note": ""}
        (claims / "probe.gap.json").write_text(json.dumps(entry))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"error": "", "seconds": 1.5, "peak_bytes": 2_000_000_000}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
