"""Scripts with libraries, for the tests of what is logged of them by itself."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventlog import Task
from tests.sdk.automatic.model_scripts import Done, Trained

_QUIET = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def train(tmp_path: Path, home: Path) -> Trained:
    """Runs a script in which a task is open, with more arguments of `Task.init`; returns what it has left."""
    folder = tmp_path / "training"
    folder.mkdir()

    def run(text: str, name: str = "trained", **arguments: Any) -> Done:
        given = "".join(f", {key}={value!r}" for key, value in arguments.items())
        begin = f"from eventlog import Task\ntask = Task.init('tests/models', {name!r}{given})\n"
        (folder / f"{name}.py").write_text(begin + text)
        done = subprocess.run(
            # The libraries' own warnings are theirs.
            [sys.executable, "-W", "ignore", f"{name}.py"],
            cwd=folder,
            env={**os.environ, **_QUIET},
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "eventlog:" not in done.stderr, done.stderr
        task = Task.get_task(project_name="tests/models", task_name=name)
        assert task is not None
        return Done(done.stdout, task, folder)

    return run
