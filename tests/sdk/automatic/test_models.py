"""What a library saves is an output model of the task, what it loads an input model; no script waits.

Tried with joblib, which is small; what other libraries do differently is in the files named after them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pytest

from eventlog import Model, OutputModel, Task
from eventlog.sdk.automatic import background, listening, model_loads, model_saves
from eventlog.sdk.automatic.model_files import Changed, Version
from eventlog.sdk.clearml_bindings import WeightsFileHandler
from tests.sdk.scripts import Scripts

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is saved is saved here; and no test's warning is another's."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(listening, "_warned", set())
    return folder


def init(**arguments: Any) -> Task:
    return Task.init(project_name="tests/models", task_name="a task", **arguments)


def test_what_is_saved_is_an_output_model_registered_where_it_is(task: Task, own_folder: Path) -> None:
    joblib.dump({"a": 1}, "net.joblib")
    (model,) = task.models["output"]
    path = own_folder / "net.joblib"
    assert (model.name, model.framework, model.url) == ("a task - net", "ScikitLearn", f"file://{path}")
    assert model.comment == f"snapshot {path} stored\nCreated by task id: {task.id}"
    assert model.original_task == task.id
    assert (model._state().blob, model._state().size) == ("", path.stat().st_size)
    assert model._state().digest == sha256(path)
    assert task.models["output"]["net"] == model
    assert model.get_local_copy() == str(path)


def test_a_file_that_is_saved_again_is_one_model_with_new_weights(task: Task, own_folder: Path) -> None:
    for number in range(20):
        joblib.dump(number, Path("last.joblib") if number % 2 else str(own_folder / "last.joblib"))
    (model,) = task.models["output"]
    assert model._state().digest == sha256(own_folder / "last.joblib")
    with open("last.joblib", "wb") as file:
        joblib.dump("through an open file", file)
    (again,) = task.models["output"]
    assert again == model
    assert again._state().digest == sha256(own_folder / "last.joblib")


def test_files_of_other_names_are_other_models(task: Task) -> None:
    for name in ("a.joblib", "b.joblib"):
        joblib.dump(1, name)
    assert [model.name for model in task.models["output"]] == ["a task - a", "a task - b"]


def test_with_a_destination_the_bytes_are_kept_and_delivered(tmp_path: Path, own_folder: Path) -> None:
    task = init(output_uri=str(tmp_path / "out"))
    joblib.dump([1], "net.joblib")
    kept = Path("net.joblib").read_bytes()
    Path("net.joblib").unlink()
    assert task.flush(wait_for_uploads=True)
    (model,) = task.models["output"]
    assert model.url.startswith(f"file://{tmp_path}/out")
    assert model.url.endswith(f"/a task.{task.id}/models/net.joblib")
    assert Path(model.url.removeprefix("file://")).read_bytes() == kept
    assert Path(model.get_local_copy()).read_bytes() == kept


def test_output_uri_true_keeps_the_bytes_in_the_store() -> None:
    task = init(output_uri=True)
    joblib.dump([1], "net.joblib")
    kept = Path("net.joblib").read_bytes()
    Path("net.joblib").replace("moved.joblib")
    joblib.dump([2], "net.joblib")
    Path("net.joblib").unlink()
    (model,) = task.models["output"]
    assert model._state().blob
    assert Path(model.get_local_copy()).read_bytes() != kept


@pytest.mark.usefixtures("offline_mode")
def test_offline_the_bytes_travel_with_the_session(scripts: Scripts) -> None:
    script = """
    from eventlog import Task
    Task.set_offline(True)
    task = Task.init(project_name="tests/models", task_name="away")
    import joblib, os
    joblib.dump([1], "net.joblib")
    os.unlink("net.joblib")
    """
    done = scripts.run(script)
    bundle = done.err.rpartition("stored in ")[2].partition(";")[0]
    task = Task.get_task(Task.import_offline_session(bundle))
    (model,) = task.models["output"]
    assert joblib.load(model.get_local_copy()) == [1]


def test_what_is_loaded_is_linked_to_the_task_that_made_it(own_folder: Path) -> None:
    maker = init()
    joblib.dump({"weights": 3}, "net.joblib")
    (made,) = maker.models["output"]
    maker.close()
    shutil.copy("net.joblib", "copied.joblib")
    Path("net.joblib").unlink()
    reader = Task.init(project_name="tests/models", task_name="reader", reuse_last_task_id=False)
    assert joblib.load("copied.joblib") == {"weights": 3}
    (read,) = reader.models["input"]
    assert read == made
    assert read.original_task == maker.id
    assert list(reader.models["output"]) == []


def test_what_nobody_made_is_a_new_model_once(task: Task, own_folder: Path) -> None:
    write("pretrained.joblib", 7)
    for _ in range(3):
        assert joblib.load("pretrained.joblib") == 7
    (model,) = task.models["input"]
    assert (model.name, model.framework) == ("Imported by a task", "ScikitLearn")
    assert model.comment == f"Imported by task id: {task.id}"
    assert (model.original_task, model.url) == (None, f"file://{own_folder}/pretrained.joblib")
    assert task.models["input"]["pretrained"] == model
    assert len(Model.query_models()) == 1


def test_of_very_many_files_the_first_are_models_and_one_warning_says_so(
    task: Task, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_loads, "_MOST_LOADS", len(model_loads._loads) + 2)
    for number in range(5):
        name = f"{number}.joblib"
        Path(name).symlink_to("sample.joblib") if number else write("sample.joblib", 1)
    for number in range(1, 5):
        joblib.load(f"{number}.joblib")
    assert len(task.models["input"]) == 1
    (record,) = caplog.records
    assert "every file that is loaded could not be recorded" in record.getMessage()


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_what_is_loaded_and_written_over_is_not_taken_for_what_is_written(
    task: Task, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    write_code("last.joblib", f"bytes({size})")
    digest = sha256(Path("last.joblib"))
    joblib.load("last.joblib")
    joblib.dump("new", "last.joblib")
    (read,), (saved,) = task.models["input"], task.models["output"]
    assert read != saved
    # A large file may have been read in time, or not.
    assert read._state().digest in ({digest} if size < 1000 else {digest, ""})
    assert len(caplog.records) == (read._state().digest == "")


def test_another_file_at_a_path_that_was_loaded_is_another_model(task: Task) -> None:
    for number in (1, 22222):
        write("base.joblib", number)
        assert joblib.load("base.joblib") == number
    assert len(task.models["input"]) == 2


def test_a_model_that_the_task_has_saved_itself_is_read_by_it(task: Task) -> None:
    joblib.dump(5, "best.joblib")
    joblib.load("best.joblib")
    with open("best.joblib", "rb") as file:
        joblib.load(file)
    assert [model.id for model in task.models["input"]] == [model.id for model in task.models["output"]]


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (True, ["a", "b"]),
        (False, []),
        ({"joblib": False}, []),
        ({"scikit": False}, []),
        ({"scikit": "*.pkl"}, ["b"]),
        ({"pytorch": False}, ["a", "b"]),
        ({"joblib": "*.pkl"}, ["b"]),
        ({"joblib": ["*.pkl", "a.*"]}, ["a", "b"]),
        ({"joblib": []}, []),
        ({"joblib": "*/work/*.joblib"}, ["a"]),
    ],
)
def test_what_is_recorded_is_chosen_by_framework_and_pattern(choice: Any, kept: list[str]) -> None:
    task = init(auto_connect_frameworks=choice)
    for name in ("a.joblib", "b.pkl"):
        joblib.dump(1, name)
        joblib.load(name)
    for direction in ("output", "input"):
        assert [model.name for model in task.models[direction]] == [f"a task - {name}" for name in kept]


def test_callbacks_are_asked_of_every_save_and_load(task: Task) -> None:
    seen: list[tuple[str, str, Any]] = []

    def before(action: str, info: Any) -> Any:
        seen.append((action, info.local_model_id, info.weights_object))
        if info.local_model_id == "refused.joblib":
            return None
        if action == "save":
            info.upload_filename = "renamed.joblib"
        return info

    def later(action: str, info: Any) -> Any:
        if action == "save":
            info.model.name = "seen"
        else:
            seen.append(("loaded", info.model.id, None))
        return info

    handles = WeightsFileHandler.add_pre_callback(before), WeightsFileHandler.add_post_callback(later)
    try:
        for name in ("kept.joblib", "refused.joblib"):
            joblib.dump([3], name)
            assert joblib.load(name) == [3]
    finally:
        WeightsFileHandler.remove_pre_callback(handles[0])
        WeightsFileHandler.remove_post_callback(handles[1])
    (model,) = task.models["output"]
    assert (model.name, model._state().file_name) == ("seen", "renamed.joblib")
    assert task.models["output"]["renamed"] == model
    assert seen == [
        ("save", "kept.joblib", [3]),
        ("load", "kept.joblib", None),
        ("loaded", model.id, None),
        ("save", "refused.joblib", [3]),
        ("load", "refused.joblib", None),
    ]


def test_a_callback_that_fails_is_one_warning(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    handle = WeightsFileHandler.add_pre_callback(lambda action, info: 1 / 0)
    try:
        joblib.dump(1, "a.joblib")
        joblib.dump(1, "b.joblib")
    finally:
        WeightsFileHandler.remove_pre_callback(handle)
    assert len(task.models["output"]) == 2
    (record,) = caplog.records
    assert "ZeroDivisionError" in record.getMessage()


def test_a_file_that_is_gone_at_once_is_recorded_all_the_same(task: Task) -> None:
    for number in range(5):
        joblib.dump(number, "a.joblib")
        digest = sha256(Path("a.joblib"))
        Path("a.joblib").unlink()
    (model,) = task.models["output"]
    assert model._state().digest == digest
    assert model.get_local_copy() is None


def test_a_file_that_goes_on_changing_is_one_warning(
    task: Task, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(version: Version, moved: Any) -> Any:
        raise Changed(f"{version.path} is being written to")

    monkeypatch.setattr(Version, "digest", changing)
    joblib.dump(1, "a.joblib")
    joblib.dump(1, "b.joblib")
    models = task.models["output"]
    assert [model._state().digest for model in models] == ["", ""]
    assert models[0]._state().size > 0
    (record,) = caplog.records
    assert "the weights of a saved model could not be recorded" in record.getMessage()


def test_of_a_file_that_is_written_to_while_it_is_read_no_digest_is_taken(own_folder: Path) -> None:
    path = own_folder / "growing"
    path.write_bytes(b"x" * (3 << 20))

    def grow(done: int) -> None:
        with path.open("ab") as file:
            file.write(b"x" * (1 << 20))

    version = Version(path)
    with pytest.raises(Changed):
        version.digest(grow)
    assert version.digest(lambda done: None) == (sha256(path), path.stat().st_size)
    version.close()


def test_weights_that_have_changed_since_are_not_handed_out(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    joblib.dump(1, "a.joblib")
    (model,) = task.models["output"]
    write("a.joblib", 2)
    assert model.get_local_copy() is None
    assert "has changed since it was registered" in caplog.text


def test_a_published_model_stays_as_it_is(task: Task) -> None:
    joblib.dump(1, "a.joblib")
    first = task.models["output"][0]
    digest = first._state().digest
    first.publish()
    joblib.dump(2, "a.joblib")
    assert len(task.models["output"]) == 2
    assert first._state().digest == digest


def test_a_task_that_goes_on_saves_the_models_that_it_has(own_folder: Path) -> None:
    task = init()
    joblib.dump(1, "last.joblib")
    (model,) = task.models["output"]
    task.close()
    # As in another process.
    model_saves._models.clear()
    model_saves._recalled.clear()
    again = init(continue_last_task=True)
    assert again.id == task.id
    joblib.dump(2, "last.joblib")
    assert [one.id for one in again.models["output"]] == [model.id]
    assert again.models["output"][0]._state().digest == sha256(own_folder / "last.joblib")


def test_labels_of_the_task_are_those_of_its_models(task: Task) -> None:
    task.set_model_label_enumeration({"cat": 1})
    joblib.dump(1, "a.joblib")
    assert task.models["output"][0].labels == {"cat": 1}


def test_a_task_with_models_is_not_run_again() -> None:
    first = init()
    joblib.dump(1, "a.joblib")
    first.close()
    assert init().id != first.id


def test_of_two_tasks_in_a_process_each_has_its_own_models() -> None:
    first = init()
    joblib.dump(1, "a.joblib")
    first.close()
    joblib.dump(2, "between.joblib")
    second = init(reuse_last_task_id=False)
    joblib.dump(2, "a.joblib")
    (of_first,), (of_second,) = first.models["output"], second.models["output"]
    assert of_first != of_second
    assert of_second.original_task == second.id


def test_a_model_of_the_script_s_own_is_another_one(task: Task) -> None:
    joblib.dump(1, "a.joblib")
    own = OutputModel(task=task, name="own")
    own.update_weights("a.joblib", auto_delete_file=False)
    assert sorted(model.name for model in task.models["output"]) == ["a task - a", "own"]


def test_what_no_path_is_known_of_is_passed_over(task: Task, tmp_path: Path) -> None:
    import io

    memory = io.BytesIO()
    joblib.dump(1, memory)
    memory.seek(0)
    assert joblib.load(memory) == 1
    with open(os.devnull, "wb") as nowhere:
        joblib.dump(1, nowhere)
    with pytest.raises(FileNotFoundError):
        joblib.load("no such file")
    assert not task.models["output"]
    assert not task.models["input"]


def test_names_that_are_not_text_are_kept_as_well_as_can_be(task: Task) -> None:
    name = os.fsdecode(b"caf\xe9 %20#?.joblib")
    joblib.dump(1, name)
    joblib.load(name)
    (model,) = task.models["output"]
    assert model.name == "a task - caf? %20#?"
    plain = "a b%20=#é.joblib"
    joblib.dump(2, plain)
    assert Path(task.models["output"][1].get_local_copy()).name == plain
    assert [one.id for one in task.models["input"]] == [model.id]


def test_the_end_of_a_script_waits_for_what_was_saved_last(scripts: Scripts) -> None:
    script = """
    import joblib
    from eventlog import Task
    Task.init(project_name="tests/models", task_name="script")
    with open("big.joblib", "wb") as file:
        joblib.dump(bytes(30_000_000), file)
    joblib.load("big.joblib")
    """
    done = scripts.run(script)
    assert (done.out, done.err) == ("", "")
    (task,) = Task.get_tasks()
    (model,) = task.models["output"]
    assert model._state().digest == sha256(scripts.folder / "big.joblib")
    assert task.models["input"][0] == model


def test_what_was_saved_survives_the_death_of_the_process(scripts: Scripts) -> None:
    script = """
    import joblib, os, signal
    from eventlog import Task
    Task.init(project_name="tests/models", task_name="killed")
    joblib.dump(1, "a.joblib")
    os.kill(os.getpid(), signal.SIGKILL)
    """
    scripts.run(script, code=-9)
    (task,) = Task.get_tasks()
    (model,) = task.models["output"]
    assert model.url == f"file://{scripts.folder}/a.joblib"


def test_children_of_multiprocessing_save_models_of_the_task(scripts: Scripts) -> None:
    script = """
    import joblib, multiprocessing
    from eventlog import Task

    def work(number):
        joblib.dump(number, f"{number}.joblib")

    if __name__ == "__main__":
        task = Task.init(project_name="tests/models", task_name="parent")
        joblib.dump(0, "0.joblib")
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=work, args=(number,)) for number in (1, 2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
    """
    scripts.run(script)
    (task,) = Task.get_tasks()
    models = task.models["output"]
    assert sorted(model.name for model in models) == [f"parent - {number}" for number in range(3)]
    assert all(model._state().digest for model in models)


def test_what_is_pending_ends_with_the_patience_for_it(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    import threading

    gate = threading.Event()
    background.later(task, "a test", lambda: gate.wait(30) and None)
    assert not background.settle(0.05)
    gate.set()
    assert background.settle()


def test_a_script_prints_and_exits_as_it_does_without(scripts: Scripts) -> None:
    body = """
    import joblib, sys
    joblib.dump([1], "a.joblib")
    print(joblib.load("a.joblib"), joblib.dump([2], "a.joblib"))
    print(joblib.dump.__name__, joblib.load.__module__, file=sys.stderr)
    joblib.load("missing.joblib")
    """
    init = "    from eventlog import Task; Task.init(project_name='tests/models', task_name='same')\n"
    plain = scripts.run(body, code=1)
    logged = scripts.run(init + body, code=1)
    assert logged.out == plain.out
    assert logged.err.replace("line 7", "line 6").splitlines()[-1] == plain.err.splitlines()[-1]
    assert logged.err.splitlines()[0] == plain.err.splitlines()[0]


def write(name: str, value: Any) -> None:
    """Save without being heard."""
    write_code(name, repr(value))


def write_code(name: str, value: str) -> None:
    """Save what an expression is, without being heard."""
    code = f"import joblib; joblib.dump({value}, {name!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


def sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
