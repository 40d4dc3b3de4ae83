"""A fork is resolved by giving one copy a new id: both sides' events are kept, and show everywhere."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlog import events
from eventlog.batch import Batch
from eventlog.errors import StoreForked
from eventlog.events import ScalarReported, SessionStarted
from eventlog.fork import part
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.sync import pull, push, resolve_forks, synchronise
from eventlog.sync.bundle import export_bundle
from eventlog.sync.fork_resolution import ForkResult
from eventlog.verify import verify
from tests.sync.machines import Machine, batches_of, read_remote
from tests.sync.servers import web_server
from tests.sync.test_forks import clone

Machines = Callable[[str], Machine]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def pair(machine: Machines) -> Iterator[tuple[Machine, Machine]]:
    """A machine, and a copy of its disk."""
    laptop = machine("laptop")
    laptop.train()
    other = clone(laptop, "clone")
    yield laptop, other
    other.close()


Pair = tuple[Machine, Machine]


def payloads(batches: list[bytes]) -> list[object]:
    """The events of batches, but for how sessions began."""
    found = [numbered.event for data in batches for numbered in Batch.read(data).events()]
    return [event for event in found if not isinstance(event, SessionStarted)]


def scalars(one: Machine) -> list[tuple[int, float]]:
    with Views.open(one.store) as views:
        views.catch_up(reports=True)
        table = views.scalars(one.task, "loss", "train")
        return list(zip(table["iteration"].to_pylist(), table["value"].to_pylist(), strict=True))


def report(one: Machine, iteration: int, value: float) -> None:
    one.append(ScalarReported, one.task, "loss", "train", iteration, value)
    one.store.flush()


def sound(one: Machine) -> bool:
    report = verify(one.home)
    assert report.problems == []
    return True


def test_both_sides_of_a_resolved_fork_show_everywhere(pair: Pair, machine: Machines, remote: Path) -> None:
    laptop, other = pair
    other.task = laptop.task
    report(laptop, 10, 1.0)
    push(laptop.store, remote)
    for iteration in (20, 21):
        report(other, iteration, 2.0)
    before = payloads(batches_of(other.store)[other.id])
    (problem,) = synchronise(other.store, remote).problems
    assert "eventlog fork" in problem
    old = other.id

    result = resolve_forks(other.store, str(remote))
    assert result.problems == []
    (fork,) = result.forks
    assert (fork.store, fork.parted.store, fork.parted.batches) == (old, other.id, 3)
    assert fork.here.batches == 3
    assert fork.here.host == fork.there.host == os.uname().nodename
    assert other.id != old
    after = batches_of(other.store)
    assert after[old] == batches_of(laptop.store)[old]
    common = payloads(after[old][: fork.common + 1])
    assert common + payloads(after[other.id]) == [
        *before,
        *payloads(after[other.id])[len(before) - len(common) :],
    ]
    # From here on both go on by themselves, and meet.
    for one in (laptop, other):
        report(one, 30, 3.0)
    for one in (laptop, other, laptop):
        assert synchronise(one.store, remote).problems == []
    cluster = machine("cluster")
    cluster.task = laptop.task
    pull(cluster.store, remote)
    assert batches_of(cluster.store) == batches_of(laptop.store) == batches_of(other.store)
    for one in (laptop, other, cluster):
        assert [iteration for iteration, _ in scalars(one)] == [0, 1, 2, 10, 20, 21, 30, 30]
        assert sound(one)
    with Views.open(cluster.store) as views:
        assert views.check() == []


def test_a_copy_that_never_had_a_batch_in_common_gets_its_id_too(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    other = clone(laptop, "clone")
    laptop.train()
    other.train()
    old = laptop.id
    push(laptop.store, remote)
    result = resolve_forks(other.store, str(remote))
    assert result.problems == []
    assert [fork.common for fork in result.forks] == [-1]
    assert other.id != old
    synchronise(laptop.store, remote)
    assert batches_of(laptop.store) == batches_of(other.store)
    assert sound(other)
    other.close()


def test_a_store_of_which_every_copy_got_a_new_id_leaves_the_remote(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    other = clone(laptop, "clone")
    old = laptop.id
    laptop.train()
    other.train()
    push(other.store, remote)
    assert resolve_forks(laptop.store, str(remote)).problems == []
    report(other, 1, 1.0)
    push(laptop.store, remote.parent / "between")
    with Machine(remote.parent / "third").store as third:
        pull(third, remote)
        assert resolve_forks(third, str(remote), named=old).problems == []
    part(other.store, old, -1)
    for _ in range(2):
        for one in (laptop, other):
            resolve_forks(one.store, str(remote))
    assert old not in read_remote(remote)
    assert synchronise(other.store, remote).problems == []
    other.close()


def test_a_session_that_went_on_in_both_copies_is_two_sessions_afterwards(
    machine: Machines, remote: Path
) -> None:
    """As when the disk of a running machine is copied: its processes go on there, and died in the copy."""
    laptop = machine("laptop")
    laptop.append(events.TaskCreated, laptop.task, "live", "digits")
    laptop.append(events.TaskStarted, laptop.task)
    report(laptop, 0, 0.0)
    shutil.copytree(laptop.home, laptop.home.parent / "clone")
    report(laptop, 1, 1.0)
    push(laptop.store, remote)
    # Opening it commits that the session was killed; in this process, it would seem to be alive.
    copy = laptop.home.parent / "clone"
    opening = f"from pathlib import Path; from eventlog.store import Store; Store.open(Path({str(copy)!r}))"
    subprocess.run([sys.executable, "-c", opening], check=True, cwd=ROOT)
    other = Machine(copy)
    other.task = laptop.task
    session = laptop.store.session.id
    assert resolve_forks(other.store, str(remote)).problems == []
    synchronise(laptop.store, remote)
    assert batches_of(laptop.store) == batches_of(other.store)
    records = {record.session: record for record in laptop.store.sessions()}
    (renamed,) = (record for record in records.values() if record.store == other.id)
    assert records[session].store == laptop.id
    assert renamed.session != session
    first = Batch.read(batches_of(laptop.store)[other.id][0])
    assert isinstance(first.events()[0].event, SessionStarted)
    assert first.events()[0].event.host == os.uname().nodename
    assert [iteration for iteration, _ in scalars(laptop)] == [0, 1]
    # The session that lives goes on.
    report(laptop, 2, 2.0)
    synchronise(laptop.store, remote)
    synchronise(other.store, remote)
    assert sound(laptop)
    assert sound(other)
    other.close()


def test_a_remote_that_has_both_sides_has_each_once_afterwards(
    pair: Pair, machine: Machines, remote: Path
) -> None:
    laptop, other = pair
    old = laptop.id
    between = remote.parent / "between"
    report(laptop, 10, 1.0)
    push(laptop.store, remote)
    report(other, 20, 2.0)
    report(other, 21, 2.0)
    # One segment from the first batch on, and so with batches that both have.
    push(other.store, between)
    shutil.copytree(between, remote, dirs_exist_ok=True)
    assert "two histories" in str(synchronise(laptop.store, remote).problems)
    result = resolve_forks(other.store, str(remote))
    assert result.problems == []
    assert result.deleted > 0
    held = read_remote(remote)
    assert held.keys() == {old, other.id}
    assert list(held[old].values()) == batches_of(laptop.store)[old]
    for one in (laptop, other):
        assert synchronise(one.store, remote).problems == []
    # What another remote still has under the old id is known, not let in again, and goes likewise.
    (problem,) = synchronise(other.store, between).problems
    assert "eventlog fork" in problem
    assert batches_of(other.store) == batches_of(laptop.store)
    result = resolve_forks(laptop.store, str(between))
    assert (result.problems, result.forks) == ([], [])
    assert result.deleted == 1
    push(laptop.store, remote)
    assert read_remote(between) == read_remote(remote)
    assert laptop.id == old


@pytest.fixture(params=[1, 4])
def stale(request: pytest.FixtureRequest, pair: Pair, remote: Path) -> tuple[Machine, bytes, int]:
    """A machine that has both sides of a resolved fork, the new id, and the number of its first batch.

    The renamed side, shorter or longer than the other, lies under its old id in `between` and in `old.zip`.
    """
    laptop, other = pair
    for iteration in range(10, 12):
        report(laptop, iteration, 1.0)
    push(laptop.store, remote)
    other.upload(b"weights")
    for iteration in range(20, 20 + request.param):
        report(other, iteration, 2.0)
    push(other.store, remote.parent / "between")
    export_bundle(other.store, remote.parent / "old.zip")
    (fork,) = resolve_forks(other.store, str(remote)).forks
    assert synchronise(laptop.store, remote).problems == []
    # Its session has ended, and adds nothing any more.
    laptop.reopen()
    return laptop, other.id, fork.common + 1


Stale = tuple[Machine, bytes, int]


def test_a_dry_run_foresees_what_becomes_of_a_side_under_its_old_id(
    stale: Stale, machine: Machines, tmp_path: Path
) -> None:
    laptop, becomes, number = stale
    between = tmp_path / "between"
    # And what has nothing to do with it.
    for name in ("desktop", "cluster"):
        machine(name).upload(name.encode())
    push(machine("desktop").store, between)
    push(machine("cluster").store, tmp_path / "elsewhere")
    pull(laptop.store, tmp_path / "elsewhere")
    (problem,) = pull(laptop.store, between).problems
    assert f"on {between} from batch {number} on is store {becomes.hex()} since" in problem
    assert "run `eventlog fork` with this remote" in problem
    machine("desktop").upload(b"more")
    push(machine("desktop").store, between)
    before = read_remote(between)
    foreseen = resolve_forks(laptop.store, str(between), dry_run=True)
    assert read_remote(between) == before
    done = resolve_forks(laptop.store, str(between))
    assert foreseen == done
    assert (done.forks, done.problems, done.deleted) == ([], [], 1)
    assert done.pulled == (1, 1)
    # The side that stays, the other one, and what has nothing to do with it.
    assert done.pushed.batches > len(batches_of(laptop.store)[becomes])
    assert done.pushed.blobs == 1
    assert read_remote(between)[becomes] == dict(enumerate(batches_of(laptop.store)[becomes]))
    assert resolve_forks(laptop.store, str(between), dry_run=True) == ForkResult()


def test_a_bundle_with_a_side_under_its_old_id_is_to_be_made_anew(stale: Stale, tmp_path: Path) -> None:
    laptop, becomes, number = stale
    bundle = tmp_path / "old.zip"
    before = batches_of(laptop.store)
    told = [
        synchronise(laptop.store, bundle).problems,
        pull(laptop.store, bundle).problems,
        resolve_forks(laptop.store, str(bundle)).problems,
        resolve_forks(laptop.store, str(bundle), dry_run=True).problems,
    ]
    (problem,) = told[0]
    assert told == [[problem]] * 4
    assert f"on {bundle} from batch {number} on is store {becomes.hex()} since, which is here" in problem
    assert "make a new bundle" in problem
    assert "with this remote" not in problem
    assert batches_of(laptop.store) == before


def test_a_web_server_with_a_side_under_its_old_id_is_written_another_way(
    stale: Stale, tmp_path: Path
) -> None:
    laptop, becomes, _ = stale
    with web_server(tmp_path / "between") as url:
        for problems in (
            synchronise(laptop.store, url).problems,
            resolve_forks(laptop.store, url, dry_run=True).problems,
        ):
            (problem,) = problems
            assert f"is store {becomes.hex()} since" in problem
            assert "by a protocol that writes" in problem


def test_who_holds_the_side_that_got_a_new_id_follows(pair: Pair, machine: Machines, tmp_path: Path) -> None:
    laptop, other = pair
    one, two = tmp_path / "one", tmp_path / "two"
    cluster = machine("cluster")
    old = laptop.id
    report(laptop, 10, 1.0)
    push(laptop.store, one)
    report(other, 20, 2.0)
    push(other.store, two)
    pull(cluster.store, two)
    report(other, 21, 2.0)
    # It cannot know which of the two keeps its id.
    (problem,) = resolve_forks(cluster.store, str(one)).problems
    assert "is another machine's" in problem
    assert resolve_forks(other.store, str(one)).problems == []
    result = resolve_forks(cluster.store, str(one))
    assert result.problems == []
    assert result.forks[0].parted.store == other.id
    assert batches_of(cluster.store)[other.id] == batches_of(other.store)[other.id]
    assert batches_of(cluster.store)[old] == batches_of(laptop.store)[old]
    assert cluster.id not in (old, other.id)
    assert sound(cluster)


def test_a_fork_with_a_bundle_is_resolved_here(pair: Pair, tmp_path: Path) -> None:
    laptop, other = pair
    old = other.id
    report(laptop, 10, 1.0)
    export_bundle(laptop.store, tmp_path / "runs.zip")
    report(other, 20, 2.0)
    result = resolve_forks(other.store, str(tmp_path / "runs.zip"))
    assert result.problems == []
    assert [fork.store for fork in result.forks] == [old]
    assert other.id != old
    assert batches_of(other.store)[old] == batches_of(laptop.store)[old]


def test_where_neither_copy_is_left_any_machine_may_say_so(
    pair: Pair, machine: Machines, tmp_path: Path
) -> None:
    laptop, other = pair
    cluster = machine("cluster")
    report(laptop, 10, 1.0)
    push(laptop.store, tmp_path / "one")
    report(other, 20, 2.0)
    push(other.store, tmp_path / "two")
    pull(cluster.store, tmp_path / "two")
    result = resolve_forks(cluster.store, str(tmp_path / "one"), named=laptop.id)
    assert result.problems == []
    assert laptop.id in cluster.store.heads()
    assert result.forks[0].here.becomes in read_remote(tmp_path / "one")


def test_a_store_that_is_written_to_keeps_its_id(pair: Pair, remote: Path) -> None:
    laptop, other = pair
    report(laptop, 10, 1.0)
    push(laptop.store, remote)
    report(other, 20, 2.0)
    other.close()
    script = (
        "import sys; from pathlib import Path\n"
        "from eventlog.store import Store; from eventlog.events import *\n"
        "store = Store.open(Path(sys.argv[1]))\n"
        "store.session.append(TagsAdded, 'a' * 32, ['x']); store.flush()\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(other.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        other.store = Store.open(other.home)
        before = batches_of(other.store)
        with pytest.raises(StoreForked, match="sessions are running"):
            resolve_forks(other.store, str(remote))
        assert batches_of(other.store) == before
        process.stdin.close()
        process.wait(timeout=30)
    assert resolve_forks(other.store, str(remote)).problems == []


def test_a_process_that_had_the_store_open_writes_under_the_new_id(pair: Pair, remote: Path) -> None:
    laptop, other = pair
    report(laptop, 10, 1.0)
    push(laptop.store, remote)
    report(other, 20, 2.0)
    old = other.id
    other.close()
    script = (
        "import sys; from pathlib import Path\n"
        "from eventlog.store import Store; from eventlog.events import *\n"
        "store = Store.open(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "store.session.append(TagsAdded, 'a' * 32, ['x']); store.flush()\n"
        "store.session.append(TagsAdded, 'a' * 32, ['y']); print('ready', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(other.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        other.store = Store.open(other.home)
        assert resolve_forks(other.store, str(remote)).problems == []
        count = len(batches_of(other.store)[other.id])
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        assert sound(other)
        process.kill()
        process.wait(timeout=30)
    other.reopen()
    added = payloads(batches_of(other.store)[other.id][count:])
    assert [event.tags for event in added if isinstance(event, events.TagsAdded)] == [["x"], ["y"]]
    assert batches_of(other.store)[old] == batches_of(laptop.store)[old]
    assert sound(other)


def test_a_resolution_that_is_killed_leaves_the_old_store_or_the_new_one(machine: Machines) -> None:
    laptop = machine("laptop")
    for _ in range(300):
        laptop.train(1)
    laptop.close()
    with Store.open(laptop.home) as store:
        batches = len(batches_of(store)[laptop.id])
    dice = random.Random(7)
    seen = set()
    took = 0.1
    for attempt in range(16):
        home = laptop.home.parent / f"copy{attempt}"
        shutil.copytree(laptop.home, home)
        child = os.fork()
        if child == 0:
            try:
                with Store.open(home) as store:
                    part(store, store.id, 20)
            finally:
                os._exit(0)
        began = time.monotonic()
        if attempt:
            time.sleep(dice.uniform(0, 1.2 * took))
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if not attempt:
            took = time.monotonic() - began
        with Store.open(home) as store:
            held = {store_id: len(found) for store_id, found in batches_of(store).items()}
            is_new = store.id != laptop.id
        seen.add(is_new)
        # The first of the new ones begins the session that began before.
        assert held == ({laptop.id: 21, store.id: batches - 20} if is_new else {laptop.id: batches})
        assert verify(home).problems == []
    assert True in seen
