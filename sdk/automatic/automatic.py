"""What is logged by itself in one run of a task, from `Task.init` to its end."""

import atexit
from typing import TYPE_CHECKING

from eventlog.sdk.automatic import attaching, command_lines
from eventlog.sdk.automatic.choices import Choices
from eventlog.sdk.automatic.console import Console
from eventlog.sdk.automatic.listening import listen, safely

if TYPE_CHECKING:
    from eventlog.sdk.task import Task

__all__ = ["Automatic"]


class Automatic:
    """Begins to log what was chosen, and stops when the run ends."""

    def __init__(self, task: "Task", choices: Choices) -> None:
        self._task = task
        self._choices = choices
        self._console = Console(task.get_logger(), choices.streams) if choices.streams else None

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
            run.at_end.append(self._end_of_run)
        else:
            atexit.register(self.end)

    def end(self) -> None:
        """Report what is left, and put everything back."""
        atexit.unregister(self.end)
        if self._console is not None:
            safely("the console", self._console.end)

    def _end_of_run(self, is_hurried: bool) -> None:
        self.end()
