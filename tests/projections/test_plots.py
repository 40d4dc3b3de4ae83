"""Plots and media: the last report of each title, series and iteration, however its batches came."""

import itertools
from pathlib import Path

import pytest

from eventlog import events
from eventlog.errors import NotFound
from eventlog.projections import Media, Plot, TaskQuery, Views
from eventlog.store import Store
from tests.projections.logs import OTHER, TASK, Log, close, created, views_of


def plot(time: int, title: str, series: str, iteration: int, figure: str, task: str = TASK) -> events.Event:
    return events.PlotReported(time, task, title, series, iteration, figure)


def image(time: int, title: str, series: str, iteration: int, blob: str, task: str = TASK) -> events.Event:
    return events.MediaReported(time, task, title, series, iteration, "image", blob, 5, "a.png")


def test_the_last_report_of_a_title_a_series_and_an_iteration_is_shown(home: Path) -> None:
    log = Log()
    batches = [
        log.add(1, [created(1), plot(2, "roc", "test", 2, "old"), plot(3, "roc", "test", 2, "new")]),
        log.add(2, [plot(2, "roc", "train", 1, "a"), plot(3, "roc", "test", -1, "b")]),
        log.add(1, [plot(4, "loss", "ü", 10, "c"), plot(4, "roc", "test", 10, "x" * 5000)]),
        log.add(1, [image(5, "roc", "test", 2, "aa"), image(5, "roc", "test", 2, "bb")]),
        log.add(1, [plot(6, "roc", "test", 2, "of another", OTHER), created(6, OTHER)]),
    ]
    views = views_of(home, batches)
    assert views.plots(TASK) == [
        Plot("loss", "ü", 10, 4, "c"),
        Plot("roc", "test", -1, 3, "b"),
        Plot("roc", "test", 2, 3, "new"),
        Plot("roc", "test", 10, 4, "x" * 5000),
        Plot("roc", "train", 1, 2, "a"),
    ]
    assert views.media(TASK) == [Media("roc", "test", 2, 5, "image", "bb", 5, "a.png")]
    close(views)


@pytest.mark.parametrize(
    ("title", "series", "found"),
    [
        (None, None, "abcd"),
        ("t", None, "ab"),
        ("t", "s", "a"),
        (None, "s", "ac"),
        ("s", None, ""),
        ("t", "", ""),
    ],
)
def test_plots_and_media_are_found_by_title_and_series(
    home: Path, title: str | None, series: str | None, found: str
) -> None:
    names = {"a": ("t", "s"), "b": ("t", "r"), "c": ("u", "s"), "d": ("v", "q")}
    reports = [make(2, *name, 1, what) for what, name in names.items() for make in (plot, image)]
    views = views_of(home, [Log().add(1, [created(1), *reports])])
    assert sorted(one.figure for one in views.plots(TASK, title, series)) == list(found)
    assert sorted(one.blob for one in views.media(TASK, title, series)) == list(found)
    close(views)


def test_what_came_before_a_reset_is_not_shown(home: Path) -> None:
    log = Log()
    old = [plot(2, "a", "b", 1, "old"), plot(2, "a", "b", 2, "old"), image(2, "a", "b", 1, "aa")]
    new = [plot(3, "a", "b", 2, "new"), image(4, "a", "c", 1, "bb")]
    views = views_of(home, [log.add(1, [created(1), *old, events.TaskReset(3, TASK), *new])])
    assert [one.figure for one in views.plots(TASK)] == ["new"]
    assert [one.blob for one in views.media(TASK)] == ["bb"]
    close(views)


def test_which_report_is_last_does_not_depend_on_the_order_in_which_batches_come(tmp_path: Path) -> None:
    logs = [Log(number) for number in (1, 2, 3)]
    batches = [
        logs[0].add(1, [created(1), plot(5, "a", "b", 1, "one"), image(5, "a", "b", 1, "one")]),
        logs[1].add(1, [plot(5, "a", "b", 1, "two"), image(5, "a", "b", 1, "two")]),
        logs[2].add(1, [plot(4, "a", "b", 1, "three"), image(4, "a", "b", 1, "three")]),
    ]
    for at, order in enumerate(itertools.permutations(batches)):
        store = Store.open(tmp_path / str(at))
        views = Views.open(store)
        for batch in order:
            store.admit([batch])
            views.catch_up(reports=True)
        assert [one.figure for one in views.plots(TASK)] == ["two"]
        assert [one.blob for one in views.media(TASK)] == ["two"]
        close(views)


def test_of_nothing_there_are_no_plots_and_a_deleted_task_has_none_to_show(home: Path) -> None:
    log = Log()
    views = views_of(home, [log.add(1, [created(1), plot(2, "a", "b", 1, "x"), created(3, OTHER)])])
    assert views.plots(OTHER) == []
    assert views.media(OTHER) == []
    views.store.admit([log.add(1, [events.TaskDeleted(4, TASK)])])
    views.catch_up(reports=True)
    for ask in (views.plots, views.media, views.series, views.text):
        for task in (TASK, "f" * 32):
            with pytest.raises(NotFound, match=f"no task {task}"):
                ask(task)
    close(views)


def test_a_deleted_task_is_not_shown_but_its_history_and_what_it_was_before_are(home: Path) -> None:
    log = Log()
    views = views_of(home, [log.add(1, [created(1), plot(2, "a", "b", 1, "x"), events.TaskDeleted(4, TASK)])])
    with pytest.raises(NotFound):
        views.task(TASK)
    assert views.find() == views.find(TaskQuery(ids=[TASK])) == views.find(TaskQuery(limit=5)) == []
    with pytest.raises(NotFound):
        views.task_at(TASK, 4)
    assert views.task_at(TASK, 3).name == "baseline"
    assert len(list(views.events(TASK))) == 3
    close(views)
