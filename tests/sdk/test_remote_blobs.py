"""A machine that has the log alone: bytes come from a remote when they are asked for."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from eventlog import OutputModel, Task
from eventlog.errors import BlobMissing
from eventlog.sdk import remote_blobs
from eventlog.sdk.stores import close_stores
from eventlog.store import Store
from eventlog.sync import pull, push
from eventlog.verify import verify
from tests.eventlog.disks import read_only


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def record(home: Path, elsewhere: Path, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A task of another machine, with the whole of it on a remote and its log alone here; gives its id."""
    monkeypatch.setenv("EVENTLOG_HOME", str(elsewhere))
    task = Task.init(project_name="digits", task_name="baseline")
    task.upload_artifact("numbers", {"a": 1})
    (tmp_path / "data.bin").write_bytes(b"data" * 1000)
    task.upload_artifact("file", tmp_path / "data.bin")
    (tmp_path / "weights.pt").write_bytes(b"weights")
    OutputModel(task, name="net").update_weights(str(tmp_path / "weights.pt"), auto_delete_file=False)
    task.set_configuration_object("large", config_text="x" * 100_000)
    task.get_logger().report_table(
        "table", "of numbers", 0, csv=None, table_plot=[["n"], *([n] for n in range(20_000))]
    )
    task.close()
    push(Task.get_task(task.id)._store, remote)
    close_stores()
    monkeypatch.setenv("EVENTLOG_HOME", str(home))
    with Store.open(home) as store:
        result = pull(store, remote, choose=lambda among: set())
        assert result.blobs == 0
        assert result.absent >= 5
    return task.id


def test_artifacts_come_when_they_are_asked_for(record: str, home: Path) -> None:
    artifacts = Task.get_task(record).artifacts
    assert artifacts["numbers"].get() == {"a": 1}
    assert Path(artifacts["file"].get_local_copy()).read_bytes() == b"data" * 1000
    store = Task.get_task(record)._store
    assert len(list(store.blobs)) == 2
    assert verify(home).problems == []


def test_weights_and_configurations_come_when_they_are_asked_for(record: str) -> None:
    task = Task.get_task(record)
    assert Path(task.models["output"][0].get_local_copy()).read_bytes() == b"weights"
    assert task.get_configuration_object("large") == "x" * 100_000
    assert len(task.get_reported_plots()[0]["plot_str"]) > 100_000


def test_the_configured_remote_comes_first(
    record: str, home: Path, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.rename(tmp_path / "moved")
    monkeypatch.setenv("EVENTLOG_REMOTE", str(tmp_path / "moved"))
    assert Task.get_task(record).artifacts["numbers"].get() == {"a": 1}
    # With nothing remembered it is enough.
    (home / "cache" / "remotes").unlink()
    assert Path(Task.get_task(record).artifacts["file"].get()).read_bytes() == b"data" * 1000


def test_what_cannot_be_had_is_one_line_that_says_where_it_was_looked_for(
    record: str, home: Path, remote: Path, tmp_path: Path
) -> None:
    artifact = Task.get_task(record).artifacts["numbers"]
    blob = remote / "blobs" / artifact.hash[:2] / artifact.hash
    content = blob.read_bytes()
    blob.unlink()
    with pytest.raises(BlobMissing, match=f"{remote} does not have it: push to it") as error:
        artifact.get()
    assert artifact.hash in str(error.value)
    assert "artifact 'numbers'" in str(error.value)
    assert "\n" not in str(error.value)

    blob.write_bytes(content[:-1] + b"?")
    with pytest.raises(BlobMissing, match="have the SHA-256"):
        artifact.get()
    assert list(Task.get_task(record)._store.blobs) == []

    remote.rename(tmp_path / "moved")
    with pytest.raises(BlobMissing, match="is not there: check the name"):
        artifact.get()
    # It is not tried again for each of many blobs.
    (tmp_path / "moved").rename(remote)
    blob.write_bytes(content)
    with pytest.raises(BlobMissing, match="is not there: check the name"):
        artifact.get()
    remote_blobs._unreachable.clear()
    assert artifact.get() == {"a": 1}


def test_with_no_remote_known_it_is_said_what_to_do(record: str, home: Path) -> None:
    (home / "cache" / "remotes").unlink()
    with pytest.raises(BlobMissing, match="pull it from a remote that has it"):
        Task.get_task(record).artifacts["numbers"].get()


def test_a_store_that_cannot_be_written_has_them_for_this_process_alone(record: str, home: Path) -> None:
    close_stores()
    with read_only(home):
        artifact = Task.get_task(record).artifacts["numbers"]
        assert artifact.get() == {"a": 1}
        (path,) = (one for (_, digest), one in remote_blobs._borrowed.items() if digest == artifact.hash)
        assert not path.is_relative_to(home)
        assert list(artifact._store.blobs) == []
        # Taken from where it lies by now.
        assert artifact.get() == {"a": 1}
        close_stores()


def test_a_url_with_a_secret_is_not_remembered(tmp_path: Path, home: Path) -> None:
    from eventlog.sync.remembered import last_met, remember, remembered
    from eventlog.sync.remote import Remote

    with Store.open(home) as store:
        for url in ("memory://user:hunter2@host/runs", "memory://runs?key=hunter2"):
            remember(store, url, Remote(url))
            assert remembered(home) == []
            assert last_met(home) is None
        remember(store, "memory://runs", Remote("memory://runs"))
        for number in range(20):
            remember(store, tmp_path / str(number), Remote(tmp_path / str(number)))
        assert remembered(home) == [str(tmp_path / str(number)) for number in range(19, 11, -1)]
        assert "hunter2" not in (home / "cache" / "remotes").read_text()
        # It is expendable, and whatever it holds is only ever tried as a remote.
        (home / "cache" / "remotes").write_bytes(b"\xff\x00\n" + b"x" * 100_000)
        assert remembered(home) == []


def test_a_session_goes_home_without_blobs_that_this_machine_never_had(record: str) -> None:
    """What is exported says of them that they are absent."""
    from eventlog.sync.bundle import export_bundle

    with Store.open() as store:
        path = store.home / "bundle.zip"
        result = export_bundle(store, path)
    assert result.problems == []
    with ZipFile(path) as bundle:
        (name,) = (one for one in bundle.namelist() if one.startswith("absent/"))
        assert len(bundle.read(name).splitlines()) == result.absent >= 5
    path.unlink()
