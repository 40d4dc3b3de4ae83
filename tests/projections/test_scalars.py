"""Scalar series: every point, in one order, however it came."""

import math
import random
import struct
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from eventlog import events
from eventlog.errors import NotFound
from eventlog.events import Event, ScalarReported
from eventlog.projections import SeriesSummary, Views
from eventlog.projections.keys import task_key
from eventlog.projections.scalars import series_key
from eventlog.store import Store
from tests.projections.logs import OTHER, TASK, Log, close, created, scalar, views_of


def points(views: Views, task: str = TASK, series: str = "train") -> list[tuple[int, int, bytes]]:
    """The points as (time, iteration, bits of the value)."""
    table = views.scalars(task, "loss", series)
    assert table.column_names == ["iteration", "time", "value"]
    assert [str(kind) for kind in table.schema.types] == ["int64", "int64", "double"]
    rows = table.to_pydict()
    values = [struct.pack(">d", value) for value in rows["value"]]
    return list(zip(rows["time"], rows["iteration"], values, strict=True))


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


def caught_up_in_steps(home: Path, deliveries: list[list[Event]]) -> Views:
    """Views that were caught up after each delivery, each a batch of another session."""
    log, store = Log(), Store.open(home)
    views = Views.open(store)
    store.admit([log.add(1, [created(1)])])
    for number, delivery in enumerate(deliveries):
        store.admit([log.add(number % 250 + 2, delivery)])
        views.catch_up(reports=True)
    return views


def test_a_series_is_its_points_in_columns(home: Path) -> None:
    log = Log()
    batches = [
        log.add(1, [created(1), scalar(2, 0, 0.5), scalar(2, 0, 7.0, series="test")]),
        log.add(1, [scalar(3, 1, 0.25), scalar(3, 1, 9.0, task=OTHER)]),
    ]
    views = views_of(home, batches)
    assert points(views) == [(2, 0, bits(0.5)), (3, 1, bits(0.25))]
    assert points(views, series="test") == [(2, 0, bits(7.0))]
    close(views)


def test_points_are_ordered_by_time_iteration_and_value_whatever_the_order_they_came_in(home: Path) -> None:
    values = [0.0, -0.0, 1.0, -1.0, -2.0, math.inf, -math.inf, math.nan, -math.nan]
    reported = [
        scalar(time, iteration, value) for time in (5, 6) for iteration in (-1, 2) for value in values
    ]
    random.Random(1).shuffle(reported)
    # A session's own reports are in the order of time.
    parts = [reported[:10], reported[10:11], reported[11:30], reported[30:]]
    ascending = [-math.nan, -math.inf, -2.0, -1.0, -0.0, 0.0, 1.0, math.inf, math.nan]
    for name, deliveries in {
        "at once": [reported],
        "in parts": parts,
    }.items():
        in_time = [sorted(delivery, key=lambda event: event.time) for delivery in deliveries]
        views = caught_up_in_steps(home / name, in_time)
        assert points(views) == [
            (time, iteration, bits(value)) for time in (5, 6) for iteration in (-1, 2) for value in ascending
        ]
        close(views)


def test_of_points_at_one_time_and_iteration_the_last_is_that_of_the_largest_value(home: Path) -> None:
    for number, values in enumerate(([-1.0, -2.0], [-2.0, -1.0], [-1.0, -math.inf, -1.0])):
        for name, deliveries in {
            "at once": [[scalar(5, 1, value) for value in values]],
            "in parts": [[scalar(5, 1, value)] for value in values],
        }.items():
            views = caught_up_in_steps(home / f"{number} {name}", deliveries)
            assert [one.last for one in views.series(TASK)] == [-1.0]
            close(views)


def test_points_that_come_late_find_their_place(home: Path) -> None:
    views = caught_up_in_steps(home, [[scalar(9, 9, 9.0)], [scalar(3, 3, 3.0)], [scalar(6, 6, 6.0)]])
    assert [time for time, _, _ in points(views)] == [3, 6, 9]
    (summary,) = views.series(TASK)
    assert (summary.first_time, summary.last_time, summary.last) == (3, 9, 9.0)
    close(views)


def test_equal_points_are_all_kept(home: Path) -> None:
    views = caught_up_in_steps(home, [[scalar(5, 1, 1.0)] * 3, [scalar(5, 1, 1.0)] * 2])
    assert points(views) == [(5, 1, bits(1.0))] * 5
    close(views)


def test_iterations_beyond_64_bits_do_not_break_a_series(home: Path) -> None:
    views = caught_up_in_steps(home, [[scalar(5, (1 << 64) - 1, 1.0), scalar(6, -(1 << 63), 2.0)]])
    assert [iteration for _, iteration, _ in points(views)] == [(1 << 63) - 1, -(1 << 63)]
    close(views)


def test_many_small_catch_ups_leave_few_large_chunks_and_every_point(home: Path) -> None:
    deliveries: list[list[Event]] = []
    count = 0
    for size in [*([700] * 20), *([1] * 40), 70_000, *([300] * 30), 140_000, 5]:
        deliveries.append([scalar(10 + count + at, count + at, float(count + at)) for at in range(size)])
        count += size
    views = caught_up_in_steps(home, deliveries)
    assert points(views) == [(10 + at, at, bits(float(at))) for at in range(count)]
    environment = views._environment
    with environment.read() as transaction:
        chunks = transaction.stat(environment["points"])["entries"]
    assert chunks <= 20
    assert views.check() == []
    close(views)


def test_a_summary_says_what_the_points_amount_to(home: Path) -> None:
    deliveries: list[list[Event]] = [
        [scalar(5, 7, 3.0), scalar(6, 5, math.nan)],
        [scalar(9, 6, -2.0), scalar(9, 5, 8.0)],
        [scalar(4, 6, math.inf)],
    ]
    expected = SeriesSummary("loss", "train", 5, 5, 7, 4, 9, -2.0, -2.0, math.inf, 6, 2)
    for number, order in enumerate(([0, 1, 2], [2, 0, 1], [1, 2, 0])):
        views = caught_up_in_steps(home / str(number), [deliveries[at] for at in order])
        assert views.series(TASK) == [expected]
        close(views)


def test_the_extremes_are_of_numbers_and_zero_has_no_sign(home: Path) -> None:
    views = caught_up_in_steps(
        home,
        [
            [scalar(5, 1, math.nan, series="nan")],
            [scalar(5, 1, math.inf, series="inf"), scalar(6, 1, -math.inf, series="inf")],
            [scalar(5, 1, -0.0, series="zero"), scalar(6, 1, 0.0, series="zero")],
        ],
    )
    infinite, nan, zero = views.series(TASK)
    assert (infinite.minimum, infinite.maximum) == (-math.inf, math.inf)
    assert math.isnan(nan.minimum)
    assert math.isnan(nan.maximum)
    assert [math.copysign(1, one) for one in (zero.minimum, zero.maximum)] == [1, 1]
    close(views)


def test_points_from_before_a_reset_are_not_shown(home: Path) -> None:
    log = Log()
    batches = [
        log.add(1, [created(1), scalar(2, 0, 5.0), scalar(2, 0, 1.0, series="old")]),
        log.add(1, [events.TaskReset(3, TASK), scalar(3, 0, -0.0), scalar(4, 1, math.nan)]),
    ]
    views = views_of(home, batches)
    assert points(views) == [(3, 0, bits(-0.0)), (4, 1, bits(math.nan))]
    (summary,) = views.series(TASK)
    assert (summary.count, summary.first_time, summary.first_iteration, summary.last_iteration) == (
        2,
        3,
        0,
        1,
    )
    assert (summary.minimum, summary.maximum, math.isnan(summary.last)) == (0.0, 0.0, True)
    assert math.copysign(1, summary.minimum) == 1
    with pytest.raises(NotFound, match="has no scalars 'loss' / 'old'"):
        views.scalars(TASK, "loss", "old")
    close(views)


@pytest.mark.parametrize("times", [[3], [5, 1], [1, 5, 2], [1, 2, 3], [1, 2]])
def test_no_point_from_after_a_reset_is_lost_wherever_it_lies(home: Path, times: list[int]) -> None:
    views = caught_up_in_steps(home, [[scalar(time, 0, 1.0)] for time in times])
    views.store.admit([Log(2).add(1, [events.TaskReset(3, TASK)])])
    views.catch_up()
    shown = sorted(time for time in times if time >= 3)
    if shown:
        assert [time for time, _, _ in points(views)] == shown
    assert [one.count for one in views.series(TASK)] == ([len(shown)] if shown else [])
    close(views)


def test_a_summary_after_a_reset_is_that_of_points_which_never_had_any_before(home: Path) -> None:
    values = [0.0, -0.0, 1.0, math.nan, -math.inf]
    after = [scalar(9, iteration, value) for iteration in (3, 1, 2) for value in values]
    whole, reset = Log(), Log()
    plain = views_of(home / "plain", [whole.add(1, [created(1), *after])])
    again = views_of(
        home / "again", [reset.add(1, [created(1), scalar(2, 9, 9.0), events.TaskReset(3, TASK), *after])]
    )
    assert repr(_fields(again)) == repr(_fields(plain))
    close(plain)
    close(again)


def _fields(views: Views) -> tuple[Any, ...]:
    (summary,) = views.series(TASK)
    return tuple(getattr(summary, name) for name in summary.__struct_fields__)


def test_titles_and_series_are_told_apart_whatever_they_hold(home: Path) -> None:
    pairs = [("a", "b/c"), ("a/b", "c"), ("", "a"), ("a", ""), ("a\0", "b"), ("a", "\0b"), ("ü" * 700, "x")]
    assert len({series_key(*pair) for pair in pairs}) == len(pairs)
    log = Log()
    reported = [
        events.ScalarReported(2, TASK, title, series, at, 1.0) for at, (title, series) in enumerate(pairs)
    ]
    views = views_of(home, [log.add(1, [created(1), *reported])])
    assert [(one.title, one.series) for one in views.series(TASK)] == sorted(pairs)
    for at, (title, series) in enumerate(pairs):
        assert views.scalars(TASK, title, series)["iteration"].to_pylist() == [at]
    close(views)


def test_a_task_or_series_that_is_not_there_is_named(home: Path) -> None:
    views = views_of(home, [Log().add(1, [created(1)])])
    assert views.series(TASK) == []
    with pytest.raises(NotFound, match="has no scalars"):
        views.scalars(TASK, "loss", "train")
    with pytest.raises(NotFound, match=f"no task {OTHER}"):
        views.series(OTHER)
    with pytest.raises(NotFound, match=f"no task {OTHER}"):
        views.scalars(OTHER, "loss", "train")
    close(views)


def long_series(count: int, seed: int = 0) -> list[Event]:
    rng = random.Random(seed)
    return [scalar(10 + at, at, rng.gauss(0, 1)) for at in range(count)]


def extremes(points: Iterable[tuple[int, float]], count: int, stretches: int) -> list[set[tuple[int, float]]]:
    """The corners of what a curve does in each of some stretches of iterations."""
    of_stretches: list[list[tuple[int, float]]] = [[] for _ in range(stretches)]
    for iteration, value in points:
        of_stretches[iteration * stretches // count].append((iteration, value))
    by_value = itemgetter(1)
    return [{its[0], its[-1], min(its, key=by_value), max(its, key=by_value)} for its in of_stretches]


@pytest.mark.parametrize("count", [3, 1000, 5000, 40_960])
def test_an_outline_draws_like_all_points(home: Path, count: int) -> None:
    given_events = long_series(count)
    views = caught_up_in_steps(home, [given_events[first : first + 9000] for first in range(0, count, 9000)])
    outline = views.outline(TASK, "loss", "train", 20)
    assert outline is not None
    stretches = min(count, 20)
    whole = [(event.iteration, event.value) for event in given_events if isinstance(event, ScalarReported)]
    assert set(outline) <= set(whole)
    assert len(outline) <= max(8 * stretches, 4 * (count // 1024 + 10))
    assert extremes(outline, count, stretches) == extremes(whole, count, stretches)
    close(views)


def test_an_outline_of_a_long_series_leaves_most_points_unread(home: Path) -> None:
    given_events = long_series(70_000)
    views = caught_up_in_steps(home, [given_events[:40_000], given_events[40_000:]])
    environment = views._environment
    outline = views.outline(TASK, "loss", "train", 20)
    assert outline is not None
    environment.write(lambda transaction: transaction.drop(environment["points"], delete=False))
    environment.write(
        lambda transaction: [
            transaction.put(
                task_key(TASK) + series_key("loss", "train") + bytes([0, 0, 0, at]),
                b"not read",
                db=environment["points"],
            )
            for at in range(2)
        ]
    )
    assert views.outline(TASK, "loss", "train", 20) == outline
    close(views)


def test_where_an_outline_cannot_tell_it_is_none(home: Path) -> None:
    given_events = long_series(10_000)
    late: list[list[Event]] = [given_events[5000:], given_events[:5000]]
    odd: list[list[Event]] = [[*given_events, scalar(20_000, 20_000, math.inf)]]
    reset: list[list[Event]] = [[*given_events, events.TaskReset(20_000, TASK), scalar(20_001, 1, 1.0)]]
    for number, deliveries in enumerate((late, odd, reset)):
        views = caught_up_in_steps(home / str(number), deliveries)
        assert views.outline(TASK, "loss", "train", 20) is None
        close(views)
