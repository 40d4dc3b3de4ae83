"""A task's artifacts go to its destination, besides the store; where that is, the task says."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from eventlog import Task
from eventlog.errors import InputInvalid, NotFound
from eventlog.events import TaskPublished
from eventlog.sdk import delivery
from eventlog.sdk.stores import close_stores
from tests.sdk.scripts import Scripts


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "DELAYS_SECONDS", ())


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def begin(output_uri: object = None, name: str = "a task") -> Task:
    return Task.init("tests/sdk", name, output_uri=output_uri)  # type: ignore[arg-type]


def test_artifacts_lie_at_the_destination_as_clearml_lays_them(tmp_path: Path) -> None:
    task = begin(tmp_path / "out")
    assert task.output_uri == f"file://{tmp_path}/out"
    assert task.get_output_destination() == f"file://{tmp_path}/out"
    assert task.get_output_destination("more") == f"file://{tmp_path}/out/more"
    assert task.upload_artifact("a dict", {"a": 1}, wait_on_upload=True)
    path = tmp_path / "out" / "tests" / "sdk" / f"a task.{task.id}" / "artifacts" / "a dict" / "a dict.json"
    assert path.read_text() == '{\n    "a": 1\n}'
    assert task.artifacts["a dict"].url == f"file://{path}"
    assert task.artifacts["a dict"].get() == {"a": 1}
    state = task._state()
    assert state.destination == f"file://{tmp_path}/out"
    assert [one.status for one in state.deliveries.values()] == ["completed"]


def test_without_a_destination_nothing_is_copied(task: Task) -> None:
    assert task.output_uri is None
    assert task.get_output_destination("more") is None
    assert task.upload_artifact("a", {"a": 1}, wait_on_upload=True)
    assert task.flush(wait_for_uploads=True)
    assert task._state().deliveries == {}
    assert task.artifacts["a"].url.startswith(task._store.home.as_uri())


def test_the_destination_may_be_changed(
    task: Task, memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    task.output_uri = "memory://bucket/runs/"
    assert task.output_uri == "memory://bucket/runs"
    task.upload_artifact("a", {"a": 1})
    task.output_uri = tmp_path
    task.upload_artifact("b", {"b": 1})
    task.output_uri = None
    assert task.output_uri is None
    task.upload_artifact("c", {"c": 1})
    assert task.flush(wait_for_uploads=True)
    assert [path.rpartition("/")[2] for path in memory.find("/bucket/runs")] == ["a.json"]
    assert [path.name for path in tmp_path.rglob("artifacts/*/*")] == ["b.json"]
    with pytest.raises(InputInvalid, match="destination"):
        task.output_uri = 7


def test_the_configured_destination_is_that_of_every_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLOG_DEFAULT_OUTPUT_URI", str(tmp_path / "all"))
    task = begin()
    assert task.output_uri == f"file://{tmp_path}/all"
    task.close()
    assert begin(True, "another").output_uri == f"file://{tmp_path}/all"
    Task.current_task().close()  # type: ignore[union-attr]
    assert begin(str(tmp_path / "own"), "a third").output_uri == f"file://{tmp_path}/own"
    Task.current_task().close()  # type: ignore[union-attr]
    close_stores()
    monkeypatch.delenv("EVENTLOG_DEFAULT_OUTPUT_URI")
    assert Task.get_task(task.id).output_uri == f"file://{tmp_path}/all"


def test_what_cannot_be_a_destination_begins_no_task() -> None:
    with pytest.raises(InputInvalid, match="destination"):
        begin("a\nb")
    assert Task.current_task() is None


def test_an_upload_of_a_name_again_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    task = begin(tmp_path)
    for number in range(10):
        task.upload_artifact("a", {"number": number})
    assert task.flush(wait_for_uploads=True)
    (path,) = tmp_path.rglob("artifacts/*/*")
    assert f'"number": {number}' in path.read_text()


def test_an_upload_that_does_not_arrive_is_kept_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "out").write_text("in the way")
    task = begin(tmp_path / "out")
    assert not task.upload_artifact("a", {"a": 1}, wait_on_upload=True)
    assert not task.flush(wait_for_uploads=True)
    assert "kept in the store; `eventlog sync` tries again" in caplog.text
    assert task.artifacts["a"].get() == {"a": 1}
    task.close()
    (tmp_path / "out").unlink()
    assert delivery.resume(task._store).completed == 1
    assert len(list(tmp_path.rglob("artifacts/a/a.json"))) == 1


def test_a_script_that_ends_without_close_has_delivered(scripts: Scripts, tmp_path: Path) -> None:
    text = f"""
    from eventlog import Task
    task = Task.init("tests/sdk", "a task", output_uri="{tmp_path}/out")
    for number in range(20):
        task.upload_artifact(f"a{{number}}", {{"number": number}})
    """
    scripts.run(text)
    assert len(list(tmp_path.rglob("out/**/artifacts/*/*.json"))) == 20
    (state,) = scripts.states()
    assert {one.status for one in state.deliveries.values()} == {"completed"}


def test_deleted_artifacts_are_gone_from_the_destination_too(tmp_path: Path) -> None:
    task = begin(tmp_path / "out")
    (tmp_path / "elsewhere.txt").write_text("x")
    for name in ("a", "b", "c"):
        task.upload_artifact(name, {name: 1})
    fsspec.filesystem("memory").pipe_file("/registered.csv", b"x")
    task.upload_artifact("registered", "memory://registered.csv")
    with pytest.raises(NotFound, match="no artifact 'zzz'"):
        task.delete_artifacts(["a", "zzz"])
    assert task.delete_artifacts(["a", "registered"])
    assert task.delete_artifacts(["b"], delete_from_storage=False)
    assert sorted(task.artifacts) == ["c"]
    assert sorted(path.name for path in tmp_path.rglob("artifacts/*/*")) == ["b.json", "c.json"]
    assert fsspec.filesystem("memory").exists("/registered.csv")
    assert not task.delete_artifacts(["zzz"], raise_on_errors=False)


def test_bytes_that_are_not_in_the_store_come_from_the_destination(tmp_path: Path) -> None:
    task = begin(tmp_path / "out")
    task.upload_artifact("a", {"a": 1}, wait_on_upload=True)
    artifact = task.artifacts["a"]
    task._store.blobs.path(str(artifact.hash)).unlink()
    assert artifact.get() == {"a": 1}
    task._store.blobs.path(str(artifact.hash)).unlink()
    (path,) = tmp_path.rglob("artifacts/a/a.json")
    path.write_text("other")
    with pytest.raises(LookupError, match="not in this store, and could not be fetched"):
        artifact.get()


def test_a_published_task_is_left_as_it_is(tmp_path: Path) -> None:
    task = begin(tmp_path / "out")
    task.upload_artifact("a", {"a": 1}, wait_on_upload=True)
    task.close()
    task._store.session.append(TaskPublished, task.id)
    published = Task.get_task(task.id)
    for edit in (
        lambda: published.upload_artifact("b", {"b": 1}),
        lambda: published.delete_artifacts(["a"]),
        lambda: published.register_artifact("c", None),
        lambda: setattr(published, "output_uri", tmp_path),
    ):
        with pytest.raises(InputInvalid, match="is published"):
            edit()
    assert [path.name for path in tmp_path.rglob("artifacts/*/*")] == ["a.json"]
    assert list(published.artifacts) == ["a"]
