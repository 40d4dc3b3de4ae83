"""What a piece of work is that programs are measured with, and where one round of it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Row
from benchmarks.comparison.driving import Drive
from benchmarks.comparison.program import Program

__all__ = ["Measured", "Site", "Work"]


@dataclass(frozen=True)
class Site:
    """Where, and how much, one program works in one round.

    Attributes:
        folder: of this work and this program; the same in each round.
        round: its number, from 0.
        share: of the full amount of work: 0.1 for trying it out.
        kills: how many processes are killed.
        bytecode: see `Drive`.
    """

    folder: Path
    round: int
    share: float
    kills: int
    bytecode: Path

    def drive(
        self, program: Program, work: str, folder: str, *, limit: float = 240, **options: Any
    ) -> dict[str, Any]:
        """Do a piece of work in a folder of this site, in `limit` seconds at most."""
        return Drive(program, work, self.folder / folder, self.bytecode, **options).wait(limit)

    def amount(self, full: int) -> int:
        """How much to do, where `full` is the amount whose figures count."""
        return max(int(full * self.share), 1)

    def seconds(self, full: float) -> float:
        """How long to do it at most."""
        return full * self.share


@dataclass(frozen=True)
class Measured:
    """What one program did in one round.

    Attributes:
        figures: of each row, or several of one row.
        done: how much was done: calls, points, tasks, or bytes.
        asked: how much should have been.
        is_scaled: figures were multiplied by asked over done.
        is_partial: figures are of less than was asked for, and would be others for all of it.
    """

    figures: dict[str, float | list[float]]
    done: float
    asked: float
    is_scaled: bool = False
    is_partial: bool = False


@dataclass(frozen=True)
class Work:
    """A piece of work, and the rows that it fills.

    Attributes:
        title: what is done.
        unit: of what is done: "calls".
        rows: what is measured; `at_least` in one says that more is better.
        needs: what a program must be able to do, by the name of the row.
        measure: one round of one program.
        rounds: how many count.
        seconds: about how long a round of one program takes, until one has shown it.
        lanes: how many may run at once: more than 1 only where no time is measured.
    """

    name: str
    title: str
    unit: str
    rows: tuple[Row, ...]
    needs: Mapping[str, tuple[str, ...]]
    measure: Callable[[Site, Program], Measured]
    rounds: int = 3
    seconds: float = 5
    lanes: int = 1
