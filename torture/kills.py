"""SIGKILL, of processes and of whole process groups, at random instants."""

import time
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.processes import end_all, kill, wait_until
from eventlog.batch import NumberedEvent
from torture.fault import Fault, Outcome, Round
from torture.promises import check_living, check_store
from torture.workloads import WORKLOADS, noted_in, raised_in, start

__all__ = ["FAULT"]

# How long scripts run at most before one of them is killed; more of them die early than late.
LONGEST_SECONDS = 1.0
# One script in so many has an interpreter of its own, and one in so many may be killed before it has begun.
FRESH = 8
EARLY = 6


def play(this: Round) -> Outcome:
    """Kill scripts of one store while others go on and new ones begin, and check it; some times over."""
    random, outcome = this.random, Outcome()
    home, notes = this.folder / "home", this.folder / "notes"
    notes.mkdir()
    log: list[NumberedEvent] = []
    for turn in range(random.randint(1, 3)):
        running: list[int] = []
        together = random.choice((1, 1, 2, 3))
        for number in range(random.randint(2, 10)):
            while len(running) >= together:
                time.sleep(LONGEST_SECONDS * random.random() ** 2 / together)
                script = running.pop(random.randrange(len(running)))
                outcome.faults += kill(script, group=random.random() < 0.6)
            running.append(_start(random, home, notes, f"w{turn}-{number}"))
        time.sleep(LONGEST_SECONDS * random.random() ** 2)
        # Not always, so that some are killed in their first moments, too.
        if random.random() < 0.5 and (home / "log" / "data.mdb").exists():
            check_living(outcome, home)
        outcome.faults += end_all()
        outcome.check(not (raised := raised_in(notes)), f"raised into a script: {raised}")
        if (home / "log").exists():
            counted = Outcome()
            log = check_store(counted, home, noted_in(notes), earlier=log)
            # What was acknowledged in an earlier turn is looked for again, and counted once.
            outcome.acknowledged, counted.acknowledged = counted.acknowledged, 0
            outcome.add(counted)
    return outcome


def _start(random: Random, home: Path, notes: Path, label: str) -> int:
    workload, fresh = random.choice(list(WORKLOADS)), random.randrange(FRESH) == 0
    script = start(workload, home, notes, label, random.randrange(1 << 30), fresh=fresh)
    if random.randrange(EARLY):
        wait_until(partial(_has_begun, notes, label), f"script {label} begins")
    return script


def _has_begun(notes: Path, label: str) -> bool:
    return any(notes.glob(f"{label}*"))


FAULT = Fault("processes and process groups killed with SIGKILL", "kills", play)
