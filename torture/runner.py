"""Plays rounds of faults in turn, each in a process of its own, until the time is over."""

import contextlib
import importlib
import json
import os
import select
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.processes import children, end_all, orphans_adopted, signals_as_usual
from torture.fault import Fault, Outcome, Round

__all__ = ["NAMES", "Tally", "find_fault", "play", "play_until"]

NAMES = ("kills", "full_disks", "cut_syncs", "power_cuts", "races", "fuzz")
# A round that takes longer hangs, which no promise allows; some seconds are usual where nothing else runs.
ROUND_SECONDS = 600.0


@dataclass
class Tally:
    """All rounds of one kind so far.

    Attributes:
        rounds: how many were played.
        seconds: how long they took.
        total: the sum of their outcomes.
        failed: the numbers of the rounds that broke a promise, and the folder that each left.
        skipped: why the kind cannot be played here, or "".
    """

    rounds: int = 0
    seconds: float = 0.0
    total: Outcome = field(default_factory=Outcome)
    failed: dict[int, Path] = field(default_factory=dict)
    skipped: str = ""


def find_fault(name: str) -> Fault:
    """The kind of fault that a module of this package holds."""
    fault = importlib.import_module(f"torture.{name}").FAULT
    assert isinstance(fault, Fault)
    return fault


def play_until(
    end: float,
    seed: int,
    folder: Path,
    names: Sequence[str] = NAMES,
    *,
    first: int = 0,
    most: int | None = None,
    notify: Callable[[str, dict[str, Tally]], None] = lambda name, tallies: None,
) -> dict[str, Tally]:
    """Play rounds of several kinds, one after the other, so that each gets as much of the time.

    Args:
        end: when no further round begins, by `time.monotonic`.
        seed: what all chances are drawn from.
        folder: where the rounds' folders are made.
        names: the kinds.
        first: the number of each kind's first round; its chances depend on it.
        most: how many rounds of each kind are played at most.
        notify: told several times a second which kind is being played, and how all stand.
    """
    # Which come first differs from seed to seed, so that many short runs play all of them.
    order = Random(seed).sample(list(names), len(names))
    tallies = {name: Tally(skipped=find_fault(name).missing()) for name in names}
    while True:
        playable = [
            name
            for name in order
            if not tallies[name].skipped and (most is None or tallies[name].rounds < most)
        ]
        if not playable or (time.monotonic() >= end and any(tally.rounds for tally in tallies.values())):
            return tallies
        name = min(playable, key=lambda name: tallies[name].seconds)
        tally = tallies[name]
        number = first + tally.rounds
        place = folder / f"{name}-{number}"
        began = time.monotonic()
        outcome = play(name, seed, number, place, tick=partial(notify, name, tallies))
        tally.seconds += time.monotonic() - began
        tally.rounds += 1
        tally.total.add(outcome)
        if outcome.broken:
            tally.failed[number] = place


def play(
    name: str,
    seed: int,
    number: int,
    folder: Path,
    *,
    seconds: float = ROUND_SECONDS,
    tick: Callable[[], None] = lambda: None,
) -> Outcome:
    """Play one round in a process of its own; whatever it started is ended with it.

    Args:
        folder: is made; it is left behind if a promise was broken, with the lines in `broken.txt`.
        seconds: how long the round may take.
        tick: called several times a second meanwhile.
    """
    folder.mkdir(parents=True)
    with orphans_adopted():
        text = _play_in_child(name, seed, number, folder, seconds, tick)
    if text:
        outcome = Outcome(**json.loads(text))
    else:
        outcome = Outcome()
        outcome.check(False, f"the round died, or hung for {seconds:g} seconds")
    if outcome.broken:
        again = f'again: make torture ARGS="--only {name} --seed {seed} --round {number}"'
        (folder / "broken.txt").write_text("\n".join([*outcome.broken, again, ""]))
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _play_in_child(
    name: str, seed: int, number: int, folder: Path, seconds: float, tick: Callable[[], None]
) -> bytes:
    others = children()
    reading, writing = os.pipe()
    # What is buffered would be written by both.
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            signals_as_usual()
            os.close(reading)
            outcome = _play_here(name, seed, number, folder)
            with os.fdopen(writing, "w") as pipe:
                json.dump(asdict(outcome), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        return _read(reading, time.monotonic() + seconds, tick)
    finally:
        os.close(reading)
        end_all(but=others)


def _play_here(name: str, seed: int, number: int, folder: Path) -> Outcome:
    os.setsid()
    try:
        with _quiet(folder / "output.txt"), orphans_adopted():
            return find_fault(name).play(Round(Random(f"{seed} {name} {number}"), folder))
    except BaseException:
        outcome = Outcome()
        outcome.check(False, f"the round ended with an exception:\n{traceback.format_exc()}")
        return outcome


@contextlib.contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """What is printed in this process and in those that it starts goes to a file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for standard in (1, 2):
        os.dup2(file, standard)
    os.close(file)
    yield
    sys.stdout.flush()
    sys.stderr.flush()


def _read(pipe: int, deadline: float, tick: Callable[[], None]) -> bytes:
    data = b""
    while time.monotonic() < deadline:
        tick()
        if not select.select([pipe], [], [], 0.1)[0]:
            continue
        piece = os.read(pipe, 1 << 16)
        if not piece:
            break
        data += piece
    return data
