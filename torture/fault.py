"""What a kind of fault is: how one round of it is played, and what comes out of a round."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

__all__ = ["Fault", "Outcome", "Round"]


def _nothing_missing() -> str:
    return ""


@dataclass(frozen=True)
class Round:
    """Where a round is played, and what its chances are drawn from.

    Attributes:
        random: the round's own; the same seed, kind and number give the same draws.
        folder: empty, and the round's own; it is kept when a promise was broken, and removed otherwise.
    """

    random: Random
    folder: Path


@dataclass
class Outcome:
    """What a round did and what it found.

    Attributes:
        faults: how many faults were made: kills, cuts, full disks, inputs.
        promises: how many times a promise was checked.
        acknowledged: how many events there were whose calls had returned, so that they may not be lost.
        lost: how many of those were not found again.
        broken: a line for each promise that did not hold: which, where, and what was found instead.
    """

    faults: int = 0
    promises: int = 0
    acknowledged: int = 0
    lost: int = 0
    broken: list[str] = field(default_factory=list)

    def check(self, holds: object, what: str) -> bool:
        """Count a promise as checked, and note it as broken, in these words, unless it holds."""
        self.promises += 1
        if not holds:
            self.broken.append(what)
        return bool(holds)

    def add(self, other: "Outcome") -> None:
        """Add what another round, or a part of this one, did and found."""
        self.faults += other.faults
        self.promises += other.promises
        self.acknowledged += other.acknowledged
        self.lost += other.lost
        self.broken += other.broken


@dataclass(frozen=True)
class Fault:
    """A kind of fault, as the module of its name holds it in `FAULT`.

    Attributes:
        title: what it does, in a few words, for the table.
        unit: what is counted as a fault, in the plural, such as "kills".
        play: one round, of some seconds at most. It is called in a process of its own, whose death ends every
            process that it started. An exception that comes out of it counts as a broken promise.
        missing: why it cannot be played on this machine, or "".
        counts_events: whether it acknowledges events, so that some could be lost.
    """

    title: str
    unit: str
    play: Callable[[Round], Outcome]
    missing: Callable[[], str] = _nothing_missing
    counts_events: bool = True
