"""`python -m torture.fuzzing`: every target for a while, and a table of what came of it."""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.arguments import existing_file, existing_folder, new_file, positive_amount
from benchmarks.processes import end_all, ending_at_signals
from torture.fuzzing.guided import guided_slice, missing
from torture.fuzzing.slices import Slice, bombs, inputs, read_slice
from torture.fuzzing.target import MIB, Target, read_within
from torture.fuzzing.targets import TARGETS

_SLICE_SECONDS = 5.0


def main() -> int:
    """Read with the targets that are asked for until the time is over; 1 when a promise was broken."""
    arguments = _parse_arguments()
    targets = [one for one in TARGETS if not arguments.only or one.name in arguments.only]
    for target in targets:
        if target.missing:
            print(f"{target.name} is skipped: {', '.join(target.missing)} is not installed", file=sys.stderr)
    targets = [one for one in targets if not one.missing]
    if not targets:
        return 1
    if arguments.input:
        with tempfile.TemporaryDirectory() as scratch:
            read_within(targets[0], arguments.input.read_bytes(), Path(scratch), trace=False)
        return 0
    if arguments.guided and (why := missing()):
        print(f"--guided: {why}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="eventlog-fuzzing-", dir=arguments.scratch))
    print(f"seed {arguments.seed}", file=sys.stderr)
    found = {target.name: Slice() for target in targets}
    with ending_at_signals():
        try:
            _read_in_turn(targets, folder, arguments, found)
        except BaseException:
            end_all()
            _tidy(folder, found)
            raise
    table = _table(found)
    print(table)
    if arguments.markdown:
        arguments.markdown.write_text(table + "\n")
    return _tidy(folder, found)


def _tidy(folder: Path, found: dict[str, Slice]) -> int:
    """Remove the folder, or say what is in it; the exit code."""
    if any(one.broken for one in found.values()):
        print(f"the inputs that broke a promise are in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


def _read_in_turn(
    targets: list[Target], folder: Path, arguments: argparse.Namespace, found: dict[str, Slice]
) -> None:
    end = time.monotonic() + 60 * arguments.minutes
    turn = 0
    while turn == 0 or time.monotonic() < end:
        for target in targets:
            done = _read(target, folder / f"{turn}-{target.name}".replace(" ", "_"), turn, end, arguments)
            found[target.name].add(done)
            for line in done.broken:
                print(line, file=sys.stderr, flush=True)
        turn += 1


def _read(target: Target, folder: Path, turn: int, end: float, arguments: argparse.Namespace) -> Slice:
    seconds = min(_SLICE_SECONDS, max(0.5, end - time.monotonic()))
    if turn == 0:
        done = read_slice(target, lambda: bombs(target), folder)
    elif arguments.guided and turn % 2:
        done = guided_slice(target, f"{arguments.seed}/{turn}", seconds, folder)
    else:
        done = read_slice(target, lambda: inputs(target, f"{arguments.seed}/{turn}", seconds), folder)
    if not done.broken:
        shutil.rmtree(folder, ignore_errors=True)
    return done


def _table(found: dict[str, Slice]) -> str:
    rows = [
        "| reader | inputs | broken | most memory | longest |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, one in found.items():
        rows.append(
            f"| {name} | {one.inputs:,} | {len(one.broken)}"
            f" | {one.peak / MIB:.0f} MiB | {one.slowest:.1f} s |"
        )
    total = sum(one.inputs for one in found.values())
    return "\n".join([*rows, f"| all | {total:,} | {sum(len(one.broken) for one in found.values())} | | |"])


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m torture.fuzzing", description=__doc__)
    parser.add_argument(
        "--minutes", type=positive_amount, default=10.0, help="how long; by default ten minutes"
    )
    parser.add_argument("--seed", default=secrets.token_hex(4), help="gives the same inputs again")
    names = [target.name for target in TARGETS]
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        metavar="TARGET",
        help=f"one of {', '.join(names)}; repeatable",
    )
    parser.add_argument("--guided", action="store_true", help="every other turn guided by coverage (atheris)")
    parser.add_argument(
        "--input", type=existing_file, metavar="FILE", help="read this one input that was kept, alone"
    )
    parser.add_argument("--markdown", type=new_file, metavar="FILE", help="write the table there, too")
    parser.add_argument(
        "--scratch", type=existing_folder, help="where to work; by default the system's place"
    )
    arguments = parser.parse_args()
    if arguments.input and len(set(arguments.only or [])) != 1:
        parser.error("--input: name the one target that is to read it with --only")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
