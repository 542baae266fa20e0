"""The commands of a sweep (``prepare``, ``sweep``, ``gather``, ``table``, ``estimate``) and of stored numbers."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from absorption.base import repository

FAILED, REFUSED = 1, 2


def add_commands(commands: Any) -> None:
    """Add them to the command ``absorption``."""
    prepare = commands.add_parser("prepare", help="compute what SAEs at one place share")
    prepare.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="pairs")
    prepare.add_argument("--record", type=Path, help="write sizes, seconds and memory as JSON")
    prepare.set_defaults(command=_prepare)
    sweep = commands.add_parser("sweep", help="run chapters on many SAEs", description=_sweep.__doc__)
    sweep.add_argument("config", type=Path, help="configuration, see sweep/config.schema.yaml")
    sweep.add_argument("--profile", type=Path, help="Snakemake profile (sweep/profiles/...)")
    sweep.set_defaults(command=_sweep, takes_rest=True)
    gather = commands.add_parser("gather", help="put a sweep's results side by side")
    gather.add_argument("output", type=Path, help="the sweep's output folder")
    gather.set_defaults(command=_gather)
    family = commands.add_parser("family", help="put sweeps of the family's SAEs into data/results")
    family.add_argument("output", type=Path, nargs="*", help="the sweeps' output folders")
    family.add_argument(
        "--add", action="store_true", help="keep stored numbers of SAEs that these sweeps did not measure"
    )
    family.add_argument(
        "--complete", action="store_true", help="then measure what shipped SAEs lack by letter and by silence"
    )
    family.set_defaults(command=_family)
    grid = commands.add_parser("grid", help="measure trained SAEs of the grid", description=_grid.__doc__)
    grid.add_argument("folders", type=Path, nargs="+", help="folders of SAEs, or of folders of SAEs")
    grid.add_argument("--output", type=Path, help="folder of the numbers (default data/results/grid)")
    grid.add_argument("--model", default="", help="the model that they were trained on (default the book's)")
    grid.set_defaults(command=_grid)
    remedies = commands.add_parser(
        "remedies", help="measure trained SAEs of the arms", description=_remedies.__doc__
    )
    remedies.add_argument("folders", type=Path, nargs="*", help="folders of SAEs, or of folders of SAEs")
    remedies.add_argument("--output", type=Path, help="folder of the numbers (default data/results/remedies)")
    remedies.add_argument(
        "--model", default="", help="the model that they were trained on (default the book's)"
    )
    remedies.set_defaults(command=_remedies)
    table = commands.add_parser("table", help="print a sample table of a SAELens release")
    table.add_argument("release")
    table.add_argument("model", help="the model as chapters load it")
    table.add_argument("--match", default="", help="regular expression that the id contains")
    table.add_argument("--layers", help="first and last layer, such as 0-17")
    table.add_argument("--dtype", default="float32")
    table.set_defaults(command=_table)
    estimate = commands.add_parser("estimate", help="what a sweep will cost, from measured stages")
    estimate.add_argument("config", type=Path)
    estimate.add_argument("--measured", type=Path, help="output folder of a finished sweep to scale from")
    estimate.set_defaults(command=_estimate)


def _prepare(options: argparse.Namespace, _rest: list[str]) -> int:
    from absorption.base import cache, locks
    from absorption.sweep import prepare

    try:
        settings = prepare.settings_from(options.pairs)
        with locks.hold(locks.beside(options.record)) if options.record else nullcontext():
            record = prepare.prepare(settings)
            if options.record:
                cache.write_json(options.record, record)
    except locks.Held as held:
        return _refuse(f"record {str(options.record)!r} is being written by {held}.")
    except (ValueError, ConnectionError) as error:
        return _refuse(error)
    print(f"{record['seconds']:.0f} s, {record['peak_bytes'] / 1e9:.1f} GB")
    return 0


def _sweep(options: argparse.Namespace, rest: list[str]) -> int:
    """Run or continue a sweep; what is not an option here goes to Snakemake (-n shows the jobs only)."""
    from absorption.sweep import run

    try:
        return run.run(options.config, repository.root(), profile=options.profile, more=rest)
    except run.SweepError as error:
        return _refuse(error)


def _gather(options: argparse.Namespace, _rest: list[str]) -> int:
    from absorption.sweep import run

    try:
        run.report(options.output)
    except ValueError as error:
        return _refuse(error)
    return 0


def _family(options: argparse.Namespace, _rest: list[str]) -> int:
    from absorption.models.language_model import load_model
    from absorption.several_saes.by_projection import complete
    from absorption.several_saes.collected import collect
    from absorption.several_saes.stored_numbers import read_sae_family

    if not options.output and not options.complete:
        return _refuse("no output folder of a sweep is given; allowed: some, or --complete.")
    try:
        found = collect(options.output, add=options.add) if options.output else read_sae_family()
        if options.complete:
            found, new = complete(lambda name, dtype: load_model(name, dtype=dtype))
            print(f"measured by letter and by silence: {', '.join(new) or 'none was lacking'}")
    except ValueError as error:
        return _refuse(error)
    print(f"{len(found.numbers)} numbers of {len(found.saes)} SAEs: {', '.join(found.saes)}")
    return 0


def _grid(options: argparse.Namespace, _rest: list[str]) -> int:
    """Measure SAEs that `absorption saes ID --output FOLDER` trained, and the shipped ones, on held-out text."""
    from absorption.models.embedded import EMBEDDED
    from absorption.models.language_model import load_model
    from absorption.scaling.collect import collect

    try:
        found = collect(load_model(options.model or EMBEDDED), options.folders, options.output)
    except (ValueError, ConnectionError) as error:
        return _refuse(error)
    print(f"{len(found.stamps)} SAEs; of the grid are missing: {', '.join(found.missing) or 'none'}")
    return 0


def _remedies(options: argparse.Namespace, _rest: list[str]) -> int:
    """Measure SAEs of the chapter on remedies that `absorption saes ID --output FOLDER` trained, and store them."""
    from absorption.models.embedded import EMBEDDED
    from absorption.models.language_model import load_model
    from absorption.remedies.collect import collect

    try:
        found = collect(load_model(options.model or EMBEDDED), options.folders, options.output)
    except (ValueError, ConnectionError) as error:
        return _refuse(error)
    print(f"{len(found.saes)} SAEs; of the arms are missing: {', '.join(found.missing) or 'none'}")
    for line in found.refused:
        print(line, file=sys.stderr)
    return 0


def _table(options: argparse.Namespace, _rest: list[str]) -> int:
    from absorption.sweep import tables

    try:
        layers = _layers(options.layers)
        found = tables.release_table(
            options.release, options.model, match=options.match, layers=layers, dtype=options.dtype
        )
    except ValueError as error:
        return _refuse(error)
    found.to_csv(sys.stdout, sep="\t", index=False)
    return 0


def _layers(text: str | None) -> range | None:
    if text is None:
        return None
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise ValueError(f"--layers is {text!r}; allowed: first and last, such as 0-17.")
    return range(int(first), int(last or first) + 1)


def _estimate(options: argparse.Namespace, _rest: list[str]) -> int:
    from absorption.sweep import cost

    try:
        basis = cost.measured_in(options.measured) if options.measured else cost.measured()
        found = cost.estimate(cost.load_plan(options.config, repository.root()), basis)
    except ValueError as error:
        return _refuse(error)
    print(found.to_string(index=False, float_format=lambda value: f"{value:.2f}", na_rep="?"))
    print(f"Scaled from: {basis['basis']}.{_without_number(found, basis)}")
    return 0


def _without_number(found: Any, basis: Any) -> str:
    """Why some jobs have none."""
    unknown = found[found["hours"].isna() & (found["job"] != "all")]
    told = ""
    if basis["device"] == "cpu" and (unknown["on"] == "GPU").any():
        jobs = int(unknown.loc[unknown["on"] == "GPU", "jobs"].sum())
        told += (
            f"\n? for {jobs} jobs on a GPU: that was measured on a CPU. Run a few of them and scale from their folder:"
            " --measured FOLDER."
        )
    if (unknown["on"] != "GPU").any():
        told += "\n? for chapters that were not measured there."
    return told


def _refuse(error: Exception | str) -> int:
    print(error, file=sys.stderr)
    return REFUSED
