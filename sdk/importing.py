"""Importing: what was recorded elsewhere, in a folder or a zip file, is let into a store.

What it is is found out by what is in it: a session of eventlog (its store's folder, or the zip file that it
was exported as), a folder laid out as a remote, or a session of ClearML's offline mode, either way.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.errors import DataCorrupt, InputInvalid, NotFound, StoreNewer
from eventlog.events import TaskCreated, TaskStarted
from eventlog.sdk import offline
from eventlog.store import Store
from eventlog.sync import PullResult, Remote, pull
from eventlog.sync.archive import Archive
from eventlog.sync.bundle import is_bundle, pull_bundle, pull_store
from eventlog.sync.layout import MARKER, Holdings, Segment
from eventlog.sync.puller import Source
from eventlog.sync.results import Progress
from eventlog.sync.store_folder import is_store_folder, opened_folder
from eventlog.sync.store_source import StoreSource
from eventlog.sync.zip_objects import ZipObjects

if TYPE_CHECKING:
    from eventlog.sdk.session_files import SessionFiles

__all__ = ["Imported", "import_session"]

OnProgress = Callable[[int, int], None]


@dataclass
class Imported:
    """What an import let in.

    Attributes:
        path: what was imported.
        kind: "eventlog" or "clearml".
        tasks: the tasks that are in it, those that began first coming first.
        events: how many came that were not here before.
        blobs: how many files came with it.
        problems: what could not be read: one line each.
    """

    path: Path
    kind: str
    tasks: list[str] = field(default_factory=list)
    events: int = 0
    blobs: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Whether something in it was not here before."""
        return self.events > 0

    @property
    def task(self) -> str:
        """The task that it is of, or "" where there is none."""
        return self.tasks[0] if self.tasks else ""


def import_session(
    store: Store,
    path: Path,
    *,
    previous_task_id: str = "",
    iteration_offset: int = 0,
    progress: OnProgress | None = None,
) -> Imported:
    """Let a session into a store, exactly once however often and in whatever form it is imported.

    Args:
        path: a session's folder or zip file.
        previous_task_id: a task to go on with: what the session did is then done by this one.
        iteration_offset: added to iterations.
        progress: gets the bytes that are done so far, and about how many there are.

    Raises:
        InputInvalid: there is no such file, it is of something else, or the previous task is published.
        NotFound: there is no previous task.
        DataCorrupt: it is damaged, or not safe to read.
        StoreFull, StoreReadOnly: the store cannot take it.
    """
    path = path.expanduser().absolute()
    # A name too long for any file is told like one that is not there.
    is_folder = os.path.isdir(path)  # noqa: PTH112
    after = _end_of(store, previous_task_id) if previous_task_id else 0
    if isinstance(iteration_offset, bool) or not isinstance(iteration_offset, int):
        raise InputInvalid(f"the iteration offset must be a whole number, not {iteration_offset!r}")
    importer = _Importer(store, path, previous_task_id, after, iteration_offset, progress)
    imported = importer.from_folder() if is_folder else importer.from_zip()
    if imported.is_new:
        from eventlog.sdk.delivery import ask_again

        # What the session could not copy to its destination is copied from here.
        ask_again(store, imported.tasks)
    return imported


class _Importer:
    def __init__(
        self,
        store: Store,
        path: Path,
        previous: str,
        after: int,
        offset: int,
        progress: OnProgress | None,
    ) -> None:
        self.store = store
        self.path = path
        self.previous = previous
        self.after = after
        self.offset = offset
        self.progress = progress
        self._before = store.heads()

    def from_folder(self) -> Imported:
        from eventlog.sdk.clearml_sessions import TASK
        from eventlog.sdk.session_files import FolderFiles

        if is_store_folder(self.path):
            is_own = Path(os.path.realpath(self.path)).parent == Path(
                os.path.realpath(offline.sessions_folder())
            )
            with opened_folder(self.path, is_own=is_own) as other:
                if self._is_continued:
                    source = StoreSource(other, {})
                    return self._continued(source, source.holdings(), other.id)
                held = StoreSource(other, {}).holdings()
                result = self._pulled(pull_store(self.store, other, self._tell), held, other.id)
                if other.read_only and any((other.home / "journals").glob("*")):
                    result.problems.append(
                        f"{self.path} cannot be written, so that what a killed process left in it is not"
                        " imported: make it writable"
                    )
                return result
        if (self.path / MARKER).is_file():
            remote = Remote(self.path)
            remote.require()
            if self._is_continued:
                return self._continued(remote, remote.holdings())
            holdings = remote.holdings()
            return self._pulled(pull(self.store, self.path, self._tell), holdings)
        if (self.path / TASK).is_file():
            return self._clearml(FolderFiles(self.path))
        raise self._foreign("folder")

    def from_zip(self) -> Imported:
        from eventlog.sdk.clearml_sessions import TASK
        from eventlog.sdk.session_files import ArchivedFiles

        with Archive(self.path) as archive:
            if is_bundle(archive):
                remote = Remote(ZipObjects(archive))
                remote.require()
                holdings = remote.holdings()
                if self._is_continued:
                    return self._continued(remote, holdings)
                return self._pulled(pull_bundle(self.store, archive, self._tell), holdings)
            described = [name for name in archive.sizes if name == TASK or name.endswith(f"/{TASK}")]
            if described:
                # Whoever zipped the folder itself has all of it below one name.
                shallowest = min(described, key=lambda name: (name.count("/"), name))
                try:
                    return self._clearml(ArchivedFiles(archive, shallowest.removesuffix(TASK)))
                except DataCorrupt as error:
                    # ClearML may zip its folder before it has written all of it.
                    folder = self.path.with_suffix("")
                    if not (folder / TASK).is_file():
                        raise
                    raise DataCorrupt(f"{error}: import the folder beside it instead, {folder}") from None
        raise self._foreign("zip file")

    @property
    def _is_continued(self) -> bool:
        return bool(self.previous or self.offset)

    def _clearml(self, files: "SessionFiles") -> Imported:
        from eventlog.sdk.clearml_sessions import ClearmlSession

        # Once to be hashed, and once to be taken in.
        total = 2 * sum(files.sizes.values())
        done = 0

        def count(size: int) -> None:
            nonlocal done
            done += size
            if self.progress is not None:
                self.progress(done, max(done, total))

        session = ClearmlSession(self.store, files, self.previous, self.after, self.offset, count)
        added = session.let_in()
        problems = [f"{self.path}: {problem}" for problem in session.problems]
        return Imported(self.path, "clearml", [session.task], added, session.blobs if added else 0, problems)

    def _pulled(self, result: PullResult, holdings: Holdings, first: bytes = b"") -> Imported:
        tasks: dict[str, None] = {}
        here = holdings.keys() & self.store.heads().keys()
        for identity in sorted(here, key=lambda identity: (identity != first, identity)):
            tasks |= dict.fromkeys(_tasks_in(self.store, holdings[identity]))
        if not here and not result.problems:
            # Such as when the name of what holds it was damaged, so that it looks like something else.
            raise DataCorrupt(f"{self.path} has no task that can be read: copy it again from where it was")
        return Imported(
            self.path, "eventlog", list(tasks), self._events_of(here), result.blobs, list(result.problems)
        )

    def _events_of(self, stores: Iterable[bytes]) -> int:
        """How many events of these stores have come since the import began."""
        count = 0
        for identity in stores:
            head = self._before.get(identity)
            with contextlib.suppress(DataCorrupt, StoreNewer):
                for batch in self.store.batches(identity, 0 if head is None else head.number + 1):
                    count += batch.states + batch.reports
        return count

    def _continued(self, source: Source, holdings: Holdings, first: bytes = b"") -> Imported:
        from eventlog.sdk.continuation import Continuation

        continuation = Continuation(self.store, source, self.previous, self.after, self.offset)
        added = 0
        for identity in sorted(holdings, key=lambda identity: (identity != first, identity)):
            added += continuation.let_in(identity, holdings[identity])
        return Imported(
            self.path,
            "eventlog",
            [self.previous] if self.previous else continuation.tasks,
            added,
            continuation.blobs,
            continuation.problems,
        )

    def _tell(self, progress: Progress) -> None:
        if self.progress is not None:
            self.progress(progress.bytes, max(progress.bytes, progress.bytes_total))

    def _foreign(self, what: str) -> InputInvalid:
        return InputInvalid(
            f"{self.path} is a {what}, but not of a session: give one of eventlog's offline mode, or of"
            " ClearML's"
        )


def _tasks_in(store: Store, segments: list[Segment]) -> Iterator[str]:
    """The tasks that were created or started in these batches of one store, in the order of its chain.

    Of the store there may be more here: what it did before, or what has come from it since.
    """
    begin, end = min(one.first for one in segments), max(one.last for one in segments)
    with contextlib.suppress(DataCorrupt, StoreNewer):
        for batch in store.batches(segments[0].store, begin, end):
            for numbered in batch.state_events():
                if isinstance(numbered.event, TaskCreated | TaskStarted):
                    yield numbered.event.task


def _end_of(store: Store, task_id: str) -> int:
    """A time after all that is known of a task.

    Raises:
        NotFound: there is none.
        InputInvalid: it is published.
    """
    from eventlog.sdk.stores import current_views

    try:
        state = current_views(store).task(task_id)
    except NotFound:
        raise NotFound(f"there is no task {task_id} to go on with in the store at {store.home}") from None
    if state.status == "published":
        raise InputInvalid(
            f"task {task_id} is published, and published tasks are not edited: import the session as a task"
            " of its own"
        )
    return state.changed + 1
