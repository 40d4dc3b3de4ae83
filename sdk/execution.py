"""Where the code came from and what it runs with, gathered beside the script and recorded.

Everything is gathered in a thread of its own, with the packages first and git last, since git may take
long. When the task ends before that, what is known by then is recorded. Nothing here prints, raises into
the script or leaves a process behind.
"""

import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from eventlog.events import ExecutionRecorded
from eventlog.sdk.forking import keeping_forks_waiting
from eventlog.sdk.plain_text import plain_text
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.sdk.gathering import Gathering

__all__ = ["ExecutionRecorder", "Launch", "is_standalone", "set_standalone"]

log = logging.getLogger("eventlog")


def set_standalone(value: bool) -> None:
    """Record the script's text, and no repository, from the next task on."""
    global _standalone
    _standalone = value


def is_standalone() -> bool:
    """Whether the script's text is recorded, and no repository."""
    return _standalone


_standalone = False


class Launch(msgspec.Struct, frozen=True):
    """How this process was started, taken before the script changes its folder or its arguments.

    Attributes:
        folder: the current folder.
        script: the script's file, or None where there is none (a prompt, ``python -c``).
        module: the name that ``python -m`` was given, or "".
        command: the command line.
        is_notebook: it is IPython's kernel, or its prompt.
    """

    folder: Path
    script: Path | None
    module: str
    command: list[str]
    is_notebook: bool = False

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
        if "IPython" in sys.modules:
            from eventlog.sdk.notebook import Notebook

            notebook = Notebook.current()
            if notebook is not None and (script is None or "ipykernel" in sys.modules):
                return cls(folder, notebook.path(), "", list(sys.orig_argv), True)
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
    """Gathers a task's execution in a thread, and appends it as `ExecutionRecorded`.

    It is appended once more at the end if by then other packages were imported or cells were executed.

    Attributes:
        detects_repository: git is asked; to be set before `start`.

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
            "entry_point": plain_text(launch.entry_point),
            "working_folder": plain_text(launch.folder),
        }
        # A signal's handler that ends the task may have interrupted a thread that holds it.
        self._lock = threading.RLock()
        self._recorded = False
        self._given: dict[str, Any] = {}
        self.detects_repository = True
        self._gathering: Gathering | None = None
        self._thread = threading.Thread(target=self._run, name="eventlog-execution", daemon=True)

    def __repr__(self) -> str:
        return f"<ExecutionRecorder of task {self._task_id}: {'done' if self._recorded else 'gathering'}>"

    def start(self) -> None:
        """Begin; returns at once."""
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter is ending and starts no threads any more: `finish` records what is known.
            pass

    def give(self, **fields: Any) -> bool:
        """Let these be recorded instead of what is found out; False if they are to be appended now."""
        with self._lock:
            self._given.update(fields)
            return not self._recorded

    def wait(self, seconds: float) -> None:
        """Wait until it is recorded, but no longer than so many seconds."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def finish(self, seconds: float, *, is_hurried: bool = False) -> None:
        """Wait until it is recorded; after so many seconds, record what is known by then.

        Args:
            is_hurried: leave out what takes long.
        """
        try:
            if self._thread.is_alive():
                self._thread.join(seconds)
        finally:
            # A signal's handler may have raised: then nothing is waited for any more.
            self._record()
            if self._gathering is not None:
                self._gathering.give_up()
        if self._gathering is not None:
            self._record_changes(self._gathering, is_hurried=is_hurried)

    def _run(self) -> None:
        try:
            with keeping_forks_waiting():
                from eventlog.sdk.gathering import Gathering

            self._gathering = Gathering(
                self._launch, self._store.blobs, detects_repository=self.detects_repository
            )
            self._gathering.run(self._know)
        except Exception as error:
            log.debug("eventlog: the execution could not be gathered in full: %s", error)
        self._record()

    def _know(self, **facts: Any) -> None:
        with self._lock:
            self._facts.update(facts)

    def _record(self) -> None:
        with self._lock:
            if self._recorded:
                return
            self._recorded = True
        self._append()

    def _record_changes(self, gathering: "Gathering", *, is_hurried: bool) -> None:
        """Record what has come in while the script ran; whatever goes wrong, it ends."""
        try:
            facts = gathering.since()
            if any(self._facts.get(name) != fact for name, fact in facts.items()):
                self._know(**facts)
                self._append()
            if not is_hurried:
                gathering.keep_notebook(self._store, self._task_id)
        except Exception as error:
            log.debug("eventlog: what was imported last is not recorded: %s", error)

    def _append(self) -> None:
        with self._lock:
            facts = {**self._facts, **_asked_requirements(self._facts), **self._given}
        # Not under the lock: a signal's handler that waits for it may have interrupted an append.
        blank = ExecutionRecorded(0, "")
        fields = (facts.get(name, getattr(blank, name)) for name in ExecutionRecorded.__struct_fields__[2:])
        self._store.session.append(ExecutionRecorded, self._task_id, *fields)


def _asked_requirements(facts: dict[str, Any]) -> dict[str, str]:
    # Most scripts ask for nothing, and do without the module.
    if "eventlog.sdk.requirements" not in sys.modules:
        return {}
    from eventlog.sdk.requirements import asked_requirements

    return asked_requirements(facts)
