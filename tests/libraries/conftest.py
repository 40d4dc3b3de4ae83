"""Scripts that use a library with `eventlog run`, and the task that they leave behind."""

import importlib.util
import os
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventlog import Task
from eventlog.sdk.stores import close_stores
from tests.cli.running import EVENTLOG

# What these libraries would otherwise fetch from the network, or report to their makers.
# Two of them behave otherwise where they find that they are being tested.
UNTOLD = {"CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "PYTHONPATH"}
QUIET = {"HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "MPLBACKEND": "Agg"}


@dataclass(frozen=True)
class Recorded:
    """What a script has printed, and the task that it has made."""

    out: str
    task: Task

    def scalars(self) -> dict[str, dict[str, list[float]]]:
        """The values of every curve."""
        curves = self.task.get_reported_scalars()
        return {title: {name: one["y"] for name, one in series.items()} for title, series in curves.items()}

    def plots(self) -> set[str]:
        """The titles of the plots."""
        return {plot["metric"] for plot in self.task.get_reported_plots()}


Record = Callable[..., Recorded]


@pytest.fixture
def record(home: Path, tmp_path: Path) -> Iterator[Record]:
    """Runs a script that needs some packages, and returns its only task; skips where one is missing."""

    def run(text: str, *packages: str) -> Recorded:
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "script.py").write_text(textwrap.dedent(text))
        environment = {**os.environ, **QUIET, "YOLO_CONFIG_DIR": str(tmp_path)}
        done = subprocess.run(
            [*EVENTLOG, "run", "script.py"],
            cwd=folder,
            env={name: value for name, value in environment.items() if name not in UNTOLD},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (task,) = Task.get_tasks()
        assert task.status == "completed", task.data.traceback
        return Recorded(done.stdout, task)

    yield run
    close_stores()
