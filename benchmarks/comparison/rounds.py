"""Runs the rounds: in each, every program does the work once, so that what disturbs one disturbs all."""

import math
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks.comparison.driving import Drive, DriveFailed, end_drives
from benchmarks.comparison.environments import install
from benchmarks.comparison.program import Program
from benchmarks.comparison.work import Measured, Site, Work

__all__ = ["Effort", "Result", "Results", "compare", "joined", "make_ready"]


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        share: of the work of a round.
        rounds: at most, of each work.
        kills: of each kind, for each program.
        minutes: after which no further round is begun.
    """

    share: float
    rounds: int
    kills: int
    minutes: float = math.inf


# A program that fails once may have stumbled; one that fails again is not tried any more.
_MOST_FAILURES = 2


@dataclass
class Result:
    """What one program did of one work.

    Attributes:
        missing: why it cannot be measured at all.
        failures: why rounds of it failed.
    """

    rounds: list[Measured] = field(default_factory=list)
    missing: str | None = None
    failures: list[str] = field(default_factory=list)

    def goes_on(self) -> bool:
        """Whether it is worth another round."""
        return self.missing is None and len(self.failures) < _MOST_FAILURES

    def values(self, row: str) -> list[float]:
        """All figures of a row: one of each round, or several where a round has several."""
        found: list[float] = []
        for measured in self.rounds:
            figure = measured.figures.get(row)
            if isinstance(figure, list):
                found += figure
            elif figure is not None:
                found.append(figure)
        return found


# By the name of the work, then by that of the program.
Results = dict[str, dict[str, Result]]


def make_ready(
    programs: Sequence[Program], environments: Path, scratch: Path, notify: Callable[[str], None]
) -> None:
    """Install what is not installed yet, and ask each program for its version."""
    for program in programs:
        notify(f"installing {program.name}")
        install(program, environments)
        if program.missing is None:
            try:
                described = Drive(
                    program, "describe", scratch / program.path.stem, scratch / "bytecode"
                ).wait(60)
                program.version = described["version"]
            except DriveFailed as error:
                program.missing = f"cannot be run: {error}"


def compare(
    works: Sequence[Work],
    programs: Sequence[Program],
    effort: Effort,
    scratch: Path,
    notify: Callable[[str], None],
    keep: Callable[[Results], object],
) -> Results:
    """Measure programs with works; one that fails twice is not tried again.

    Args:
        keep: given all results so far, once in each round of a work.
        scratch: an empty folder, on the disk that is measured.
        notify: told what runs now, and how long the rest takes.
    """
    results: Results = {
        work.name: {program.name: Result(missing=program.missing) for program in programs} for work in works
    }
    plan = _Plan(works, programs, effort, results, notify, keep)
    stop_at = time.monotonic() + effort.minutes * 60
    # Rounds without, works within: what disturbs the machine for minutes disturbs one round of each work.
    timed = [work for work in works if work.lanes == 1]
    for number in range(max(map(plan.rounds, timed), default=0)):
        for work in timed:
            # The first round is what fills the rows.
            if number < plan.rounds(work) and (not number or time.monotonic() < stop_at):
                plan.run_round(work, number, scratch / work.name)
    for work in works:
        for number in range(plan.rounds(work) if work.lanes > 1 else 0):
            plan.run_round(work, number, scratch / work.name)
    return results


def joined(earlier: Results, later: Results) -> Results:
    """The rounds of two runs as those of one."""
    results: Results = {}
    for name in dict.fromkeys((*earlier, *later)):
        parts = [part[name] for part in (earlier, later) if name in part]
        results[name] = {}
        for program in dict.fromkeys(program for part in parts for program in part):
            found = [part[program] for part in parts if program in part]
            rounds = [measured for result in found for measured in result.rounds]
            failures = [failure for result in found for failure in result.failures]
            results[name][program] = Result(rounds, found[-1].missing, failures)
    return results


def _rotated(programs: Sequence[Program], number: int) -> Iterable[Program]:
    first = number % max(len(programs), 1)
    return (*programs[first:], *programs[:first])


class _Plan:
    """What is to be run, what has been, and how long the rest will take."""

    def __init__(
        self,
        works: Sequence[Work],
        programs: Sequence[Program],
        effort: Effort,
        results: Results,
        notify: Callable[[str], None],
        keep: Callable[[Results], object],
    ) -> None:
        self._programs = programs
        self._effort = effort
        self._results = results
        self._notify = notify
        self._keep = keep
        self._taken: dict[tuple[str, str], float] = {}
        self._left = {
            (work.name, program.name): self.rounds(work) for work in works for program in self.able(work)
        }
        self._works = {work.name: work for work in works}

    def rounds(self, work: Work) -> int:
        return min(work.rounds, self._effort.rounds)

    def able(self, work: Work) -> list[Program]:
        """Those that can fill at least one row, and are worth another round."""
        return [
            program
            for program in self._programs
            if self._results[work.name][program.name].goes_on()
            and any(program.reason(needs) is None for needs in work.needs.values())
        ]

    def run_round(self, work: Work, number: int, folder: Path) -> None:
        """One round of all programs that can do the work."""
        able = self.able(work)
        with ThreadPoolExecutor(work.lanes) as pool:
            # Nobody is always the first, or always behind the same one.
            try:
                list(pool.map(partial(self._run, work, number, folder), _rotated(able, number)))
            except BaseException:
                # The pool waits for its threads.
                end_drives()
                raise
        self._keep(self._results)

    def _run(self, work: Work, number: int, folder: Path, program: Program) -> None:
        count = self.rounds(work)
        self._notify(
            f"{work.name}: {program.name}, round {number + 1} of {count}; about {self._minutes()} left"
        )
        result = self._results[work.name][program.name]
        site = Site(
            folder / program.path.stem,
            number,
            self._effort.share,
            self._effort.kills,
            folder.parent / "bytecode",
        )
        started = time.monotonic()
        try:
            measured = work.measure(site, program)
            # A program may have figures for what says nothing about it, such as the import of nothing.
            figures = {
                row: figure
                for row, figure in measured.figures.items()
                if row in work.needs and program.reason(work.needs[row]) is None
            }
            result.rounds.append(replace(measured, figures=figures))
        except (DriveFailed, OSError) as error:
            result.failures.append(str(error))
        key = (work.name, program.name)
        self._taken[key] = time.monotonic() - started
        self._left[key] = count - number - 1 if result.goes_on() else 0
        for path in site.folder.glob("store-*"):
            shutil.rmtree(path, ignore_errors=True)

    def _minutes(self) -> str:
        seconds = 0.0
        for (name, program), rounds in self._left.items():
            work = self._works[name]
            guess = work.seconds * max(self._effort.share, 0.3)
            seconds += self._taken.get((name, program), guess) * rounds / work.lanes
        return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
