"""Build the book from an empty cache in a temporary folder, and write what it cost to bench.json."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from absorption.base import repository
from benchmarks import book


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("_build"), help="folder of what is made")
    parser.add_argument("--warm", action="store_true", help="use the present cache, not an empty one")
    options = parser.parse_args()
    try:
        print(book.measure(repository.root(), options.output, warm=options.warm))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
