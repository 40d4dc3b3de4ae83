"""`python -m benchmarks`: run the benchmarks, and print what they measured beside the budgets."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.benchmark import Row
from benchmarks.machine import describe_machine
from benchmarks.runner import NAMES, find_benchmark, run_rounds


def main() -> int:
    """Run what the command line asks for; 1 when a benchmark failed, 0 otherwise, budgets met or not."""
    arguments = _parse_arguments()
    progress = Console(stderr=True)
    # Piped into a file, a table is as wide as its text.
    output = Console() if sys.stdout.isatty() else Console(width=130)
    machine = describe_machine(arguments.scratch)
    output.print("\n".join(f"{name}: {value}" for name, value in machine.items()), highlight=False)
    results: dict[str, list[dict[str, float]]] = {}
    failed = []
    for name in arguments.only or NAMES:
        missing = find_benchmark(name).missing
        if missing:
            progress.print(f"{name} is skipped: {', '.join(missing)} is not installed")
            continue
        folder = Path(tempfile.mkdtemp(prefix=f"eventlog-{name}-", dir=arguments.scratch))
        try:
            with progress.status("") as status:
                results[name] = run_rounds(
                    name,
                    folder,
                    quick=arguments.quick,
                    rounds=arguments.rounds,
                    notify=status.update,
                )
        except subprocess.CalledProcessError as error:
            failed.append(name)
            progress.print(f"{name} failed: its process exited with {error.returncode}")
        finally:
            shutil.rmtree(folder)
    output.print(_table(results, quick=arguments.quick))
    if arguments.json:
        report = {"command": sys.argv[1:], "machine": machine, "benchmarks": _report(results)}
        arguments.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 1 if failed else 0


def _table(results: dict[str, list[dict[str, float]]], *, quick: bool) -> Table:
    table = Table(title="with a tenth of the work: not figures to quote" if quick else None)
    table.add_column("what", overflow="fold", ratio=1)
    for heading in ("median", "lowest to highest", "budget", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, rounds in results.items():
        benchmark = find_benchmark(name)
        table.add_section()
        table.add_row(f"[bold]{name}[/]: {benchmark.title}; {len(rounds)} rounds")
        for row in benchmark.rows:
            values = [measured[row.name] for measured in rounds]
            middle = statistics.median(values)
            met = row.met_by(middle)
            table.add_row(
                row.text,
                f"{_figure(middle)} {row.unit}",
                f"{_figure(min(values))} to {_figure(max(values))}",
                _budget(row),
                "" if met is None else "[green]met[/]" if met else "[red]missed[/]",
            )
    return table


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


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the budgets of the design on this machine and print them beside the budget.",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        choices=NAMES,
        help=f"one of {', '.join(NAMES)}; repeatable",
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to try it out")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each benchmark")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round's figures to FILE")
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="FOLDER",
        default=Path(tempfile.gettempdir()),
        help="where the stores are made: its disk is what is measured (default: %(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
