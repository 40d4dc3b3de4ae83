"""Making copies meet again and again, when there is something to do; ever less often while that fails."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from eventlog.errors import EventlogError, RemoteUnreachable
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
        pulls: it looks for what is new on the remote, so that no round may be left out.

    Attributes:
        wait: how many seconds to wait before the next round.
        heads: of the store, when the last round that left nothing behind began.
    """

    def __init__(
        self, store: Store, transfer: Callable[[], AnyOutcome], seconds: float, *, pulls: bool
    ) -> None:
        self.wait = seconds
        self.heads: dict[bytes, Head] | None = None
        self._store = store
        self._transfer = transfer
        self._seconds = seconds
        self._pulls = pulls
        self._is_first = True
        self._failures = 0
        self._told: set[str] = set()
        self._news: list[str] = []

    def __repr__(self) -> str:
        return f"<Watching of {self._store!r}, {self._failures} failures in a row>"

    @property
    def is_current(self) -> bool:
        """Whether nothing has been committed to the store since the last round that left nothing behind."""
        return self._store.heads() == self.heads

    @property
    def is_failing(self) -> bool:
        """Whether the last round left something behind."""
        return self._failures > 0

    def round(self) -> AnyOutcome | None:
        """Commit what dead processes left, and transfer.

        Returns:
            What was done; None where there was nothing to do, or where it failed: see `news`.

        Raises:
            EventlogError: the first round cannot work, and not for want of a network.
        """
        if not self._store.read_only:
            recover(self._store)
        heads = self._store.heads()
        if heads == self.heads and not self._pulls:
            return None
        try:
            outcome = self._transfer()
        except EventlogError as error:
            if self._is_first and not isinstance(error, RemoteUnreachable):
                raise
            self._note([str(error)])
            return None
        else:
            self._note(outcome.problems)
            if not outcome.problems:
                self.heads = heads
            return outcome
        finally:
            self._is_first = False

    def news(self) -> list[str]:
        """What is wrong and was not asked for before, each line once until all is well again."""
        news, self._news = self._news, []
        return news

    def _note(self, problems: Sequence[str]) -> None:
        self._failures = self._failures + 1 if problems else 0
        longest = max(self._seconds, LONGEST_WAIT_SECONDS)
        self.wait = min(longest, self._seconds * 2.0 ** min(self._failures, 30))
        if not problems:
            self._told.clear()
        self._news = [line for line in dict.fromkeys(problems) if line not in self._told]
        self._told.update(problems)
