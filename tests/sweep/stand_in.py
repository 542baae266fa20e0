"""Stands in for the command ``absorption`` where only the order of jobs is tested: no model, no kernel."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

LOCKS = Path(__file__).parents[2] / "lib" / "absorption" / "base" / "locks.py"


def main(arguments: list[str]) -> int:
    """Note the call, hold the run's lock as the real command does, and do as if."""
    spec = importlib.util.spec_from_file_location("locks", LOCKS)
    assert spec is not None
    assert spec.loader is not None
    locks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(locks)
    target = arguments[2] if arguments[0] == "run" else arguments[arguments.index("--record") + 1]
    try:
        with locks.hold(locks.beside(Path(target))):
            return job(arguments)
    except locks.Held as held:
        print(f"output {target!r} is being written by {held}.", file=sys.stderr)
        return 2


def job(arguments: list[str]) -> int:
    """Wait as long as told, fail if the SAE's folder is called bad, else leave a result."""
    values = {arguments[i + 1]: arguments[i + 2] for i, word in enumerate(arguments) if word == "-p"}
    record = Path(arguments[arguments.index("--record") + 1])
    with Path(os.environ["CALLS"]).open("a") as calls:
        calls.write(json.dumps([arguments[0], record.as_posix(), os.environ["ABSORPTION_BATCH"]]) + "\n")
    wait()
    if "bad" in values.get("sae_path", "").rpartition("/")[2] or (
        arguments[0] == "prepare" and "missing" in values["model"]
    ):
        print("a warning of no interest\nthe folder 'bad' has no cfg.json", file=sys.stderr)
        return 1
    if arguments[0] == "run":
        claims = Path(values["results_dir"]) / "claims"
        claims.mkdir(parents=True)
        number = 0.25 + int("0" + "".join(filter(str.isdigit, Path(values["sae_path"]).name))) / 1000
        entry = {"id": "probe", "part": "gap", "measured": number, "low": 0.2, "high": 0.3, "note": ""}
        (claims / "probe.gap.json").write_text(json.dumps(entry))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"error": "", "seconds": 1.5, "peak_bytes": 2_000_000_000}))
    return 0


def wait() -> None:
    """``PAUSE`` seconds, or until the file ``GATE`` names is there."""
    time.sleep(float(os.environ.get("PAUSE", "0")))
    gate = os.environ.get("GATE", "")
    while gate and not Path(gate).exists():
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
