"""New events of one task, as the store receives them."""

import time
from collections.abc import Iterable, Iterator

from eventlog.batch import Batch, NumberedEvent
from eventlog.recovery import recover
from eventlog.store import Store

__all__ = ["Following"]

POLL_SECONDS = 0.1
RECOVERY_SECONDS = 2.0


class Following:
    """A task's events from some moment on, straight from the batches.

    Args:
        store: the log; a session that dies meanwhile is recovered, so that its task is seen to fail.
        task: the task's id.
        reports: scalars and text too.
    """

    def __init__(self, store: Store, task: str, *, reports: bool) -> None:
        self.store = store
        self.task = task
        self.reports = reports
        self._next = {name: head.number + 1 for name, head in store.heads().items()}
        self._seen: dict[tuple[bytes, bool], int] = {}
        self._recovered = time.monotonic()

    def passing(self, history: Iterable[NumberedEvent]) -> Iterator[NumberedEvent]:
        """`history` as it is; what was in it is not given again by `new`."""
        for one in history:
            self._note(one)
            yield one

    def new(self) -> Iterator[NumberedEvent]:
        """What has come since the last call, in the order in which the store received it."""
        for name, head in self.store.heads().items():
            first = self._next.get(name, 0)
            self._next[name] = head.number + 1
            for batch in self.store.batches(name, first, head.number):
                yield from (one for one in self._of_task(batch) if self._note(one))

    def wait(self) -> None:
        """Wait a moment; now and then, commit what sessions left that have died."""
        time.sleep(POLL_SECONDS)
        if time.monotonic() - self._recovered > RECOVERY_SECONDS and not self.store.read_only:
            recover(self.store)
            self._recovered = time.monotonic()

    def _of_task(self, batch: Batch) -> list[NumberedEvent]:
        numbered = batch.events() if self.reports else batch.state_events()
        return [one for one in numbered if one.event.task == self.task]

    def _note(self, one: NumberedEvent) -> bool:
        """Whether it is new. A session's state events come in order, and so do its reports."""
        key = (one.session, one.event.is_report)
        if one.number <= self._seen.get(key, -1):
            return False
        self._seen[key] = one.number
        return True
