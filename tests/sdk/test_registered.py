"""A registered frame is kept as it is, again when it has changed, and for the last time at the end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eventlog import Task
from eventlog.errors import InputInvalid
from eventlog.events import ArtifactUploaded
from eventlog.sdk import registered
from eventlog.sdk.stores import current_views
from tests.sdk.scripts import Scripts, poll


def frames() -> pd.DataFrame:
    return pd.DataFrame({"a": [1, 2, 2], "b": [3, 4, 4]})


def uploads(task: Task) -> int:
    events = current_views(task._store).events(task.id, reports=False)
    return sum(isinstance(numbered.event, ArtifactUploaded) for numbered in events)


def test_a_frame_is_kept_at_once_and_when_it_has_changed(task: Task) -> None:
    frame = frames()
    task.register_artifact("audit", frame, metadata={"m": 1})
    assert task.get_registered_artifacts()["audit"] is frame
    artifact = task.artifacts["audit"]
    assert (artifact.type, artifact.metadata) == ("data-audit-table", {"m": "1"})
    assert artifact.preview.endswith("\n\n[audit]: shape=(3, 2), 2 unique rows, 66.7% uniqueness\n")
    task.flush()
    assert uploads(task) == 1
    frame.loc[3] = [9, 9]
    task.flush()
    assert uploads(task) == 2
    assert "shape=(4, 2), 3 unique rows, 75.0% uniqueness" in task.artifacts["audit"].preview
    pd.testing.assert_frame_equal(task.artifacts["audit"].get(), frame)
    # The number of rows, of columns and their types stay.
    frame.loc[0, "a"] = 7
    task.flush()
    frame.columns = ["a", "c"]
    task.flush()
    assert uploads(task) == 4


def test_a_frame_is_looked_at_while_the_script_goes_on(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(registered, "_watching", False)
    frame = frames()
    task.register_artifact("audit", frame)
    frame.loc[3] = [9, 9]
    assert poll(lambda: "shape=(4, 2)" in task.artifacts["audit"].preview)
    registered._stop.set()
    monkeypatch.setattr(registered, "_stop", type(registered._stop)())


def test_a_frame_that_is_unregistered_is_kept_for_the_last_time(task: Task) -> None:
    frame = frames()
    task.register_artifact("audit", frame, uniqueness_columns=["a"])
    frame.loc[3] = [2, 9]
    task.unregister_artifact("audit")
    task.unregister_artifact("no such")
    assert "shape=(4, 2), 2 unique rows" in task.artifacts["audit"].preview
    frame.loc[4] = [2, 9]
    task.flush()
    assert uploads(task) == 2
    assert task.get_registered_artifacts() == {}


def test_the_end_of_a_task_keeps_what_has_changed(task: Task) -> None:
    frame = frames()
    task.register_artifact("audit", frame)
    frame.loc[3] = [9, 9]
    task.close()
    assert "shape=(4, 2)" in Task.get_task(task.id).artifacts["audit"].preview
    assert task.get_registered_artifacts() == {}


def test_the_end_of_a_script_keeps_what_has_changed(scripts: Scripts, tmp_path: Path) -> None:
    text = f"""
    import pandas as pd
    from eventlog import Task
    task = Task.init("tests/sdk", "a task", output_uri="{tmp_path}/out")
    frame = pd.DataFrame({{"a": [1]}})
    task.register_artifact("audit", frame)
    frame.loc[1] = [9]
    """
    scripts.run(text)
    (state,) = scripts.states()
    assert "shape=(2, 1)" in state.artifacts["audit"].preview
    assert state.status == "completed"
    assert {one.status for one in state.deliveries.values()} == {"completed"}


def test_cells_without_a_hash_are_no_obstacle(task: Task) -> None:
    frame = pd.DataFrame({"a": [[1], [2]]})
    task.register_artifact("audit", frame)
    frame.at[0, "a"] = [3]
    task.flush()
    assert uploads(task) == 2
    assert "shape=(2, 1)" in task.artifacts["audit"].preview


def test_an_empty_frame_can_be_registered(task: Task) -> None:
    task.register_artifact("audit", pd.DataFrame())
    assert "0 unique rows, 100.0% uniqueness" in task.artifacts["audit"].preview


@pytest.mark.parametrize("value", [{"a": 1}, np.zeros(3), None, "text"])
def test_what_is_no_frame_cannot_be_registered(task: Task, value: object) -> None:
    with pytest.raises(InputInvalid, match="only a pandas DataFrame"):
        task.register_artifact("audit", value)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="no columns"):
        task.register_artifact("audit", frames(), uniqueness_columns=["z"])
    assert task.artifacts == {}
