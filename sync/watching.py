"""Making copies meet again and again, when there is something to do; ever less often while that fails."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from eventlog.errors import EventlogError
from eventlog.recovery import recover
from eventlog.store import Head, Store

__all__ = ["Watching"]

LONGEST_WAIT_SECONDS = 300.0


class Outcome(Protocol):
    """What a round did, as far as it matters here: a result of `eventlog.sync`, or several."""

    @property
    def problems(self) -> Sequence[str]: ...


AnyOutcome = TypeVar("AnyOutcome", bound=Outcome)


class Watching(Generic[AnyOutcome]):
    """Rounds of one transfer between a store and a remote.

    Args:
        transfer: pushes, pulls, or both.
        seconds: how long to wait between two rounds.

    Attributes:
        wait: how many seconds to wait before the next round.
        heads: of the store, when the last round that left nothing behind began; None before that.
        problems: what the last round left behind, one line each.
        error: what the last round raised, or None.
    """

    def __init__(self, store: Store, transfer: Callable[[], AnyOutcome], seconds: float) -> None:
        self.wait = seconds
        self.heads: dict[bytes, Head] | None = None
        self.problems: list[str] = []
        self.error: EventlogError | None = None
        self._store = store
        self._transfer = transfer
        self._seconds = seconds
        self._failures = 0
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<Watching of {self._store!r}, {self._failures} failures in a row>"

    @property
    def is_current(self) -> bool:
        """Whether nothing has been committed to the store since the last round that left nothing behind."""
        return self._store.heads() == self.heads

    def round(self, *, even_if_current: bool) -> AnyOutcome | None:
        """Commit what dead processes left, and transfer; what goes wrong is in `problems`.

        Args:
            even_if_current: look for what is new on the remote, though nothing is here.

        Returns:
            What was done; None where there was nothing to do, or where it failed.
        """
        if not self._store.read_only:
            recover(self._store)
        heads = self._store.heads()
        if heads == self.heads and not even_if_current:
            return None
        self.error = None
        outcome = None
        try:
            outcome = self._transfer()
            self.problems = list(outcome.problems)
        except EventlogError as error:
            self.error = error
            self.problems = [str(error)]
        if self.problems:
            self._failures += 1
        else:
            self.heads = heads
            self._failures = 0
        longest = max(self._seconds, LONGEST_WAIT_SECONDS)
        self.wait = min(longest, self._seconds * 2.0 ** min(self._failures, 30))
        return outcome

    def news(self) -> list[str]:
        """Of the problems, those that were not asked for before; each counts once until all is well again."""
        news = [line for line in self.problems if line not in self._told]
        self._told = self._told.union(news) if self.problems else set()
        return news
