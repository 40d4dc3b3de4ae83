"""Stores with real events in them, and the command run as a person would."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from tests.cli.preloaded import Preloaded
from tests.cli.running import BASELINE, BROKEN, EVENTLOG, WIDER, Outcome, Run, enrich, tick, train


@pytest.fixture
def environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the command sees of the world, in a zone that is not UTC."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("PYTHONUTF8", "1")
    return dict(os.environ)


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded | None]:
    """What commands are forked off, where that can be done."""
    if not Preloaded.is_possible():
        yield None
        return
    with Preloaded() as server:
        yield server


@pytest.fixture
def eventlog(environment: dict[str, str], preloaded: Preloaded | None) -> Run:
    """Runs the command in a process of its own, its output piped."""

    def run(*arguments: str, **settings: str) -> Outcome:
        changed = {**environment, **settings}
        if preloaded is not None and preloaded.fits(changed):
            return preloaded.run(arguments, changed, 60)
        done = subprocess.run(
            [*EVENTLOG, *arguments],
            env=changed,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """The store of this test's home, open in this process."""
    with Store.open(home) as opened:
        tick(opened)
        yield opened


@pytest.fixture
def tasks(home: Path) -> Path:
    """A home with three tasks: one that completed, one like it with other parameters, one that failed."""
    with Store.open(home) as opened:
        tick(opened)
        train(opened, BASELINE, "baseline", learning_rate="0.1", steps=20)
        train(opened, WIDER, "wider", learning_rate="0.2", steps=30)
        append = opened.session.append
        append(events.TaskCreated, BROKEN, "broken", "digits/other", "testing", "does not work")
        append(events.TaskStarted, BROKEN)
        append(events.TagsAdded, BROKEN, ["draft"])
        append(events.ProgressSet, BROKEN, 7)
        append(events.TaskFailed, BROKEN, "ValueError: no data", "Traceback …\nValueError: no data\n")
    return home


@pytest.fixture
def rich(tasks: Path) -> Path:
    """The home with three tasks, one more that has everything, and two models."""
    with Store.open(tasks) as opened:
        # After all that is there already.
        tick(opened, 5)
        enrich(opened)
    return tasks
