"""`python -m benchmarks`: measure the budgets, and this project beside its peers; print and write both."""

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.arguments import add_scratch, positive_amount, positive_number
from benchmarks.benchmark import Row
from benchmarks.comparison.program import ADAPTERS, LIMITS, OURS, PEERS, Program
from benchmarks.comparison.report import as_json, as_lines, as_markdown, from_json
from benchmarks.comparison.rounds import Effort, Results, compare, joined, make_ready
from benchmarks.comparison.works import WORKS, find_work
from benchmarks.machine import describe_machine
from benchmarks.processes import scratch_folder
from benchmarks.runner import NAMES, find_benchmark, run_rounds

ROOT = Path(__file__).parents[1]
DEFAULT_JSON = ROOT / "build" / "benchmarks.json"
GROUPS = {"budgets": NAMES, "peers": tuple(work.name for work in WORKS)}
_QUICK = "with a tenth of the work: not figures to quote"


def main() -> int:
    """Run what the command line asks for; 1 when a benchmark failed, 0 otherwise, budgets met or not."""
    arguments = _parse_arguments()
    progress = Console(stderr=True)
    # Piped into a file, a table is as wide as its text.
    output = Console() if sys.stdout.isatty() else Console(width=130)
    machine = describe_machine(arguments.scratch)
    output.print("\n".join(f"{name}: {value}" for name, value in machine.items()), highlight=False)
    asked = [name for only in arguments.only or GROUPS for name in GROUPS.get(only, (only,))]
    report: dict[str, Any] = {"command": sys.argv[1:], "machine": machine}
    failed = False
    if budgets := [name for name in asked if name in NAMES]:
        results, failed = _measure_budgets(budgets, arguments, progress)
        output.print(_table(results, quick=arguments.quick))
        report["benchmarks"] = _report(results)
    if arguments.json != DEFAULT_JSON:
        _write(arguments.json, _as_text(report))
    if works := [name for name in asked if name not in NAMES]:

        def keep(results: Results, programs: Sequence[Program]) -> Results:
            """Write what there is so far: a run that is cut off has its rounds."""
            joint = joined(arguments.add_to, results)
            both = {name: joint[name] for name in GROUPS["peers"] if name in joint}
            report["comparison"] = as_json(both, programs)
            _write(arguments.json, _as_text(report))
            _write(arguments.markdown, as_markdown(both, programs, machine, _preface(arguments)))
            return both

        compared, programs = _measure_peers(works, arguments, progress, keep)
        output.print(_comparison(keep(compared, programs), programs, quick=arguments.quick))
        progress.print(f"wrote {arguments.markdown} and {arguments.json}")
    return 1 if failed else 0


def _measure_budgets(
    names: Sequence[str], arguments: argparse.Namespace, progress: Console
) -> tuple[dict[str, list[dict[str, float]]], bool]:
    """Run the benchmarks of the budgets: what each measured, and whether one failed."""
    results: dict[str, list[dict[str, float]]] = {}
    failed = False
    for name in names:
        missing = find_benchmark(name).missing
        if missing:
            progress.print(f"{name} is skipped: {', '.join(missing)} is not installed")
            continue
        try:
            with (
                scratch_folder(f"eventlog-{name}-", arguments.scratch) as folder,
                progress.status("") as status,
            ):
                results[name] = run_rounds(
                    name,
                    folder,
                    quick=arguments.quick,
                    rounds=arguments.rounds,
                    notify=status.update,
                )
        except subprocess.CalledProcessError as error:
            failed = True
            progress.print(f"{name} failed: its process exited with {error.returncode}")
    return results, failed


def _measure_peers(
    names: Sequence[str],
    arguments: argparse.Namespace,
    progress: Console,
    keep: Callable[[Results, list[Program]], object],
) -> tuple[Results, list[Program]]:
    """Install the peers that are asked for, and measure them beside this project and the limits."""
    programs = [Program.of_adapter(ADAPTERS / f"{name}.py") for name in (OURS, *arguments.peers, *LIMITS)]
    if arguments.quick:
        effort = Effort(0.1, 2, 3)
    else:
        effort = Effort(1, 5, 100) if arguments.full else Effort(1, 3, 20)
    effort = replace(
        effort,
        share=arguments.share or effort.share,
        rounds=arguments.rounds or effort.rounds,
        kills=arguments.kills or effort.kills,
        minutes=arguments.minutes or math.inf,
    )
    with (
        scratch_folder("eventlog-peers-", arguments.scratch.absolute()) as scratch,
        progress.status("") as status,
    ):
        # Into a file, a line for each is what shows that something goes on.
        notify = status.update if progress.is_terminal else progress.print
        make_ready(programs, arguments.environments, scratch, notify)
        works = [find_work(name) for name in names]
        results = compare(works, programs, effort, scratch, notify, lambda results: keep(results, programs))
    return results, programs


def _comparison(results: Results, programs: Sequence[Program], *, quick: bool) -> Table:
    table = Table(title=_QUICK if quick else None)
    for heading in ("what", "program"):
        table.add_column(heading)
    for heading in ("median", "lowest to highest", "beside eventlog"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold", ratio=1)
    for name, of_programs in results.items():
        work = find_work(name)
        for row in work.rows:
            table.add_section()
            for cells in as_lines(work, row, of_programs, programs):
                table.add_row(*(escape(cell) for cell in cells))
    return table


def _preface(arguments: argparse.Namespace) -> str:
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    made = f"# eventlog beside its peers\n\nMade by `{command}`."
    return f"{made} {_QUICK[0].upper()}{_QUICK[1:]}." if arguments.quick else made


def _as_text(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _table(results: dict[str, list[dict[str, float]]], *, quick: bool) -> Table:
    table = Table(title=_QUICK if quick else None)
    table.add_column("what", overflow="fold", ratio=1)
    for heading in ("median", "lowest to highest", "budget", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, rounds in results.items():
        benchmark = find_benchmark(name)
        table.add_section()
        table.add_row(f"[bold]{name}[/]: {benchmark.title}; {_rounds(len(rounds))}")
        for row in benchmark.rows:
            values = [measured[row.name] for measured in rounds]
            middle = statistics.median(values)
            if math.isnan(middle):
                continue  # what it is measured beside is not installed
            met = row.met_by(middle)
            table.add_row(
                row.text,
                f"{_figure(middle)} {row.unit}",
                f"{_figure(min(values))} to {_figure(max(values))}",
                _budget(row),
                "" if met is None else "[green]met[/]" if met else "[red]missed[/]",
            )
    return table


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"


def _report(results: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    return {
        name: {
            row.name: {
                "text": row.text,
                "unit": row.unit,
                "budget": row.budget,
                "median": statistics.median(measured[row.name] for measured in rounds),
                "met": row.met_by(statistics.median(measured[row.name] for measured in rounds)),
                "rounds": [measured[row.name] for measured in rounds],
            }
            for row in find_benchmark(name).rows
        }
        for name, rounds in results.items()
    }


def _budget(row: Row) -> str:
    if row.budget is None:
        return ""
    return f"{'≥' if row.at_least else '≤'} {_figure(row.budget)} {row.unit}"


def _figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _earlier_results(file: str) -> Results:
    try:
        return from_json(json.loads(Path(file).read_text())["comparison"])
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{file}: {error.strerror}") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"{file} is not the JSON of a run with peers") from None


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the budgets of the design on this machine, and this project beside its peers.",
    )
    choices = (*GROUPS, *GROUPS["budgets"], *GROUPS["peers"])
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        choices=choices,
        help=f"one of {', '.join(choices)}; repeatable",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="a tenth of the work, to try it out")
    amount.add_argument(
        "--full", action="store_true", help="more rounds, and 100 kills of each kind: an hour or two"
    )
    parser.add_argument("--rounds", type=positive_number, metavar="N", help="rounds of each benchmark")
    parser.add_argument(
        "--kills", type=positive_number, metavar="N", help="kills of each kind, for each program"
    )
    parser.add_argument(
        "--share",
        type=positive_amount,
        metavar="X",
        help="of the work in a round of the peers: 1 is all of it",
    )
    parser.add_argument(
        "--minutes",
        type=positive_amount,
        metavar="N",
        help="begin no further round of the peers after so many minutes",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        metavar="NAME",
        choices=PEERS,
        default=PEERS,
        help=f"which peers to measure beside (default: all of {', '.join(PEERS)})",
    )
    parser.add_argument(
        "--add-to",
        type=_earlier_results,
        default={},
        metavar="FILE",
        help="the JSON of an earlier run, whose rounds of the peers count too",
    )
    parser.add_argument(
        "--environments",
        type=Path,
        metavar="FOLDER",
        default=ROOT / ".bench",
        help="where peers are installed, once (default: %(default)s)",
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        default=ROOT / "build" / "peers.md",
        help="where the table of the peers is written (default: %(default)s)",
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        default=DEFAULT_JSON,
        help="where every round's figures are written (default: %(default)s)",
    )
    add_scratch(parser, "where the stores are made: its disk is what is measured")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
