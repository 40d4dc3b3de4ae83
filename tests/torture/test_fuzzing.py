"""Whatever bytes a reader is given, nothing but errors of eventlog comes out, in bounded memory and time."""

import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from eventlog.errors import DataCorrupt
from torture.fuzzing.slices import inputs, read_slice
from torture.fuzzing.target import MIB, Target, read_within
from torture.fuzzing.targets import TARGETS

FEW = settings(max_examples=20, database=None, suppress_health_check=list(HealthCheck), print_blob=True)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Some targets set it to the folder that they are given.
    monkeypatch.setenv("EVENTLOG_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_hostile_bytes_give_nothing_but_the_errors_of_eventlog(target: Target, tmp_path: Path) -> None:
    if target.missing:
        pytest.skip(f"{', '.join(target.missing)} is not installed")

    @settings(FEW, max_examples=2 if target.slow else 20)
    @given(some.randoms(use_true_random=False))
    def check(chance: Random) -> None:
        read(target, target.input(chance), tmp_path)

    for seed in target.seeds()[: 2 if target.slow else 60]:
        read(target, seed, tmp_path)
    check()


def read(target: Target, data: bytes, folder: Path) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    try:
        read_within(target, data, scratch)
    finally:
        shutil.rmtree(scratch)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_whatever_bytes_there_are_can_be_changed(target: Target) -> None:
    for data in (b"", b"x", b"\x80", bytes(500), b"PK\x05\x06" + bytes(18), *target.seeds()[:1]):
        for number in range(5):
            assert isinstance(target.shape(Random(number), data), bytes)


# That it would tell.


def reading(read: object, **fields: object) -> Target:
    target = Target("a reader", lambda: [b"seed"], read)  # type: ignore[arg-type]
    return replace(target, **fields)  # type: ignore[arg-type]


def wrong_error(data: bytes, folder: Path) -> None:
    raise KeyError("x")


def much_memory(data: bytes, folder: Path) -> None:
    bytearray(700 * MIB)


def much_time(data: bytes, folder: Path) -> None:
    sum(number for number in range(3_000_000))


def death(data: bytes, folder: Path) -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (reading(wrong_error), "KeyError"),
        (reading(much_memory), "MemoryError"),
        (reading(much_time, seconds=0.01), "were taken to read"),
        (reading(death), "killed by signal 9"),
    ],
    ids=["error", "memory", "time", "death"],
)
def test_what_breaks_the_promise_is_told_and_its_input_kept(
    tmp_path: Path, target: Target, words: str
) -> None:
    done = read_slice(target, lambda: inputs(target, "7", 5), tmp_path)
    (line,) = done.broken
    assert "input 7/0" in line
    assert words in line
    assert (tmp_path / "input").read_bytes() == target.input(Random("7/0/a reader"))


def test_memory_that_python_gives_out_is_measured(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"700\.. MiB were taken"):
        read_within(reading(much_memory), b"x", tmp_path)


def test_an_input_is_read_again_by_its_seed() -> None:
    for target in TARGETS[:3]:
        assert target.input(Random("5")) == target.input(Random("5"))


def test_errors_of_the_tree_are_expected(tmp_path: Path) -> None:
    def refuse(data: bytes, folder: Path) -> None:
        from torture.fuzzing.target import errors_of_the_tree

        with errors_of_the_tree():
            raise DataCorrupt("no")

    assert read_slice(reading(refuse), lambda: [("one", b"x")], tmp_path).inputs == 1
