"""What those ask who want all there is: every task, once, and where a task's reports lie."""

from pathlib import Path

from eventlog import events
from tests.projections.logs import OTHER, TASK, Log, close, created, views_of


def test_every_task_is_given_once_however_many_there_are(tmp_path: Path):
    log = Log()
    ids = [f"{number:032x}" for number in range(1100)] + ["an id of another kind"]
    log.add(1, [created(1, task) for task in ids] + [events.TaskDeleted(2, ids[7])])
    views = views_of(tmp_path / "home", log.batches)
    for whole in (True, False):
        found = list(views.every_task(whole=whole))
        assert sorted(state.id for state in found) == sorted(ids)
        assert [state.id for state in found if state.is_deleted] == [ids[7]]
    close(views)


def test_the_batches_with_reports_of_a_task_are_known(tmp_path: Path):
    log = Log()
    log.add(1, [created(1), events.ScalarReported(2, TASK, "loss", "train", 0, 0.5)])
    log.add(1, [created(3, OTHER)])
    log.add(1, [events.TextReported(4, TASK, "half way\n"), events.TextReported(5, OTHER, "begun\n")])
    views = views_of(tmp_path / "home", log.batches)
    assert [(one.store, one.number) for one in views.report_batches(TASK)] == [(log.id, 0), (log.id, 2)]
    assert [one.number for one in views.report_batches(OTHER)] == [2]
    assert views.report_batches("0" * 32) == []
    close(views)


def test_deleted_models_are_known(tmp_path: Path):
    log = Log()
    log.add(1, [events.ModelCreated(1, TASK, "net"), events.ModelCreated(2, OTHER, "other net")])
    log.add(1, [events.ModelDeleted(3, OTHER)])
    views = views_of(tmp_path / "home", log.batches)
    assert views.deleted_models() == [OTHER]
    close(views)
