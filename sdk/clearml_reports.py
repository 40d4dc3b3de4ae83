"""What a ClearML session reported, in ``metrics.jsonl`` and ``log.jsonl``, as events.

Each line is a list of reports as they were sent together; the form was read off sessions that ClearML 2.1
wrote. A line or a report that cannot be read is told, and the others go on.
"""

import heapq
import json
import math
import mimetypes
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from eventlog.errors import DataCorrupt, InputInvalid
from eventlog.events import (
    Event,
    MediaReported,
    PlotReported,
    ScalarReported,
    SingleValueReported,
    TextReported,
)
from eventlog.sdk.clearml_values import Problems, as_int, as_map, as_text, as_time, base_name, id_of, parsed
from eventlog.sdk.plain_text import INLINE_SIZE, cut_text
from eventlog.sdk.session_files import SessionFiles, lines
from eventlog.store import Store

__all__ = ["LOG", "METRICS", "SessionReports", "first_time"]

METRICS = "metrics.jsonl"
LOG = "log.jsonl"

# The iteration under which ClearML keeps numbers that have none, and their title.
_NO_ITERATION = -(1 << 31)
_SINGLE_VALUES = "Summary"
_LEVELS = {"notset": 0, "debug": 10, "verbose": 10, "info": 20, "warn": 30, "warning": 30, "error": 40,
           "fatal": 50, "critical": 50}  # fmt: skip
# About what an event takes, and all that are held to be put in order; in bytes.
_EVENT_SIZE = 500
_WINDOW_SIZE = 64 << 20
# A file with more of them is not one that ClearML wrote.
_MOST_UNREADABLE = 1000
_MEDIA = frozenset({"image", "audio", "video"})


class SessionReports:
    """The reports of a session.

    Args:
        files: the session's.
        store: takes texts and figures that are too long for an event.
        task: whose they are here.
        session: the id that the session gives its task.
        offset: added to iterations.
        keep: takes the file that a path means into the store; gives its digest, size and name, or None.
        read: the bytes of the file that a path means; None if there is none.
        problems: gets what cannot be read.

    Attributes:
        models: the ids, as the session gives them, of models that have reports.
    """

    def __init__(
        self,
        files: SessionFiles,
        store: Store,
        task: str,
        session: str,
        offset: int,
        keep: Callable[[str], tuple[str, int, str] | None],
        read: Callable[[str], bytes | None],
        problems: Problems,
    ) -> None:
        self.models: dict[str, None] = {}
        self._files = files
        self._store = store
        self._task = task
        self._session = session
        self._offset = offset
        self._keep = keep
        self._bytes_of = read
        self._problems = problems

    def __repr__(self) -> str:
        return f"<SessionReports of {self._session}>"

    def read(self, name: str, earliest: int) -> Iterator[Event]:
        """The reports in a file, in the order of their times.

        Args:
            earliest: a time that none is before.
        """
        return _in_order(self._read(name, earliest))

    def _read(self, name: str, earliest: int) -> Iterator[Event]:
        time = earliest
        for number, report in _reports(self._files, name, self._problems):
            where = f"{name} line {number}"
            found = as_time(report.get("timestamp"))
            if found is None:
                self._problems.add(f"{where}: a report without a time is given that of the one before")
            time = max(earliest, found if found is not None else time)
            try:
                event = self._event(report, time, where)
            except (DataCorrupt, InputInvalid) as error:
                self._problems.add(f"{where}: {error}")
                continue
            if event is not None:
                yield event

    def _event(self, report: Mapping[str, Any], time: int, where: str) -> Event | None:
        kind = report.get("type")
        if kind == "log":
            level = _LEVELS.get(as_text(report.get("level")).lower(), 20)
            text = as_text(report.get("msg"))
            short, blob = self._inline_or_blob(text)
            return TextReported(time, self._task, short, level, blob)
        iteration = as_int(report.get("iter", 0))
        if iteration is None:
            raise DataCorrupt(f"{as_text(report.get('iter'))[:50]!r} is no iteration")
        title, series = as_text(report.get("metric")), as_text(report.get("variant"))
        if max(len(title), len(series)) > INLINE_SIZE // 4:
            raise DataCorrupt(
                f"a name that begins with {title[:50]!r}, {series[:50]!r} is longer than 16 KiB"
            )
        task = self._task_of(report)
        if iteration != _NO_ITERATION:
            iteration = min(max(iteration + self._offset, -(1 << 63)), (1 << 63) - 1)
        if kind == "training_stats_scalar":
            value = report.get("value")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise DataCorrupt(f"the value of {title}/{series} is no number")
            number = (
                float(value)
                if abs(value) < 1e300 or isinstance(value, float)
                else math.inf
                if value > 0
                else -math.inf
            )
            if iteration == _NO_ITERATION and title == _SINGLE_VALUES and task == self._task:
                return SingleValueReported(time, task, series, number)
            return ScalarReported(time, task, title, series, iteration, number)
        if kind == "plot":
            return PlotReported(time, task, title, series, iteration, *self._figure(report.get("plot_str")))
        if kind == "training_debug_image":
            return self._medium(report, time, task, title, series, iteration)
        self._problems.add(f"{where}: a report of the kind {as_text(kind)[:50]!r} is not known here")
        return None

    def _task_of(self, report: Mapping[str, Any]) -> str:
        task = as_text(report.get("task"))
        if not report.get("model_event"):
            return self._task
        self.models[task] = None
        return id_of("model", task)

    def _figure(self, text: Any) -> tuple[str, str]:
        try:
            figure = parsed(text.encode()) if isinstance(text, str) else None
        except ValueError:
            figure = None
        if not isinstance(figure, dict):
            raise DataCorrupt("the figure of a plot is not JSON")
        if self._has_taken_pictures(figure):
            try:
                text = json.dumps(figure)
            except RecursionError:
                raise DataCorrupt("the figure of a plot is nested too deeply") from None
        short, blob = self._inline_or_blob(text)
        return ("", blob) if blob else (short, "")

    def _has_taken_pictures(self, figure: Mapping[str, Any]) -> bool:
        """Put the pictures that a figure shows, which are files of the session, into the figure itself.

        ClearML draws so what it cannot make a figure of Plotly from, and names the file by its path.
        """
        images = as_map(figure.get("layout")).get("images")
        has_taken = False
        for image in images if isinstance(images, list) else []:
            source = as_text(as_map(image).get("source"))
            if not source or source.startswith("data:"):
                continue
            data = self._bytes_of(source)
            if data is not None:
                kind = mimetypes.guess_type(base_name(source))[0] or "image/png"
                image["source"] = f"data:{kind};base64,{b64encode(data).decode()}"
                has_taken = True
            elif "://" not in source or source.startswith("file:"):
                self._problems.add(f"the picture of a plot is not in the session: {source[-200:]}")
        return has_taken

    def _medium(
        self, report: Mapping[str, Any], time: int, task: str, title: str, series: str, iteration: int
    ) -> Event | None:
        location = as_text(report.get("url"))
        name = base_name(location)
        kind = mimetypes.guess_type(name)[0] or ""
        first = "html" if kind == "text/html" else kind.partition("/")[0]
        kept = self._keep(location)
        names = (time, task, title, series, iteration, first if first in _MEDIA | {"html"} else "file")
        if kept is not None:
            return MediaReported(*names, *kept)
        if "://" in location and not location.startswith("file:"):
            return MediaReported(*names, "", 0, name, location)
        raise DataCorrupt(f"the file of {title}/{series} is not in the session: {location[-200:]}")

    def _inline_or_blob(self, text: str) -> tuple[str, str]:
        data = text.encode()
        if len(data) <= INLINE_SIZE:
            return text, ""
        return cut_text(text), self._store.blobs.put_bytes(data)


def _in_order(events: Iterator[Event]) -> Iterator[Event]:
    """Events in the order of their times, as far as a window of them goes that memory holds.

    ClearML sends reports of several kinds together, each in its order, so that they are never far apart.
    """
    window: list[tuple[int, int, int, Event]] = []
    held = 0
    for number, event in enumerate(events):
        size = _EVENT_SIZE + len(getattr(event, "figure", "")) + len(getattr(event, "text", ""))
        held += size
        heapq.heappush(window, (event.time, number, size, event))
        while held > _WINDOW_SIZE:
            _, _, size, first = heapq.heappop(window)
            held -= size
            yield first
    while window:
        yield heapq.heappop(window)[3]


def first_time(files: SessionFiles) -> int | None:
    """The time of the earliest first report, in milliseconds; None where there is none."""
    times = []
    for name in (METRICS, LOG):
        for _, report in _reports(files, name, Problems()):
            if (time := as_time(report.get("timestamp"))) is not None:
                times.append(time)
                break
    return min(times, default=None)


def _reports(files: SessionFiles, name: str, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    unreadable = 0
    try:
        for number, line in lines(files, name):
            if unreadable > _MOST_UNREADABLE:
                raise DataCorrupt(f"{name} has no reports in more than {_MOST_UNREADABLE} of its lines")
            try:
                reports = parsed(line) if line is not None else None
            except ValueError:
                problems.add(f"{name} line {number} is cut short or damaged, and is passed over")
                unreadable += 1
                continue
            for report in reports if isinstance(reports, list) else [reports]:
                if isinstance(report, dict):
                    yield number, report
                else:
                    problems.add(f"{name} line {number} is not a report, and is passed over")
                    unreadable += 1
    except (DataCorrupt, InputInvalid) as error:
        problems.add(f"{error}; what is behind it is not imported")
