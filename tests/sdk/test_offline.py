"""A task recorded offline is carried away as one file, and comes home whole and once."""

import json
import shutil
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import InputInvalid, NotFound
from eventlog.projections import Views
from eventlog.sdk.importing import import_session
from eventlog.sdk.stores import close_stores, current_views, open_store_at
from eventlog.sdk.task import Task
from eventlog.store import Store
from eventlog.sync.bundle import export_bundle
from eventlog.verify import verify
from tests.sdk.offline_sessions import NAMES, bring_home, record, zip_of
from tests.sdk.scripts import Scripts

pytestmark = pytest.mark.usefixtures("offline_mode")


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
    assert f"offline session stored in {path}; bring it home with `eventlog import {path}`" in script.err
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


def test_what_a_killed_child_reported_is_in_the_zip_file(scripts: Scripts, elsewhere: Path) -> None:
    script = scripts.run(
        """
        import os, signal
        from eventlog import Task
        Task.set_offline(True)
        task = Task.init(project_name="far away", task_name="parent")
        child = os.fork()
        if not child:
            for iteration in range(100):
                task.get_logger().report_scalar("loss", "child", 1.0, iteration)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        task.close()
        print(task.id)
        """
    )
    result, state, points = bring_home(scripts.home / "offline" / f"{script.out.strip()}.zip", elsewhere)
    assert (result.problems, state.status, points) == ([], "completed", 100)


def test_a_session_older_than_the_task_that_goes_on_still_has_the_last_word(home: Path) -> None:
    _, path = record()
    later = Task.init(project_name="at home", task_name="ended later", reuse_last_task_id=False)
    later.set_parameters({"General/rate": 5})
    later.close()
    assert Task.import_offline_session(path, later.id) == later.id
    state = current_views(open_store_at(home)).task(later.id)
    assert state.parameters["General/rate"].value == "0.1"
    assert not import_session(open_store_at(home), path, previous_task_id=later.id).is_new
