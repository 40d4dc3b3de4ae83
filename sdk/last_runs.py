"""Which task a project and name last ran as on this machine, so that `Task.init` may reuse it.

The log knows this too, but finding it there may mean folding an hour's worth of batches first, and two
processes that start at once would both find the same task. So each project and name has a small file,
under a lock while a task is chosen: it answers in a fraction of a millisecond, and no task is ever given
to two processes. Losing these files costs nothing but the reuse.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator

import msgspec

from eventlog.clock import wall_clock
from eventlog.store import Store

__all__ = ["LastRun", "LastRuns"]

_HOUR = 3_600_000
_SWEEP_ABOVE = 500
_SIZE = 512
_LOCK_SECONDS = 5.0


class LastRun(msgspec.Struct, frozen=True):
    """What is known of the last run of a project and name.

    Attributes:
        task: its task.
        session: the session that ran it, in hexadecimal.
        time: when it started or, once it has, ended, in milliseconds since 1970-01-01 UTC.
        ended: it ended in good order; else it runs as long as its session lives.
        kept: it has artifacts, say, so that it is not to be run again.
    """

    task: str
    session: str
    time: int
    ended: bool = False
    kept: bool = False


class LastRuns:
    """The last runs known at a store.

    Args:
        store: where they ran.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.home / "last_runs"

    def __repr__(self) -> str:
        return f"<LastRuns at {self._folder}>"

    @contextlib.contextmanager
    def choose(self, project: str, name: str, task_type: str) -> Iterator["Choice"]:
        """Hold a project and name while a task is chosen for it; other processes wait.

        Where the file cannot be written nothing can be reused, and nothing is raised.
        """
        file = self._open(project, name, task_type, create=True)
        if file is None:
            yield Choice(None, None, 0)
            return
        try:
            yield Choice(file, self._reusable(_read(file)), wall_clock())
        finally:
            os.close(file)

    def last_task(self, project: str, name: str, task_type: str) -> str:
        """The task that they last ran as, however long ago and whatever it has, or ""."""
        file = self._open(project, name, task_type, create=False)
        if file is None:
            return ""
        try:
            run = _read(file)
        finally:
            os.close(file)
        return "" if run is None else run.task

    def note_end(self, project: str, name: str, task_type: str, task: str) -> None:
        """Say that a run ended; from here on its task may be reused."""
        self._change(project, name, task_type, task, ended=True, time=wall_clock())

    def note_kept(self, project: str, name: str, task_type: str, task: str) -> None:
        """Say that a task is not to be reused: it has artifacts or models, is archived, has another name."""
        self._change(project, name, task_type, task, kept=True)

    def _change(self, project: str, name: str, task_type: str, task: str, **fields: object) -> None:
        file = self._open(project, name, task_type, create=False)
        if file is None:
            return
        try:
            run = _read(file)
            if run is not None and run.task == task:
                _write(file, msgspec.structs.replace(run, **fields))
        finally:
            os.close(file)

    def _reusable(self, run: LastRun | None) -> LastRun | None:
        if run is None or run.kept:
            return None
        window = self._store.configuration.task_reuse_time_window_in_hours * _HOUR
        if wall_clock() - run.time > window:
            return None
        if not run.ended and bytes.fromhex(run.session) in self._store.live_sessions():
            return None
        return run

    def _open(self, project: str, name: str, task_type: str, *, create: bool) -> int | None:
        """The file of a project and name, locked; a hash, since names never become paths."""
        what = msgspec.msgpack.encode((project, name, task_type))
        path = self._folder / hashlib.sha256(what).hexdigest()[:32]
        try:
            if create:
                self._folder.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
            is_new = create and not path.exists()
            file = os.open(path, flags, 0o600)
        except OSError:
            return None
        if not _lock(file):
            os.close(file)
            return None
        if is_new:
            self._sweep()
        return file

    def _sweep(self) -> None:
        """Remove what is too old to be reused, once there is much."""
        with contextlib.suppress(OSError):
            paths = list(self._folder.iterdir())
            if len(paths) > _SWEEP_ABOVE:
                oldest = wall_clock() - self._store.configuration.task_reuse_time_window_in_hours * _HOUR
                for path in paths:
                    if path.stat().st_mtime * 1000 < oldest:
                        path.unlink(missing_ok=True)


class Choice:
    """A choice that is being made.

    Attributes:
        run: the last run if its task may be reused, else None.
    """

    def __init__(self, file: int | None, run: LastRun | None, time: int) -> None:
        self.run = run
        self._file = file
        self._time = time

    def __repr__(self) -> str:
        return f"<Choice: {'a new task' if self.run is None else f'may reuse {self.run.task}'}>"

    def take(self, task: str, session: bytes | None) -> bool:
        """Note which task runs now, and in which session.

        Returns:
            Whether that could be noted; if not, a task that was run before must not be reused.
        """
        if self._file is None:
            return False
        run = LastRun(task, (session or b"").hex(), self._time)
        return _write(self._file, run)


def _lock(file: int) -> bool:
    """Lock a file that others hold for milliseconds; whoever was stopped meanwhile is not waited for."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        except OSError:
            return False


def _read(file: int) -> LastRun | None:
    try:
        run = _decoder.decode(os.pread(file, _SIZE, 0))
        bytes.fromhex(run.session)
        return run
    except (OSError, ValueError, RecursionError):
        return None


def _write(file: int, run: LastRun) -> bool:
    # Of one length always: shortening a file can take the file system milliseconds.
    data = msgspec.json.encode(run).ljust(_SIZE)
    try:
        return os.pwrite(file, data, 0) == len(data)
    except OSError:
        return False


_decoder = msgspec.json.Decoder(LastRun)
