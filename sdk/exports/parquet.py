"""The log as Parquet: tasks, parameters, scalars and events, a data set each that only gets what is new.

Scalars and events lie in parts (`eventlog.sdk.exports.parts`), which follow the chains of the stores. What
tasks are now is one small file, and their parameters another, so that whoever reads one finds each task once,
and all of them as of one moment. An export that was cut off anywhere leaves whole files, no row twice, and is
made good by the next.
"""

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.errors import DataCorrupt, InputInvalid, RemoteInvalid
from eventlog.projections import Views
from eventlog.projections.chain import Link, read_chain
from eventlog.sdk.exports.columns import EventRows, ScalarRows, events_of
from eventlog.sdk.exports.parts import Part, plan_parts
from eventlog.sdk.exports.schemas import EVENTS, SCALARS
from eventlog.sdk.exports.schemas import PARAMETERS as PARAMETERS_SCHEMA
from eventlog.sdk.exports.schemas import TASKS as TASKS_SCHEMA
from eventlog.sdk.exports.selection import Selection, Shown, shown_of
from eventlog.sdk.exports.target import PARAMETERS, TASKS, Target, TargetFile
from eventlog.sdk.exports.task_rows import TaskRows
from eventlog.store import Head, Store

if TYPE_CHECKING:
    from eventlog.projections import SessionState

__all__ = ["Exported", "export"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        url: where to.
        tasks, parameters, scalars, events: rows of the files that were written, old ones in them included.
        files, bytes: of these files.
        problems: what had to be left out, a line each.
    """

    url: str
    tasks: int
    parameters: int
    scalars: int
    events: int
    files: int
    bytes: int
    problems: tuple[str, ...]


def export(
    store: Store,
    url: str | os.PathLike[str],
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write what a store holds as Parquet, or what is new there since the last time.

    Args:
        url: a folder, or any URL that fsspec knows: empty, not there yet, or an export.
        selection: what to export; None for what was chosen the first time, by default all.
        progress: called as ``progress(done, total)``, in batches.

    Raises:
        RemoteInvalid, StoreNewer, RemoteUnreachable: it is not a place for an export, or cannot be written.
        InputInvalid: the export that is there is of another selection.
        DataCorrupt: a file there was not written by an export.
    """
    return _Export(store, url, selection, progress).run()


class _Export:
    def __init__(
        self,
        store: Store,
        url: str | os.PathLike[str],
        selection: Selection | None,
        progress: Progress | None,
    ) -> None:
        self._store = store
        self._target = Target(url, _scratch(store))
        self._chosen = selection
        self._progress = progress
        self._rows: defaultdict[str, int] = defaultdict(int)
        self._left_out: dict[tuple[str, int], str] = {}

    def run(self) -> Exported:
        target = self._target
        is_there = target.open()
        selection = self._selection(is_there=is_there)
        target.record.selection = selection
        # The views after the log: what they say of tasks is then at least as new as the batches.
        heads = self._store.heads()
        with Views.open(self._store) as views:
            views.catch_up()
            if not is_there:
                target.begin()
            target.look()
            self._refuse_more(heads)
            if self._is_new(heads):
                self._write(views, heads, shown_of(views, selection), selection)
        return Exported(
            url=target.url,
            tasks=self._rows["tasks"],
            parameters=self._rows["parameters"],
            scalars=self._rows["scalars"],
            events=self._rows["events"],
            files=target.files,
            bytes=target.bytes,
            problems=tuple(self._left_out.values()),
        )

    def _selection(self, *, is_there: bool) -> Selection:
        before = self._target.record.selection
        if not is_there:
            return self._chosen or Selection()
        if self._chosen not in (None, before):
            raise InputInvalid(
                f"{self._target.url} is an export of {before}: go on with it without choosing again, or name"
                " another folder"
            )
        return before

    def _refuse_more(self, heads: dict[bytes, Head]) -> None:
        """Make sure that all the batches that were exported are here, and the same."""
        known = {store.hex(): head for store, head in heads.items()}
        last = {part.store: part for part in self._target.parts()}
        for name, number in self._target.record.heads.items():
            if name not in known or known[name].number < number:
                raise self._has_more(name, number)
        for name, part in last.items():
            if name not in known or known[name].number < part.last:
                raise self._has_more(name, part.last)
            here = self._hash(part)
            if part.hash and here and here != part.hash:
                raise RemoteInvalid(
                    f"{self._target.url} holds another history of store {name} than this store: export to"
                    " another folder"
                )

    def _hash(self, part: Part) -> str:
        """The hash that the last batch of a part has here; "" if it cannot be read."""
        try:
            (batch,) = self._store.batches(bytes.fromhex(part.store), part.last, part.last)
        except DataCorrupt:
            return ""
        return batch.hash.hex()

    def _has_more(self, store: str, number: int) -> RemoteInvalid:
        return RemoteInvalid(
            f"{self._target.url} holds events of store {store} up to batch {number}, which are not here:"
            " `eventlog sync` first, or name another folder"
        )

    def _is_new(self, heads: dict[bytes, Head]) -> bool:
        record = self._target.record
        return (
            {store.hex(): head.number for store, head in heads.items()} != record.heads
            or bool(record.left_out)
            or record.showing is not None
            or not {TASKS, PARAMETERS} <= record.files.keys()
            or not self._is_whole(heads)
        )

    def _is_whole(self, heads: dict[bytes, Head]) -> bool:
        """Whether the parts that are there are all of the log: nobody has put back or taken away one."""
        reached: dict[str, int] = {}
        for part in self._target.parts():
            if part.first != reached.get(part.store, 0) or not self._target.is_even(part):
                return False
            reached[part.store] = part.last + 1
        return reached == {store.hex(): head.number + 1 for store, head in heads.items()}

    def _write(self, views: Views, heads: dict[bytes, Head], shown: Shown, selection: Selection) -> None:
        record = self._target.record
        again = self._to_write_again(views, shown)
        plan = [
            (part, head) for store, head in sorted(heads.items()) for part in self._plan(store, head, again)
        ]
        if record.shown != shown.first_times:
            # Parts may be of either until all are written.
            record.showing = shown.first_times
            self._target.write_record()
        self._write_parts(plan, shown, views.sessions())
        self._write_tasks(views, selection)
        record.shown, record.showing = shown.first_times, None
        record.heads = {store.hex(): head.number for store, head in heads.items()}
        record.left_out = sorted(self._left_out)
        self._target.write_record()

    def _to_write_again(self, views: Views, shown: Shown) -> set[str]:
        """The names of the parts whose rows are others by now: a task was reset, say."""
        record, parts = self._target.record, self._target.parts()
        again = {
            part.name
            for store, number in record.left_out
            for part in parts
            if part.store == store and part.first <= number <= part.last
        }
        again |= {part.name for part in parts if not self._target.is_even(part)}
        ids = shown.changed(record.shown)
        if record.showing is not None:
            ids |= shown.changed(record.showing)
        if not ids or not parts:
            return again
        views.catch_up(reports=True)
        of_sessions = {record.session: record.store.hex() for record in self._store.sessions()}
        by_store: defaultdict[str, list[Part]] = defaultdict(list)
        for part in parts:
            by_store[part.store].append(part)
        for about in ids:
            # Reports lie in batches that are known; of the few state events, the times.
            for batch in views.report_batches(about):
                of_store = by_store[batch.store.hex()]
                at = bisect_right(of_store, batch.number, key=attrgetter("first")) - 1
                again |= {part.name for part in of_store[max(at, 0) : at + 1] if batch.number <= part.last}
            for one in views.events(about, reports=False):
                of_store = by_store[of_sessions.get(one.session, "")]
                again |= {part.name for part in of_store if part.holds(one.event.time)}
        return again

    def _plan(self, store: bytes, head: Head, again: set[str]) -> Iterator[Part]:
        """The parts of a store that are to be written."""
        name = store.hex()
        parts = [part for part in self._target.parts() if part.store == name]
        if parts and parts[0].first:
            yield from plan_parts(name, self._links(store, 0, parts[0].first - 1, head))
        ends = [part.first - 1 for part in parts[1:]]
        for part, end in zip(parts, ends, strict=False):
            # Between the two lies what an export that was running at the same time has not seen.
            if part.name in again or part.last != end:
                yield from plan_parts(name, self._links(store, part.first, end, head), part)
        last = parts[-1] if parts else None
        if last is not None and (last.is_full or last.last == head.number):
            if last.name in again:
                yield from plan_parts(name, self._links(store, last.first, last.last, head), last)
            first, last = last.last + 1, None
        else:
            first = last.first if last is not None else 0
        for part in plan_parts(name, self._links(store, first, head.number, head), last):
            if part != last or part.name in again:
                yield part

    def _links(self, store: bytes, first: int, last: int, head: Head) -> Iterator[Link]:
        for link in read_chain(self._store, store, first, head):
            if link.number > last:
                return
            yield link

    def _write_parts(
        self, plan: list[tuple[Part, Head]], shown: Shown, sessions: dict[bytes, "SessionState"]
    ) -> None:
        total = sum(part.last - part.first + 1 for part, _ in plan)
        done = 0
        for part, head in plan:
            scalars, rows = ScalarRows(shown), EventRows(shown, sessions)
            with self._target.file(f"events/{part.name}", EVENTS, part) as file:
                for link in self._links(bytes.fromhex(part.store), part.first, part.last, head):
                    self._add(part.store, link, scalars, rows, file)
                    done += 1
                    if self._progress is not None:
                        self._progress(done, total)
                file.add(rows.rest())
                with self._target.file(f"scalars/{part.name}", SCALARS, part) as of_scalars:
                    of_scalars.add(scalars.tables())
                    of_scalars.put()
                # The events last: by them a part is known to be there.
                file.put()
            self._rows["scalars"] += of_scalars.rows
            self._rows["events"] += file.rows

    def _add(self, store: str, link: Link, scalars: ScalarRows, rows: EventRows, file: TargetFile) -> None:
        wrong = link.wrong
        if not wrong and link.batch is not None:
            try:
                events = events_of(link.batch)
            except DataCorrupt as error:
                wrong = str(error)
            else:
                scalars.add(events)
                file.add(rows.add(link.batch, events))
                return
        self._left_out[store, link.number] = f"{wrong}; the export leaves it out: run `eventlog verify`"

    def _write_tasks(self, views: Views, selection: Selection) -> None:
        target, rows = self._target, TaskRows()
        with (
            target.file(PARAMETERS, PARAMETERS_SCHEMA) as parameters,
            target.file(TASKS, TASKS_SCHEMA) as tasks,
        ):
            for state in views.every_task():
                changed = state.changed >= (selection.since or 0)
                if changed and selection.takes(state) and not state.is_deleted:
                    rows.add(state)
                    tasks.add(rows.full_tasks())
                    parameters.add(rows.full_parameters())
            tasks.add(rows.last_tasks())
            parameters.add(rows.last_parameters())
            # The tasks last: what one of them names is then there.
            for file, digest in ((parameters, rows.parameters_digest), (tasks, rows.tasks_digest)):
                if target.digest(file.name) != digest:
                    file.put(digest)
                    self._rows[file.name.partition("/")[0]] = file.rows


def _scratch(store: Store) -> Path | None:
    """A folder for files that are not whole yet; in the store's own, what a killed export leaves is swept."""
    if store.read_only:
        return None
    folder = store.blobs.temporary
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
