"""What a benchmark is: the rows it fills, and how its rounds are run."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Benchmark", "Place", "Row"]


@dataclass(frozen=True)
class Row:
    """One measured quantity.

    Attributes:
        name: what `measure` returns it as.
        text: what a person reads.
        unit: such as "µs", "ms", "bytes", "events/s", or "×" for a ratio within one round.
        budget: what it must not pass, in the same unit; none for what is only shown for comparison.
        at_least: the budget is a floor rather than a ceiling.
    """

    name: str
    text: str
    unit: str
    budget: float | None = None
    at_least: bool = False

    def met_by(self, value: float) -> bool | None:
        """Whether a value keeps the budget; None where there is none."""
        if self.budget is None:
            return None
        return value >= self.budget if self.at_least else value <= self.budget


@dataclass(frozen=True)
class Place:
    """Where and how one round runs.

    Attributes:
        folder: a folder of this benchmark's own, the same in each of its rounds.
        round: the round's number, from 0.
        quick: a tenth of the work, for trying the benchmark itself out.
    """

    folder: Path
    round: int
    quick: bool

    def size(self, full: int) -> int:
        """How much to do, where `full` is the amount whose figures count."""
        return max(full // 10, 1) if self.quick else full

    @property
    def home(self) -> Path:
        """A store's folder of this round's own."""
        return self.folder / f"home-{self.round}"


@dataclass(frozen=True)
class Benchmark:
    """Rows, and the functions that fill them, each called in a fresh process.

    Attributes:
        title: what is measured, and on what.
        rows: in the order of the table.
        measure: one round: the value of each row by its name.
        prepare: makes, once, what all rounds read.
        rounds: how many rounds count.
        needs: modules of other libraries, without which it is skipped.
    """

    title: str
    rows: tuple[Row, ...]
    measure: Callable[[Place], dict[str, float]]
    prepare: Callable[[Place], None] | None = None
    rounds: int = 5
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Those of the modules it needs that are not installed."""
        return [name for name in self.needs if find_spec(name) is None]
