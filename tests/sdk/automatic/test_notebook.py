"""In a notebook its code is recorded: the cells that were executed, and the file where it is known."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlog import Task

pytestmark = [
    pytest.mark.libraries,
    pytest.mark.timeout(180),
    pytest.mark.skipif(importlib.util.find_spec("ipykernel") is None, reason="ipykernel is not installed"),
    # Of the client's own sockets.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Execute = Callable[[str], str]
INIT = "from eventlog import Task\ntask = Task.init(project_name='tests/notebook', task_name='a notebook')"
FILE = {"cells": [{"cell_type": "code", "source": ["AWS_SECRET = 'x'"]}], "nbformat": 4}


@pytest.fixture
def execute(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Execute]:
    """Executes cells in a kernel of its own, and gives what they print; it ends with "end"."""
    import sys

    from jupyter_client.manager import KernelManager

    monkeypatch.delenv("EVENTLOG_MAIN_TASK", raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "analysis.ipynb").write_text(json.dumps(FILE))
    manager = KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[:] = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.start_kernel(cwd=str(folder))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def run(cell: str) -> str:
        if cell == "end":
            client.stop_channels()
            manager.shutdown_kernel()
            return ""
        printed: list[str] = []

        def hear(message: Any) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
            assert message["msg_type"] != "error", message["content"]

        client.execute_interactive(cell, timeout=60, output_hook=hear)
        return "".join(printed)

    yield run
    if manager.is_alive():
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def script() -> str:
    (task,) = Task.get_tasks()
    return task.data.script.text


def test_the_cells_are_recorded_at_the_start_and_at_the_end(execute: Execute) -> None:
    execute("x = 1")
    execute(INIT)
    assert "x = 1" in execute("task._wait_for_repo_detection(60); print(task.data.script.text)")
    assert execute("print('shown')") == "shown\n"
    execute("%matplotlib --list\ny = 2")
    execute("end")
    text = script()
    assert [line for line in text.splitlines() if line.startswith("# In[")] == [
        f"# In[{number}]:" for number in range(1, 6)
    ]
    assert "x = 1" in text
    assert INIT in text
    assert text.rstrip().endswith("y = 2")
    # It is a script: what only a notebook understands is spelt out.
    compile(text, "script", "exec")
    (task,) = Task.get_tasks()
    assert task.status == "completed"
    assert "notebook" not in task.artifacts


def test_secrets_in_cells_are_masked(execute: Execute) -> None:
    execute("url = 'https://someone:hunter2secret@example.org/x'")
    execute(INIT)
    execute("task.close()")
    assert "hunter2secret" not in script()
    assert "example.org" in script()


@pytest.mark.parametrize("how", ["jupyter", "code"])
def test_the_file_is_an_artifact_where_it_is_known(
    execute: Execute, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "code":
        execute("import os\n__vsc_ipynb_file__ = os.path.abspath('analysis.ipynb')")
    else:
        execute("import os\nos.environ['JPY_SESSION_NAME'] = 'folder/of/the/server/analysis.ipynb'")
    execute(INIT)
    execute("task.close()")
    (task,) = Task.get_tasks()
    artifact = task.artifacts["notebook"]
    assert json.loads(Path(artifact.get_local_copy()).read_text())["nbformat"] == 4
    assert task.data.script.entry_point == "analysis.ipynb"
    # It alone does not keep the next run from using the task again.
    execute(INIT)
    execute("task.close()")
    assert len(Task.get_tasks()) == 1
