"""Sessions that ClearML's offline mode wrote come in whole, once, and whatever is wrong with them is told.

`data/clearml/session.zip` was written by the real ClearML 2.1, by the script beside it; one test runs that
script again, since what ClearML writes is what counts.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import DataCorrupt, InputInvalid, NotFound
from eventlog.projections import TaskState, Views
from eventlog.sdk.artifacts import Artifact
from eventlog.sdk.importing import Imported, import_session
from eventlog.sdk.stores import current_views
from eventlog.sdk.task import Task
from eventlog.store import Store
from eventlog.sync import pull, push
from eventlog.verify import verify

DATA = Path(__file__).parent / "data" / "clearml"
SESSION = DATA / "session.zip"

Change = Callable[[Path], None]


@pytest.fixture
def store(home: Path) -> Store:
    from eventlog.sdk.stores import open_store_at

    return open_store_at(home, create=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The session as the folder that it was zipped from, at another place than where it was recorded."""
    where = tmp_path / "elsewhere"
    with zipfile.ZipFile(SESSION) as archive:
        archive.extractall(where)
    return where


def state_of(store: Store, result: Imported) -> TaskState:
    return current_views(store, reports=True).task(result.task)


def change_task(folder: Path, **fields: Any) -> None:
    path = folder / "task.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def zipped(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


def everything(store: Store, task: str) -> dict[str, Any]:
    """All that is shown of a task, but for the sessions that it came in."""
    views = current_views(store, reports=True)
    state = views.task(task)
    return {
        "state": {
            name: getattr(state, name)
            for name in state.__struct_fields__
            if name not in {"sessions", "changed", "ended", "models"}
        },
        "models": {link.name: views.model(link.model).blob for link in state.models},
        "scalars": {
            (one.title, one.series): views.scalars(task, one.title, one.series).to_pydict()
            for one in views.series(task)
        },
        "plots": [(one.title, one.series, one.iteration, one.figure, one.blob) for one in views.plots(task)],
        "media": [(one.title, one.series, one.kind, one.blob, one.url) for one in views.media(task)],
    }


def check_all_of_it(store: Store, result: Imported) -> None:
    """What the script made is here."""
    views = current_views(store, reports=True)
    state = views.task(result.task)
    assert (state.name, state.project, state.type) == ("every reporter", "digits/nested", "training")
    assert state.status == "completed"
    assert state.comment == "a comment\nof two lines"
    assert state.tags == ["first", "second"]
    assert {name: (one.value, one.type) for name, one in state.parameters.items()} == {
        "Args/batch": ("8", "int"),
        "General/described": ("3", "int"),
        "General/flag": ("True", "bool"),
        "General/list": ("[1, 2]", "list/int"),
        "General/nested/deep/x": ("1", "int"),
        "General/none": ("", ""),
        "General/rate": ("0.1", "float"),
        "optimizer/momentum": ("0.9", "float"),
    }
    assert state.parameters["General/described"].description == "a description"
    assert {name: one.value for name, one in state.properties.items()} == {"owner": "somebody", "count": "2"}
    assert state.configurations["file"].text == "a: 1\n# kept\nb: [1, 2]\n"
    assert state.configurations["dictionary"].type == "hocon"
    assert state.labels == {"cat": 1, "dog": 2}
    assert state.container is not None
    assert (state.container.image, state.container.arguments) == ("python:3.11", "-v a:b")
    assert state.single_values == {"accuracy": 0.97}
    assert state.execution is not None
    assert "Makes a session with the real ClearML" in state.execution.script
    assert state.execution.packages["clearml"].startswith("2.1.")
    assert state.execution.entry_point == "script.py"

    scalars = {(one.title, one.series): one.count for one in views.series(result.task)}
    assert scalars == {("loss", "train"): 5, ("loss", "validation"): 5}
    curve = views.scalars(result.task, "loss", "train").to_pydict()
    assert curve["value"] == [1.0, 0.5, pytest.approx(1 / 3), 0.25, 0.2]
    assert {(one.title, one.series) for one in views.plots(result.task)} == {
        ("histogram", "h"),
        ("table", "t"),
        ("scatter 2d", "s"),
        ("scatter 3d", "s"),
        ("confusion", "c"),
        ("surface", "s"),
        ("plotly", "p"),
        ("plotly", "large"),
    }
    (large,) = views.plots(result.task, "plotly", "large")
    assert json.loads(store.blobs.path(large.blob).read_text())["data"][0]["text"] == "x" * 70_000
    media = {one.series: (one.kind, one.url, one.size) for one in views.media(result.task)}
    assert media["page"] == ("html", "", 9)
    assert media["sound"][0] == "audio"
    assert media["array"][0] == "image"
    assert media["at a URL"] == ("image", "https://example.com/picture.png", 0)

    artifacts = Task.get_task(result.task).artifacts
    assert artifacts["dict"].get() == {"a": 1, "b": [1, 2]}
    assert artifacts["dict"].metadata == {"key": "value"}
    assert artifacts["yaml"].get() == {"a": 1}
    assert artifacts["array"].get().tolist() == [0, 1, 2, 3, 4]
    assert artifacts["frame"].get()["x"].tolist() == [1, 2]
    assert artifacts["text"].get() == "just some text"
    assert artifacts["with/slash"].get() == "x"
    assert artifacts["image"].get().size == (4, 4)
    assert Path(artifacts["file"].get_local_copy()).read_text() == "what is in the file"
    assert sorted(path.name for path in Path(artifacts["folder"].get_local_copy()).rglob("*.txt")) == [
        "one.txt",
        "two.txt",
    ]
    assert state.artifacts["at a URL"].url == "https://example.com/data.csv"
    assert isinstance(artifacts["object"], Artifact)
    with pytest.raises(InputInvalid, match="pickle from another store"):
        artifacts["object"].get()

    named, other = state.models
    net = views.model(named.model)
    assert (named.direction, net.name, net.framework, net.tags) == ("output", "net", "PyTorch", ["good"])
    assert (net.labels, net.design, net.iteration) == ({"x": 1}, "layers = 3", 7)
    assert store.blobs.path(net.blob).read_bytes() == b"weights" * 10
    assert net.made_by == result.task
    assert {one.series for one in views.series(net.id)} == {"s", "score"}
    assert [one.last for one in views.series(other.model)] == [0.25]


def test_a_session_of_clearml_comes_in_whole(store: Store) -> None:
    result = import_session(store, SESSION)
    assert result.problems == []
    check_all_of_it(store, result)
    texts = " ".join(line.text for line in current_views(store, reports=True).text(result.task))
    assert "printed by the script" in texts
    assert "a reported text: ünï" in texts


@pytest.mark.timeout(300)
def test_what_clearml_writes_today_comes_in_whole(tmp_path: Path, store: Store) -> None:
    # A copy outside the repository, all of which ClearML would read.
    script = tmp_path / "made" / "script.py"
    script.parent.mkdir()
    shutil.copy(DATA / "make_session.py", script)
    environment = {name: value for name, value in os.environ.items() if "CLEARML" not in name}
    # ClearML's own process hangs now and then as it ends.
    for attempt in ("first", "second"):
        made = tmp_path / attempt / "session.zip"
        with (tmp_path / "out").open("w") as out, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, str(script), str(made.parent)],
                env=environment,
                stdout=out,
                stderr=out,
                timeout=110,
                check=True,
            )
            break
    result = import_session(store, made)
    assert result.problems == []
    check_all_of_it(store, result)
    (folder,) = (made.parent / "home/.clearml/cache/offline").glob("offline-*/")
    assert not import_session(store, folder).is_new


def test_its_times_are_those_of_then(store: Store) -> None:
    result = import_session(store, SESSION)
    with zipfile.ZipFile(SESSION) as archive:
        reports = [report for line in archive.open("metrics.jsonl") for report in json.loads(line)]
        log = [report for line in archive.open("log.jsonl") for report in json.loads(line)]
    state = state_of(store, result)
    assert state.created == state.started == min(report["timestamp"] for report in reports + log)
    assert state.ended == max(report["timestamp"] for report in reports + log)
    times = current_views(store, reports=True).scalars(result.task, "loss", "train").to_pydict()["time"]
    sent = [
        report["timestamp"]
        for report in reports
        if (report["metric"], report["variant"]) == ("loss", "train") and not report.get("model_event")
    ]
    assert times == sent


def test_zip_and_folder_are_one_session(store: Store, folder: Path, tmp_path: Path) -> None:
    first = import_session(store, SESSION)
    before = everything(store, first.task)
    for path in (SESSION, folder, zipped(folder, tmp_path / "again.zip", "the folder/")):
        again = import_session(store, path)
        assert (again.task, again.is_new, again.problems) == (first.task, False, [])
    assert everything(store, first.task) == before
    store.flush()
    assert verify(store.home).problems == []


def test_an_argument_without_a_help_text_is_not_described(store: Store, folder: Path) -> None:
    entries = {
        name: {"value": "1", "description": said} for name, said in (("a", "None"), ("b", "None of it"))
    }
    change_task(folder, hyperparams={"Args": entries})
    parameters = state_of(store, import_session(store, folder)).parameters
    assert [parameters[name].description for name in ("Args/a", "Args/b")] == ["", "None of it"]


def test_a_session_that_has_grown_brings_only_what_is_new(store: Store, folder: Path) -> None:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    reports = [report for line in lines for report in json.loads(line)]
    whole = everything(store, import_session(store, SESSION).task)
    sample = next(report for report in reports if report["metric"] == "loss")
    last = max(report["timestamp"] for report in reports)
    grown = {"loss": ("loss", "train", 5, 0.125), "new": ("new", "curve", 0, 1.0)}
    more = [
        {**sample, "timestamp": last + 60_000, "metric": title, "variant": series,
         "iter": iteration, "value": value}
        for title, series, iteration, value in grown.values()
    ]  # fmt: skip
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(more) + "\n")
    change_task(folder, comment="another comment", tags=["first", "second", "third"])
    second = import_session(store, folder)
    assert second.is_new
    now = everything(store, second.task)
    assert now["scalars"]["loss", "train"]["value"] == [*whole["scalars"]["loss", "train"]["value"], 0.125]
    assert now["scalars"]["new", "curve"]["value"] == [1.0]
    assert now["scalars"]["loss", "validation"] == whole["scalars"]["loss", "validation"]
    assert (now["plots"], now["media"]) == (whole["plots"], whole["media"])
    assert now["state"]["comment"] == "another comment"
    assert now["state"]["tags"] == ["first", "second", "third"]
    assert now["state"]["status"] == "completed"
    # And the shorter one after it brings nothing back.
    assert not import_session(store, SESSION).is_new
    assert not import_session(store, folder).is_new
    assert everything(store, second.task) == now


def test_an_import_that_is_cut_off_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from eventlog.sdk import imported_log

    monkeypatch.setattr(imported_log, "_BATCH_EVENTS", 7)
    with Store.open(tmp_path / "whole") as other:
        whole = import_session(other, SESSION)
        expected = everything(other, whole.task)
        heads = other.heads()
    admit = store.admit
    for allowed in (0, 1, 3):
        calls = iter(range(allowed))

        def broken(batches: Any, calls: Any = calls) -> int:
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return admit(batches)

        monkeypatch.setattr(store, "admit", broken)
        with pytest.raises(KeyboardInterrupt):
            import_session(store, SESSION)
    monkeypatch.setattr(store, "admit", admit)
    result = import_session(store, SESSION)
    assert everything(store, result.task) == expected
    # Byte for byte what an import in one go makes.
    assert {identity: head for identity, head in store.heads().items() if identity in heads} == heads


def test_two_machines_that_imported_the_same_session_hold_it_once(home: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    with Store.open(tmp_path / "one") as one, Store.open(tmp_path / "two") as two:
        task = import_session(one, SESSION).task
        assert import_session(two, SESSION).task == task
        push(one, remote)
        assert pull(two, remote).problems == []
        push(two, remote)
        assert pull(one, remote).problems == []
        with Views.open(one) as first, Views.open(two) as second:
            for views in (first, second):
                views.catch_up(reports=True)
                assert {one.count for one in views.series(task)} == {5}
            assert first.task(task) == second.task(task)


def test_a_session_goes_on_with_another_task(store: Store) -> None:
    task = Task.init(project_name="before", task_name="the first half")
    task.get_logger().report_scalar("loss", "train", 9.0, 0)
    task.set_parameters({"General/rate": 5})
    task.close()
    result = import_session(store, SESSION, previous_task_id=task.id, iteration_offset=100)
    assert (result.task, result.problems) == (task.id, [])
    views = current_views(store, reports=True)
    curve = views.scalars(task.id, "loss", "train").to_pydict()
    assert sorted(curve["iteration"]) == [0, 100, 101, 102, 103, 104]
    state = views.task(task.id)
    assert (state.name, state.project, state.status) == ("the first half", "before", "completed")
    assert state.parameters["General/rate"].value == "0.1"
    assert "dict" in state.artifacts
    assert views.model(state.models[0].model).iteration == 107
    assert not import_session(store, SESSION, previous_task_id=task.id, iteration_offset=100).is_new
    with pytest.raises(NotFound, match="no task"):
        import_session(store, SESSION, previous_task_id="0" * 32)


def cut_line(folder: Path) -> None:
    path = folder / "metrics.jsonl"
    text = path.read_text()
    path.write_text(text[: len(text) // 2] + "\n" + text)


def test_the_pictures_that_plots_show_are_in_them(store: Store, folder: Path) -> None:
    identity = json.loads((folder / "task.json").read_text())["id"]
    picture = folder / "data" / "3d.png"
    picture.write_bytes(b"a picture")
    sources = [f"/far/away/offline/{identity}/data/3d.png", "https://example.com/a.png", "/far/away/no.png"]
    layout = {"images": [{"source": source, "x": 0} for source in sources], "title": "3d"}
    report = {
        "type": "plot",
        "metric": "drawn",
        "variant": "3d",
        "iter": 1,
        "timestamp": 1_700_000_000_000,
        "plot_str": json.dumps({"data": [], "layout": layout}),
    }
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps([report]) + "\n")
    result = import_session(store, folder)
    (plot,) = current_views(store, reports=True).plots(result.task, "drawn", "3d")
    shown = [image["source"] for image in json.loads(plot.figure)["layout"]["images"]]
    assert shown == ["data:image/png;base64,YSBwaWN0dXJl", *sources[1:]]
    (problem,) = result.problems
    assert problem.endswith("the picture of a plot is not in the session: /far/away/no.png")


def test_of_a_zip_file_that_was_made_too_early_the_folder_beside_it_is_named(
    store: Store, folder: Path
) -> None:
    whole = (folder / "task.json").read_bytes()
    (folder / "task.json").write_bytes(b"")
    early = zipped(folder, folder.with_name(f"{folder.name}.zip"))
    alone = Path(shutil.copy(early, folder.with_name("alone.zip")))
    (folder / "task.json").write_bytes(whole)
    with pytest.raises(DataCorrupt, match=r"task\.json .* is damaged .*: import the folder") as caught:
        import_session(store, early)
    assert str(caught.value).endswith(str(folder))
    check_all_of_it(store, import_session(store, folder))
    with pytest.raises(DataCorrupt, match=r"\(char 0\)\)$"):
        import_session(store, alone)


def lose_artifact(folder: Path) -> None:
    next(folder.rglob("dict.json")).unlink()


def change_artifact(folder: Path) -> None:
    next(folder.rglob("dict.json")).write_text("{}")


def lose_weights(folder: Path) -> None:
    (folder / "models" / "weights.bin").unlink()


def add_key(folder: Path) -> None:
    change_task(folder, surprise=1)


def add_report(folder: Path) -> None:
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('[{"type": "hologram", "iter": 1, "timestamp": 1}, 7, {"type": "plot", "iter": "x"}]\n')


def add_numbers(folder: Path) -> None:
    point = '{"type": "training_stats_scalar", "metric": "\\ud800", "variant": "%s", "iter": %s, "value": %s}'
    numbers = [
        ("a", "1", "NaN"),
        ("b", "1e3", f"-1{'0' * 400}"),
        ("c", "1", "true"),
        ("x" * 20_000, "1", "1"),
    ]
    with (folder / "metrics.jsonl").open("a") as file:
        file.writelines(f"[{point % number}]\n" for number in numbers)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut_line, "metrics.jsonl line 3 is cut short"),
        (lose_artifact, "the artifact 'dict' is not imported: its file is not in the session"),
        (change_artifact, "the artifact 'dict' has other bytes than when it was recorded"),
        (lose_weights, "the weights of model 'net' are not in the session"),
        (add_key, "task.json has keys that are not known here, and not imported: surprise"),
        (add_report, "a report of the kind 'hologram' is not known here"),
        (add_numbers, "the value of ?/c is no number"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_cannot_be_read_is_told_and_the_rest_comes_in(
    store: Store, folder: Path, change: Change, said: str
) -> None:
    change(folder)
    result = import_session(store, folder)
    assert said in " ".join(result.problems)
    views = current_views(store, reports=True)
    assert views.task(result.task).status == "completed"
    assert {one.count for one in views.series(result.task) if one.title == "loss"} == {5}
    assert "array" in views.task(result.task).artifacts
    assert len(views.plots(result.task)) == 8


@pytest.mark.parametrize(
    "task",
    [
        {"hyperparams": 7, "configuration": [], "tags": "x", "script": [], "execution": None},
        {"execution": {"artifacts": [1, {"key": {}}, {}], "model_labels": {"a": "b"}}, "name": 3},
        {"offline_output_models": [{}, {"id": "x", "init": 1, "weights": 2}], "comment": {"a": 1}},
        {"hyperparams": {"General": {"a": 1, "b": {"value": [1]}}}, "configuration": {"a": 1}},
        {"created": "yesterday", "started": -1, "completed": 1e300, "parent": [], "type": None},
        {"name": "x" * 200_000, "comment": "y" * 200_000},
        {"name": "\ud800", "hyperparams": {"\udfff": {"\ud83d": {"value": "\ud800"}}}, "\ud800": 1},
    ],
    ids=range(7),
)
def test_values_of_other_kinds_break_nothing(store: Store, folder: Path, task: dict[str, Any]) -> None:
    change_task(folder, **task)
    result = import_session(store, folder)
    assert state_of(store, result).status == "completed"
    store.flush()
    assert verify(store.home).problems == []


def test_no_path_leads_out_of_a_session(store: Store, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    outside = [str(secret), "../secret", f"file://{secret}", f"{folder}/../secret", "~/.ssh/id_rsa"]
    artifacts = [{"key": f"a{number}", "uri": uri, "type": "custom"} for number, uri in enumerate(outside)]
    change_task(folder, execution={"artifacts": artifacts}, offline_folder=str(tmp_path))
    result = import_session(store, folder)
    assert len([line for line in result.problems if "is not in the session" in line]) == len(outside)
    assert state_of(store, result).artifacts == {}
    assert not any(b"not yours" in store.blobs.path(digest).read_bytes() for digest in store.blobs)


def test_a_link_in_a_folder_is_refused(store: Store, folder: Path) -> None:
    (folder / "data" / "link").symlink_to("/etc/passwd")
    with pytest.raises(DataCorrupt, match="'data/link' in it is a link"):
        import_session(store, folder)


def test_a_session_cannot_choose_to_be_another_task(store: Store, folder: Path) -> None:
    task = Task.init(project_name="mine", task_name="my own")
    task.close()
    change_task(folder, id=f"offline-{task.id}")
    assert import_session(store, folder).task != task.id
    assert current_views(store).task(task.id).name == "my own"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "cannot be read as JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "cannot be read"),
    ],
    ids=["cut", "deep", "no text"],
)
def test_a_session_without_a_task_is_refused(store: Store, folder: Path, data: bytes, said: str) -> None:
    (folder / "task.json").write_bytes(data)
    with pytest.raises(DataCorrupt, match=said) as caught:
        import_session(store, folder)
    assert "\n" not in str(caught.value)
    assert store.heads() == {}


def test_what_was_changed_last_is_what_is_shown(store: Store, folder: Path) -> None:
    # No report is newer than those of the first import: only what the task is has changed, again and again.
    for number in range(8):
        change_task(folder, comment=f"comment {number}")
        result = import_session(store, folder)
        assert result.is_new
        assert current_views(store).task(result.task).comment == f"comment {number}"
