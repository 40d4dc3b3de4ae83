import time
from collections.abc import Iterator

import pytest

from eventlog.cli import progress
from eventlog.cli.progress import progress_bar


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> Iterator["progress._Bar"]:
    """A bar that is drawn at once, as on a terminal."""
    monkeypatch.setattr(progress, "is_terminal", lambda stream: True)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    with progress_bar("", sized=True) as advance:
        assert isinstance(advance, progress._Bar)
        yield advance


def test_the_rate_is_known_while_the_total_grows(bar: "progress._Bar") -> None:
    """A pull learns of blobs as it reads the log."""
    now = time.monotonic()
    for step in range(1, 11):
        bar(step * 1000, step * 2000, "pulling")
        assert bar.progress is not None
        bar.progress.get_time = lambda step=step: now + step
    (task,) = bar.progress.tasks
    assert (task.completed, task.total, task.description) == (10_000, 20_000, "pulling")
    assert task.speed == pytest.approx(1000, rel=0.2)
    assert task.time_remaining == pytest.approx(10, abs=2)


def test_each_direction_has_a_bar_of_its_own(bar: "progress._Bar") -> None:
    bar(500, 1000, "pulling")
    bar(0, 0, "pushing")
    assert bar.progress is not None
    assert [task.visible for task in bar.progress.tasks] == [True]
    bar(10, 4000, "pushing")
    assert [(task.description, task.visible) for task in bar.progress.tasks] == [
        ("pulling", False),
        ("pushing", True),
    ]
