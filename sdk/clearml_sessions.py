"""Sessions that ClearML's offline mode wrote, as tasks here.

A session is a folder, or a zip file of it: ``task.json`` says what the task is, ``metrics.jsonl`` and
``log.jsonl`` what it reported, ``data/`` and ``models/`` have the files. It comes from elsewhere, so nothing
in it is believed: paths in it only serve to find files that are there, and no pickle is loaded.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from eventlog.clock import wall_clock
from eventlog.errors import DataCorrupt, InputInvalid
from eventlog.events import ArtifactUploaded, Event, ModelCreated, ModelLinked, ModelWeightsSet
from eventlog.sdk.clearml_reports import LOG, METRICS, SessionReports, first_time
from eventlog.sdk.clearml_task import TaskFacts
from eventlog.sdk.clearml_values import (
    Problems,
    as_int,
    as_map,
    as_text,
    as_texts,
    as_time,
    base_name,
    file_of,
    id_of,
    read_json,
)
from eventlog.sdk.imported_log import ImportedLog
from eventlog.sdk.plain_text import cut_text
from eventlog.sdk.session_files import SessionFiles, fingerprint
from eventlog.store import Store

__all__ = ["TASK", "ClearmlSession"]

TASK = "task.json"
_LARGEST_TASK = 64 << 20
_LARGEST_PICTURE = 32 << 20
_PIECE = 1 << 20
_KINDS = {"custom": "file", "archive": "folder", "string": "text", "data-audit-table": "pandas"}
# How the bytes of an artifact are read back, by what its file is called; the first that fits.
_FORMATS = {
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".npz": "npz",
    ".parquet": "parquet",
    ".feather": "feather",
    ".pkl": "pkl",
    ".pickle": "pkl",
    ".zip": "zip",
}


class ClearmlSession:
    """A session that is being imported.

    Args:
        store: where to.
        files: the session's.
        previous: id of a task to go on with, or "".
        after: time of the last event about that task, in milliseconds.
        offset: added to iterations.
        progress: gets the number of bytes of each piece of work.

    Attributes:
        task: the id that the task has here.
        problems: what could not be read.

    Raises:
        DataCorrupt, InputInvalid: what the task is cannot be read.
    """

    def __init__(
        self,
        store: Store,
        files: SessionFiles,
        previous: str = "",
        after: int = 0,
        offset: int = 0,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._files = files
        self._data = as_map(read_json(files, TASK, _LARGEST_TASK))
        self._identity = as_text(self._data.get("id")) or _named_after(files.path)
        self._folder = as_text(self._data.get("offline_folder"))
        self._offset = offset
        self._previous = previous
        self._after = after
        self._progress = progress
        self._kept: dict[str, tuple[str, int, str]] = {}
        self._problems = Problems()
        self.blobs = 0
        # With its iterations shifted it is another task, or importing it both ways would mix the two.
        shifted = f" {offset:+d}" if offset else ""
        self.task = previous or id_of(f"session{shifted}", self._identity)

    def __repr__(self) -> str:
        return f"<ClearmlSession {self._identity} at {self._files.path}>"

    @property
    def problems(self) -> list[str]:
        """What could not be read: a line each."""
        return self._problems.told()

    def let_in(self) -> int:
        """Import what was not imported before; returns how many events are new.

        Raises:
            StoreFull, StoreReadOnly: the store cannot take it. What was let in is whole; the next import
                goes on from there.
        """
        aim = f" as {self._previous}" if self._previous else ""
        shifted = f" {self._offset:+d}" if self._offset else ""
        mark = fingerprint(self._files, self._progress)
        log = ImportedLog(self._store, f"clearml {self._identity}{aim}{shifted}", mark)
        for event in self._events():
            log.add(event)
        return log.finish()

    def _events(self) -> Iterator[Event]:
        data = self._data
        facts = TaskFacts(self._store, data, self.task, self._problems, continues=bool(self._previous))
        started = self._started()
        reports = SessionReports(
            self._files,
            self._store,
            self.task,
            self._identity,
            self._offset,
            self._keep,
            self._picture,
            self._problems,
        )
        last = started
        if not self._previous:
            yield from facts.beginning(started)
        streams = (
            reports.read(METRICS, started),
            reports.read(LOG, started),
            iter(sorted(self._artifacts(started), key=_time_of)),
        )
        for event in heapq.merge(*streams, key=_time_of):
            last = max(last, event.time)
            yield event
        last = max(last, as_time(data.get("completed")) or 0)
        if self._previous:
            # What the task was before is left as it was up to here.
            last = max(last, self._after)
            yield from facts.beginning(last)
        yield from self._models(last, reports, facts.project)
        yield from facts.end(last)

    def _started(self) -> int:
        data = self._data
        artifacts = _entries(as_map(data.get("execution")).get("artifacts"))
        # In whole seconds, so that these may be before what came before them.
        times = (as_time(entry.get("timestamp"), per_second=1) for entry in artifacts)
        for time in (as_time(data.get("started")), as_time(data.get("created")), first_time(self._files)):
            if time is not None:
                return time
        return min((time for time in times if time is not None), default=wall_clock())

    def _artifacts(self, earliest: int) -> Iterator[Event]:
        for entry in _entries(as_map(self._data.get("execution")).get("artifacts")):
            key = as_text(entry.get("key"))
            time = max(earliest, as_time(entry.get("timestamp"), per_second=1) or 0)
            try:
                yield self._artifact(entry, key, time)
            except (DataCorrupt, InputInvalid) as error:
                self._problems.add(f"the artifact '{key[:200]}' is not imported: {error}")

    def _artifact(self, entry: Mapping[str, Any], key: str, time: int) -> Event:
        location = as_text(entry.get("uri"))
        about = as_map(entry.get("type_data"))
        said = as_text(entry.get("type"))
        kept = self._keep(location)
        url = ""
        if kept is None:
            if "://" not in location or location.startswith("file:"):
                raise DataCorrupt(f"its file is not in the session: {location[-200:]}")
            kept, url = ("", as_int(entry.get("content_size")) or 0, base_name(location)), location
        digest = as_text(entry.get("hash"))
        if kept[0] and digest and digest != kept[0]:
            self._problems.add(f"the artifact '{key[:200]}' has other bytes than when it was recorded")
        kind = "url" if url and said == "custom" else _KINDS.get(said, said or "file")
        return ArtifactUploaded(
            time,
            self.task,
            key,
            kind,
            *kept,
            format="" if url else _format_of(said, kept[2]),
            preview=cut_text(as_text(about.get("preview")), 20_000),
            metadata=_metadata(entry.get("display_data")),
            url=url,
            content_type=as_text(about.get("content_type")),
        )

    def _models(self, time: int, reports: SessionReports, project: str) -> Iterator[Event]:
        described: set[str] = set()
        for entry in _entries(self._data.get("offline_output_models")):
            identity = as_text(entry.get("id"))
            if not identity:
                self._problems.add("task.json: a model without an id is not imported")
                continue
            described.add(identity)
            yield from self._model(time, identity, entry, project)
        for identity in reports.models.keys() - described:
            # ClearML writes down what a model is only once it has weights.
            model = id_of("model", identity)
            yield ModelCreated(time, model, f"model of {self._identity}", project, self.task)
            yield ModelLinked(time, self.task, model, "output", "")

    def _model(self, time: int, identity: str, entry: Mapping[str, Any], project: str) -> Iterator[Event]:
        made, weights = as_map(entry.get("init")), as_map(entry.get("weights"))
        model = id_of("model", identity)
        name = as_text(made.get("name")) or as_text(weights.get("model_name")) or identity
        numbers = as_map(made.get("label_enumeration")).items()
        yield ModelCreated(
            time,
            model,
            name,
            project,
            self.task,
            as_text(made.get("framework")),
            cut_text(as_text(made.get("comment"))),
            sorted(as_texts(made.get("tags"))),
            cut_text(as_text(made.get("config_text"))),
            {label: number for label, value in numbers if (number := as_int(value)) is not None},
        )
        yield ModelLinked(time, self.task, model, "output", name)
        location, url = as_text(weights.get("weights_filename")), as_text(weights.get("register_uri"))
        iteration = as_int(weights.get("iteration"))
        if iteration is not None:
            iteration += self._offset
        if url:
            yield ModelWeightsSet(time, model, "", 0, base_name(url), "", url, iteration, self.task)
        elif location:
            try:
                kept = self._keep(location)
            except (DataCorrupt, InputInvalid) as error:
                self._problems.add(f"the weights of model '{name[:200]}' are not imported: {error}")
                return
            if kept is None:
                self._problems.add(
                    f"the weights of model '{name[:200]}' are not in the session: {location[-200:]}"
                )
                return
            form = "zip" if weights.get("is_package") and kept[2].endswith(".zip") else ""
            yield ModelWeightsSet(time, model, *kept, form, "", iteration, self.task)

    def _keep(self, location: str) -> tuple[str, int, str] | None:
        """Take the file of the session that a path means into the store; None if there is none.

        Returns:
            Its SHA-256, its size, and what to call a copy.
        """
        name = file_of(self._files, location, self._folder, self._identity)
        if not name:
            return None
        kept = self._kept.get(name)
        if kept is None:
            with self._files.open(name) as file, self._store.blobs.writer() as writer:
                while piece := file.read(_PIECE):
                    if writer.size + len(piece) > self._files.sizes[name]:
                        raise DataCorrupt(f"{name} has more bytes than were listed")
                    writer.write(piece)
                    self._progress(len(piece))
            self.blobs += 1
            kept = self._kept[name] = (writer.digest, writer.size, base_name(name))
        return kept

    def _picture(self, location: str) -> bytes | None:
        """The bytes of the session's file that a path means; None if there is none."""
        name = file_of(self._files, location, self._folder, self._identity)
        if not name:
            return None
        size = self._files.sizes[name]
        if size <= _LARGEST_PICTURE:
            with self._files.open(name) as file:
                data = file.read(size + 1)
        if size > _LARGEST_PICTURE or len(data) > size:
            raise DataCorrupt(f"{name} is larger than the picture of a plot can be")
        self._progress(len(data))
        return data


def _named_after(path: Path) -> str:
    return path.name.removesuffix(".zip")


def _time_of(event: Event) -> int:
    return event.time


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _format_of(kind: str, name: str) -> str:
    """How an artifact's bytes are read back; "" for a plain file, whatever it is called."""
    if kind == "string":
        return "text"
    if kind == "image":
        return "image"
    if kind == "data-audit-table":
        return "csv.gz"
    if kind == "pandas" and name.endswith(".csv.gz"):
        # ClearML writes the frame's index as the first column.
        return "csv.gz+1"
    if kind in ("custom", ""):
        return ""
    return next((form for ending, form in _FORMATS.items() if name.endswith(ending)), "")


def _metadata(value: Any) -> dict[str, str]:
    pairs = value if isinstance(value, list) else []
    return {as_text(pair[0]): as_text(pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2}
