"""Where the code came from and what it runs with, gathered beside the script and recorded once.

Everything is gathered in a thread of its own, with the packages first and git last, since git may take
long. When the task ends before that, what is known by then is recorded. Nothing here prints, raises into
the script or leaves a process behind.
"""

import logging
import os
import platform
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlog.errors import EventlogError
from eventlog.events import ExecutionRecorded
from eventlog.sdk.packages import installed_packages
from eventlog.sdk.plain_text import INLINE_SIZE, cut_text, plain_text
from eventlog.sdk.repository import Git, Repository
from eventlog.sdk.secrets import mask_arguments, mask_text, mask_url, secret_values
from eventlog.store import Store

__all__ = ["ExecutionRecorder", "Launch"]

log = logging.getLogger("eventlog")

_GIT_SECONDS = 60.0
_NO_DIFF = "# git could not say in time what was changed since this commit, or it is more than 32 MiB\n"


@dataclass(frozen=True)
class Launch:
    """How this process was started, taken before the script changes its folder or its arguments.

    Attributes:
        folder: the current folder.
        script: the script's file, or None where there is none (a prompt, ``python -c``).
        module: the name that ``python -m`` was given, or "".
        command: the command line.
    """

    folder: Path
    script: Path | None
    module: str
    command: list[str]

    @classmethod
    def now(cls) -> "Launch":
        """How the running process was started."""
        try:
            folder = Path.cwd()
        except OSError:
            folder = Path("/")
        main = sys.modules.get("__main__")
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        script = folder / file if file and not file.startswith("<") else None
        return cls(folder, script, spec.name if spec else "", list(sys.orig_argv))

    @property
    def entry_point(self) -> str:
        """The script as a person would start it: its path from the current folder, or ``-m module``."""
        if self.module:
            return f"-m {self.module.removesuffix('.__main__')}"
        if self.script is None:
            return ""
        if self.script.is_relative_to(self.folder):
            return str(self.script.relative_to(self.folder))
        return str(self.script)


class ExecutionRecorder:
    """Gathers a task's execution in a thread, and appends it as `ExecutionRecorded`, once.

    Args:
        store: where to.
        task_id: the task.
        launch: how the process was started.
    """

    def __init__(self, store: Store, task_id: str, launch: Launch) -> None:
        self._store = store
        self._task_id = task_id
        self._launch = launch
        self._facts: dict[str, Any] = {
            "entry_point": launch.entry_point,
            "working_folder": str(launch.folder),
        }
        self._lock = threading.Lock()
        self._recorded = False
        self._git = Git((launch.script or launch.folder / "-").parent, _GIT_SECONDS)
        self._thread = threading.Thread(target=self._run, name="eventlog-execution", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter is ending and starts no threads any more: `finish` records what is known.
            pass

    def finish(self, seconds: float) -> None:
        """Wait until it is recorded; after so many seconds, record what is known by then."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        self._record()
        self._git.give_up()

    def _run(self) -> None:
        try:
            self._gather()
        except Exception as error:
            log.debug("eventlog: the execution could not be gathered in full: %s", error)
        self._record()

    def _gather(self) -> None:
        launch = self._launch
        secrets = secret_values(os.environ)
        self._know(
            command=[plain_text(argument) for argument in mask_arguments(launch.command, secrets)],
            python=platform.python_version(),
            platform="-".join((os.uname().sysname, os.uname().release, os.uname().machine)),
            packages=installed_packages(list(sys.path)),
        )
        repository = Repository.find(self._git)
        if repository is None:
            self._know(script=_read_script(launch.script, secrets))
            return
        self._know(
            repository=plain_text(mask_url(repository.remote())),
            branch=plain_text(repository.branch()),
            commit=repository.commit,
            working_folder=plain_text(_relative(launch.folder, repository.root)),
        )
        if launch.script is not None and not repository.tracks(launch.script):
            self._know(script=_read_script(launch.script, secrets))
        diff = repository.diff()
        self._know(**(self._keep_diff(diff, secrets) if diff is not None else {"diff": _NO_DIFF}))

    def _keep_diff(self, diff: bytes, secrets: list[str]) -> dict[str, str]:
        """The diff's text, or its blob where it is large or not UTF-8."""
        masked = mask_text(diff.decode(errors="surrogateescape"), secrets)
        data = masked.encode(errors="surrogateescape")
        text = plain_text(masked)
        if len(data) <= INLINE_SIZE and text == masked:
            return {"diff": text}
        try:
            return {"diff_blob": self._store.blobs.put_bytes(data)}
        except EventlogError as error:
            log.debug("eventlog: the uncommitted changes are cut short: %s", error)
            return {"diff": _cut(text)}

    def _know(self, **facts: Any) -> None:
        with self._lock:
            self._facts.update(facts)

    def _record(self) -> None:
        with self._lock:
            if self._recorded:
                return
            self._recorded = True
            facts = self._facts
        blank = ExecutionRecorded(0, "")
        fields = (facts.get(name, getattr(blank, name)) for name in ExecutionRecorded.__struct_fields__[2:])
        self._store.session.append(ExecutionRecorded, self._task_id, *fields)


def _read_script(path: Path | None, secrets: list[str]) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            data = file.read(INLINE_SIZE + 1)
    except OSError:
        return ""
    return _cut(plain_text(mask_text(data.decode(errors="replace"), secrets)))


def _cut(text: str) -> str:
    beginning = cut_text(text)
    return (
        text
        if beginning == text
        else f"{beginning}\n# … the rest is not recorded: it is longer than 64 KiB\n"
    )


def _relative(folder: Path, root: Path) -> str:
    try:
        return str(folder.resolve().relative_to(root.resolve()))
    except (OSError, ValueError):
        return str(folder)
