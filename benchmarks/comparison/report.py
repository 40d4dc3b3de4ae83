"""The comparison as a table for people and as JSON for programs."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.benchmark import Row
from benchmarks.comparison.program import Program
from benchmarks.comparison.rounds import Result, Results
from benchmarks.comparison.work import Measured, Work
from benchmarks.comparison.works import find_work

__all__ = ["as_json", "as_lines", "as_markdown", "figure_text", "from_json"]

_HOW = """\
Every program does the same work in its offline or local mode, in a virtual environment of its own, with
nothing to reach beyond this machine. In each round all of them do it once, one after the other, each in a
new process. The figures are medians over the rounds; the best of a line is bold. A dash is explained further
down, where each figure has its spread. *The limit* is what the machine itself took for the same in the same
rounds: a `write(2)` of as many bytes, LMDB with a synced transaction every 200 ms, or `cp`.
"""


def as_markdown(
    results: Results, programs: Sequence[Program], machine: Mapping[str, str], preface: str
) -> str:
    """One table of the medians; below it each figure with its spread and ratio, or the reason for a dash."""
    lines = [preface, "", _HOW, "", *(f"- {name}: {value}" for name, value in machine.items()), ""]
    lines += _overview(results, programs)
    for name, of_programs in results.items():
        work = find_work(name)
        lines += ["", f"## {work.name}", "", f"{work.title[0].upper()}{work.title[1:]}.", ""]
        lines += [
            "| what | program | median | lowest to highest | beside eventlog | |",
            "| --- | --- | --: | --: | --: | --- |",
        ]
        for row in work.rows:
            lines += [f"| {' | '.join(cells)} |" for cells in as_lines(work, row, of_programs, programs)]
    return "\n".join(lines) + "\n"


def as_lines(
    work: Work, row: Row, of_programs: Mapping[str, Result], programs: Sequence[Program]
) -> Iterator[tuple[str, str, str, str, str, str]]:
    """The lines of one row: what, program, median, lowest to highest, ratio to ours, remark."""
    ours = _median(of_programs.get("eventlog"), row.name)
    what = row.text
    for program in programs:
        reason = program.reason(work.needs[row.name])
        result = of_programs[program.name]
        values = result.values(row.name)
        if not values and program.is_limit and reason:
            continue  # a limit of other rows
        if not values:
            yield what, program.name, "—", "", "", reason or _failure(result) or "not measured"
        else:
            middle = statistics.median(values)
            spread = f"{figure_text(min(values))} to {figure_text(max(values))}" if len(values) > 1 else ""
            ratio = _ratio(middle, ours) if program.name != "eventlog" and not _partial(result) else ""
            remark = _remark(work, result)
            yield what, program.name, f"{figure_text(middle)} {row.unit}", spread, ratio, remark
        what = ""


def as_json(results: Results, programs: Sequence[Program]) -> dict[str, Any]:
    """Every figure of every round, and the medians."""
    return {
        "programs": {
            program.name: {"version": program.version, "is_limit": program.is_limit} for program in programs
        },
        "works": {
            name: {
                "title": find_work(name).title,
                "medians": {
                    row.name: {
                        "text": row.text,
                        "unit": row.unit,
                        "more_is_better": row.at_least,
                        "of": {program: _median(result, row.name) for program, result in of_programs.items()},
                    }
                    for row in find_work(name).rows
                },
                "programs": {program: asdict(result) for program, result in of_programs.items()},
            }
            for name, of_programs in results.items()
        },
    }


def from_json(report: Mapping[str, Any]) -> Results:
    """The results that `as_json` made a report of."""
    return {
        name: {
            program: Result(
                [Measured(**measured) for measured in result["rounds"]], result["missing"], result["failures"]
            )
            for program, result in work["programs"].items()
        }
        for name, work in report["works"].items()
    }


def figure_text(value: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 0.01:
        return f"{value:.3g}"
    return f"{value:.1g}" if value else "0"


def _overview(results: Results, programs: Sequence[Program]) -> list[str]:
    """A line for each row, a column for each program, and one for the limit; the best is bold."""
    peers = [program for program in programs if not program.is_limit]
    limits = [program for program in programs if program.is_limit]
    headings = ["", "the limit", *(f"{program.name} {program.version}".strip() for program in peers)]
    lines = [f"| {' | '.join(headings)} |", f"| --- | {'--: | ' * (len(headings) - 1)}".rstrip()]
    for name, of_programs in results.items():
        work = find_work(name)
        for row in work.rows:
            cells = [f"{row.text}, {row.unit}", _limit(row, of_programs, limits)]
            of_peers = [of_programs[program.name] for program in peers]
            whole = [_median(result, row.name) for result in of_peers if not _partial(result)]
            known = [middle for middle in whole if middle is not None]
            best = (max(known) if row.at_least else min(known)) if known else None
            for result in of_peers:
                middle = _median(result, row.name)
                text = "—" if middle is None else figure_text(middle)
                if middle is not None and (partial := _partial(result)):
                    text += f" (of {partial:,.0f} {work.unit})"
                elif middle is not None and (done := _multiplied(result)):
                    text += f" (from {done:,.0f} {work.unit})"
                cells.append(f"**{text}**" if middle is not None and middle == best else text)
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _limit(row: Row, of_programs: Mapping[str, Result], limits: Sequence[Program]) -> str:
    for limit in limits:
        middle = _median(of_programs[limit.name], row.name)
        if middle is not None:
            return f"{figure_text(middle)} ({limit.name})"
    return ""


def _median(result: Result | None, row: str) -> float | None:
    values = result.values(row) if result else []
    return statistics.median(values) if values else None


def _partial(result: Result) -> float | None:
    """How much was done where figures are of less than was asked for; None where they are of all."""
    partial = [measured.done for measured in result.rounds if measured.is_partial]
    return statistics.median(partial) if partial else None


def _multiplied(result: Result) -> float | None:
    """How much was done where figures were multiplied to be of all; None where all of it was done."""
    done = [measured.done for measured in result.rounds if measured.is_scaled]
    return statistics.median(done) if done else None


def _ratio(middle: float, ours: float | None) -> str:
    return f"{figure_text(middle / ours)} ×" if ours and ours > 0 and middle > 0 else ""


def _remark(work: Work, result: Result) -> str:
    """What must be said beside a figure: that less was done than asked for, and that a round failed."""
    done = statistics.median(measured.done for measured in result.rounds)
    asked = statistics.median(measured.asked for measured in result.rounds)
    remarks = []
    if work.lanes > 1:
        remarks.append(f"{done:,.0f} acknowledged")
    elif done < asked:
        scaled = ", multiplied" if any(measured.is_scaled for measured in result.rounds) else ""
        remarks.append(f"of {done:,.0f} {work.unit}{scaled}")
    if failure := _failure(result):
        remarks.append(failure)
    return "; ".join(remarks)


def _failure(result: Result) -> str | None:
    """Why there are no rounds, or less than there should be."""
    if result.missing or not result.failures:
        return result.missing
    last = result.failures[-1]
    tried = len(result.failures) + len(result.rounds)
    return f"{len(result.failures)} of {tried} rounds failed: {last}" if result.rounds else last
