"""Scripts that a person would write, run in processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from eventlog.projections import TaskState, Views
from eventlog.recovery import recover
from eventlog.store import Store

T = TypeVar("T")

SECONDS = 100.0
# Said where a push takes longer than usual, as it may beside other tests.
WAITING = "eventlog: waiting for the last push; Ctrl-C stops waiting, and it goes on by itself\n"
# Begins a script that uses TensorBoard without TensorFlow, as most have it: else that is imported as well.
WITHOUT_TENSORFLOW = """
import sys, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("tensorboard.compat.notf")
"""
# From Python 3.12 on a fork beside threads is warned of, whoever's they are.
WARNINGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")


class Script:
    """A script that runs."""

    def __init__(self, process: "subprocess.Popen[str]", *, new_group: bool) -> None:
        self.process = process
        self.new_group = new_group
        self.out = ""
        self.err = ""

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        self.out, err = self.process.communicate(timeout=SECONDS)
        self.err = err.replace(WAITING, "")
        return self.process.returncode

    def line(self) -> str:
        """The next line that it prints; fails when it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.endswith("\n"), self.process.communicate(timeout=SECONDS)
        return line.rstrip("\n")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


class Scripts:
    """Runs scripts against the store at `home`."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self._running: list[Script] = []

    def start(
        self,
        text: str,
        *arguments: str,
        folder: Path | None = None,
        name: str = "script.py",
        environment: Mapping[str, str] | None = None,
        new_group: bool = False,
        inherits: Sequence[int] = (),
    ) -> Script:
        """Begin a script; its text may be indented, and it inherits these descriptors."""
        folder = folder or self.folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(textwrap.dedent(text))
        process = subprocess.Popen(
            [sys.executable, *WARNINGS, str(path), *arguments],
            cwd=folder,
            env={**_environment(), "EVENTLOG_HOME": str(self.home), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=new_group,
            pass_fds=inherits,
        )
        script = Script(process, new_group=new_group)
        self._running.append(script)
        return script

    def run(
        self, text: str, *arguments: str, code: int = 0, folder: Path | None = None, name: str = "script.py"
    ) -> Script:
        """Run a script to its end, and check its exit code."""
        script = self.start(text, *arguments, folder=folder, name=name)
        assert script.wait() == code, script.err
        return script

    def end(self) -> None:
        """End those that still run."""
        for script in self._running:
            if script.new_group:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(script.process.pid, signal.SIGKILL)
            elif script.process.poll() is None:
                script.process.kill()
            script.process.wait(SECONDS)
            for pipe in (script.process.stdout, script.process.stderr):
                if pipe is not None:
                    pipe.close()

    def states(self) -> list[TaskState]:
        """What all tasks of the store are, the last changed one last."""
        with Store.open(self.home) as store:
            recover(store)
            with Views.open(store) as views:
                views.catch_up()
                return [views.task(row.id) for row in reversed(views.find())]

    def state(self) -> TaskState:
        """What the only task of the store is."""
        (state,) = self.states()
        return state


def _environment() -> dict[str, str]:
    # A script of its own, not one that the test's task is to be shared with.
    return {name: value for name, value in os.environ.items() if name != "EVENTLOG_MAIN_TASK"}


def poll(what: Callable[[], T | None], seconds: float = SECONDS) -> T:
    """Ask until the answer is not None or False; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
