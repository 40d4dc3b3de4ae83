"""`python -m torture`: make faults for as long as one is told, and say whether every promise held."""

import argparse
import contextlib
import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live

from benchmarks.arguments import add_scratch, natural_number, new_file, positive_amount
from benchmarks.processes import ending_at_signals
from torture.report import as_json, as_markdown, as_table
from torture.runner import NAMES, Tally, play_until

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; 1 when a promise was broken, 0 otherwise."""
    options = _parse(arguments)
    names = options.only or list(NAMES)
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    progress = Console(stderr=True)
    output = Console() if sys.stdout.isatty() else Console(width=130)
    output.print(f"seed {seed}", highlight=False)
    # Whoever records what programs do compares paths with it, and they name no links.
    folder = Path(tempfile.mkdtemp(prefix="eventlog-torture-", dir=options.scratch)).resolve()
    began = time.monotonic()
    end = began + options.seconds
    with ending_at_signals(), _left_tidy(folder, progress):
        tallies = _play(end, seed, folder, names, options, progress)
    seconds = time.monotonic() - began
    output.print(as_table(tallies))
    if options.json:
        options.json.write_text(json.dumps(as_json(tallies, seed, seconds), indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text(as_markdown(tallies, seed, options.seconds))
    failed = [
        (name, number, kept) for name, tally in tallies.items() for number, kept in tally.failed.items()
    ]
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    for name, number, kept in failed:
        output.print(f"[red]broken[/]: {name}, round {number}", highlight=False)
        told = (kept / "broken.txt").read_text().rstrip()
        output.print(told, highlight=False, markup=False, soft_wrap=True)
        output.print(f"kept: {kept}", highlight=False, soft_wrap=True)
    return 1


def _play(
    end: float, seed: int, folder: Path, names: list[str], options: argparse.Namespace, progress: Console
) -> dict[str, Tally]:
    # Without a thread that draws it: rounds are forked from this process.
    with Live(console=progress, auto_refresh=False, transient=True) as live:

        def notify(name: str, tallies: dict[str, Tally]) -> None:
            left = max(0, round(end - time.monotonic()))
            faults = sum(tally.total.faults for tally in tallies.values())
            lost = sum(tally.total.lost for tally in tallies.values())
            broken = sum(len(tally.failed) for tally in tallies.values())
            line = f"{left // 60}:{left % 60:02} left, {faults:,} faults, lost: {lost:,}"
            if broken:
                line += f", [red]{broken} round{'s' * (broken != 1)} broke a promise[/]"
            live.update(f"{line}; now {name}, round {tallies[name].rounds + 1}", refresh=True)

        return play_until(
            end if options.round is None else math.inf,
            seed,
            folder,
            names,
            first=options.round or 0,
            most=1 if options.round is not None else None,
            notify=notify,
        )


@contextlib.contextmanager
def _left_tidy(folder: Path, progress: Console) -> Iterator[None]:
    """Of a run that is cut off, only folders of rounds that broke a promise are left, and are named."""
    try:
        yield
    except BaseException:
        for of_round in folder.iterdir():
            if not (of_round / "broken.txt").exists():
                shutil.rmtree(of_round, ignore_errors=True)
        if kept := sorted(folder.iterdir()):
            progress.print(f"kept: {', '.join(map(str, kept))}", highlight=False, soft_wrap=True)
        else:
            folder.rmdir()
        raise


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m torture",
        description="Make faults of every kind, and check after each that every promise holds.",
    )
    parser.add_argument(
        "--minutes", type=positive_amount, default=10.0, metavar="N", help="for how long (default: 10)"
    )
    parser.add_argument(
        "--seconds", type=positive_amount, metavar="N", help="for how long, instead of --minutes"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="what chances are drawn from (default: a random one)"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=NAMES,
        metavar="KIND",
        help=f"one of {', '.join(NAMES)}; repeatable",
    )
    parser.add_argument(
        "--round", type=natural_number, metavar="N", help="play one round alone, by its number"
    )
    parser.add_argument("--json", type=new_file, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--markdown", type=new_file, metavar="FILE", help="also write the table to FILE")
    add_scratch(parser, "where stores are made and damaged")
    options = parser.parse_args(arguments)
    options.seconds = options.minutes * 60 if options.seconds is None else options.seconds
    return options


if __name__ == "__main__":
    sys.exit(main())
