"""An export that is killed at any instant shows nothing twice, and the next makes it equal a whole one."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eventlog import events as kinds
from eventlog.sdk.exports.parquet import export
from tests.sdk.exports.reading import events, everything, scalars
from tests.sync.machines import Machine

CUTS = 12


@contextmanager
def exports(home: Path, out: Path) -> Iterator[Callable[[int], int]]:
    """Exports in a process that is killed before an operation of this number; see `cutting`."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.sdk.exports.cutting", str(home), str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdin
        assert process.stdout
        given, said = process.stdin, process.stdout

        def run(operation: int) -> int:
            print(operation, file=given, flush=True)
            return int(said.readline())

        yield run
        given.close()
        assert process.wait(timeout=30) == 0


def work(machine: Machine, number: int) -> None:
    """A task with curves, and what makes earlier files be written again."""
    task = f"{number:032x}"
    machine.append(kinds.TaskCreated, task, "baseline", "digits")
    for step in range(30):
        machine.append(kinds.ScalarReported, task, "loss", "train", step, 1 / (step + 1))
    machine.store.flush()
    if number:
        time.sleep(0.002)
        machine.append(kinds.TaskReset, f"{number - 1:032x}")
        machine.append(kinds.TagsAdded, task, ["new"])
        machine.store.flush()


@pytest.mark.usefixtures("small_parts")
def test_an_export_killed_anywhere_shows_nothing_twice_and_is_made_good(tmp_path: Path):
    seed = random.randrange(1 << 32)
    chosen = random.Random(seed)
    machine, out = Machine(tmp_path / "home"), tmp_path / "out"
    # The child opens the store by itself.
    work(machine, 0)
    machine.close()
    with exports(machine.home, out) as run:
        total = run(0)
        killed = 0
        for number in range(1, CUTS + 1):
            machine = Machine(tmp_path / "home")
            work(machine, number)
            machine.close()
            if number % 5 == 0:
                shutil.rmtree(out)
            killed += run(chosen.randint(1, total)) == -1
            if list(out.glob("events/*/*.parquet")):
                places = [row[:4] for row in events(out)]
                assert len(places) == len({*places}), seed
                points = [row[:4] for row in scalars(out)]
                assert len(points) == len({*points}), seed
            total = max(total, 100)
        assert killed > CUTS // 3, seed
        assert run(0) > 0
    machine = Machine(tmp_path / "home")
    export(machine.store, tmp_path / "once")
    machine.close()
    assert everything(out) == everything(tmp_path / "once"), seed
