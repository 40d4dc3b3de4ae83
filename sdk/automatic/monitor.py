"""What the machine is busy with, reported as curves while the task runs: ":monitor:machine", ":monitor:gpu".

A thread looks once a second, and reports the means every few seconds. Titles and series are ClearML's, and an
iteration is the number of seconds since the task began. A forked child does not watch: the thread stays
behind in its parent.
"""

import threading
import time
from typing import TYPE_CHECKING

from eventlog.events import ScalarReported
from eventlog.sdk.automatic.listening import warn_once
from eventlog.sdk.automatic.monitor_options import MONITOR, MonitorOptions

if TYPE_CHECKING:
    from eventlog.sdk.automatic.gpus import Gpus
    from eventlog.sdk.automatic.machine import Machine
    from eventlog.store import Store

__all__ = ["Monitor"]

_MACHINE, _GPU = f"{MONITOR}machine", f"{MONITOR}gpu"
# A library or a driver that has not answered by then is left to end by itself.
_PATIENCE_SECONDS = 0.2


class Monitor:
    """Watches the machine on behalf of one task.

    Args:
        store, task_id: where to report.
        options: how often.
        offset: what is added to the seconds, where the task goes on.
    """

    def __init__(self, store: "Store", task_id: str, options: MonitorOptions, offset: int = 0) -> None:
        self._store = store
        self._task_id = task_id
        self._options = options
        self._interval = options.interval or store.configuration.monitor_interval_seconds
        self._offset = offset
        self._started = 0.0
        self._is_over = False
        # Held until the end. A signal's handler may end a task that is ending: an Event would be locked then.
        self._running = threading.Lock()
        self._running.acquire()
        self._thread = threading.Thread(target=self._run, name="eventlog-monitor", daemon=True)
        self._sums: dict[tuple[str, str], tuple[float, int]] = {}

    def __repr__(self) -> str:
        return f"<Monitor of task {self._task_id}, every {self._interval:g} s>"

    def begin(self) -> None:
        """Begin; returns at once."""
        self._started = time.monotonic()
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter is ending and starts no threads any more.
            pass

    def end(self, *, is_hurried: bool = False) -> None:
        """Report no more."""
        self._is_over = True
        if self._running.locked():
            try:
                self._running.release()
            except RuntimeError:
                # Another thread, or whom this one interrupted, has just done it.
                pass
        if not is_hurried and self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        try:
            self._watch()
        except Exception as error:
            if not self._is_over:
                warn_once("what the machine is busy with", error)

    def _watch(self) -> None:
        first = self._interval / 2 if self._options.first is None else self._options.first
        due = self._started + first
        # What comes in then takes the interpreter some time, for which a script that begins has better use.
        if self._sleep_until(due - min(first / 2, self._options.sample)):
            return
        from eventlog.sdk.automatic.gpus import Gpus
        from eventlog.sdk.automatic.machine import Machine

        machine = Machine(own_memory=self._options.own_memory)
        gpus = Gpus.open()
        try:
            while not self._sleep_until(min(due, time.monotonic() + self._options.sample)):
                is_due = time.monotonic() >= due
                self._look(machine, gpus, is_due=is_due)
                if is_due:
                    self._report(due)
                    due += self._interval
                    # A machine that slept does not catch up on what it missed.
                    due = max(due, time.monotonic())
        finally:
            if gpus is not None:
                gpus.close()

    def _sleep_until(self, moment: float) -> bool:
        """Whether it was over before that."""
        seconds = min(max(moment - time.monotonic(), 0), threading.TIMEOUT_MAX)
        return self._running.acquire(timeout=seconds) or self._is_over

    def _look(self, machine: "Machine", gpus: "Gpus | None", *, is_due: bool) -> None:
        for series, value in (machine.since_last() if is_due else machine.now()).items():
            self._take(_MACHINE, series, value)
        if gpus is not None:
            for series, value in gpus.now(machine.processes() if self._options.own_memory else None).items():
                self._take(_GPU, series, value)

    def _take(self, title: str, series: str, value: float) -> None:
        total, count = self._sums.get((title, series), (0.0, 0))
        self._sums[title, series] = total + value, count + 1

    def _report(self, due: float) -> None:
        seconds = self._offset + int(due - self._started)
        append = self._store.session.append
        for (title, series), (total, count) in self._sums.items():
            if self._is_over:
                return
            append(ScalarReported, self._task_id, title, series, seconds, round(total / count, 4))
        self._sums.clear()
