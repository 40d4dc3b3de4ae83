"""What of the log an export shows: the tasks that were chosen, and of each what its last reset left."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from eventlog.projections import TaskState, Views

__all__ = ["NEVER", "Selection", "Shown", "shown_of"]

# Later than any event.
NEVER = 1 << 62


class Selection(msgspec.Struct, frozen=True):
    """Which tasks were asked for; all of them, where nothing is given.

    Attributes:
        projects: tasks of these projects, and of those under them.
        tasks: by their whole ids; those, besides the projects' ones.
        since: only what happened from this time on, in milliseconds since 1970-01-01 UTC.
    """

    projects: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    since: int | None = None

    def __str__(self) -> str:
        words = [f"project {one}" for one in self.projects] + [f"task {one}" for one in self.tasks]
        if self.since is not None:
            since = datetime.fromtimestamp(self.since / 1000, UTC).isoformat(" ", "seconds")
            words.append(f"what happened since {since}")
        return ", ".join(words) or "all tasks"

    @property
    def is_of_all(self) -> bool:
        """Whether tasks are shown that nothing is known of yet."""
        return not self.projects and not self.tasks

    def takes(self, state: "TaskState") -> bool:
        """Whether a task, deleted or not, was asked for."""
        return (
            self.is_of_all
            or state.id in self.tasks
            or state.project in self.projects
            or any(state.project.startswith(f"{project}/") for project in self.projects)
        )


class Shown(msgspec.Struct, frozen=True):
    """From when on the scalars of each task or model are shown.

    Attributes:
        first_times: by id, in ms; `NEVER` for one that is deleted. Without a selection, those that are
            shown from their beginning are not in it; with one, those that were not chosen are not.
        is_of_all: there is no selection.
        since: nothing from before this time is shown.
    """

    first_times: dict[str, int]
    is_of_all: bool = True
    since: int = 0

    def first_time(self, task: str) -> int:
        """From when on the scalars of a task or a model are shown, in ms."""
        return max(self.first_times.get(task, 0 if self.is_of_all else NEVER), self.since)

    def has_events_of(self, task: str) -> bool:
        """Whether the history of a task, a model or ("") a session is shown: deleted or reset, it is."""
        return self.is_of_all or task in self.first_times

    def changed(self, before: dict[str, int]) -> set[str]:
        """The ids of which something else was shown before."""
        return {about for about, _ in self.first_times.items() ^ before.items()}


def shown_of(views: "Views", selection: Selection) -> Shown:
    """What a selection shows of the tasks and models as they are now."""
    first_times: dict[str, int] = {}
    for state in views.every_task():
        if selection.takes(state):
            first = NEVER if state.is_deleted else state.reset_time or 0
            if first or not selection.is_of_all:
                first_times[state.id] = first
    if selection.is_of_all:
        first_times.update((model, NEVER) for model in views.deleted_models())
    return Shown(first_times, selection.is_of_all, selection.since or 0)
