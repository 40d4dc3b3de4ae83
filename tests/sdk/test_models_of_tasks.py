"""The models of a task: those it reads and makes, under its names for them, and where each one came from."""

from pathlib import Path

import pytest

from eventlog.errors import InputInvalid, NotFound
from eventlog.sdk.input_model import InputModel
from eventlog.sdk.model import Model
from eventlog.sdk.output_model import OutputModel
from eventlog.sdk.task import Task
from tests.sdk.scripts import Scripts


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"some weights")
    return path


def snapshots(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_text(path.name)
    return paths


def test_models_are_listed_by_number_name_and_slice(task: Task, tmp_path: Path) -> None:
    for path in snapshots(tmp_path, "a.pt", "b.pt", "c.pt"):
        task.update_output_model(path)
    models = task.models["output"]
    assert models.keys() == ["a", "b", "c"]
    assert (models[0], models[-1]) == (models["a"], models["c"])
    assert models[1:].keys() == ["b", "c"]
    assert list(models[::-1]) == [models["c"], models["b"], models["a"]]
    assert Path(models[-1].get_local_copy() or "").read_text() == "c.pt"
    assert ("a" in models, "z" in models, models[0] in models) == (True, False, True)
    assert (models.get("b"), models.get("z"), models.get(0), models.get(3, 1)) == (
        models[1],
        None,
        models[0],
        1,
    )
    assert models.items() == list(zip(models.keys(), models.values(), strict=True))
    with pytest.raises(NotFound, match="'z' here; there are: a, b, c"):
        _ = models["z"]
    with pytest.raises(IndexError):
        _ = models[3]


def test_a_model_is_found_by_its_own_name_where_the_task_calls_none_so(task: Task, weights: Path) -> None:
    other = weights.with_name("best.pt")
    other.write_bytes(b"others")
    task.update_output_model(weights, model_name="best")
    models = task.models["output"]
    assert (models["best"].name, "best" in models, models.keys()) == ("best", True, ["weights"])
    task.update_output_model(other, model_name="weights")
    models = task.models["output"]
    assert (models["best"].name, models["weights"].name) == ("weights", "best")
    first = models[0]
    assert repr(first) == f"<Model {first.id[:8]} {first.project}/best>"
    Model.remove(first.id, force=True)
    assert "nobody" not in models


def test_both_directions_are_keys_and_attributes(task: Task) -> None:
    models = task.get_models()
    assert [*models] == ["input", "output"]
    assert models.input == models["input"] == []
    assert models.output == models["output"] == []


def test_a_snapshot_of_a_name_takes_the_place_of_the_one_before(task: Task, tmp_path: Path) -> None:
    first, second = snapshots(tmp_path, "first.pt", "second.pt")
    task.update_output_model(first, name="best", tags=["a"], iteration=1)
    (model,) = task.models.output
    task.update_output_model(second, name="best", tags=["b"], comment="better", iteration=2)
    assert task.models.output == [model]
    assert Path(model.get_local_copy() or "").read_text() == "second.pt"
    assert (model.name, model.tags) == ("a task - best", ["b"])
    assert "better" in model.comment
    assert task.output_models_id == {"best": model.id}


def test_a_published_snapshot_stays_and_the_next_is_a_new_model(task: Task, weights: Path) -> None:
    task.update_output_model(weights, model_name="mine")
    (model,) = task.models.output
    model.publish()
    task.update_output_model(weights, model_name="mine")
    assert len(task.models.output) == 2
    assert task.models.output["weights"] != model
    assert task.models.output[-1].name == "mine"


def test_a_snapshot_may_be_a_folder_or_a_url(task: Task, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "graph").write_text("a graph")
    task.update_output_model(str(saved))
    assert task.update_output_model("s3://bucket/net.h5") == "s3://bucket/net.h5"
    assert task.models.output.keys() == ["saved", "net"]
    assert Path(task.models.output["saved"].get_local_copy() or "", "graph").read_text() == "a graph"


def test_a_snapshot_that_is_not_there_makes_no_model(task: Task, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="no file or folder"):
        task.update_output_model(tmp_path / "none.pt")
    with pytest.raises(InputInvalid, match="must be text"):
        task.update_output_model(3)  # type: ignore[arg-type]
    assert task.models.output == []


def test_a_published_task_gets_no_more_models(task: Task, weights: Path) -> None:
    from eventlog.events import TaskPublished

    task.close()
    task._store.session.append(TaskPublished, task.id)
    with pytest.raises(InputInvalid, match="is published"):
        OutputModel(task)
    with pytest.raises(InputInvalid, match="is published"):
        task.update_output_model(weights)
    assert Model.query_models() == []


def test_the_weights_of_a_published_task_are_not_replaced_through_it(task: Task, weights: Path) -> None:
    task.update_output_model(weights, auto_delete_file=False)
    (model,) = task.models["output"]
    task.close()
    task.publish()
    weights.write_bytes(b"other")
    for one in (task, Task.get_task(task.id)):
        with pytest.raises(InputInvalid, match="is published"):
            one.update_output_model(weights, auto_delete_file=False)
    assert [one.url for one in Task.get_task(task.id).models["output"]] == [model.url]


def test_a_loaded_model_is_the_one_whose_bytes_are_known(task: Task, weights: Path, tmp_path: Path) -> None:
    model = OutputModel(task)
    model.update_weights(weights)
    task.close()
    copy = tmp_path / "elsewhere.bin"
    copy.write_bytes(weights.read_bytes())
    later = Task.init(project_name="tests/sdk", task_name="a later task")
    loaded = InputModel.import_model(str(copy))
    assert loaded == model
    assert loaded.original_task == task.id
    loaded.connect(later)
    assert loaded.task == later.id
    assert later.models["input"]["weights"] == model
    assert later.models["input"][0].original_task == task.id
    assert InputModel.load_model(copy.as_uri()) == model
    assert InputModel.load_model(model.url or "") == model
    assert InputModel.load_model(model.get_weights() or "") == model


def test_a_loaded_folder_is_the_package_it_came_from(task: Task, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "graph").write_text("a graph")
    model = OutputModel(task)
    model.update_weights(str(saved))
    assert InputModel.load_model(str(saved)) == model
    (saved / "graph").write_text("another graph")
    assert InputModel.load_model(str(saved)) is None


def test_a_loaded_model_is_the_one_whose_url_is_known(task: Task, weights: Path, tmp_path: Path) -> None:
    registered, delivered = OutputModel(task), OutputModel(task)
    registered.update_weights(register_uri="s3://bucket/net.pt")
    url = delivered.update_weights(weights, upload_uri=str(tmp_path / "b"), async_enable=False)
    assert InputModel.load_model("s3://bucket/net.pt") == registered
    assert InputModel.import_model(url) == delivered
    assert InputModel.load_model("s3://bucket/other.pt") is None
    assert InputModel.load_model(str(tmp_path / "none.pt")) is None


def test_an_archived_model_is_loaded_when_asked_for(task: Task, weights: Path) -> None:
    model = OutputModel(task)
    model.update_weights(weights)
    model.archive()
    assert InputModel.load_model(str(weights)) is None
    assert InputModel.load_model(str(weights), load_archived=True) == model


def test_of_several_models_with_the_same_bytes_the_last_one_in_use_is_loaded(
    task: Task, weights: Path
) -> None:
    models = [OutputModel(task) for _ in range(3)]
    for model in models:
        model.update_weights(weights)
    assert InputModel.import_model(str(weights)) == models[2]
    models[0].publish()
    models[2].archive()
    assert InputModel.import_model(str(weights)) == models[0]


def test_an_unknown_file_is_imported_with_its_bytes(task: Task, weights: Path) -> None:
    model = InputModel.import_model(
        str(weights), name="net", tags=["a"], comment="from elsewhere", label_enumeration={"cat": 1}
    )
    weights.unlink()
    assert Path(model.get_local_copy() or "").read_bytes() == b"some weights"
    assert (model.name, model.tags, model.comment) == ("net", ["a"], "from elsewhere")
    assert (model.framework, model.project, model.labels) == ("PyTorch", "tests/sdk", {"cat": 1})
    assert (model.task, model.original_task) == (None, None)
    assert list(task.models["input"]) == []


def test_an_unknown_url_is_imported_alone(task: Task) -> None:
    model = InputModel.import_model("https://host/net.h5", create_as_published=True, is_package=True)
    assert (model.name, model.url, model.framework) == ("net", "https://host/net.h5", "Keras")
    assert model.published
    assert model.system_tags == ["package"]
    assert InputModel.import_model("https://host/net.h5", name="other") == model


def test_a_file_that_is_not_there_is_not_imported(task: Task, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="no file or folder"):
        InputModel.import_model(str(tmp_path / "none.pt"))
    assert Model.query_models() == []


def test_a_task_says_what_it_reads(task: Task, weights: Path) -> None:
    model = OutputModel(task, name="net", config_dict={"a": 1}, label_enumeration={"cat": 1})
    model.update_weights(weights)
    other = OutputModel(task, name="other")
    task.set_input_model(model.id)
    task.set_input_model(model_name="other", name="second")
    assert task.input_models_id == {"weights": model.id, "second": other.id}
    task.remove_input_models([model, other.id])
    assert task.input_models_id == {}
    assert len(task.models.output) == 2
    with pytest.raises(InputInvalid, match="model_id or a model_name"):
        task.set_input_model()
    with pytest.raises(InputInvalid, match="a list"):
        task.remove_input_models(model.id)


def test_a_name_that_is_given_is_that_of_one_model(task: Task) -> None:
    first, second = OutputModel(task, name="first"), OutputModel(task, name="second")
    for model in (first, second):
        task.set_input_model(model.id, name="net")
        model.connect(task, name="best")
    assert task.models.input == task.models.output == [second]
    first.connect(task, name="other")
    assert task.models.output.keys() == ["best", "other"]


def test_a_task_takes_over_the_design_and_labels_of_what_it_reads(task: Task) -> None:
    model = OutputModel(task, config_text="class Net: ...", label_enumeration={"cat": 1})
    task.set_input_model(model.id, update_task_design=False, update_task_labels=False)
    assert (task._state().configurations, task._state().labels) == ({}, {})
    InputModel(model.id).connect(task, name="net")
    assert task._state().configurations["General"].text == "class Net: ..."
    assert task._state().labels == {"cat": 1}


def test_a_model_is_connected_to_tasks_alone(task: Task) -> None:
    model = OutputModel(task)
    with pytest.raises(InputInvalid, match="not to str"):
        model.connect("task")  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="not to str"):
        InputModel(model.id).connect("task")  # type: ignore[arg-type]


def test_a_model_may_go_on_as_that_of_another_task(task: Task, weights: Path) -> None:
    model = OutputModel(task, name="net")
    task.close()
    later = Task.init(project_name="tests/sdk", task_name="a later task")
    again = OutputModel(later, base_model_id=model.id)
    again.update_weights(weights)
    assert again == model
    assert (again.name, again.task, again.original_task) == ("net", later.id, later.id)
    assert list(later.models.output) == [model]


def test_a_task_with_models_is_not_run_again(weights: Path) -> None:
    for reads in (False, True):
        name = f"reads {reads}"
        task = Task.init(project_name="tests/sdk", task_name=name)
        if reads:
            InputModel.import_model(str(weights)).connect(task)
        else:
            OutputModel(task)
        task.close()
        again = Task.init(project_name="tests/sdk", task_name=name)
        assert again.id != task.id
        again.close()
        assert Task.init(project_name="tests/sdk", task_name=name).id == again.id
        Task.current_task().close()  # type: ignore[union-attr]


def test_a_model_that_is_not_here_yet_is_passed_over(task: Task) -> None:
    from eventlog.events import ModelLinked

    task._append(ModelLinked, "0" * 32, "input", "elsewhere")
    assert task.models["input"] == []
    assert task.input_models_id == {"elsewhere": "0" * 32}


def test_a_process_that_was_given_its_task_reads_the_models_of_the_task(
    task: Task, tmp_path: Path, scripts: Scripts
) -> None:
    own, other = (
        InputModel.import_model(str(path), name=path.stem)
        for path in snapshots(tmp_path, "own.pt", "other.pt")
    )
    task.set_input_model(other.id, name="net")
    task.close()
    text = """
        import sys
        from eventlog import InputModel, Task

        task = Task.init(project_name="tests/sdk", task_name="a task")
        model = InputModel(sys.argv[1])
        model.connect(task, name="net", ignore_remote_overrides=sys.argv[2] == "ignore")
        print(model.name)
    """
    for word, expected in (("", "other"), ("ignore", "own")):
        script = scripts.start(text, own.id, word, environment={"EVENTLOG_TASK_ID": task.id})
        assert script.wait() == 0, script.err
        assert script.out.splitlines()[-1] == expected
    assert task.input_models_id == {"net": own.id}


def test_a_process_that_was_given_its_task_makes_models_of_the_design_of_the_task(
    task: Task, scripts: Scripts
) -> None:
    task.set_model_config(config_text="size = 3")
    task.set_model_label_enumeration({"cat": 1})
    task.close()
    script = scripts.start(
        """
        from eventlog import OutputModel, Task

        task = Task.init(project_name="tests/sdk", task_name="a task")
        OutputModel(task, name="first", config_dict={"size": 1}, label_enumeration={"dog": 2}).connect(task)
        OutputModel(task, name="second", config_dict={"size": 2})
        """,
        environment={"EVENTLOG_TASK_ID": task.id},
    )
    assert script.wait() == 0, script.err
    first, second = task.models.output
    assert (first.config_dict, first.labels) == ({"size": 3}, {"cat": 1})
    assert (second.config_dict, second.labels) == ({"size": 3}, {"cat": 1})


def test_a_model_can_be_connected_by_its_task(task: Task) -> None:
    made, read = OutputModel(task, name="made"), InputModel.import_model("https://host/read.pt")
    task.connect(made, name="best")
    task.connect(read)
    assert (task.models.output.keys(), task.models.input.keys()) == (["best"], ["read"])
