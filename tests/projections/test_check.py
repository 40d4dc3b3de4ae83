"""A view that is not what the log folds to is found and named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog import events
from eventlog.projections import TaskQuery, Views
from eventlog.projections.keys import task_key
from tests.projections.logs import OTHER, TASK, Log, close, created, scalar, views_of

Tamper = Callable[[Any, Any], object]


@pytest.fixture
def views(home: Path) -> Views:
    log = Log()
    batches = [
        log.add(1, [events.SessionStarted(1, "", "host", "user", 1), created(1), scalar(2, 1, 1.0)]),
        log.add(1, [created(3, OTHER, "other"), events.TextReported(4, TASK, "line"), scalar(5, 2, 2.0)]),
        log.add(
            2, [events.ModelCreated(6, "ab" * 16, "a model"), events.PlotReported(7, TASK, "a", "b", 1, "{}")]
        ),
        log.add(2, [events.MediaReported(8, TASK, "a", "b", 1, "image", "cd" * 32, 5, "a.png")]),
    ]
    return views_of(home, batches)


def change_last_byte(name: str) -> Tamper:
    def tamper(transaction: Any, environment: Any) -> None:
        with transaction.cursor(environment[name]) as cursor:
            cursor.first()
            key, data = bytes(cursor.key()), bytes(cursor.value())
        transaction.put(key, data[:-1] + bytes([data[-1] ^ 1]), db=environment[name])

    return tamper


def delete_first(name: str) -> Tamper:
    def tamper(transaction: Any, environment: Any) -> None:
        with transaction.cursor(environment[name]) as cursor:
            cursor.first()
            cursor.delete()

    return tamper


def add(name: str, key: bytes) -> Tamper:
    return lambda transaction, environment: transaction.put(key, b"\1\0", db=environment[name])


DATABASES = (
    "tasks",
    "models",
    "events",
    "sessions",
    "rows",
    "terms",
    "pages",
    "by_change",
    "series",
    "points",
    "text",
    "plots",
    "media",
    "report_batches",
)


# Of these, whatever is there too much is named by its key.
WHOLE = (
    "events",
    "models",
    "sessions",
    "text",
    "plots",
    "media",
    "by_change",
    "terms",
    "report_batches",
    "outlines",
)


def test_views_that_are_what_the_log_folds_to_have_no_differences(views: Views) -> None:
    told: list[tuple[int, int]] = []
    assert views.check(lambda done, total: told.append((done, total))) == []
    assert told
    close(views)


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("tamper", [change_last_byte, delete_first])
def test_a_changed_or_missing_byte_in_any_view_is_named_and_a_rebuild_mends_it(
    views: Views, name: str, tamper: Callable[[str], Tamper]
) -> None:
    environment = views._environment
    environment.write(lambda transaction: tamper(name)(transaction, environment))
    lines = views.check()
    assert lines
    assert all("\n" not in line for line in lines)
    views.rebuild()
    assert views.check() == []
    assert len(views.find()) == 2
    close(views)


@pytest.mark.parametrize("tamper", [change_last_byte, delete_first])
def test_a_changed_or_missing_outline_is_named_and_a_rebuild_mends_it(
    home: Path, tamper: Callable[[str], Tamper]
) -> None:
    log = Log()
    points = [scalar(2 + at, at, float(at)) for at in range(17_000)]
    views = views_of(home, [log.add(1, [created(1), *points])])
    assert views.check() == []
    views._environment.write(lambda transaction: tamper("outlines")(transaction, views._environment))
    assert any("outlines" in line for line in views.check())
    views.rebuild()
    assert views.check() == []
    close(views)


@pytest.mark.parametrize("name", WHOLE)
def test_what_the_log_does_not_fold_to_is_named(views: Views, name: str) -> None:
    environment = views._environment
    key = task_key(TASK) + b"x" * 20 if name != "terms" else b"tag\0x\0\0"
    environment.write(lambda transaction: add(name, key)(transaction, environment))
    lines = views.check()
    assert len(lines) == 1
    assert key.hex() in lines[0] or "tag x" in lines[0]
    close(views)


def test_of_very_many_differences_some_are_named_and_the_rest_counted(home: Path) -> None:
    log = Log()
    views = views_of(home, [log.add(1, [created(1 + at, f"{at:032x}") for at in range(50)])])
    views._environment.write(lambda transaction: transaction.drop(views._environment["events"], delete=False))
    lines = views.check()
    assert len(lines) == 21
    assert lines[-1] == "… and 30 more like it"
    close(views)


def test_what_has_not_been_folded_yet_is_no_difference(views: Views) -> None:
    log = Log(2)
    views.store.admit([log.add(1, [events.ProgressSet(9, TASK, 5), scalar(9, 3, 3.0)])])
    assert views.check() == []
    views.catch_up()
    assert views.check() == []
    views.catch_up(reports=True)
    assert views.check() == []
    assert views.find(TaskQuery(name="baseline"))[0].progress == 5
    close(views)
