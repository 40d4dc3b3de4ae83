"""Models on other machines than the one that made them, and in offline sessions."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlog.errors import InputInvalid, NotFound
from eventlog.sdk.input_model import InputModel
from eventlog.sdk.model import Model
from eventlog.sdk.output_model import OutputModel
from eventlog.sdk.stores import close_stores, current_views, open_store
from eventlog.sdk.task import Task
from eventlog.sync import synchronise

At = Callable[[str], None]


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[At]:
    """Goes to another machine, whose store is synchronised when it is left."""

    def leave() -> None:
        task = Task.current_task()
        if task is not None:
            task.close()
        meet(tmp_path / "remote")
        close_stores()

    def go(name: str) -> None:
        leave()
        monkeypatch.setenv("EVENTLOG_HOME", str(tmp_path / name))
        meet(tmp_path / "remote")

    yield go
    leave()


def meet(remote: Path) -> None:
    synchronise(open_store(create=True), remote)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"some weights")
    return path


def test_a_model_is_whole_on_another_machine(at: At, weights: Path) -> None:
    at("laptop")
    made_by = Task.init(project_name="tests/sdk", task_name="a task")
    model = OutputModel(name="net", tags=["a"], config_dict={"a": 1}, label_enumeration={"cat": 1})
    model.update_weights(str(weights), iteration=3)
    model.set_metadata("score", 0.5)
    model.report_scalar("accuracy", "test", 0.25, 1)
    model.report_single_value("best", 0.5)
    at("cluster")
    weights.unlink()
    (found,) = Model.query_models()
    assert (found.id, found.name, found.tags, found.original_task) == (model.id, "net", ["a"], made_by.id)
    assert (found.config_dict, found.labels) == ({"a": 1}, {"cat": 1})
    assert found.get_metadata_casted("score") == 0.5
    assert Path(found.get_local_copy(raise_on_error=True) or "").read_bytes() == b"some weights"
    views = current_views(open_store(), reports=True)
    assert views.scalars(found.id, "accuracy", "test")["value"].to_pylist() == [0.25]
    assert Task.get_task(made_by.id).models["output"]["weights"] == found


def test_the_same_bytes_are_the_same_model_on_every_machine(at: At, weights: Path) -> None:
    at("laptop")
    Task.init(project_name="tests/sdk", task_name="a task")
    model = OutputModel()
    model.update_weights(str(weights))
    at("cluster")
    task = Task.init(project_name="tests/sdk", task_name="another task")
    InputModel.import_model(str(weights)).connect(task)
    at("laptop")
    assert Task.get_task(task.id).models["input"][0] == model


def test_a_path_of_another_machine_is_none_of_this_one(at: At, weights: Path) -> None:
    at("laptop")
    Task.init(project_name="tests/sdk", task_name="a task")
    model = OutputModel()
    model.update_weights(register_uri=str(weights))
    assert model.get_weights() == str(weights)
    at("cluster")
    # The file is there, but what another machine's log says of it is nothing to go by.
    with pytest.raises(NotFound, match="not taken in"):
        Model(model.id).get_weights(raise_on_error=True)
    assert Model(model.id).get_weights() is None


def test_edits_on_two_machines_meet(at: At) -> None:
    at("laptop")
    Task.init(project_name="tests/sdk", task_name="a task")
    model = OutputModel(name="net")
    at("cluster")
    Model(model.id).set_metadata("there", 1)
    at("laptop")
    Model(model.id).set_metadata("here", 2)
    Model(model.id).publish()
    at("cluster")
    assert [*Model(model.id).get_all_metadata()] == ["there", "here"]
    assert Model(model.id).published


def test_a_model_of_an_offline_session_comes_home_with_its_metrics(
    home: Path, weights: Path, tmp_path: Path
) -> None:
    Task.set_offline(True)
    try:
        task = Task.init(project_name="tests/sdk", task_name="a task")
        model = OutputModel(name="net", tags=["a"])
        model.update_weights(str(weights))
        model.report_scalar("accuracy", "test", 0.5, 1)
        assert Model.query_models() == [model]
        assert Path(Model(model.id).get_local_copy() or "").read_bytes() == b"some weights"
        assert list(task.models["output"]) == [model]
        session = task.get_offline_mode_folder()
        task.close()
    finally:
        Task.set_offline(False)
    close_stores()
    weights.unlink()
    for _ in range(2):
        task_id = Task.import_offline_session(f"{session}.zip")
    (found,) = Model.query_models()
    assert (found.id, found.name, found.original_task) == (model.id, "net", task_id)
    assert Path(found.get_local_copy(raise_on_error=True) or "").read_bytes() == b"some weights"
    views = current_views(open_store(), reports=True)
    assert views.scalars(found.id, "accuracy", "test")["value"].to_pylist() == [0.5]


def test_an_offline_task_reads_models_of_the_store_at_home(home: Path, weights: Path) -> None:
    made_by = Task.init(project_name="tests/sdk", task_name="a task")
    model = OutputModel(name="net")
    model.update_weights(str(weights))
    made_by.close()
    close_stores()
    Task.set_offline(True)
    try:
        task = Task.init(project_name="tests/sdk", task_name="an offline task")
        loaded = InputModel.import_model(str(weights))
        loaded.connect(task)
        assert loaded == model
        assert loaded.original_task == made_by.id
        assert list(task.models["input"]) == [model]
        assert InputModel(name="net") == model
        with pytest.raises(InputInvalid, match="make a new OutputModel"):
            OutputModel(task, base_model_id=model.id)
        session = task.get_offline_mode_folder()
        task.close()
    finally:
        Task.set_offline(False)
    close_stores()
    task_id = Task.import_offline_session(f"{session}.zip") or ""
    assert list(Task.get_task(task_id).models["input"]) == [model]
