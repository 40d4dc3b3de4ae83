"""Two copies of a store that both went on: found, reported, never merged. Restored copies catch up."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog.store import Store
from eventlog.sync import pull, push, synchronise, unpushed
from tests.sync.machines import Machine, batches_of, change_batch, read_remote

Machines = Callable[[str], Machine]


def clone(one: Machine, name: str) -> Machine:
    """A copy of a machine's disk."""
    one.close()
    shutil.copytree(one.home, one.home.parent / name)
    one.store = Store.open(one.home)
    return Machine(one.home.parent / name)


@pytest.fixture
def pair(machine: Machines, tmp_path: Path):
    laptop = machine("laptop")
    laptop.train()
    other = clone(laptop, "clone")
    yield laptop, other
    other.close()


Pair = tuple[Machine, Machine]


@pytest.mark.parametrize("ours", [1, 2, 3])
@pytest.mark.parametrize("work", [pull, push, synchronise])
def test_a_fork_is_found_and_nothing_of_it_is_merged(
    pair: Pair, machine: Machines, remote: Path, ours: int, work: Callable
) -> None:
    laptop, other = pair
    desktop = machine("desktop")
    desktop.train()
    push(desktop.store, remote)
    for _ in range(2):
        laptop.train()
    push(laptop.store, remote)
    for _ in range(ours):
        other.train()
    theirs = read_remote(remote)[laptop.id]
    before = batches_of(other.store)[other.id]

    result = work(other.store, remote)
    # A push alone that has less than the remote cannot tell, and says to pull.
    expected = "pull first" if work is push and ours < 2 else "two histories"
    assert [expected in problem for problem in result.problems] == [True]
    assert other.id.hex() in result.problems[0]
    assert read_remote(remote)[laptop.id] == theirs
    assert batches_of(other.store)[other.id] == before
    if work is not push:
        assert desktop.id in other.store.heads()
    if ours >= 2:
        assert unpushed(other.store, remote).problems == result.problems


def test_a_fork_of_another_store_is_found_too(pair: Pair, machine: Machines, tmp_path: Path) -> None:
    laptop, other = pair
    cluster, share = machine("cluster"), machine("share")
    laptop.train()
    other.train()
    other.train()
    push(laptop.store, tmp_path / "one")
    push(other.store, tmp_path / "two")
    assert pull(cluster.store, tmp_path / "one").problems == []
    before = batches_of(cluster.store)
    there = read_remote(tmp_path / "two")
    for work in (pull, synchronise):
        (problem,) = work(cluster.store, tmp_path / "two").problems
        assert "two histories" in problem
        assert batches_of(cluster.store) == before
    # Other stores are often ahead there: a push alone sees nothing wrong, and does nothing.
    assert push(cluster.store, tmp_path / "two").batches == 0
    assert read_remote(tmp_path / "two") == there
    assert pull(share.store, tmp_path / "two").problems == []


def test_a_remote_that_holds_both_sides_of_a_fork_is_reported(
    pair: Pair, machine: Machines, tmp_path: Path
) -> None:
    laptop, other = pair
    laptop.train()
    push(laptop.store, tmp_path / "one")
    other.train()
    other.train()
    push(other.store, tmp_path / "two")
    shutil.copytree(tmp_path / "two", tmp_path / "one", dirs_exist_ok=True)
    cluster = machine("cluster")
    assert any("two histories" in problem for problem in pull(cluster.store, tmp_path / "one").problems)
    assert any("two histories" in problem for problem in pull(cluster.store, tmp_path / "one").problems)


def test_a_fork_is_found_where_only_later_batches_of_it_are_there(pair: Pair, remote: Path) -> None:
    laptop, other = pair
    push(laptop.store, remote)
    for _ in range(2):
        laptop.train()
        push(laptop.store, remote)
    next(remote.glob("stores/*/000000000002-*")).unlink()
    other.train()
    before = batches_of(other.store)
    (problem,) = pull(other.store, remote).problems
    assert "two histories" in problem
    assert batches_of(other.store) == before


def test_a_restored_copy_takes_back_what_it_had_pushed(pair: Pair, remote: Path) -> None:
    laptop, restored = pair
    laptop.train()
    digest = laptop.upload(b"weights")
    push(laptop.store, remote)
    assert len(push(restored.store, remote).problems) == 1
    result = synchronise(restored.store, remote)
    assert result.problems == []
    assert result.pull.batches == 2
    assert batches_of(restored.store) == batches_of(laptop.store)
    assert digest in restored.store.blobs
    # And goes on from there, as the same store.
    restored.train()
    assert synchronise(restored.store, remote).push.batches == 1
    assert pull(laptop.store, remote).problems == []
    assert batches_of(restored.store) == batches_of(laptop.store)


def test_a_damaged_link_here_is_not_taken_for_a_fork(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    for _ in range(3):
        laptop.train()
        push(laptop.store, remote)
    laptop.close()
    # The hash, in batch 2, of batch 1.
    change_batch(laptop.home, laptop.store.id, 2, 30)
    laptop.store = Store.open(laptop.home)
    for work in (push, pull):
        (problem,) = work(laptop.store, remote).problems
        assert "eventlog verify" in problem
        assert "histories" not in problem
