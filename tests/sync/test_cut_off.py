"""A push or a pull that is killed at any instant leaves everything whole, and the next goes on from there."""

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventlog.batch import Batch
from eventlog.events import TextReported
from eventlog.store import Store
from eventlog.sync import pull, push
from tests.sync.cutting import Cutter
from tests.sync.machines import Machine, absent_from, batches_of, blobs_named, read_remote

RANDOM_CUTS = 60
# Of the operations on files, which are many, these are taken; others in the next run.
STEP = 5


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """The home of a closed store that holds batches and blobs of its own and of another store."""
    laptop, desktop = Machine(tmp_path / "origin"), Machine(tmp_path / "desktop")
    for one in (laptop, desktop):
        one.train(50)
        one.upload(one.id * 10)
        # Large enough for its bytes to take a while, and to be hashed in a thread.
        one.upload(random.Random(one.id).randbytes(2 << 20), "large")
        digest = one.store.blobs.put_bytes(b"text of " + one.id)
        one.append(TextReported, one.task, "text of", 20, digest)
        one.store.flush()
    push(desktop.store, tmp_path / "between")
    pull(laptop.store, tmp_path / "between")
    laptop.close()
    desktop.close()
    return laptop.home


def contents(home: Path) -> dict[bytes, list[bytes]]:
    """All batches of a store, every one of which must be chained to the one before, and have its blobs."""
    absent = absent_from(home)
    with Store.open(home) as store:
        held = batches_of(store)
        heads = store.heads()
        for copy_of, batches in held.items():
            previous = bytes(32)
            for number, data in enumerate(batches):
                batch = Batch.read(data)
                assert (batch.store, batch.number, batch.previous) == (copy_of, number, previous)
                assert all(digest in store.blobs or digest in absent for digest in blobs_named(batch))
                previous = batch.hash
            assert heads[copy_of] == (len(batches) - 1, previous)
    return held


def is_beginning(part: dict[bytes, list[bytes]], whole: dict[bytes, list[bytes]]) -> bool:
    return all(batches == whole[store][: len(batches)] for store, batches in part.items())


def listed(held: dict[bytes, dict[int, bytes]]) -> dict[bytes, list[bytes]]:
    return {store: list(batches.values()) for store, batches in held.items()}


def shown_random() -> random.Random:
    """Random numbers, different each time; pytest shows the seed when the test fails."""
    seed = random.randrange(10**9)
    print("seed", seed)
    return random.Random(seed)


def test_a_push_killed_before_any_of_its_operations_on_files(tmp_path: Path, origin: Path) -> None:
    whole = contents(origin)
    with Cutter() as cutter:
        killed, operation = True, 0
        while killed:
            operation += 1
            remote = tmp_path / f"remote{operation}"
            killed = cutter.run("push", origin, remote, operation=operation)[0]
            assert is_beginning(listed(read_remote(remote)), whole)
            # And again at the next operation, and then to the end.
            cutter.run("push", origin, remote, operation=operation + 1)
            assert is_beginning(listed(read_remote(remote)), whole)
            assert not cutter.run("push", origin, remote)[0]
            assert listed(read_remote(remote)) == whole
            shutil.rmtree(remote)
    assert operation > 20


def test_a_pull_killed_before_any_of_its_operations_on_files(tmp_path: Path, origin: Path) -> None:
    whole = contents(origin)
    remote, empty = tmp_path / "remote", tmp_path / "empty"
    Store.open(empty).close()
    with Cutter() as cutter:
        cutter.run("push", origin, remote)
        killed, operation = True, 0
        while killed:
            operation += 1
            home = tmp_path / f"home{operation}"
            shutil.copytree(empty, home)
            killed = cutter.run("pull", home, remote, operation=operation)[0]
            assert is_beginning(contents(home), whole)
            assert not cutter.run("pull", home, remote)[0]
            assert contents(home) == whole
            shutil.rmtree(home)
    assert operation > 20


def test_blobs_that_are_supplied_later_and_killed_anywhere_on_the_way(tmp_path: Path, origin: Path) -> None:
    whole = contents(origin)
    blobs = sorted(path.name for path in (origin / "blobs").glob("*/*"))
    log, empty = tmp_path / "log", tmp_path / "empty"
    Store.open(empty).close()
    with Cutter() as cutter:
        cutter.run("push log", origin, log)
        killed, operation = True, random.randrange(STEP)
        while killed:
            operation += STEP
            remote = tmp_path / f"remote{operation}"
            shutil.copytree(log, remote)
            killed = cutter.run("push", origin, remote, operation=operation)[0]
            assert listed(read_remote(remote)) == whole
            assert not cutter.run("push", origin, remote)[0]
            read_remote(remote)
            assert sorted(path.name for path in remote.glob("blobs/*/*")) == blobs
            assert absent_from(remote) == set()

        cutter.run("pull log", empty, remote)
        assert contents(empty) == whole
        killed, operation = True, random.randrange(STEP)
        while killed:
            operation += STEP
            home = tmp_path / f"home{operation}"
            shutil.copytree(empty, home)
            killed = cutter.run("pull", home, remote, operation=operation)[0]
            assert contents(home) == whole
            assert not cutter.run("pull", home, remote)[0]
            assert contents(home) == whole
            assert sorted(path.name for path in home.glob("blobs/*/*")) == blobs
            assert absent_from(home) == set()


def test_a_push_killed_at_random_instants_again_and_again(tmp_path: Path, origin: Path) -> None:
    whole = contents(origin)
    instants = shown_random()
    cuts = 0
    with Cutter() as cutter:
        took = min(cutter.run("push", origin, tmp_path / f"uncut{number}")[1] for number in range(3))
        attempt = 0
        while cuts < RANDOM_CUTS:
            remote = tmp_path / f"remote{attempt}"
            attempt += 1
            killed = True
            while killed:
                killed, _, _ = cutter.run("push", origin, remote, seconds=instants.uniform(0, 1.2 * took))
                cuts += killed
                assert is_beginning(listed(read_remote(remote)), whole)
            assert listed(read_remote(remote)) == whole
            shutil.rmtree(remote)


def test_a_pull_killed_at_random_instants_again_and_again(tmp_path: Path, origin: Path) -> None:
    whole = contents(origin)
    instants = shown_random()
    remote, empty = tmp_path / "remote", tmp_path / "empty"
    Store.open(empty).close()
    cuts = 0
    with Cutter() as cutter:
        cutter.run("push", origin, remote)
        took = 1.0
        for number in range(3):
            shutil.copytree(empty, tmp_path / f"uncut{number}")
            took = min(took, cutter.run("pull", tmp_path / f"uncut{number}", remote)[1])
        attempt = 0
        while cuts < RANDOM_CUTS:
            home = tmp_path / f"home{attempt}"
            attempt += 1
            shutil.copytree(empty, home)
            killed = True
            while killed:
                killed, _, _ = cutter.run("pull", home, remote, seconds=instants.uniform(0, 1.2 * took))
                cuts += killed
                assert is_beginning(contents(home), whole)
            assert contents(home) == whole
            shutil.rmtree(home)


def test_many_processes_of_one_store_push_at_once(tmp_path: Path, origin: Path) -> None:
    """They may write the same batches in overlapping segments; whoever reads takes them in stride."""
    whole = contents(origin)
    remote = tmp_path / "remote"

    def work(_: int) -> None:
        with Cutter() as cutter:
            for _ in range(3):
                assert not cutter.run("push", origin, remote)[0]

    with ThreadPoolExecutor(5) as executor:
        list(executor.map(work, range(5)))
    assert listed(read_remote(remote)) == whole
    machine = Machine(tmp_path / "late")
    assert pull(machine.store, remote).problems == []
    assert batches_of(machine.store) == whole
    machine.close()
