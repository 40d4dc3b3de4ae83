"""Whether the views are what the log folds to: fold it again beside them, and compare.

States, events, sessions, text, plots, media and what says where reports lie are compared byte for byte. The
chunks of series, and the ordinals of the index, depend on when the views were caught up; so of series the
points are compared; outlines and the index are compared with what follows from what they are of.
"""

from collections.abc import Iterator
from typing import Any

from eventlog.projections import bitmaps, pages, scalars
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.index import ORDINAL, count_tasks, read_row
from eventlog.projections.keys import time_key
from eventlog.projections.outlines import outline_of
from eventlog.projections.point_chunks import unpack
from eventlog.projections.query import TaskRow
from eventlog.projections.runner import REPORTS, STATES, Progress, catch_up, has_version, read_checkpoints
from eventlog.projections.states import TaskRecord, read_plain_state
from eventlog.projections.terms import stored_terms, terms_of
from eventlog.store import Store

__all__ = ["check"]

# Of many differences of one sort, so many are named.
_NAMED = 20


def check(store: Store, live: ViewsEnvironment, progress: Progress | None) -> list[str]:
    """The differences between the live views and what the log folds to, a line each."""
    scratch = ViewsEnvironment.temporary()
    try:
        # One snapshot of the live views: other processes go on.
        with live.read() as mine:
            differences = []
            ends = {}
            for stream in (STATES, REPORTS):
                if not has_version(mine, live, stream):
                    return ["the views were folded by another version of eventlog: run `eventlog rebuild`"]
                checkpoints = read_checkpoints(mine, live, stream)
                ends[stream.name] = {key: checkpoint.next for key, checkpoint in checkpoints.items()}
            for stream in (STATES, REPORTS):
                differences += catch_up(store, scratch, (stream,), progress, ends[stream.name])
            with scratch.read() as other:

                def whole(name: str) -> Iterator[str]:
                    words = name.replace("_", " ")
                    return _compare(words, _raw(mine, live[name]), _raw(other, scratch[name]))

                for found in (
                    _compare("tasks", _tasks(mine, live), _tasks(other, scratch)),
                    whole("events"),
                    whole("models"),
                    whole("sessions"),
                    _index(mine, live),
                    whole("series"),
                    _compare("points", _points(mine, live), _points(other, scratch)),
                    _outlines(mine, live),
                    whole("text"),
                    whole("plots"),
                    whole("media"),
                    whole("report_batches"),
                ):
                    differences += _some(found)
        return differences
    finally:
        scratch.close()


Items = Iterator[tuple[bytes, bytes]]


def _raw(transaction: Any, database: Any) -> Items:
    with transaction.cursor(database) as cursor:
        yield from cursor


def _tasks(transaction: Any, environment: ViewsEnvironment) -> Items:
    for key, data in _raw(transaction, environment["tasks"]):
        record = TaskRecord.unpack(data)
        yield key, record.last + record.execution + record.state


def _points(transaction: Any, environment: ViewsEnvironment) -> Items:
    for key, _ in _raw(transaction, environment["series"]):
        table = scalars.read_scalars(transaction, environment, key, None)
        columns = (chunk for column in table.columns for chunk in column.chunks)
        yield key, b"".join(chunk.buffers()[1].to_pybytes() for chunk in columns)


def _outlines(transaction: Any, environment: ViewsEnvironment) -> Iterator[str]:
    """What is wrong with the outlines, by the chunks that they are of."""
    for key, data in _raw(transaction, environment["points"]):
        outline = outline_of(unpack(data))
        if transaction.get(key, db=environment["outlines"]) != (outline and outline.pack()):
            yield f"outlines: {key.hex()} is not that of its chunk"
    for key, _ in _raw(transaction, environment["outlines"]):
        if transaction.get(key, db=environment["points"]) is None:
            yield f"outlines: {key.hex()} is of no chunk"


def _compare(name: str, live: Items, folded: Items) -> Iterator[str]:
    """Walk two views side by side, both in the order of their keys."""
    mine, other = next(live, None), next(folded, None)
    while mine is not None or other is not None:
        if other is None or (mine is not None and mine[0] < other[0]):
            assert mine is not None
            yield f"{name}: {mine[0].hex()} is in the views, but the log does not fold to it"
            mine = next(live, None)
        elif mine is None or other[0] < mine[0]:
            yield f"{name}: {other[0].hex()} is missing in the views"
            other = next(folded, None)
        else:
            if mine[1] != other[1]:
                yield f"{name}: {mine[0].hex()} is not what the log folds to"
            mine, other = next(live, None), next(folded, None)


def _index(transaction: Any, environment: ViewsEnvironment) -> Iterator[str]:
    """What is wrong with the index, by the states that it is for."""
    rows: dict[int, tuple[bytes, TaskRow]] = {}
    for key, data in _raw(transaction, environment["tasks"]):
        state = read_plain_state(transaction, environment, key)
        assert state is not None
        rows[TaskRecord.unpack(data).ordinal] = key, TaskRow.of(state)
    size = count_tasks(transaction, environment)
    if sorted(rows) != list(range(size)):
        yield f"index: {len(rows)} tasks, but {size} rows"
        return
    members: dict[bytes, list[int]] = {}
    strings: dict[str, list[str]] = {field: [] for field in pages.FIELDS}
    by_change = []
    for ordinal in range(size):
        key, row = rows[ordinal]
        if read_row(transaction, environment, ordinal) != row:
            yield f"index: the row of task {row.id} is not that of its state"
        for term in terms_of(row):
            members.setdefault(term, []).append(ordinal)
        for field, (_, of) in pages.FIELDS.items():
            strings[field].append(of(row))
        by_change.append((time_key(row.changed) + key, ORDINAL.pack(ordinal)))
    expected = {term: bitmaps.from_numbers(ordinals, size) for term, ordinals in members.items()}
    stored: dict[bytes, int] = {}
    for term, bits in stored_terms(transaction, environment["terms"]):
        stored[term] = stored.get(term, 0) | bits
    for term in sorted(expected.keys() | stored.keys()):
        if expected.get(term) != stored.get(term):
            words = term.replace(b"\0", b" ").decode(errors="replace")
            yield f"index: the tasks found by {words} are not those that have it"
    for field in pages.FIELDS:
        if pages.stored_strings(transaction, environment["pages"], field) != strings[field]:
            yield f"index: what is searched for a {field} is not what the tasks say"
    yield from _compare("changes", _raw(transaction, environment["by_change"]), iter(sorted(by_change)))


def _some(found: Iterator[str]) -> list[str]:
    lines = list(found)
    if len(lines) > _NAMED:
        lines[_NAMED:] = [f"… and {len(lines) - _NAMED} more like it"]
    return lines
