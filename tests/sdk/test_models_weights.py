"""The weights of models: taken in, delivered, and handed out again."""

import os
import zipfile
from pathlib import Path

import pytest

from eventlog.errors import BlobMissing, DataCorrupt, InputInvalid, NotFound, RemoteUnreachable
from eventlog.sdk.model import Model
from eventlog.sdk.model_names import stem_of
from eventlog.sdk.output_model import OutputModel
from eventlog.sdk.stores import current_views
from eventlog.sdk.task import Task
from tests.sdk.scripts import Scripts


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"some weights")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved model of several files."""
    path = tmp_path / "saved"
    (path / "variables").mkdir(parents=True)
    (path / "graph.pb").write_bytes(b"a graph")
    (path / "variables" / "data").write_bytes(b"variables")
    return path


def test_weights_are_kept_and_the_file_stays(task: Task, weights: Path) -> None:
    model = OutputModel(task)
    url = model.update_weights(weights, iteration=7)
    assert weights.exists()
    weights.unlink()
    assert url == model.url
    copy = Path(model.get_weights() or "")
    assert (copy.name, copy.read_bytes()) == ("weights.pt", b"some weights")
    state = current_views(model._store).model(model.id)
    assert (state.iteration, state.size, state.made_by) == (7, 12, task.id)


def test_the_file_tells_framework_name_and_comment(task: Task, weights: Path) -> None:
    model = OutputModel(task)
    model.update_weights(weights)
    model.update_weights(weights)
    assert model.framework == "PyTorch"
    assert model.comment == f"snapshot weights.pt stored\nCreated by task id: {task.id}"
    assert task.models["output"].keys() == ["weights"]
    assert str(weights.parent) not in model.comment


def test_a_name_that_was_given_stays_when_the_weights_change(task: Task, weights: Path) -> None:
    model = OutputModel(task, framework="Mine")
    model.connect(task, name="best")
    model.update_weights(weights, update_comment=False)
    assert task.models["output"].keys() == ["best"]
    assert (model.framework, model.comment) == ("Mine", f"Created by task id: {task.id}")


def test_a_copy_that_was_written_into_is_made_again(task: Task, weights: Path) -> None:
    model = OutputModel(task)
    model.update_weights(weights, target_filename="net.bin")
    copy = Path(model.get_weights() or "")
    copy.write_bytes(b"scribbled on")
    again = Path(Model(model.id).get_local_copy() or "")
    assert (again, again.read_bytes()) == (copy, b"some weights")


def test_a_folder_is_a_package(task: Task, folder: Path) -> None:
    model = OutputModel(task)
    model.update_weights(folder)
    assert model.system_tags == ["package"]
    assert task.models["output"].keys() == ["saved"]
    names = [path.name for path in model.get_weights_package() or [] if isinstance(path, Path)]
    assert names == ["graph.pb", "data"]
    extracted = Path(Model(model.id).get_local_copy() or "")
    assert (extracted / "variables" / "data").read_bytes() == b"variables"
    assert model.get_weights_package(return_path=True) == str(extracted)
    archive = model.get_weights() or ""
    assert zipfile.ZipFile(archive).namelist() == ["graph.pb", "variables/data"]
    assert model.get_weights(extract_archive=True) == str(extracted)
    assert folder.exists()


def test_several_files_are_a_package(task: Task, weights: Path, folder: Path) -> None:
    model = OutputModel(task)
    model.update_weights_package(weights_filenames=[str(weights), str(folder / "graph.pb")])
    names = sorted(path.name for path in model.get_weights_package() or [] if isinstance(path, Path))
    assert names == ["graph.pb", "weights.pt"]
    assert "snapshot ['weights.pt', 'graph.pb'] stored" in model.comment
    assert model.update_weights_package(weights_path=str(folder)) == model.url


def test_a_file_that_is_an_archive_is_a_package_when_it_is_said_so(task: Task, tmp_path: Path) -> None:
    archive = tmp_path / "net.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inner.txt", "text")
    model = OutputModel(task)
    model.update_weights(archive)
    assert Path(Model(model.id).get_local_copy() or "").name == "net.zip"
    assert Path(Model(model.id).get_local_copy(extract_archive=True) or "", "inner.txt").read_text() == "text"
    with pytest.raises(InputInvalid, match="no package"):
        model.get_weights_package()
    model.update_weights(archive, is_package=True)
    assert Path(Model(model.id).get_local_copy() or "", "inner.txt").read_text() == "text"


def test_an_archive_that_would_leave_its_folder_is_not_extracted(task: Task, tmp_path: Path) -> None:
    archive = tmp_path / "net.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../outside", "text")
    model = OutputModel(task)
    model.update_weights(archive, is_package=True)
    with pytest.raises(DataCorrupt, match="leave its folder"):
        model.get_weights_package(raise_on_error=True)
    assert not list(tmp_path.rglob("outside"))


def test_weights_that_are_not_there_are_said_so(task: Task, tmp_path: Path) -> None:
    model = OutputModel(task)
    for path in (tmp_path / "none.pt", "", "a\0b", 3, os.devnull):
        with pytest.raises(InputInvalid):
            model.update_weights(path)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="none"):
        model.update_weights_package(weights_filenames=[str(tmp_path / "none.pt")])
    with pytest.raises(InputInvalid, match="no folder"):
        model.update_weights_package(weights_path=str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputInvalid, match="save the model first"):
        model.update_weights(str(tmp_path / "empty"))
    with pytest.raises(InputInvalid, match="there are no files"):
        model.update_weights_package(weights_filenames=[])
    assert model.url is None


def test_two_files_of_one_name_are_no_package(task: Task, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / weights.name
    other.write_bytes(b"others")
    with pytest.raises(InputInvalid, match="two of the files"):
        OutputModel(task).update_weights_package(weights_filenames=[str(weights), str(other)])


def test_a_file_and_a_url_are_not_given_at_once(task: Task, weights: Path) -> None:
    model = OutputModel(task)
    with pytest.raises(InputInvalid, match="one and not both"):
        model.update_weights(weights, register_uri="s3://bucket/net.pt")
    with pytest.raises(InputInvalid, match="one and not both"):
        model.update_weights()
    with pytest.raises(InputInvalid, match="one and not both"):
        model.update_weights_package()
    with pytest.raises(InputInvalid, match="empty"):
        model.update_weights(register_uri=" ")
    with pytest.raises(InputInvalid, match="iteration"):
        model.update_weights(weights, iteration=1.5)  # type: ignore[arg-type]


def test_of_a_registered_url_the_url_alone_is_kept_without_secrets(task: Task) -> None:
    model = OutputModel(task)
    assert model.update_weights(register_uri="https://me:secret@host/models/net.onnx") == model.url
    assert "secret" not in (model.url or "")
    assert model.framework == "ONNX"
    assert task.models["output"].keys() == ["net"]
    assert current_views(model._store).model(model.id).blob == ""


def test_a_registered_url_is_fetched_once(task: Task, tmp_path: Path) -> None:
    import fsspec

    with fsspec.open("memory://models/net.bin", "wb") as file:
        file.write(b"first")
    model = OutputModel(task)
    model.update_weights(register_uri="memory://models/net.bin")
    copy = Path(model.get_weights(raise_on_error=True) or "")
    assert (copy.name, copy.read_bytes()) == ("net.bin", b"first")
    with fsspec.open("memory://models/net.bin", "wb") as file:
        file.write(b"second")
    assert Path(model.get_weights() or "").read_bytes() == b"first"
    assert Path(model.get_weights(force_download=True) or "").read_bytes() == b"second"


def test_a_registered_path_is_itself_here(task: Task, weights: Path) -> None:
    model = OutputModel(task)
    model.update_weights(register_uri=str(weights))
    assert model.get_weights() == str(weights)
    weights.unlink()
    with pytest.raises(NotFound, match="not taken in"):
        model.get_weights(raise_on_error=True)


def test_weights_that_cannot_be_had_are_none_or_an_error(
    task: Task, weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = OutputModel(task)
    assert model.get_weights() is None
    assert "has no weights yet" in caplog.text
    with pytest.raises(NotFound, match="has no weights yet"):
        model.get_weights(raise_on_error=True)
    model.update_weights(weights)
    blob = model._store.blobs.path(current_views(model._store).model(model.id).blob)
    blob.unlink()
    assert Model(model.id).get_local_copy() is None
    with pytest.raises(BlobMissing):
        Model(model.id).get_local_copy(raise_on_error=True)


def test_damaged_weights_are_not_handed_out(task: Task, weights: Path) -> None:
    model = OutputModel(task)
    model.update_weights(weights)
    blob = model._store.blobs.path(current_views(model._store).model(model.id).blob)
    blob.chmod(0o600)
    blob.write_bytes(b"evil weights")
    with pytest.raises(DataCorrupt, match="damaged"):
        model.get_weights(raise_on_error=True)


def test_weights_are_delivered_where_there_is_a_destination(
    task: Task, weights: Path, tmp_path: Path
) -> None:
    model = OutputModel(task)
    model.set_upload_destination(str(tmp_path / "bucket"))
    assert (model.upload_storage_uri or "").endswith("/bucket")
    url = model.update_weights(weights, async_enable=False)
    place = tmp_path / "bucket" / "tests" / "sdk" / f"a task.{task.id}" / "models" / "weights.pt"
    assert url == model.url == f"file://{place}"
    assert place.read_bytes() == b"some weights"
    # It was asked to delete the file, by default.
    assert not weights.exists()
    delivery = task._state().deliveries[url]
    assert delivery.status == "completed"
    assert Path(model.get_weights() or "").read_bytes() == b"some weights"


def test_weights_that_are_not_in_the_store_come_from_where_they_were_delivered(
    task: Task, weights: Path, tmp_path: Path
) -> None:
    model = OutputModel(task)
    model.update_weights(weights, upload_uri=str(tmp_path / "bucket"), auto_delete_file=False)
    OutputModel.wait_for_uploads(timeout=60)
    assert weights.exists()
    model._store.blobs.path(current_views(model._store).model(model.id).blob).unlink()
    assert Path(model.get_weights(raise_on_error=True) or "").read_bytes() == b"some weights"


def test_weights_that_cannot_be_delivered_are_still_kept(task: Task, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "bucket").write_text("a file where a folder should be")
    model = OutputModel(task)
    with pytest.raises(RemoteUnreachable, match="eventlog sync"):
        model.update_weights(weights, upload_uri=str(tmp_path / "bucket"), async_enable=False)
    assert weights.exists()
    assert Path(model.get_weights() or "").read_bytes() == b"some weights"


def test_a_default_destination_is_that_of_models_whose_tasks_have_none(
    task: Task, weights: Path, tmp_path: Path
) -> None:
    OutputModel.set_default_upload_uri(str(tmp_path / "default"))
    try:
        url = OutputModel(task).update_weights(weights, async_enable=False, auto_delete_file=False)
        assert url.startswith(f"file://{tmp_path}/default/")
    finally:
        OutputModel.set_default_upload_uri(None)
    assert OutputModel(task).upload_storage_uri is None
    with pytest.raises(InputInvalid):
        OutputModel(task).set_upload_destination("s3://bucket::zip://x")


def test_removing_a_model_deletes_what_was_delivered(task: Task, weights: Path, tmp_path: Path) -> None:
    model, other = OutputModel(task), OutputModel(task)
    for one, name in ((model, "one.pt"), (other, "other.pt")):
        one.set_upload_destination(str(tmp_path / "b"))
        one.update_weights(weights, target_filename=name, async_enable=False, auto_delete_file=False)
    assert Model.remove(model)
    assert Model.remove(other, delete_weights_file=False)
    assert [path.name for path in (tmp_path / "b").rglob("*.pt")] == ["other.pt"]


def test_weights_are_kept_when_the_process_is_killed(scripts: Scripts, weights: Path, home: Path) -> None:
    script = scripts.start(
        """
        import os, signal, sys
        from eventlog import OutputModel, Task

        task = Task.init(project_name="tests/sdk", task_name="killed")
        OutputModel(task, name="net").update_weights(sys.argv[1], iteration=3)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        str(weights),
    )
    assert script.wait() == -9, script.err
    (model,) = Model.query_models()
    assert (model.name, Path(model.get_local_copy() or "").read_bytes()) == ("net", b"some weights")
    (task,) = Task.get_tasks()
    assert task.models["output"]["weights"] == model
    assert task.status == "failed"


def test_removing_a_model_leaves_a_file_that_is_now_anothers(
    task: Task, weights: Path, tmp_path: Path
) -> None:
    first, second = OutputModel(task), OutputModel(task)
    for model, data in ((first, b"first"), (second, b"second")):
        weights.write_bytes(data)
        model.update_weights(weights, upload_uri=str(tmp_path / "b"), async_enable=False)
    assert first.url == second.url
    assert Model.remove(first)
    (delivered,) = (tmp_path / "b").rglob("*.pt")
    assert delivered.read_bytes() == b"second"
    assert Model.remove(second)
    assert not delivered.exists()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.pt", "a"),
        ("a.b.tar.gz", "a.b"),
        ("noending", "noending"),
        (".pt", ".pt"),
        ("", ""),
        ("a.1.h5", "a.1"),
    ],
)
def test_a_name_loses_its_ending(name: str, stem: str) -> None:
    assert stem_of(name) == stem
