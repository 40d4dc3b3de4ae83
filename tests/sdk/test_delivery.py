"""What is to be delivered arrives whole, or its failure is known, and another process goes on with it."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from eventlog import Task
from eventlog.errors import InputInvalid
from eventlog.events import DeliveryCompleted, DeliveryFailed, DeliveryRequested, Event, TaskCreated
from eventlog.projections import DeliveryState
from eventlog.sdk import carrying, delivery
from eventlog.sdk.delivery import ask_again, deliver, resume, wait_for_deliveries
from eventlog.sdk.destinations import reveal
from eventlog.sdk.stores import current_views
from eventlog.store import Store
from tests.sdk.scripts import Scripts, poll


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "DELAYS_SECONDS", (0.0, 0.0))


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def put(task: Task, data: bytes, url: str) -> delivery.Delivery:
    return deliver(task._store, task.id, task._store.blobs.put_bytes(data), url)


def state_of(task: Task, url: str) -> DeliveryState:
    return task._state().deliveries[url]


def events_of(task: Task) -> list[Event]:
    kinds = (DeliveryRequested, DeliveryCompleted, DeliveryFailed)
    return [
        numbered.event
        for numbered in current_views(task._store).events(task.id, reports=False)
        if isinstance(numbered.event, kinds)
    ]


def test_a_blob_arrives_in_a_folder_that_is_made_for_it(task: Task, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    url = f"file://{tmp_path}/out/deep/weights.bin"
    assert put(task, data, url).wait()
    assert (tmp_path / "out" / "deep" / "weights.bin").read_bytes() == data
    assert [path.name for path in (tmp_path / "out" / "deep").iterdir()] == ["weights.bin"]
    assert [type(event) for event in events_of(task)] == [DeliveryRequested, DeliveryCompleted]
    assert state_of(task, url).status == "completed"


def test_a_blob_arrives_at_an_object_store(task: Task, memory: fsspec.AbstractFileSystem) -> None:
    assert put(task, b"data", "memory://bucket/a b/x.bin").wait()
    assert memory.cat("/bucket/a b/x.bin") == b"data"


def test_many_arrive_whatever_becomes_of_one(task: Task, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bad = put(task, b"x", f"file://{tmp_path}/file/x.bin")
    for number in range(20):
        put(task, b"%d" % number, f"file://{tmp_path}/out/{number}")
    assert not wait_for_deliveries(task._store)
    assert wait_for_deliveries(task._store, "another task")
    assert (bad.status, state_of(task, bad.url).status) == ("failed", "failed")
    assert "file where a folder should be" in state_of(task, bad.url).reason
    assert [int((tmp_path / "out" / str(number)).read_bytes()) for number in range(20)] == list(range(20))


def test_the_last_of_several_blobs_for_one_url_stays(task: Task, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/x"
    # Whichever of the threads comes first.
    for _ in range(30):
        for number in range(8):
            put(task, b"%d" % number, url)
        assert wait_for_deliveries(task._store)
        assert (tmp_path / "x").read_bytes() == b"7"
    assert state_of(task, url).status == "completed"


class Flaky(MemoryFileSystem):
    """A file system that loses its connection a few times, and puts half a file then."""

    protocol = "flaky"
    failures = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("flaky://", "memory://")))

    def put_file(self, lpath: str, rpath: str, callback: Any = None, **options: Any) -> None:
        super().put_file(lpath, rpath, **options)
        if Flaky.failures:
            Flaky.failures -= 1
            self.pipe_file(rpath, Path(lpath).read_bytes()[:1])
            raise ConnectionResetError("the connection was lost")


def test_what_cannot_be_reached_is_tried_again(task: Task, memory: fsspec.AbstractFileSystem) -> None:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    Flaky.failures = 2
    one = put(task, b"data", "flaky://folder/x")
    assert one.wait()
    assert [type(event) for event in events_of(task)] == [DeliveryRequested, DeliveryCompleted]
    assert memory.cat("/folder/x") == b"data"
    assert memory.ls("/folder", detail=False) == ["/folder/x"]
    Flaky.failures = 3
    again = put(task, b"later", "flaky://folder/x")
    assert not again.wait()
    assert "the connection was lost" in state_of(task, again.url).reason
    assert memory.cat("/folder/x") == b"data"
    assert resume(task._store).completed == 1
    assert memory.cat("/folder/x") == b"later"


def test_a_package_that_is_missing_is_named_with_its_extra(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    one = put(task, b"x", "s3://bucket/x")
    assert not one.wait()
    assert "pip install 'eventlog[s3]'" in state_of(task, one.url).reason


def test_what_failed_is_delivered_at_the_next_resume(task: Task, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    one = put(task, b"x", f"file://{tmp_path}/out/x")
    assert not one.wait()
    assert resume(task._store).problems[0].startswith(one.url)
    (tmp_path / "out").unlink()
    done: list[tuple[int, int]] = []
    resumed = resume(task._store, lambda *numbers: done.append(numbers))
    assert (resumed.completed, resumed.bytes, resumed.problems) == (1, 1, ())
    assert done[-1] == (1, 1)
    assert (tmp_path / "out" / "x").read_bytes() == b"x"
    assert state_of(task, one.url).status == "completed"
    assert resume(task._store) == delivery.Resumed()


def test_what_fails_again_as_before_is_said_but_is_no_new_event(task: Task, tmp_path: Path) -> None:
    def told() -> list[object]:
        # Of the deliveries alone: the task tells of its packages in the background meanwhile.
        events = [one.event for one in current_views(task._store).events(task.id, reports=False)]
        return [one for one in events if type(one).__name__.startswith("Delivery")]

    (tmp_path / "out").write_text("in the way")
    one = put(task, b"x", f"file://{tmp_path}/out/x")
    assert not one.wait()
    before = told()
    assert isinstance(before[-1], DeliveryFailed)
    for _ in range(2):
        assert resume(task._store).problems[0].startswith(one.url)
    assert told() == before


def test_a_killed_process_leaves_its_delivery_to_the_next(scripts: Scripts, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    text = f"""
    import os, time
    from eventlog import Task
    from eventlog.sdk import carrying
    from eventlog.sdk.delivery import deliver

    def put(path, url, progress):
        os.write(1, b"uploading\\n")
        time.sleep(1000)
    carrying.put_file = put
    task = Task.init("tests/sdk", "killed")
    deliver(task._store, task.id, task._store.blobs.put_bytes(b"x" * 100000), "file://{folder}/x")
    time.sleep(1000)
    """
    script = scripts.start(text)
    assert script.line() == "uploading"
    script.send(signal.SIGKILL)
    script.wait()
    (state,) = scripts.states()
    assert [one.status for one in state.deliveries.values()] == ["waiting"]
    with Store.open(scripts.home) as store:
        assert resume(store).completed == 1
    assert (folder / "x").read_bytes() == b"x" * 100000
    (state,) = scripts.states()
    assert [one.status for one in state.deliveries.values()] == ["completed"]


def test_the_next_process_that_delivers_goes_on_with_what_was_left(task: Task, tmp_path: Path) -> None:
    digest = task._store.blobs.put_bytes(b"left")
    left = f"file://{tmp_path}/left"
    task._store.session.append(DeliveryRequested, task.id, digest, left)
    assert put(task, b"new", f"file://{tmp_path}/new").wait()
    assert poll(lambda: state_of(task, left).status == "completed")
    assert (tmp_path / "left").read_bytes() == b"left"


def test_a_process_ends_once_its_deliveries_have(scripts: Scripts, tmp_path: Path) -> None:
    text = f"""
    import time
    from eventlog import Task
    from eventlog.sdk import carrying
    from eventlog.sdk.delivery import deliver

    def put(path, url, progress, put=carrying.put_file):
        time.sleep(0.5)
        put(path, url, progress)
    carrying.put_file = put
    task = Task.init("tests/sdk", "ends")
    deliver(task._store, task.id, task._store.blobs.put_bytes(b"x"), "file://{tmp_path}/x")
    """
    scripts.run(text)
    assert (tmp_path / "x").read_bytes() == b"x"
    (state,) = scripts.states()
    assert state.status == "completed"
    assert [one.status for one in state.deliveries.values()] == ["completed"]


def test_what_another_machine_asked_for_is_left_to_it(tmp_path: Path, home: Path) -> None:
    task_id = "ab" * 16
    with Store.open(tmp_path / "elsewhere") as other:
        digest = other.blobs.put_bytes(b"x")
        other.session.append(TaskCreated, task_id, "a task", "a project")
        other.session.append(DeliveryRequested, task_id, digest, f"file://{tmp_path}/planted")
        other.flush()
        with Store.open(home) as store:
            store.blobs.put_bytes(b"x")
            store.admit(list(other.batches(other.id)))
            assert resume(store) == delivery.Resumed()
        assert resume(other).completed == 1
    assert (tmp_path / "planted").read_bytes() == b"x"


def test_a_secret_is_used_and_never_recorded(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    def put_file(path: Path, url: str, progress: object) -> None:
        used.append(reveal(url))

    monkeypatch.setattr(carrying, "put_file", put_file)
    one = put(task, b"x", "sftp://user:hunter2secret@host/x.bin")
    assert one.wait()
    assert used == ["sftp://user:hunter2secret@host/x.bin"]
    assert "hunter2" not in repr(events_of(task))
    assert "hunter2" not in repr(one)


def test_what_needs_a_secret_that_is_not_known_waits_for_a_process_that_knows(task: Task) -> None:
    url = "sftp://********@unknown/x.bin"
    task._store.session.append(DeliveryRequested, task.id, task._store.blobs.put_bytes(b"x"), url)
    (problem,) = resume(task._store).problems
    assert "credentials" in problem
    with pytest.raises(InputInvalid):
        reveal(url)


def test_a_damaged_blob_is_not_delivered(task: Task, tmp_path: Path) -> None:
    digest = task._store.blobs.put_bytes(b"data")
    path = task._store.blobs.path(digest)
    path.chmod(0o600)
    path.write_bytes(b"dAta")
    one = deliver(task._store, task.id, digest, f"file://{tmp_path}/x")
    assert not one.wait()
    assert "damaged" in one.reason
    assert not (tmp_path / "x").exists()


def test_offline_nothing_is_delivered_until_the_session_was_imported(
    home: Path, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Store.open(tmp_path / "session") as session:
        monkeypatch.setenv("EVENTLOG_OFFLINE_MODE", "1")
        session.session.append(TaskCreated, "ab" * 16, "a task", "a project")
        digest = session.blobs.put_bytes(b"data")
        for url in ("memory://bucket/x.bin", f"file://{tmp_path}/planted"):
            one = deliver(session, "ab" * 16, digest, url)
            assert not one.wait()
            assert one.status == "waiting"
        session.flush()
        monkeypatch.delenv("EVENTLOG_OFFLINE_MODE")
        with Store.open(home) as store:
            store.admit(list(session.batches(session.id)))
            store.blobs.put_bytes(b"data")
            assert resume(store) == delivery.Resumed()
            assert ask_again(store, ["ab" * 16]) == 1
            assert ask_again(store, ["ab" * 16]) == 0
            assert resume(store).completed == 1
            assert ask_again(store, ["ab" * 16]) == 0
    assert memory.cat("/bucket/x.bin") == b"data"
    assert not (tmp_path / "planted").exists()


def test_forks_and_children_deliver_what_they_upload(scripts: Scripts, tmp_path: Path) -> None:
    text = f"""
    import atexit, multiprocessing, os, sys
    from eventlog import Task

    def child(name):
        task = Task.current_task() or Task.init("tests/sdk", "children")
        assert task.upload_artifact(name, {{"n": 1}}, wait_on_upload=name.endswith("0"))

    if __name__ == "__main__":
        task = Task.init("tests/sdk", "children", output_uri="{tmp_path}/out")
        # The fork comes while the first delivery begins, with all that it imports and reads.
        task.upload_artifact("parent", {{"n": 1}})
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            children = [context.Process(target=child, args=(f"{{method}}{{n}}",)) for n in range(2)]
            for one in children:
                one.start()
            for one in children:
                one.join()
                assert one.exitcode == 0
        process = os.fork()
        if not process:
            child("forked")
            sys.exit()
        assert os.waitpid(process, 0)[1] == 0
        atexit.register(child, "late")
    """
    scripts.run(text)
    assert sorted(path.stem for path in tmp_path.rglob("artifacts/*/*.json")) == [
        "fork0",
        "fork1",
        "forked",
        "late",
        "parent",
        "spawn0",
        "spawn1",
    ]
    (state,) = scripts.states()
    assert {one.status for one in state.deliveries.values()} == {"completed"}
