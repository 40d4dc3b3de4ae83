"""Views that are begun anew, and what they remember of batches that they had to leave out."""

from pathlib import Path

from eventlog import events
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.verify import verify
from tests.projections.logs import Log, close, scalar
from tests.projections.test_runner import fill


def test_views_begun_anew_are_not_looked_at_and_found_new_by_who_opens_them_next(home: Path) -> None:
    store = fill(home, tasks=3, batches=2)
    with Views.open(store) as old:
        old.catch_up(reports=True)
        expected = old.find()
    store.close()
    file = home / "views" / "data.mdb"
    # Only its meta pages are left whole, so that LMDB would open it.
    file.write_bytes(file.read_bytes()[:8192] + b"\xff" * (file.stat().st_size - 8192))

    store = Store.open(home)
    views = Views.open(store, anew=True)
    assert views.find() == []
    views.catch_up(reports=True)
    assert views.find() == expected
    # So are those that this process has open already.
    again = Views.open(store, anew=True)
    assert views.find() == again.find() == []
    again.close()
    close(views)


def test_sound_views_have_no_problem_in_their_pages_after_many_changes(home: Path) -> None:
    store = fill(home, tasks=150, batches=12)
    views = Views.open(store)
    log = Log(2)
    for number in range(30):
        task, at = f"{number:032x}", 99 + number
        new = [events.TagsAdded(at, task, ["x" * 50 * number]), scalar(at, 1, 1.0, task)]
        store.admit([log.add(1, new)])
        views.catch_up(reports=number % 2 == 0)

    def problems() -> list[str]:
        # These logs have no sessions that began, which the log itself is blamed for.
        return [line for line in verify(home).problems if not line.startswith("log: ")]

    assert problems() == []
    views.rebuild()
    assert problems() == []
    close(views)
