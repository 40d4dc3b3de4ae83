"""What a task is called, what is said of it, and how far it has got."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventlog.events import ProgressSet, TagsAdded, TagsRemoved
from eventlog.sdk import start
from eventlog.sdk.numbers import as_percent
from eventlog.sdk.task_base import TaskBase

if TYPE_CHECKING:
    from eventlog.sdk.task_data import TaskData

__all__ = ["TaskEdits"]


class TaskEdits(TaskBase):
    """The methods of `Task` that say what it is."""

    @property
    def status(self) -> str:
        """How far it has got: created, in_progress, completed, failed or stopped."""
        return self._state().status

    @property
    def comment(self) -> str:
        """What a person says about it."""
        return self._state().comment

    @property
    def parent(self) -> str:
        """The id of the task that it was made from, or ""."""
        return self._state().parent

    @property
    def data(self) -> "TaskData":
        """What is known of the run, at this moment: times, outcome, and where its code came from."""
        from eventlog.sdk.task_data import task_data

        return task_data(self._store, self._state())

    def get_status(self) -> str:
        """As `status`."""
        return self.status

    def get_project_name(self) -> str:
        """The name of its project."""
        return self._project

    def get_tags(self) -> list[str]:
        """Its tags, sorted."""
        return list(self._state().tags)

    def add_tags(self, tags: Sequence[str] | str) -> None:
        """Add tags; of one text, its words."""
        self._append(TagsAdded, start.tag_list(tags))

    def set_tags(self, tags: Sequence[str]) -> None:
        """Have these tags and no others."""
        wanted = start.tag_list(tags)
        gone = [tag for tag in self._state().tags if tag not in wanted]
        if gone:
            self._append(TagsRemoved, gone)
        self._append(TagsAdded, wanted)

    def set_progress(self, progress: int) -> None:
        """Say how far it has got, in percent.

        Raises:
            InputInvalid: it is no number from 0 to 100.
        """
        self._append(ProgressSet, as_percent("the progress", progress))

    def get_progress(self) -> int | None:
        """How far it has got, in percent; None if that was never said."""
        return self._state().progress
