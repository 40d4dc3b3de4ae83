"""Tasks replayed into a real MLflow tracking server: what it shows is what they are, and nothing twice."""

import importlib.util
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlog import events as kinds
from eventlog.events import Parameter
from eventlog.projections import Views
from eventlog.sdk.exports import mlflow_server
from eventlog.sdk.exports.mlflow import ReplayedAll, replay
from eventlog.sdk.exports.selection import Selection
from tests.sdk.exports.mlflow_server import tracking_server
from tests.sync.machines import Machine

pytestmark = [
    pytest.mark.libraries,
    pytest.mark.timeout(180),
    # Its client alone is not enough.
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("mlflow", "flask"))), reason="MLflow's server is not installed"
    ),
    # What MLflow's own client warns of is not ours.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tracking_server(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose task has a project of its own."""
    made = Machine(tmp_path / "home")
    yield made
    made.close()


class Shown:
    """What a server shows of a machine's task."""

    def __init__(self, url: str, machine: Machine) -> None:
        from mlflow import MlflowClient

        self.client: Any = MlflowClient(url)
        experiment = self.client.get_experiment_by_name(f"digits/{machine.task}")
        self.runs = self.client.search_runs([experiment.experiment_id]) if experiment else []

    @property
    def run(self) -> Any:
        (run,) = self.runs
        return run

    def points(self, key: str) -> list[tuple[int, int, float]]:
        history = self.client.get_metric_history(self.run.info.run_id, key)
        return sorted((one.step, one.timestamp, one.value) for one in history)

    def file(self, path: str) -> bytes:
        return Path(self.client.download_artifacts(self.run.info.run_id, path)).read_bytes()


def begin(machine: Machine) -> None:
    append, task = machine.append, machine.task
    append(kinds.TaskCreated, task, "baseline", f"digits/{task}", "training", "a comment")
    append(kinds.TaskStarted, task)
    append(kinds.ParametersSet, task, {"General/lr": Parameter("0.1", "float")})
    machine.store.flush()


def report(machine: Machine, first: int, end: int) -> None:
    for step in range(first, end):
        machine.append(kinds.ScalarReported, machine.task, "loss", "train", step, 1 / (step + 1))
    machine.store.flush()


def reported(machine: Machine, title: str = "loss", series: str = "train") -> list[tuple[int, int, float]]:
    with Views.open(machine.store) as views:
        views.catch_up(reports=True)
        table = views.scalars(machine.task, title, series)
    return sorted(zip(*(table[name].to_pylist() for name in ("iteration", "time", "value")), strict=True))


def send(machine: Machine, url: str) -> ReplayedAll:
    return replay(machine.store, url)


def test_a_run_has_what_its_task_has(machine: Machine, url: str):
    begin(machine)
    append, task = machine.append, machine.task
    report(machine, 0, 2300)
    append(kinds.ExecutionRecorded, task, "https://host/digits.git", "main", "c0ffee", "", "", "train.py")
    append(kinds.SingleValueReported, task, "accuracy", 0.5)
    append(kinds.SingleValueReported, task, "accuracy", 0.75)
    append(kinds.TagsAdded, task, ["best"])
    machine.upload(b"rows", "data")
    model = "abcd" + task[4:]
    digest = machine.store.blobs.put_bytes(b"weights")
    append(kinds.ModelCreated, model, "net", "", task)
    append(kinds.ModelWeightsSet, model, digest, 7, "net.pt")
    append(kinds.ModelLinked, task, model, "output", "net")
    append(kinds.TaskCompleted, task)
    machine.store.flush()
    done = send(machine, url)
    assert (done.created, done.points, done.files, done.problems) == (1, 2302, 2, ())
    shown = Shown(url, machine)
    with Views.open(machine.store) as views:
        state = views.task(task)
    info, tags = shown.run.info, shown.run.data.tags
    assert (info.run_name, info.status) == ("baseline", "FINISHED")
    assert (info.start_time, info.end_time) == (state.started, state.ended)
    assert shown.run.data.params == {"General/lr": "0.1"}
    assert shown.points("loss/train") == reported(machine)
    assert [value for _, _, value in shown.points("accuracy")] == [0.5, 0.75]
    assert tags["eventlog.task_id"] == task
    assert (tags["eventlog.tags"], tags["eventlog.type"]) == ("best", "training")
    assert tags["mlflow.source.git.commit"] == "c0ffee"
    assert (tags["mlflow.source.name"], tags["mlflow.note.content"]) == ("train.py", "a comment")
    assert tags["mlflow.user"] == state.user
    assert shown.file("artifacts/data/model.bin") == b"rows"
    assert shown.file(f"models/net {model[:8]}/net.pt") == b"weights"
    assert json.loads(shown.file("eventlog/task.json"))["task"]["name"] == "baseline"


def test_replaying_twice_adds_nothing_and_later_only_what_is_new(machine: Machine, url: str):
    begin(machine)
    report(machine, 0, 10)
    assert send(machine, url).created == 1
    again = send(machine, url)
    assert (again.created, again.updated, again.unchanged, again.points) == (0, 0, 1, 0)
    assert Shown(url, machine).run.info.status == "RUNNING"
    report(machine, 10, 15)
    machine.upload(b"rows", "data")
    machine.append(kinds.TaskFailed, machine.task, "ValueError: no data")
    machine.store.flush()
    later = send(machine, url)
    assert (later.created, later.updated, later.points, later.files) == (0, 1, 5, 1)
    shown = Shown(url, machine)
    assert shown.points("loss/train") == reported(machine)
    assert (shown.run.info.status, shown.run.data.tags["eventlog.status_reason"]) == (
        "FAILED",
        "ValueError: no data",
    )


def test_points_that_come_in_late_are_sent_too(machine: Machine, url: str):
    begin(machine)
    report(machine, 0, 10)
    send(machine, url)
    # From a clock that is behind, as another machine's may be.
    machine.reopen()
    machine.store.session._wall = lambda: 1_700_000_000_000_000_000
    machine.store.session._last = 0
    machine.append(kinds.ScalarReported, machine.task, "loss", "train", 99, 9.0)
    machine.store.flush()
    assert send(machine, url).points == 1
    assert Shown(url, machine).points("loss/train") == reported(machine)


def test_what_mlflow_has_no_place_for_is_marked_and_kept_whole(machine: Machine, url: str):
    begin(machine)
    append, task = machine.append, machine.task
    names = ["a@[0]", "../up", "a//b", "é" * 300, "x" * 251, "plain"]
    values = {name: Parameter("v" * 7000 if name == "plain" else name, "str") for name in names}
    append(kinds.ParametersSet, task, values)
    for title, series in [("lo@ss", "train"), ("a", "b/c"), ("a/b", "c")]:
        append(kinds.ScalarReported, task, title, series, 1, 0.5)
    for value in (math.nan, math.inf, -math.inf):
        append(kinds.ScalarReported, task, "odd", "values", 2, value)
    append(
        kinds.ArtifactUploaded, task, "../../up", "file", machine.store.blobs.put_bytes(b"1"), 1, "a#b.txt"
    )
    machine.store.flush()
    assert send(machine, url).problems == ()
    shown = Shown(url, machine)
    assert len(shown.run.data.params) == len(names) + 1
    assert len(shown.run.data.params["plain"]) == 6000
    document = json.loads(shown.file("eventlog/task.json"))
    assert {name: one["value"] for name, one in document["task"]["parameters"].items() if name in names} == {
        name: one.value for name, one in values.items()
    }
    keys = {(one["title"], one["series"]): key for key, one in document["metrics"].items()}
    assert keys["a/b", "c"] == "a/b/c"
    assert all(len(shown.points(key)) >= 1 for key in keys.values())
    assert len({*keys.values()}) == 4
    assert [str(value) for _, _, value in shown.points("odd/values")].count("nan") == 1
    assert len(document["files"]) == 1
    assert [shown.file(path) for path in document["files"]] == [b"1"]
    assert send(machine, url).points == 0


def test_a_parameter_that_changed_stands_beside_the_first(machine: Machine, url: str):
    begin(machine)
    send(machine, url)
    machine.append(kinds.ParametersSet, machine.task, {"General/lr": Parameter("0.2", "float")})
    machine.store.flush()
    assert send(machine, url).problems == ()
    shown = Shown(url, machine)
    assert shown.run.data.params == {"General/lr": "0.1"}
    assert shown.run.data.tags["eventlog.parameter.General/lr"] == "0.2"


def test_a_reset_begins_a_new_run_and_a_deleted_run_stays_deleted(machine: Machine, url: str):
    begin(machine)
    report(machine, 0, 5)
    send(machine, url)
    time.sleep(0.002)
    machine.append(kinds.TaskReset, machine.task)
    report(machine, 0, 2)
    assert send(machine, url).created == 1
    shown = Shown(url, machine)
    assert shown.points("loss/train") == reported(machine)
    assert len(reported(machine)) == 2
    shown.client.delete_run(shown.run.info.run_id)
    report(machine, 2, 4)
    assert send(machine, url).unchanged == 1
    assert Shown(url, machine).runs == []


def test_only_what_is_chosen_is_replayed(machine: Machine, url: str):
    begin(machine)
    other = "fedc" + machine.task[4:]
    machine.append(kinds.TaskCreated, other, "another", "faces")
    machine.store.flush()
    assert replay(machine.store, url, Selection(tasks=(machine.task,))).created == 1
    assert replay(machine.store, url, Selection(projects=("digits",))).unchanged == 1


def cut_at(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Makes the request of this number the last: of an odd number, before the server has got it."""
    import mlflow.store.artifact.http_artifact_repo as artifacts
    from mlflow.utils import rest_utils

    real, count = rest_utils.http_request, 0

    def request(*arguments: Any, **settings: Any) -> Any:
        nonlocal count
        count += 1
        if count == at and at % 2:
            raise KeyboardInterrupt
        answer = real(*arguments, **settings)
        if count == at:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(rest_utils, "http_request", request)
    monkeypatch.setattr(artifacts, "http_request", request)


def test_a_replay_that_is_cut_off_anywhere_is_continued(
    machine: Machine, url: str, monkeypatch: pytest.MonkeyPatch
):
    begin(machine)
    report(machine, 0, 2500)
    machine.upload(b"rows", "data")
    seed = random.randrange(1 << 32)
    cuts = random.Random(seed)
    cut = 0
    for _ in range(12):
        with monkeypatch.context() as patch:
            cut_at(patch, cuts.randint(3, 16))
            try:
                send(machine, url)
            except KeyboardInterrupt:
                cut += 1
        report(machine, 2500 + cut * 100, 2600 + cut * 100)
    assert cut > 5, seed
    send(machine, url)
    shown = Shown(url, machine)
    assert shown.points("loss/train") == reported(machine), seed
    assert shown.file("artifacts/data/model.bin") == b"rows"
    assert send(machine, url).unchanged == 1


def test_points_are_compared_where_a_server_would_keep_them_twice(
    machine: Machine, url: str, monkeypatch: pytest.MonkeyPatch
):
    """As one would that keeps files."""
    begin(machine)
    report(machine, 0, 1500)
    sent: list[Any] = []
    real = mlflow_server.Server.log_points

    def dying(self: mlflow_server.Server, run: str, points: Any) -> int:
        real(self, run, (point for point, _ in zip(points, range(1200), strict=False)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_server.Server, "log_points", dying)
        with pytest.raises(KeyboardInterrupt):
            send(machine, url)

    def counting(self: mlflow_server.Server, run: str, points: Any) -> int:
        sent.extend(points)
        return real(self, run, sent)

    monkeypatch.setattr(mlflow_server.Server, "log_points", counting)
    send(machine, url)
    assert len(sent) == 300
    assert Shown(url, machine).points("loss/train") == reported(machine)
