"""What a person is told of one side of a fork, to know it from the other."""

from dataclasses import dataclass

from eventlog.batch import Batch
from eventlog.errors import DataCorrupt
from eventlog.events import TaskCreated, TaskRenamed

__all__ = ["Side", "Written"]


@dataclass(frozen=True)
class Side:
    """What one copy of a store committed by itself.

    Attributes:
        batches, events: how many.
        last_time: of its last event, in milliseconds since 1970-01-01 UTC.
        host: of the session that its last batch is of; "" if that is not known.
        task: id of the task that it last recorded something of; "" for none.
        task_name: its name, if this side gave it one; or "".
        becomes: id of the store that it becomes, if this side is the one to get a new id.
    """

    batches: int
    events: int
    last_time: int
    host: str
    task: str
    task_name: str
    becomes: bytes


class Written:
    """What the batches of a side hold, one after the other.

    Args:
        before: what those before hold, where it goes on from them.

    Attributes:
        events: how many.
        task: id of the last task that one of them is about.
    """

    def __init__(self, before: "Written | None" = None) -> None:
        self.events: int = before.events if before else 0
        self.task: str = before.task if before else ""
        self._names: dict[str, str] = before._names if before else {}

    def __repr__(self) -> str:
        return f"<Written {self.events} events>"

    @property
    def task_name(self) -> str:
        """The name of that task, as far as it is known from them."""
        return self._names.get(self.task, "")

    def add(self, batch: Batch) -> "Written":
        """Count a batch as well; what cannot be read of it is only counted."""
        self.events += batch.states + batch.reports
        try:
            numbered = batch.events()
        except DataCorrupt:
            return self
        for _, _, event in numbered:
            if event.task and not event.is_about_model:
                self.task = event.task
            if isinstance(event, TaskCreated | TaskRenamed):
                self._names[event.task] = event.name
        return self
