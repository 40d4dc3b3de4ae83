"""Whatever a call is given as a name or a path, it answers or says in one line what is wrong."""

from pathlib import Path

import pytest

from eventlog import InputModel, Model, OutputModel, Task
from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.sdk.names import shown

_NAMES = ["a\nb", "a\0b", "a\ud800b", "x" * 10_000, "\x1b[31m", "../x", ""]


@pytest.mark.parametrize("name", _NAMES, ids=shown)
def test_what_is_not_there_is_told_in_one_short_line_whatever_it_is_called(
    task: Task, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model = OutputModel(task=task, name="weights")
    calls = [
        lambda: Task.import_offline_session(name),
        lambda: InputModel(name or "no such id"),
        lambda: task.set_input_model(name or "no such id"),
        lambda: task.update_output_model(name or "no such file"),
        lambda: InputModel.import_model(name or "no such file"),
        lambda: model.update_weights_package(weights_path=name or "no such folder"),
        lambda: task.connect_configuration(name or "no such file", name="file"),
        lambda: task.artifacts[name],
        lambda: task.get_logger().report_table("table", "one", 0, csv=name or "no such file"),
        lambda: task.get_logger().report_image("image", "one", 0, local_path=name or "no such file"),
        lambda: task.get_logger().report_text("text", level=name or "no such level"),
    ]
    for call in calls:
        with pytest.raises(EventlogError) as caught:
            call()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 2_100


def test_what_is_not_of_the_right_type_is_told(task: Task) -> None:
    calls = [
        lambda: task.set_parameters_as_dict("text"),  # type: ignore[arg-type]
        lambda: Model.query_models(metadata="text"),  # type: ignore[arg-type]
        lambda: Model.query_models(tags=3),  # type: ignore[arg-type]
        lambda: Task.import_offline_session(3),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(InputInvalid, match="not"):
            call()


def test_a_label_of_an_enumeration_is_kept_as_its_number(task: Task) -> None:
    class Number(int):
        """As libraries derive them."""

    task.connect_label_enumeration({"cat": Number(3)})
    assert task.get_labels_enumeration() == {"cat": 3}


def test_waiting_for_no_status_at_all_does_not_wait_for_ever(task: Task) -> None:
    with pytest.raises(InputInvalid, match="no status to wait for"):
        task.wait_for_status(())


def test_an_error_stays_one_line_and_of_its_kinds() -> None:
    error = NotFound("no task a\nb\x1b[0m: look again")
    assert str(error) == "no task a\\nb\\x1b[0m: look again"
    assert isinstance(error, LookupError)
