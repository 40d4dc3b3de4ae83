"""The table of a run: for a terminal, in Markdown, and in JSON."""

import platform
from typing import Any

from rich.table import Table

from torture.fault import Outcome
from torture.runner import NAMES, Tally, find_fault

__all__ = ["as_json", "as_markdown", "as_table"]

HEADINGS = ("fault", "rounds", "how many", "promises checked", "acknowledged", "lost", "broken")
# None broken would be said of what nobody looked at.
NOT_TRIED = "–"


def as_table(tallies: dict[str, Tally]) -> Table:
    """The table for a terminal."""
    table = Table()
    for place, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if place == 0 else "right", overflow="fold")
    for row in _rows(tallies):
        table.add_row(*row)
    table.add_section()
    table.add_row(*_total(tallies), style="bold")
    return table


def as_markdown(tallies: dict[str, Tally], seed: int, seconds: float) -> str:
    """The table in Markdown, below a line that says how it was made."""
    only = "" if set(tallies) == set(NAMES) else "".join(f" --only {name}" for name in tallies)
    lines = [
        f"`python -m torture --seconds {seconds:g} --seed {seed}{only}`, {_machine()}:",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "| --- |" + " ---: |" * (len(HEADINGS) - 1),
        *("| " + " | ".join(row) + " |" for row in [*_rows(tallies), _total(tallies)]),
        "",
    ]
    return "\n".join(lines)


def as_json(tallies: dict[str, Tally], seed: int, seconds: float) -> dict[str, Any]:
    """All figures, with the lines of what was broken."""
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "machine": _machine(),
        "faults": {
            name: {
                "title": find_fault(name).title,
                "unit": find_fault(name).unit,
                "skipped": tally.skipped,
                "rounds": tally.rounds,
                "seconds": round(tally.seconds, 1),
                "faults": tally.total.faults,
                "promises": tally.total.promises,
                "acknowledged": tally.total.acknowledged,
                "lost": tally.total.lost,
                "broken": tally.total.broken,
                "failed_rounds": sorted(tally.failed),
            }
            for name, tally in tallies.items()
        },
    }


def _rows(tallies: dict[str, Tally]) -> list[list[str]]:
    rows = []
    for name, tally in tallies.items():
        fault, total = find_fault(name), tally.total
        if tally.skipped:
            rows.append([f"{name}: skipped, {tally.skipped}", *[""] * (len(HEADINGS) - 1)])
            continue
        rows.append(
            [
                f"{name}: {fault.title}",
                f"{tally.rounds:,}",
                _count(total.faults, fault.unit) if tally.rounds else NOT_TRIED,
                *_figures(total, tally.rounds, counts_events=fault.counts_events),
            ]
        )
    return rows


def _total(tallies: dict[str, Tally]) -> list[str]:
    total = Outcome()
    for tally in tallies.values():
        total.add(tally.total)
    rounds = sum(tally.rounds for tally in tallies.values())
    return ["all", f"{rounds:,}", f"{total.faults:,}", *_figures(total, rounds)]


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit.removesuffix('s') if number == 1 else unit}"


def _figures(total: Outcome, rounds: int, *, counts_events: bool = True) -> list[str]:
    of_events = (total.acknowledged, total.lost) if counts_events else (None, None)
    figures = (total.promises, *of_events, len(total.broken))
    return [NOT_TRIED if figure is None or not rounds else f"{figure:,}" for figure in figures]


def _machine() -> str:
    return f"CPython {platform.python_version()}, {platform.system()} {platform.release()}"
