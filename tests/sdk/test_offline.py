"""A task recorded offline is carried away as one file, and comes home whole and once."""

import io
import json
import os
import shutil
import signal
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import DataCorrupt, EventlogError, InputInvalid, NotFound
from eventlog.projections import TaskState, Views
from eventlog.sdk import offline
from eventlog.sdk.importing import Imported, import_session
from eventlog.sdk.stores import close_stores, current_views, open_store_at
from eventlog.sdk.task import Task
from eventlog.store import Store
from eventlog.sync import archive as archives
from eventlog.sync.bundle import export_bundle
from eventlog.verify import verify
from tests.sdk.scripts import Scripts

NAMES = {"project_name": "far away", "task_name": "a cluster's task"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set and removed once, so that it is as before when the test has ended, whatever that turned on.
    for name in (offline.VARIABLE, "EVENTLOG_TASK_ID", "EVENTLOG_MAIN_TASK"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The home of another machine."""
    return tmp_path / "elsewhere"


def record(**arguments: Any) -> tuple[Task, Path]:
    """A task recorded offline; the task, and its session's zip file."""
    Task.set_offline(True)
    task = Task.init(**NAMES, **arguments)
    logger = task.get_logger()
    for iteration in range(10):
        logger.report_scalar("loss", "train", 1 / (iteration + 1), iteration)
    logger.report_text("said far away", print_console=False)
    task.set_parameters({"General/rate": 0.1})
    task.upload_artifact("numbers", {"a": [1, 2, 3]})
    task.upload_artifact("bytes", os.urandom(1000).hex())
    task.close()
    Task.set_offline(False)
    return task, zip_of(task)


def zip_of(task: Task) -> Path:
    folder = task.get_offline_mode_folder()
    assert folder is not None
    return folder.with_name(f"{task.id}.zip")


def bring_home(path: Path, home: Path, **arguments: Any) -> tuple[Imported, TaskState, int]:
    """Import into the store of another machine; also what the task is there, and how many points it has."""
    with Store.open(home) as store:
        result = import_session(store, path, **arguments)
        with Views.open(store) as views:
            views.catch_up(reports=True)
            points = sum(one.count for one in views.series(result.task))
            return result, views.task(result.task), points


def test_what_was_recorded_offline_comes_home_whole(elsewhere: Path, home: Path, tmp_path: Path) -> None:
    task, path = record(tags=["far"])
    away = shutil.move(path, tmp_path / "stick.zip")
    # Nothing of the machine that it came from is there any more.
    close_stores()
    shutil.rmtree(home)
    result, state, points = bring_home(away, elsewhere)
    assert (result.task, result.is_new, result.problems) == (task.id, True, [])
    assert (state.project, state.name, state.status) == ("far away", "a cluster's task", "completed")
    assert (state.tags, state.parameters["General/rate"].value, points) == (["far"], "0.1", 10)
    with Store.open(elsewhere) as store:
        assert json.loads(store.blobs.path(state.artifacts["numbers"].blob).read_bytes()) == {"a": [1, 2, 3]}
        with Views.open(store) as views:
            views.catch_up(reports=True)
            assert [line.text for line in views.text(task.id)] == ["said far away"]
    assert verify(elsewhere).problems == []


def test_a_session_is_a_store_of_its_own_and_home_is_not_touched(home: Path) -> None:
    task, path = record()
    assert task.get_offline_mode_folder() == home / "offline" / task.id
    assert path.is_file()
    assert not (home / "log").exists()
    assert verify(home / "offline" / task.id).problems == []


def test_the_zip_file_is_a_remote_that_others_can_take_apart(tmp_path: Path, elsewhere: Path) -> None:
    task, path = record()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("eventlog-remote") == b"eventlog remote 1\n"
        archive.extractall(tmp_path / "unpacked")
    result, state, points = bring_home(tmp_path / "unpacked", elsewhere)
    assert (result.task, state.status, points) == (task.id, "completed", 10)
    assert not bring_home(path, elsewhere)[0].is_new


def test_twice_in_every_form_is_once(elsewhere: Path) -> None:
    task, path = record()
    folder = task.get_offline_mode_folder()
    assert folder is not None
    close_stores()
    expected = bring_home(path, elsewhere)
    with Store.open(elsewhere) as store:
        heads = store.heads()
    for again in (path, folder, path):
        result, state, points = bring_home(again, elsewhere)
        assert (result.is_new, result.problems) == (False, [])
        assert (state, points) == expected[1:]
    with Store.open(elsewhere) as store:
        assert store.heads() == heads


def test_two_zip_files_of_one_session_come_in_in_any_order(elsewhere: Path, tmp_path: Path) -> None:
    task, path = record()
    early = shutil.copy(path, tmp_path / "early.zip")
    Task.set_offline(True)
    second = Task.init(**NAMES, continue_last_task=task.id)
    assert second.id == task.id
    second.get_logger().report_scalar("loss", "train", 0.01, 10)
    second.close()
    late = zip_of(second)
    for number, order in enumerate([(early, late), (late, early), (late,)]):
        for one in order:
            bring_home(one, elsewhere / str(number))
        _, state, points = bring_home(late, elsewhere / str(number))
        assert (state.status, points) == ("completed", 11)


def test_an_import_that_is_cut_off_goes_on(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from eventlog.sync import puller, pusher

    monkeypatch.setattr(pusher, "SEGMENT_SIZE", 1)
    monkeypatch.setattr(puller, "SEGMENT_SIZE", 1)
    Task.set_offline(True)
    task = Task.init(**NAMES)
    for iteration in range(6):
        task.get_logger().report_scalar("loss", "train", 1.0, iteration)
        task.upload_artifact(f"a{iteration}", {"n": iteration})
        task.flush()
    task.close()
    expected = bring_home(zip_of(task), tmp_path / "whole")
    with Store.open(elsewhere) as store:
        admit = store.admit
        for allowed in (0, 1, 2):
            calls = iter(range(allowed))

            def broken(batches: Any, calls: Any = calls) -> int:
                if next(calls, None) is None:
                    raise KeyboardInterrupt
                return admit(batches)

            monkeypatch.setattr(store, "admit", broken)
            with pytest.raises(KeyboardInterrupt):
                import_session(store, zip_of(task))
    assert bring_home(zip_of(task), elsewhere)[1:] == expected[1:]


def test_a_killed_job_comes_in_from_its_folder(scripts: Scripts, home: Path, elsewhere: Path) -> None:
    script = scripts.start(
        """
        from eventlog import Task
        Task.set_offline(True)
        task = Task.init(project_name="far away", task_name="killed", reuse_last_task_id=False)
        for iteration in range(1000):
            task.get_logger().report_scalar("loss", "train", 1.0, iteration)
        print(task.id, flush=True)
        import signal
        signal.pause()
        """
    )
    task_id = script.line()
    script.send(signal.SIGKILL)
    script.process.wait(60)
    folder = home / "offline" / task_id
    assert not folder.with_name(f"{task_id}.zip").exists()
    away = shutil.copytree(folder, elsewhere / "folder")
    for path in (away, folder):
        result, state, points = bring_home(path, elsewhere / "home")
        assert (result.task, result.problems) == (task_id, [])
        assert (state.status, points) == ("failed", 1000)
        assert "killed" in state.status_reason


def test_a_process_that_ends_without_close_leaves_a_zip_file(scripts: Scripts, elsewhere: Path) -> None:
    script = scripts.run(
        """
        from eventlog import Task
        Task.set_offline(True)
        task = Task.init(project_name="far away", task_name="left open")
        for number in range(20):
            task.upload_artifact(f"a{number}", {"n": number})
        print(task.id)
        raise ValueError("at the end")
        """,
        code=1,
    )
    task_id = script.out.strip()
    path = scripts.home / "offline" / f"{task_id}.zip"
    assert f"offline session stored in {path}" in script.err
    result, state, _ = bring_home(path, elsewhere)
    assert (result.problems, state.status, len(state.artifacts)) == ([], "failed", 20)
    assert state.status_reason == "ValueError: at the end"


@pytest.mark.parametrize("how", ["argument", "variable", "by name"])
def test_a_second_job_adds_to_an_offline_task_still_offline(
    scripts: Scripts, elsewhere: Path, how: str
) -> None:
    job = """
        import sys
        from eventlog import Task
        Task.set_offline(True)
        going_on = {"argument": sys.argv[1], "by name": True}.get(sys.argv[2], False)
        task = Task.init(project_name="far away", task_name="in parts", continue_last_task=going_on)
        task.get_logger().report_scalar("loss", "train", 1.0, 0)
        task.upload_artifact(sys.argv[2], {"a": 1})
        print(task.id)
        """
    first = scripts.run(job, "", "first").out.strip()
    if how == "variable":
        script = scripts.start(job, first, how, environment={"EVENTLOG_TASK_ID": first})
        assert script.wait() == 0, script.err
        second = script.out.strip()
    else:
        second = scripts.run(job, first, how).out.strip()
    assert second == first
    _, state, points = bring_home(scripts.home / "offline" / f"{first}.zip", elsewhere)
    assert (state.status, points) == ("completed", 2)
    assert sorted(state.artifacts) == sorted(["first", how])
    assert len(list((scripts.home / "offline").glob("*.zip"))) == 1


def test_several_tasks_from_one_process(elsewhere: Path) -> None:
    recorded = [record() for _ in range(3)]
    assert len({task.id for task, _ in recorded}) == 3
    for task, path in recorded:
        result, state, points = bring_home(path, elsewhere)
        assert (result.tasks, state.id, points) == ([task.id], task.id, 10)


def test_closing_leaves_no_current_task_behind() -> None:
    task, _ = record()
    assert Task.current_task() is None
    Task.set_offline(True)
    assert Task.current_task() is None
    with pytest.raises(InputInvalid, match="no offline task is open to write to"):
        open_store_for_writing()
    assert Task.get_task(task.id).name == NAMES["task_name"]


def open_store_for_writing() -> None:
    from eventlog.sdk.stores import open_store

    open_store(create=True)


def test_a_child_process_adds_to_the_offline_task(scripts: Scripts, elsewhere: Path) -> None:
    script = scripts.run(
        """
        import subprocess, sys
        from eventlog import Task
        if len(sys.argv) > 1:
            task = Task.init(project_name="far away", task_name="parent")
            task.get_logger().report_scalar("loss", "child", 1.0, 0)
            print(task.id)
            sys.exit()
        Task.set_offline(True)
        task = Task.init(project_name="far away", task_name="parent")
        out = subprocess.run([sys.executable, __file__, "child"], capture_output=True, text=True, check=True)
        assert out.stdout.strip() == task.id, out
        print(task.id)
        """
    )
    _, state, points = bring_home(scripts.home / "offline" / f"{script.out.strip()}.zip", elsewhere)
    assert (state.status, points) == ("completed", 1)


def test_a_task_at_home_goes_on_offline_and_meets_itself(home: Path) -> None:
    task = Task.init(project_name="at home", task_name="begun at home")
    task.set_parameters({"General/rate": 5})
    task.get_logger().report_scalar("loss", "train", 1.0, 0)
    task.close()
    close_stores()
    with Store.open(home) as store:
        before = store.heads()
    Task.set_offline(True)
    going = Task.init(project_name="other", task_name="names", continue_last_task=task.id)
    assert (going.id, going.name) == (task.id, "begun at home")
    assert going.get_parameters()["General/rate"] == "5"
    going.get_logger().report_scalar("loss", "train", 0.5, 1)
    going.close()
    close_stores()
    with Store.open(home) as store:
        assert store.heads() == before
    Task.set_offline(False)
    assert Task.import_offline_session(str(zip_of(going))) == task.id
    state = current_views(open_store_at(home), reports=True).task(task.id)
    assert (state.name, state.status) == ("begun at home", "completed")
    assert sum(one.count for one in current_views(open_store_at(home), reports=True).series(task.id)) == 2


def test_going_on_offline_with_a_task_that_is_not_here_is_an_error() -> None:
    Task.set_offline(True)
    with pytest.raises(NotFound, match=f"no task {'0' * 32} to go on with offline"):
        Task.init(**NAMES, continue_last_task="0" * 32)
    with pytest.raises(NotFound, match="no task's id"):
        Task.init(**NAMES, continue_last_task="../../etc")
    assert Task.current_task() is None


def test_look_ups_see_the_session_first_and_then_home() -> None:
    at_home = Task.init(project_name="at home", task_name="before")
    at_home.close()
    Task.set_offline(True)
    task = Task.init(**NAMES)
    assert Task.get_task(at_home.id).name == "before"
    assert Task.get_task(task.id).name == NAMES["task_name"]
    assert Task.get_task(project_name="at home", task_name="before").id == at_home.id
    assert {one.id for one in Task.get_tasks()} >= {at_home.id, task.id}
    with pytest.raises(NotFound):
        Task.get_task("1" * 32)


def test_the_mode_does_not_change_while_a_task_is_open() -> None:
    assert not Task.is_offline()
    Task.set_offline(True)
    assert Task.is_offline()
    task = Task.init(**NAMES)
    with pytest.raises(InputInvalid, match=f"cannot be turned off while task {task.id} is open"):
        Task.set_offline(False)
    Task.set_offline(True)
    task.close()
    Task.set_offline(False)
    assert not Task.is_offline()
    online = Task.init(**NAMES)
    assert online.get_offline_mode_folder() is None
    with pytest.raises(InputInvalid, match="cannot be turned on"):
        Task.set_offline(True)


def test_the_mode_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, is_on in (("1", True), ("true", True), ("0", False), ("", False)):
        monkeypatch.setenv("EVENTLOG_OFFLINE_MODE", value)
        assert Task.is_offline() is is_on


def test_a_session_goes_on_with_another_task(home: Path) -> None:
    before = Task.init(project_name="at home", task_name="the first half")
    before.get_logger().report_scalar("loss", "train", 9.0, 0)
    before.close()
    task, path = record()
    for _ in range(2):
        assert Task.import_offline_session(path, before.id, 100) == before.id
    folder = task.get_offline_mode_folder()
    assert folder is not None
    assert Task.import_offline_session(folder, before.id, 100) == before.id
    views = current_views(open_store_at(home), reports=True)
    curve = views.scalars(before.id, "loss", "train").to_pydict()
    assert sorted(curve["iteration"]) == [0, *range(100, 110)]
    state = views.task(before.id)
    assert (state.name, state.project, state.status) == ("the first half", "at home", "completed")
    assert state.parameters["General/rate"].value == "0.1"
    assert Task.get_task(before.id).artifacts["numbers"].get() == {"a": [1, 2, 3]}
    with pytest.raises(NotFound):
        views.task(task.id)
    assert verify(home).problems == []


def test_shifted_iterations_alone_make_another_task(home: Path) -> None:
    task, path = record()
    shifted = Task.import_offline_session(path, iteration_offset=1000)
    assert shifted != task.id
    assert Task.import_offline_session(path) == task.id
    views = current_views(open_store_at(home), reports=True)
    assert min(views.scalars(str(shifted), "loss", "train").to_pydict()["iteration"]) == 1000
    assert min(views.scalars(task.id, "loss", "train").to_pydict()["iteration"]) == 0


# What comes from elsewhere.


def problems_of(store: Store, path: Path) -> list[str]:
    """What is said of a session that is not sound, in a line each, whether or not something of it came in."""
    try:
        problems = import_session(store, path).problems
    except EventlogError as error:
        problems = [str(error)]
    assert not any("\n" in problem for problem in problems)
    return problems


def changed(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """A copy of a zip file, each member changed."""
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as made:
        for name in source.namelist():
            member = change(name, source.read(name))
            if member is not None:
                made.writestr(*member)
    return target


def with_member(path: Path, info: zipfile.ZipInfo, data: bytes = b"x") -> Path:
    target = Path(shutil.copy(path, path.with_name("more.zip")))
    with zipfile.ZipFile(target, "a") as made:
        made.writestr(info, data)
    return target


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("blobs/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def device() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("blobs/device")
    info.external_attr = (stat.S_IFBLK | 0o600) << 16
    return info


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (zipfile.ZipInfo("../outside"), "leads out of it"),
        (zipfile.ZipInfo("blobs/../../outside"), "leads out of it"),
        (zipfile.ZipInfo("/etc/outside"), "leads out of it"),
        (zipfile.ZipInfo("C:/outside"), "leads out of it"),
        (link(), "is a link"),
        (device(), "is neither a file nor a folder"),
    ],
    ids=["dots", "dots within", "absolute", "drive", "link", "device"],
)
def test_a_zip_file_with_what_no_session_has_is_refused(
    elsewhere: Path, info: zipfile.ZipInfo, said: str
) -> None:
    _, path = record()
    with pytest.raises(DataCorrupt, match=said) as caught:
        bring_home(with_member(path, info), elsewhere)
    assert "\n" not in str(caught.value)
    with Store.open(elsewhere) as store:
        assert store.heads() == {}


def test_a_bomb_is_refused(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 1 << 20)
    _, path = record()
    info = zipfile.ZipInfo(f"blobs/ab/{'ab' * 32}")
    info.compress_type = zipfile.ZIP_DEFLATED
    with pytest.raises(DataCorrupt, match="claim to hold"):
        bring_home(with_member(path, info, bytes(64 << 20)), elsewhere)


def test_what_is_exported_is_never_taken_for_a_bomb(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 1 << 20)
    Task.set_offline(True)
    task = Task.init(**NAMES)
    empty = tmp_path / "empty.bin"
    empty.write_bytes(bytes(32 << 20))
    task.upload_artifact("empty", empty)
    task.close()
    result, state, _ = bring_home(zip_of(task), elsewhere)
    assert (result.problems, state.artifacts["empty"].size) == ([], 32 << 20)


def test_members_on_top_of_each_other_are_refused(elsewhere: Path) -> None:
    _, path = record()
    data = bytearray(path.read_bytes())
    # The second entry of the list of members is made to point at the first one's bytes.
    places = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x01\x02"]
    first, second = (struct.unpack_from("<I", data, at + 42)[0] for at in places[:2])
    assert first != second
    struct.pack_into("<I", data, places[1] + 42, first)
    path.write_bytes(data)
    with pytest.raises(DataCorrupt, match=r"on top of another|whole zip file"):
        bring_home(path, elsewhere)


@pytest.mark.parametrize("field", [20, 24], ids=["compressed", "whole"])
def test_a_lie_about_a_size_is_found(elsewhere: Path, field: int) -> None:
    _, path = record()
    data = bytearray(path.read_bytes())
    for at in range(len(data)):
        if data[at : at + 4] == b"PK\x01\x02" and b"blobs/" in data[at + 46 : at + 60]:
            size = struct.unpack_from("<I", data, at + field)[0]
            struct.pack_into("<I", data, at + field, max(1, size - 7))
    path.write_bytes(data)
    with Store.open(elsewhere) as store:
        assert problems_of(store, path)
        assert verify(elsewhere).problems == []
        assert len(list(store.blobs)) == 0


@pytest.mark.parametrize("part", ["stores/", "blobs/"])
def test_damage_is_named_and_never_let_in(elsewhere: Path, part: str) -> None:
    _, path = record()

    def flip(name: str, data: bytes) -> tuple[str, bytes]:
        if name.startswith(part):
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        return name, data

    with Store.open(elsewhere) as store:
        result = import_session(store, changed(path, flip))
        assert result.problems
        assert part in " ".join(result.problems)
        assert not any("\n" in problem for problem in result.problems)
        # What came before the damage may be here.
        with Views.open(store) as views:
            views.catch_up()
            assert not any("bytes" in views.task(row.id).artifacts for row in views.find())
    assert verify(elsewhere).problems == []


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_zip_file_that_was_cut_is_refused(elsewhere: Path, kept: float) -> None:
    _, path = record()
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataCorrupt, match="not a whole zip file"):
        bring_home(path, elsewhere)


def test_bytes_that_are_changed_anywhere_are_found_or_change_nothing(elsewhere: Path) -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    _, path = record()
    data = path.read_bytes()
    whole = bring_home(path, elsewhere / "whole")
    homes = iter(range(10_000))

    @settings(max_examples=60, deadline=None, database=None)
    @given(at=st.integers(0, len(data) - 1), value=st.integers(0, 255))
    def check(at: int, value: int) -> None:
        path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
        home = elsewhere / str(next(homes))
        with Store.open(home) as store:
            if problems_of(store, path):
                return
        assert bring_home(path, home)[1:] == whole[1:]

    check()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b"text"),
        os.mkfifo,
        lambda path: path.write_bytes(empty_zip()),
    ],
    ids=["nothing", "empty folder", "text", "pipe", "empty zip"],
)
def test_what_is_no_session_is_refused_in_one_line(
    elsewhere: Path, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    path = tmp_path / "given"
    make(path)
    with Store.open(elsewhere) as store:
        with pytest.raises((InputInvalid, DataCorrupt)) as caught:
            import_session(store, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def empty_zip() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()


def test_a_folder_with_a_link_in_it_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    task, _ = record()
    folder = task.get_offline_mode_folder()
    assert folder is not None
    close_stores()
    away = shutil.copytree(folder, tmp_path / "away")
    shutil.rmtree(away / "views")
    (away / "views").symlink_to(tmp_path)
    with pytest.raises(DataCorrupt, match="'views' in it is a link"):
        bring_home(away, elsewhere)


def test_a_folder_whose_log_would_crash_lmdb_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    task, _ = record()
    folder = task.get_offline_mode_folder()
    assert folder is not None
    close_stores()
    away = shutil.copytree(folder, tmp_path / "away")
    data = bytearray((away / "log" / "data.mdb").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 + 10 : page * 4096 + 40] = b"\xff" * 30
    (away / "log" / "data.mdb").write_bytes(data)
    with pytest.raises(DataCorrupt, match="is refused"):
        bring_home(away, elsewhere)


def test_a_session_that_cannot_be_exported_is_told_and_stays(
    caplog: pytest.LogCaptureFixture, home: Path, elsewhere: Path
) -> None:
    Task.set_offline(True)
    task = Task.init(**NAMES)
    task.upload_artifact("a", {"a": 1})
    # What is in the way cannot be replaced by a file.
    (home / "offline" / f"{task.id}.zip").mkdir()
    (home / "offline" / f"{task.id}.zip" / "inside").touch()
    task.close()
    assert "has no zip file" in caplog.text
    folder = task.get_offline_mode_folder()
    assert folder is not None
    assert not list((home / "offline").glob(".*zip*"))
    assert bring_home(folder, elsewhere)[1].status == "completed"


def test_an_export_that_is_cut_off_leaves_the_one_before(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, path = record()
    before = path.read_bytes()
    with Store.open(home / "offline" / task.id) as store:
        from eventlog.sync import bundle

        def broken(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(bundle.Pusher, "push", broken)
        with pytest.raises(KeyboardInterrupt):
            export_bundle(store, path)
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".*zip-*"))


def test_settings_at_home_are_those_of_a_session(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("commit_interval_seconds = 0.5\n")
    Task.set_offline(True)
    task = Task.init(**NAMES)
    folder = task.get_offline_mode_folder()
    assert folder is not None
    with Store.open(folder) as store:
        assert store.configuration.commit_interval_seconds == 0.5


def test_models_and_what_is_reported_about_them_come_home(
    tmp_path: Path, elsewhere: Path, home: Path
) -> None:
    from eventlog import InputModel, OutputModel

    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    Task.set_offline(True)
    task = Task.init(**NAMES)
    model = OutputModel(task=task, name="net", framework="PyTorch", config_dict={"layers": 3})
    model.update_weights(str(weights), iteration=7, auto_delete_file=False)
    model.report_scalar("of the model", "s", 0.5, 1)
    assert InputModel(model.id).name == "net"
    task.close()
    close_stores()
    path = shutil.move(zip_of(task), tmp_path / "stick.zip")
    shutil.rmtree(home)
    weights.unlink()
    result, state, _ = bring_home(path, elsewhere)
    assert result.problems == []
    with Store.open(elsewhere) as store, Views.open(store) as views:
        views.catch_up(reports=True)
        arrived = views.model(state.models[0].model)
        assert (arrived.id, arrived.name, arrived.iteration) == (model.id, "net", 7)
        assert store.blobs.path(arrived.blob).read_bytes() == b"weights"
        assert [one.last for one in views.series(model.id)] == [0.5]


def test_a_session_is_imported_while_it_runs_and_again_when_it_has_ended(
    scripts: Scripts, elsewhere: Path
) -> None:
    script = scripts.start(
        """
        import os, time
        from eventlog import Task
        Task.set_offline(True)
        task = Task.init(project_name="far away", task_name="long")
        task.get_logger().report_scalar("loss", "train", 1.0, 0)
        task.flush()
        print(task.id, flush=True)
        while not os.path.exists("go on"):
            time.sleep(0.01)
        task.get_logger().report_scalar("loss", "train", 1.0, 1)
        """
    )
    folder = scripts.home / "offline" / script.line()
    _, state, points = bring_home(folder, elsewhere)
    assert (state.status, points) == ("in_progress", 1)
    (scripts.folder / "go on").touch()
    assert script.wait() == 0, script.err
    for path in (folder, folder.with_name(f"{folder.name}.zip")):
        result, state, points = bring_home(path, elsewhere)
        assert (result.problems, state.status, points) == ([], "completed", 2)
