"""One task replayed into one run of MLflow, and again once there is more of it.

Beside its metrics and artifacts a run gets a file, ``eventlog/task.json``: all that the task is, so that
nothing is lost which MLflow has no place for or takes only a part of; and which points and files the run has
got, so that the next time only new ones are sent. Until all of it is there the run's digest is empty; who
finds an empty one compares with what the server has.
"""

import math
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from eventlog.errors import BlobMissing
from eventlog.events import SingleValueReported
from eventlog.projections import SeriesSummary, TaskState, Views
from eventlog.sdk.exports.mlflow_names import (
    LONGEST_PARAMETER,
    cut,
    experiment_name,
    file_part,
    metric_key,
    valid_key,
)
from eventlog.sdk.exports.mlflow_server import DIGEST, RESET, TASK, Point, Run, Server
from eventlog.sdk.exports.plain import plain
from eventlog.store import Store

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Replayed", "replay_task", "reset_of", "task_digest"]

_DOCUMENT = "eventlog/task.json"
_VERSION = 1
_STATUSES = {
    "created": "SCHEDULED",
    "in_progress": "RUNNING",
    "completed": "FINISHED",
    "published": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
}
# What MLflow keeps for an infinity.
_LARGEST = 1.7976931348623157e308


class Replayed(NamedTuple):
    """What was sent of a task: points and files, and what could not be, a line each."""

    points: int
    files: int
    problems: tuple[str, ...]


class _File(NamedTuple):
    """A file for a run: its path there, the blob that it is, and what it is to a person."""

    path: str
    digest: str
    shown: str


class _Metric(msgspec.Struct, frozen=True):
    """What a run has got of a curve: so many points, the last of which is this one, its value as text."""

    title: str
    series: str
    count: int
    last_iteration: int
    last_time: int
    last: str

    @classmethod
    def of(cls, series: SeriesSummary) -> "_Metric":
        last = series.last
        return cls(series.title, series.series, series.count, series.last_point, series.last_time, repr(last))


class _Document(msgspec.Struct):
    """What a run's document says that the run has got.

    Attributes:
        metrics: its curves, by key.
        files: the SHA-256 of each, by path.
    """

    metrics: dict[str, _Metric] = {}
    files: dict[str, str] = {}


def reset_of(state: TaskState) -> str:
    """What tells a run of a task from the one before its last reset."""
    return str(state.reset_time or "")


def task_digest(state: TaskState, series: list[SeriesSummary]) -> str:
    """What changes when there is anything new to replay of a task."""
    return sha256(msgspec.msgpack.encode((_VERSION, state, series))).hexdigest()


def replay_task(
    server: Server, store: Store, views: Views, state: TaskState, series: list[SeriesSummary], run: Run | None
) -> Replayed:
    """Send what a run does not have of a task.

    Args:
        series: the task's curves.
        run: the one of the task, or None if there is none yet.
    """
    return _Replay(server, store, views, state, series, run).run()


class _Replay:
    def __init__(
        self,
        server: Server,
        store: Store,
        views: Views,
        state: TaskState,
        series: list[SeriesSummary],
        run: Run | None,
    ) -> None:
        self._server = server
        self._store = store
        self._views = views
        self._state = state
        self._series = series
        self._was_cut_off = run is not None and not run.digest
        self._problems: list[str] = []
        self._is_new = run is None
        self._id = run.id if run is not None else self._begin()
        self._known = _Document() if run is None else self._document()

    def run(self) -> Replayed:
        """Send it all."""
        server, state = self._server, self._state
        if not self._is_new and not self._was_cut_off:
            server.log_tags(self._id, {DIGEST: ""})
        self._send_parameters()
        points = server.log_points(self._id, self._new_points())
        files = self._send_files()
        server.log_tags(self._id, _tags(state))
        ended = state.ended if state.status not in ("created", "in_progress") else None
        server.end_run(self._id, _run_name(state), _STATUSES.get(state.status, "RUNNING"), ended)
        digest = "" if self._problems else task_digest(state, self._series)
        self._send_document()
        if digest:
            server.log_tags(self._id, {DIGEST: digest})
        return Replayed(points, files, tuple(self._problems))

    def _begin(self) -> str:
        state = self._state
        identity = {TASK: state.id, RESET: reset_of(state), DIGEST: "", **_tags(state)}
        start = state.started or state.created
        return self._server.create_run(experiment_name(state.project), _run_name(state), start, identity)

    def _document(self) -> _Document:
        data = self._server.read_bytes(self._id, _DOCUMENT)
        try:
            return _Document() if data is None else msgspec.json.decode(data, type=_Document)
        except msgspec.DecodeError:
            # Somebody has changed it; then the server is asked.
            self._was_cut_off = True
            return _Document()

    def _send_parameters(self) -> None:
        there = {} if self._is_new else self._server.parameters(self._id)
        wanted = {
            valid_key(name): cut(parameter.value, LONGEST_PARAMETER)
            for name, parameter in sorted(self._state.parameters.items())
        }
        new = {key: value for key, value in wanted.items() if key not in there}
        self._server.log_parameters(self._id, new)
        # MLflow never changes a parameter, so its later values stand beside it.
        changed = {key for key, value in wanted.items() if there.get(key, value) != value}
        later = {valid_key(f"eventlog.parameter.{key}"): wanted[key] for key in sorted(changed)}
        if later:
            self._server.log_tags(self._id, later)

    def _new_points(self) -> Iterator[tuple[str, Point]]:
        keys = set()
        for one in self._series:
            key = metric_key(one.title, one.series)
            keys.add(key)
            before = self._known.metrics.get(key)
            if before == _Metric.of(one) and not self._was_cut_off:
                continue
            table = self._views.scalars(self._state.id, one.title, one.series)
            start = 0
            if before is not None and _goes_on(table, before) and not self._was_cut_off:
                start = before.count
            points: Iterable[Point] = _points(table, start)
            if not self._is_new and not start:
                points = self._missing(key, points)
            yield from ((key, point) for point in points)
        yield from self._single_values(keys)

    def _single_values(self, taken: set[str]) -> Iterator[tuple[str, Point]]:
        """Every value reported under a name, each at its time, so that MLflow shows the last."""
        reported: dict[str, list[Point]] = {}
        first_time = self._state.reset_time
        for one in self._views.events(self._state.id, first_time=first_time, reports=False):
            event = one.event
            if isinstance(event, SingleValueReported) and event.name in self._state.single_values:
                key = valid_key(event.name)
                # A curve of the same key is another thing.
                key = metric_key("", event.name) if key in taken else key
                reported.setdefault(key, []).append((0, event.time, event.value))
        for key, points in reported.items():
            yield from ((key, point) for point in (points if self._is_new else self._missing(key, points)))

    def _missing(self, key: str, points: Iterable[Point]) -> list[Point]:
        """Those of some points that the server does not have."""
        there = {_as_kept(point) for point in self._server.points(self._id, key)}
        return [point for point in points if _as_kept(point) not in there]

    def _send_files(self) -> int:
        sent = 0
        for file in self._files():
            if self._known.files.get(file.path) == file.digest:
                continue
            try:
                source = self._store.blobs.path(file.digest)
            except BlobMissing:
                self._problems.append(
                    f"{file.shown} of task {self._state.id} is not in this store: `eventlog sync` with a"
                    " remote that has it, and export again"
                )
                continue
            self._server.put_file(self._id, source, file.path)
            self._known.files[file.path] = file.digest
            sent += 1
        return sent

    def _files(self) -> Iterator[_File]:
        """The files of a task that have been in a store: artifacts, the weights of models, long texts."""
        for name, artifact in sorted(self._state.artifacts.items()):
            if artifact.blob:
                path = f"artifacts/{file_part(name)}/{file_part(artifact.file_name or name)}"
                yield _File(path, artifact.blob, f"artifact '{name}'")
        for name, configuration in sorted(self._state.configurations.items()):
            if configuration.blob:
                yield _File(
                    f"configurations/{file_part(name)}", configuration.blob, f"configuration '{name}'"
                )
        from eventlog.projections import ModelQuery

        outputs = [link.model for link in self._state.models if link.direction == "output"]
        for model in self._views.models(ModelQuery(ids=outputs, include_archived=True)) if outputs else ():
            if model.blob:
                name = file_part(f"{model.name or 'model'} {model.id[:8]}")
                path = f"models/{name}/{file_part(model.file_name or 'weights')}"
                yield _File(path, model.blob, f"model '{model.name}'")

    def _send_document(self) -> None:
        document: dict[str, Any] = {
            "task": plain(self._state),
            "metrics": {metric_key(one.title, one.series): _Metric.of(one) for one in self._series},
            "files": self._known.files,
        }
        self._server.put_bytes(self._id, msgspec.json.encode(document), _DOCUMENT)


def _tags(state: TaskState) -> dict[str, str]:
    execution = state.execution
    tags = {
        "eventlog.project": state.project,
        "eventlog.type": state.type,
        "eventlog.status": state.status,
        "eventlog.status_reason": state.status_reason,
        "eventlog.status_message": state.status_message,
        "eventlog.traceback": state.traceback,
        "eventlog.tags": ", ".join(state.tags),
        "eventlog.parent": state.parent,
        "eventlog.host": state.host,
        "mlflow.user": state.user,
        "mlflow.note.content": state.comment,
    }
    if execution is not None:
        tags |= {
            "mlflow.source.name": execution.entry_point,
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": execution.commit,
            "mlflow.source.git.branch": execution.branch,
            "mlflow.source.git.repoURL": execution.repository,
        }
    tags |= {
        valid_key(f"eventlog.property.{name}"): one.value for name, one in sorted(state.properties.items())
    }
    return {key: value for key, value in tags.items() if value}


def _run_name(state: TaskState) -> str:
    return state.name or state.id[:8]


def _points(table: "pyarrow.Table", start: int) -> Iterator[Point]:
    """The points of a curve from one on, each once, some at a time."""
    before = None
    for batch in table.slice(start).to_batches(max_chunksize=10_000):
        columns = (batch.column(name).to_pylist() for name in ("iteration", "time", "value"))
        for point in zip(*columns, strict=True):
            if point != before:
                yield point
            before = point


def _goes_on(table: "pyarrow.Table", before: _Metric) -> bool:
    """Whether the points that there were are the first of those there are: the last is where it was.

    Points are only ever added, so if none that came since is among the first, these are the same.
    """
    if len(table) < before.count:
        return False
    at = before.count - 1
    last = (table["iteration"][at].as_py(), table["time"][at].as_py(), repr(table["value"][at].as_py()))
    return last == (before.last_iteration, before.last_time, before.last)


def _as_kept(point: Point) -> tuple[int, int, float | str]:
    """A point as MLflow keeps it, to be compared."""
    step, time, value = point
    if math.isnan(value):
        return step, time, "NaN"
    return step, time, min(max(value, -_LARGEST), _LARGEST)
