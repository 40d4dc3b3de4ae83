"""The example that was written for ClearML runs as it is."""

import os
import subprocess
from pathlib import Path

from eventlog import Task
from eventlog.sdk.stores import close_stores
from tests.cli.running import EVENTLOG

SCRIPT = Path(__file__).parents[2] / "examples" / "written_for_clearml.py"


def test_the_script_that_was_written_for_clearml_records_with_eventlog(home: Path, tmp_path: Path) -> None:
    command = [*EVENTLOG, "run", str(SCRIPT), "--epochs", "3"]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (task,) = Task.get_tasks()
    try:
        assert task.get_parameter("Args/epochs", cast=True) == 3
        assert len(task.get_reported_scalars()["accuracy"]["test"]["y"]) == 3
        assert {model.name for model in task.models["output"]} == {"linear digits", "linear - model"}
        assert task.artifacts["wrong"].get()["images"] > 0
        assert [plot["metric"] for plot in task.get_reported_plots()] == ["digits"]
    finally:
        close_stores()
