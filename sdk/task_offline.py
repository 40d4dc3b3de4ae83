"""Offline mode: recording where there is no store to write to, and bringing it home."""

import os
from collections.abc import Callable
from pathlib import Path

from eventlog.errors import InputInvalid
from eventlog.sdk import offline
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskOffline"]


class TaskOffline(TaskBase):
    """The methods of `Task` about offline mode."""

    @classmethod
    def set_offline(cls, offline_mode: bool = False) -> None:
        """Turn offline mode on or off: tasks that begin in it are each recorded in a session of their own.

        Raises:
            InputInvalid: a task is open in this process.
        """
        offline.set_offline(offline_mode)

    @classmethod
    def is_offline(cls) -> bool:
        """Whether offline mode is on: by `set_offline`, or by ``EVENTLOG_OFFLINE_MODE=1``."""
        return offline.is_offline()

    def get_offline_mode_folder(self) -> Path | None:
        """The folder of the task's session, for `import_offline_session`; None if it was recorded online.

        Once the task is closed, its zip file is beside it, under the same name.
        """
        home = Path(os.path.realpath(offline.sessions_folder()))
        return self._store.home if self._store.home.parent == home else None

    @classmethod
    def import_offline_session(
        cls,
        session_folder_zip: str | os.PathLike[str],
        previous_task_id: str | None = None,
        iteration_offset: int | None = 0,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> str | None:
        """Bring an offline session into the store at home, with all that belongs to it.

        What was imported before is not imported again, so a session may be imported while it grows, and its
        folder and its zip file both. What could not be read is told in warnings; the rest goes through.

        Args:
            session_folder_zip: the session's folder or zip file: of eventlog, or of ClearML's offline mode.
            previous_task_id: a task to go on with: what the session reports is then reported to this one.
            iteration_offset: what is added to the iterations of the session's reports.
            progress: gets the bytes that are done so far, and about how many there are.

        Returns:
            The id of the task that the session is of, or `previous_task_id`.

        Raises:
            InputInvalid: there is no such file, or it is of something else.
            DataCorrupt: it is damaged, or not safe to read.
            NotFound: there is no task `previous_task_id`.
            StoreFull, StoreReadOnly: the store at home cannot take it.
        """
        import logging

        from eventlog.configuration import home_folder
        from eventlog.sdk.importing import import_session
        from eventlog.sdk.stores import is_pushed_by_itself, open_store_at

        if not isinstance(session_folder_zip, (str, os.PathLike)):
            raise InputInvalid(
                f"a session is imported from the path of its folder or zip file, not from"
                f" {type(session_folder_zip).__name__}"
            )
        store = open_store_at(home_folder(), create=True)
        result = import_session(
            store,
            Path(session_folder_zip),
            previous_task_id=previous_task_id or "",
            iteration_offset=iteration_offset or 0,
            progress=progress,
        )
        if is_pushed_by_itself(store):
            from eventlog.sdk.auto_sync import push_soon

            push_soon(store)
        for problem in result.problems:
            logging.getLogger("eventlog").warning("eventlog: %s", problem)
        return result.task or None
