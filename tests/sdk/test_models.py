"""Models: what they are, how they are found, and what bad input gets."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.errors import InputInvalid, NotAvailable, NotFound
from eventlog.sdk.input_model import InputModel
from eventlog.sdk.model import Model
from eventlog.sdk.model_queries import matches_tags
from eventlog.sdk.output_model import OutputModel
from eventlog.sdk.stores import current_views
from eventlog.sdk.task import Task


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"some weights")
    return path


def test_an_output_model_is_the_tasks_as_soon_as_it_is_made(task: Task) -> None:
    model = OutputModel(name="net", tags=["b", "a"], comment="a try", framework="PyTorch")
    (linked,) = task.models["output"]
    assert linked == model
    assert (model.name, model.tags, model.framework) == ("net", ["a", "b"], "PyTorch")
    assert model.comment == f"Created by task id: {task.id}\na try"
    assert (model.task, model.original_task, model.project) == (task.id, task.id, "tests/sdk")
    assert model.url is None
    assert not model.published
    assert model.system_tags == []


def test_a_models_name_is_that_of_its_task_unless_another_is_given(task: Task) -> None:
    assert OutputModel(task).name == "a task"


def test_what_a_model_is_can_be_changed(task: Task) -> None:
    model = OutputModel(task)
    model.name, model.comment, model.tags = "other", "said", ["x"]
    model.project, model.framework = "elsewhere", "Keras"
    model.labels = {"cat": 1}
    again = Model(model.id)
    assert (again.name, again.comment, again.tags) == ("other", "said", ["x"])
    assert (again.project, again.framework, again.labels) == ("elsewhere", "Keras", {"cat": 1})


def test_a_design_is_read_as_text_and_as_a_dictionary(task: Task) -> None:
    model = OutputModel(task, config_dict={"layers": [{"size": 3}]})
    assert model.config_dict == {"layers": [{"size": 3}]}
    model.config_text = "class Net: ..."
    assert Model(model.id).config_text == "class Net: ..."
    model.config_dict = {"a": 1}
    assert Model(model.id).config_dict == {"a": 1}
    assert model.update_design(config_text="{}")
    assert model.config_dict == {}


def test_a_design_that_is_no_dictionary_is_still_text(task: Task) -> None:
    model = OutputModel(task, config_text="[1, 2]")
    with pytest.raises(InputInvalid, match="config_text"):
        _ = model.config_dict
    assert model.config_text == "[1, 2]"


def test_labels_are_those_of_the_task_unless_others_are_given(task: Task) -> None:
    OutputModel(task, label_enumeration={"dog": 2}).connect(task)
    assert OutputModel(task).labels == {"dog": 2}
    assert OutputModel(task, label_enumeration={"cat": 1}).labels == {"cat": 1}


@pytest.mark.parametrize("labels", [{"a": "b"}, {"a": 1.5}, {"a": 1 << 63}, {"a": True}, {3: 1}, ["a"], "a"])
def test_labels_that_are_no_numbers_are_refused(task: Task, labels: object) -> None:
    with pytest.raises(InputInvalid, match="label"):
        OutputModel(task, label_enumeration=labels)  # type: ignore[arg-type]


def test_a_circular_design_is_refused(task: Task) -> None:
    circle: dict[str, object] = {}
    circle["self"] = circle
    with pytest.raises(InputInvalid):
        OutputModel(task, config_dict=circle)
    with pytest.raises(InputInvalid, match="leave one of them out"):
        OutputModel(task, config_dict={}, config_text="")
    with pytest.raises(InputInvalid, match="larger than 4 MiB"):
        OutputModel(task, config_text="x" * (5 << 20))
    assert list(task.models.output) == []


def test_without_a_task_there_is_no_output_model() -> None:
    with pytest.raises(InputInvalid, match="no current one"):
        OutputModel()
    with pytest.raises(InputInvalid, match="not to str"):
        OutputModel("a task")  # type: ignore[arg-type]


def test_a_model_id_that_is_not_there_is_said_so(task: Task) -> None:
    for unknown in (Model, InputModel):
        with pytest.raises(NotFound, match="0" * 32):
            unknown("0" * 32)
    with pytest.raises(NotFound, match="0" * 32):
        task.set_input_model("0" * 32)
    with pytest.raises(NotFound):
        OutputModel(task, base_model_id="0" * 32)
    with pytest.raises(InputInvalid):
        Model("")
    with pytest.raises(InputInvalid, match="needs a model_id"):
        InputModel()
    with pytest.raises(NotFound, match="no model 'nowhere/none'"):
        InputModel(name="none", project="nowhere")


@pytest.mark.parametrize("name", ["a/b", "../../up", "two\nlines", "x" * 10_000, "☃", ".", "nul\0"])
def test_a_model_may_have_any_name(task: Task, weights: Path, name: str) -> None:
    model = OutputModel(task, name=name)
    model.update_weights(weights, target_filename=name)
    model.connect(task, name=name)
    assert Model(model.id).name == name
    assert task.models["output"][name] == model
    copy = Path(model.get_weights(raise_on_error=True) or "")
    assert copy.read_bytes() == b"some weights"
    assert copy.parent.parent == model._store.home / "cache"
    assert Model.query_models(model_name=name) == [model]


def test_a_name_that_cannot_be_kept_is_refused(task: Task) -> None:
    with pytest.raises(InputInvalid, match="longer than 64 KiB"):
        OutputModel(task, name="x" * 100_000)
    with pytest.raises(InputInvalid, match="must be text"):
        OutputModel(task, name=3)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="tag"):
        OutputModel(task, tags=[3])  # type: ignore[list-item]
    with pytest.raises(InputInvalid, match="framework"):
        OutputModel(task, framework=3)  # type: ignore[arg-type]
    assert list(task.models.output) == []


def test_a_published_model_is_not_edited(task: Task, weights: Path) -> None:
    model = OutputModel(task, name="net")
    model.update_weights(weights)
    model.publish()
    model.publish()
    assert model.published
    edits = [
        lambda: model.update_weights(weights),
        lambda: model.update_weights(register_uri="s3://bucket/net.pt"),
        lambda: model.update_weights_package(weights_path=weights.parent),
        lambda: model.update_design(config_text="x"),
        lambda: model.update_labels({"a": 1}),
        lambda: setattr(model, "name", "other"),
        lambda: setattr(model, "comment", "other"),
        lambda: setattr(model, "project", "other"),
        lambda: OutputModel(task, name="other", base_model_id=model.id),
    ]
    for edit in edits:
        with pytest.raises(InputInvalid, match="is published"):
            edit()
    assert model.name == "net"


def test_a_published_model_still_gets_tags_metadata_and_metrics(task: Task) -> None:
    model = OutputModel(task)
    model.publish()
    model.tags = ["deployed"]
    model.set_metadata("where", "here")
    model.report_scalar("accuracy", "test", 0.5, 1)
    model.archive()
    assert (model.tags, model.get_metadata("where"), model.system_tags) == (
        ["deployed"],
        "here",
        ["archived"],
    )


def test_an_archived_model_is_found_when_asked_for(task: Task) -> None:
    model = OutputModel(task, name="net")
    model.archive()
    model.archive()
    assert Model.query_models() == []
    assert Model.query_models(include_archived=True) == [model]
    assert list(task.models["output"]) == [model]
    model.unarchive()
    assert Model.query_models() == [model]
    model.system_tags = [model.archived_tag]
    assert model.system_tags == ["archived"]
    with pytest.raises(NotAvailable, match="'other'"):
        model.system_tags = ["other"]


def test_models_are_found_by_every_filter(task: Task) -> None:
    first = OutputModel(task, name="first", tags=["a", "b"])
    second = OutputModel(task, name="second", tags=["b", "c"])
    second.set_all_metadata({"score": {"value": 3}, "data": {"value": "digits"}})
    second.project = "elsewhere"
    second.publish()
    assert Model.query_models() == [second, first]
    assert Model.query_models(max_results=1) == [second]
    assert Model.query_models(project_name="elsewhere") == [second]
    assert Model.query_models(project_name="tests") == []
    assert Model.query_models(model_name="first") == [first]
    assert Model.query_models(model_name="fir") == []
    assert Model.query_models(only_published=True) == [second]
    assert Model.query_models(metadata={"score": 3, "data": "digits"}) == [second]
    assert Model.query_models(metadata={"score": "3", "data": "cats"}) == []
    assert Model.query_models(tags=["a"]) == [first]
    assert Model.query_models(tags=["b", "-c"]) == [first]
    assert Model.query_models(tags=["b"], max_results=1) == [second]
    assert InputModel(name="first", tags=["a"]) == first
    with pytest.raises(NotFound):
        InputModel(name="first", only_published=True)
    with pytest.raises(InputInvalid, match="max_results"):
        Model.query_models(max_results=-1)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["a", "b"], ["a", "b", "ab", "abc"]),
        (["__$all", "a", "b"], ["ab", "abc"]),
        (["__$and", "a", "__$not", "c"], ["a", "ab"]),
        (["a", "__$not", "b"], ["a"]),
        (["-a"], ["", "b", "c"]),
        (["__$or", "a", "__$not", "b"], ["", "a", "c", "ab", "abc"]),
        (["__$all", "a", "__$or", "b", "c"], ["ab", "abc"]),
        (["__$any", "b", "c", "__$and", "a"], ["ab", "abc"]),
    ],
)
def test_tags_are_combined_as_clearml_writes_it(wanted: list[str], found: list[str]) -> None:
    models = ["", "a", "b", "c", "ab", "abc"]
    assert [tags for tags in models if matches_tags(list(tags), wanted)] == found


@given(st.frozensets(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd"), min_size=1))
def test_all_and_any_are_what_they_say(tags: frozenset[str], wanted: list[str]) -> None:
    assert matches_tags(sorted(tags), ["__$all", *wanted]) == tags.issuperset(wanted)
    assert matches_tags(sorted(tags), wanted) == bool(tags.intersection(wanted))
    assert matches_tags(sorted(tags), [f"-{tag}" for tag in wanted]) == tags.isdisjoint(wanted)


def test_a_removed_model_is_not_shown_any_more(task: Task) -> None:
    model = OutputModel(task)
    assert Model.remove(model.id)
    assert Model.query_models(include_archived=True) == []
    assert list(task.models["output"]) == []
    with pytest.raises(NotFound):
        Model(model.id)


def test_a_model_in_use_is_removed_by_force_alone(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    published, used = OutputModel(task, name="published"), OutputModel(task, name="used")
    published.publish()
    task.set_input_model(used.id)
    with caplog.at_level(logging.WARNING, "eventlog"):
        assert not Model.remove(published)
    assert "force=True" in caplog.text
    with pytest.raises(InputInvalid, match=f"task {task.id} 'a task' reads model {used.id}"):
        Model.remove(used, raise_on_errors=True)
    assert Model.remove(published, force=True)
    assert Model.remove(used, force=True)
    assert Model.query_models() == []


def test_removing_a_model_that_is_not_there_fails(task: Task) -> None:
    assert not Model.remove("0" * 32)
    with pytest.raises(NotFound):
        Model.remove("0" * 32, raise_on_errors=True)


def test_metadata_comes_back_as_text_and_as_it_was(task: Task) -> None:
    model = OutputModel(task)
    assert model.set_metadata("epochs", 3)
    assert model.set_metadata("rate", "0.5", "float")
    assert model.set_metadata("names", ["a", "b"])
    assert model.get_metadata("epochs") == "3"
    assert model.get_metadata_casted("epochs") == 3
    assert model.get_metadata_casted("rate") == 0.5
    assert model.get_metadata("other") is None
    assert model.get_metadata_casted("other") is None
    assert model.get_all_metadata()["rate"] == {"value": "0.5", "type": "float"}
    assert model.get_all_metadata_casted()["names"]["value"] == ["a", "b"]


def test_all_metadata_is_replaced_or_added_to(task: Task) -> None:
    model = OutputModel(task)
    model.set_metadata("old", 1)
    assert model.set_all_metadata({"new": {"value": "x", "type": "str"}}, replace=False)
    assert [*model.get_all_metadata()] == ["old", "new"]
    assert model.set_all_metadata({"only": {"value": 2}})
    assert model.get_all_metadata() == {"only": {"value": "2", "type": "int"}}


class NoText:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("value", [NoText(), "x" * 100_000])
def test_metadata_that_is_no_text_is_refused(task: Task, value: object) -> None:
    model = OutputModel(task)
    with pytest.raises(InputInvalid):
        model.set_metadata("key", value)
    with pytest.raises(InputInvalid):
        model.set_all_metadata({"key": {"value": value}})
    assert model.get_all_metadata() == {}


@pytest.mark.parametrize("metadata", ["text", {"key": "value"}, {"key": {"type": "int"}}, ["key"]])
def test_metadata_of_another_form_is_refused(task: Task, metadata: object) -> None:
    with pytest.raises(InputInvalid, match="metadata"):
        OutputModel(task).set_all_metadata(metadata)  # type: ignore[arg-type]


def test_a_model_has_metrics_and_plots_of_its_own(task: Task) -> None:
    model = OutputModel(task)
    for step in range(3):
        model.report_scalar("accuracy", "test", step / 10, step)
    model.report_single_value("best", 0.9)
    model.report_histogram("weights", "layer 1", [1, 2, 3], iteration=2)
    model.report_table("errors", "top", 2, table_plot=[["digit", "count"], [7, 3]])
    model.report_line_plot("roc", [{"name": "a", "data": [[0, 0], [1, 1]]}], "x", "y", iteration=2)
    views = current_views(model._store, reports=True)
    table = views.scalars(model.id, "accuracy", "test")
    assert table["value"].to_pylist() == [0.0, 0.1, 0.2]
    assert views.scalars(model.id, "Summary", "best")["value"].to_pylist() == [0.9]
    assert [(plot.title, plot.iteration) for plot in views.plots(model.id)] == [
        ("errors", 2),
        ("roc", 2),
        ("weights", 2),
    ]
    # They are the model's, not the task's, and no second task comes of them.
    assert task.get_reported_scalars() == {}
    assert [found.id for found in Task.get_tasks()] == [task.id]


def test_what_is_no_number_is_not_reported_to_a_model(task: Task) -> None:
    model = OutputModel(task)
    with pytest.raises(InputInvalid):
        model.report_scalar("a", "b", "c", 1)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid):
        model.report_single_value("a", [1])  # type: ignore[arg-type]


def test_an_empty_model_has_a_design_alone(task: Task) -> None:
    model = InputModel.empty(config_dict={"a": 1}, label_enumeration={"cat": 1})
    assert (model.config_dict, model.labels, model.url, model.get_weights()) == (
        {"a": 1},
        {"cat": 1},
        None,
        None,
    )
    with pytest.raises(InputInvalid, match="empty model"):
        model.set_metadata("a", 1)
    model.connect(task)
    assert task.input_models_id == {}
    assert OutputModel(task).labels == {"cat": 1}
