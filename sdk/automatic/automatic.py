"""What is logged by itself in one run of a task, from `Task.init` to its end."""

import atexit
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from eventlog.sdk.automatic import attaching, command_lines
from eventlog.sdk.automatic.choices import Choices
from eventlog.sdk.automatic.console import Console
from eventlog.sdk.automatic.listening import listen, safely
from eventlog.sdk.automatic.monitor import Monitor
from eventlog.sdk.lifecycle import at_child_end, is_multiprocessing_child
from eventlog.sdk.main_task import leave_choices

if TYPE_CHECKING:
    from eventlog.sdk.task import Task

__all__ = ["Automatic"]

# Among what is called at the end of a multiprocessing child: what others do there may still be heard.
_AFTER_OTHERS = -50


# Among multiprocessing's finalizers: after those that may still report, before the session is closed.
_AT_END = -500


class Automatic:
    """Begins to log what was chosen, and stops when the run ends."""

    def __init__(self, task: "Task", choices: Choices) -> None:
        self._task = task
        self._choices = choices
        self._console = Console(task.get_logger(), choices.streams) if choices.streams else None
        self._monitor: Monitor | None = None
        self._process = os.getpid()
        self._settling: list[tuple[str, Callable[[], None]]] = []

    def __repr__(self) -> str:
        return f"<Automatic logging to {self._task!r}>"

    def begin(self) -> None:
        """Begin; whatever goes wrong, the script goes on."""
        listen(self._choices)
        safely("the command line", command_lines.begin, self._task)
        if self._choices.frameworks:
            safely("what libraries do", attaching.attach, attaching.FRAMEWORKS)
        if self._console is not None:
            safely("the console", self._console.begin)
        run = self._task._run
        if run is not None and run.is_ours:
            run.at_end.append(self.end)
            if self._choices.monitoring is not None:
                self._monitor = Monitor(
                    self._task._store, self._task.id, self._choices.monitoring, run.start.monitor_offset
                )
                safely("what the machine is busy with", self._monitor.begin)
        else:
            atexit.register(self.end)
            if is_multiprocessing_child():
                at_child_end(self.end, _AT_END)
        leave_choices(self._choices)

    def at_end(self, what: str, settle: Callable[[], None]) -> None:
        """Have what is left of something reported by this when the run ends; in a forked child, when it does.

        Args:
            what: it is, for a warning.
            settle: reports it; not called where a signal presses.
        """
        if os.getpid() == self._process:
            self._settling.append((what, settle))
        elif is_multiprocessing_child():
            at_child_end(lambda: safely(what, settle), _AFTER_OTHERS)
        else:
            atexit.register(safely, what, settle)

    def end(self, is_hurried: bool = False) -> None:
        """Report what is left, and put everything back.

        Args:
            is_hurried: there is no time to wait for anything.
        """
        atexit.unregister(self.end)
        settling, self._settling = self._settling, []
        if os.getpid() == self._process and not is_hurried:
            for what, settle in settling:
                safely(what, settle)
        if self._monitor is not None:
            self._monitor.end(is_hurried=is_hurried)
        if self._console is not None:
            safely("the console", self._console.end)
