"""What a projection is: a name, a version, an initial state and a pure fold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from eventlog.batch import NumberedEvent

__all__ = ["Projection"]

S = TypeVar("S")


@dataclass(frozen=True)
class Projection(Generic[S]):
    """A fold, by name and version.

    Attributes:
        name: what the view is called.
        version: raised whenever the same events would fold to something else; the view is then rebuilt.
        initial: makes the state before the first event.
        evolve: the state after one more event; pure: it has no clock, randomness or I/O, and leaves the
            state that it was given as it was.
    """

    name: str
    version: int
    initial: Callable[[], S]
    evolve: Callable[[S, NumberedEvent], S]
