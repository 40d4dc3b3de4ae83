"""Which blobs a sync takes along: those of tasks that a person names, or of a project, or active of late."""

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from eventlog.cli.naming import check_project, resolve
from eventlog.cli.opening import views_of
from eventlog.errors import InputInvalid, NotFound

if TYPE_CHECKING:
    from eventlog.projections import Views
    from eventlog.store import Store

__all__ = ["Choice", "Chosen"]

Chosen = tuple[tuple[str, ...], str | None, int | None]
"""What a person chose by: names of tasks, a project, and a moment in milliseconds since 1970-01-01 UTC."""

# Its events since it began may all be scalars, which do not count as changes.
RUNNING = "in_progress"


class Choice:
    """Tasks, and the blobs of these.

    Args:
        store: whose tasks they are, once the log is in it.
        tasks: as a person names them.
        project: theirs, or one above it.
        since: active then or later, in milliseconds since 1970-01-01 UTC.
    """

    def __init__(self, store: "Store", tasks: Sequence[str], project: str | None, since: int | None) -> None:
        self._store = store
        self._tasks = tasks
        self._project = project
        self._since = since
        self._known: set[str] = set()
        self._heads: object = None

    def __repr__(self) -> str:
        return f"<Choice of {self._tasks or 'all'} in {self._project}, since {self._since}>"

    def __call__(self, among: Set[str]) -> Set[str]:
        """Of these blobs, those of the chosen tasks; none where something that was named is not here.

        Nothing is raised then, since the log of a pull is in by now, and the rest of a sync goes on.
        """
        from eventlog.sdk.chosen_blobs import blobs_of_tasks

        heads = self._store.heads()
        if heads != self._heads:
            with views_of(self._store, reports=True) as views:
                try:
                    ids = self._ids(views)
                except (NotFound, InputInvalid):
                    ids = set()
                self._known = blobs_of_tasks(views, ids)
            self._heads = heads
        return among & self._known

    def check(self) -> None:
        """Make sure that what was named is here.

        Raises:
            NotFound, InputInvalid: a task or a project is not, or a task is several.
        """
        with views_of(self._store) as views:
            self._ids(views)

    def _ids(self, views: "Views") -> set[str]:
        from eventlog.projections import TaskQuery

        ids = {resolve(views, task) for task in self._tasks}
        if self._project is None and self._since is None:
            return ids
        if self._project:
            check_project(views, self._project)
        rows = views.find(TaskQuery(project=self._project, project_prefix=self._project is not None))
        since = self._since or 0
        return ids | {row.id for row in rows if row.changed >= since or row.status == RUNNING}
