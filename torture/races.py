"""Races: many processes open one home at once, recover the dead in it, fold, rebuild, verify, and report."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.processes import end_all, kill, wait_until
from eventlog import Task
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.verify import verify
from torture.fault import Fault, Outcome, Round
from torture.promises import check_store, facts_in, read_log
from torture.workloads import WORKLOADS, Noted, noted_in, raised_in, raising, start

__all__ = ["FAULT"]


def play(this: Round) -> Outcome:
    """Leave journals of dead processes, let racers loose on them, kill some, and check; some times over."""
    random, outcome = this.random, Outcome()
    home, notes = this.folder / "home", this.folder / "notes"
    notes.mkdir()
    for turn in range(random.randint(1, 3)):
        for number in range(random.choice((0, 1, 2, 3))):
            start(random.choice(list(WORKLOADS)), home, notes, f"w{turn}-{number}", random.randrange(1 << 30))
        time.sleep(random.random() * 0.5)
        # Some go on while the racers are there.
        if random.random() < 0.7:
            end_all()
        racers = _let_loose(random, home, notes, turn)
        outcome.faults += len(racers)
        for racer in random.sample(racers, len(racers)):
            if random.random() < 0.3:
                time.sleep(random.random() * 0.2)
                kill(racer)
        for racer in racers:
            wait_until(partial(_has_ended, racer), "the racers are done")
        end_all()
        outcome.check(not (raised := raised_in(notes)), f"raised into a racer or a script: {raised}")
        counted = Outcome()
        check_store(counted, home, noted_in(notes))
        outcome.acknowledged, counted.acknowledged = counted.acknowledged, 0
        outcome.add(counted)
    return outcome


def _let_loose(random: Random, home: Path, notes: Path, turn: int) -> list[int]:
    """Start processes that all wait for one signal, and give it; returns their numbers."""
    waiting, signal = os.pipe()
    racers = []
    for number in range(random.randint(3, 8)):
        name = random.choice(list(RACERS))
        label, chance = f"w{turn}-r{number}", Random(random.random())
        racer = os.fork()
        if racer == 0:
            try:
                os.close(signal)
                os.read(waiting, 1)
                os.environ["EVENTLOG_HOME"] = str(home)
                with raising(notes, f"{name} {label}"):
                    RACERS[name](home, notes, label, chance)
            finally:
                os._exit(0)
        racers.append(racer)
    os.close(waiting)
    os.close(signal)
    return racers


def _has_ended(process: int) -> bool:
    try:
        return os.waitpid(process, os.WNOHANG)[0] == process
    except ChildProcessError:
        return True


# What racers do; each raises what it finds wrong.


def _read(home: Path, notes: Path, _label: str, _random: Random) -> None:
    """Whoever opens a store finds all that the dead had appended."""
    noted = noted_in(notes)
    outcome = Outcome()
    with Store.open(home) as store:
        live = {session.hex() for session in store.live_sessions()}
        found = facts_in(store, read_log(outcome, store))
    if not live:
        lost = {fact: count for fact, count in noted.items() if len(found.get(fact, [])) < count}
        outcome.check(not lost, f"acknowledged events are not found: {lost}")
    _raise(outcome.broken)


def _fold(home: Path, _notes: Path, _label: str, random: Random) -> None:
    with Store.open(home) as store, Views.open(store) as views:
        for _ in range(3):
            views.catch_up(reports=random.random() < 0.7)
        _raise(views.check())


def _rebuild(home: Path, _notes: Path, _label: str, _random: Random) -> None:
    with Store.open(home) as store, Views.open(store) as views:
        views.rebuild()
        _raise(views.check())


def _verify(home: Path, _notes: Path, _label: str, _random: Random) -> None:
    Store.open(home).close()
    _raise(verify(home).problems)


def _report(home: Path, notes: Path, label: str, random: Random) -> None:
    task = Task.init(project_name="torture", task_name=f"task {label}", reuse_last_task_id=False)
    noted = Noted(notes, label)
    for number in range(random.choice((1, 100, 3000))):
        task.get_logger().report_scalar("loss", label, value=number, iteration=number)
        noted.add("scalar")
    task.close()
    with Store.open(home) as store, Views.open(store) as views:
        store.flush()
        views.catch_up()
        _raise([] if views.task(task.id).status == "completed" else [f"{views.task(task.id)}"])


def _raise(problems: list[str]) -> None:
    if problems:
        raise AssertionError(problems[:5])


RACERS: dict[str, Callable[[Path, Path, str, Random], None]] = {
    "read": _read,
    "fold": _fold,
    "rebuild": _rebuild,
    "verify": _verify,
    "report": _report,
}


FAULT = Fault("opens, recoveries, folds, rebuilds and verifications at once", "racers", play)
