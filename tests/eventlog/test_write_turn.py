"""Whoever would write to an environment gets his turn, whoever else is killed or interrupted."""

import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from eventlog.environment import Environment
from eventlog.errors import StoreInvalid
from eventlog.write_turn import WriteTurn
from tests.eventlog.processes import DEADLINE_SECONDS, start, wait_until


class Child:
    """A forked process that does some work with an environment of its own, and what it says and is told."""

    def __init__(self, folder: Path, work: Callable[[Environment, "Child"], object], **pinned: int) -> None:
        orders, self._ordering = os.pipe()
        self._answering, answers = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            try:
                for cpu in pinned.values():
                    os.sched_setaffinity(0, {cpu})
                self._orders, self._answers = orders, answers
                environment = Environment(folder, {"one": {}})
                self.say("o")
                work(environment, self)
            finally:
                os._exit(1)
        os.close(orders)
        os.close(answers)
        self.expect("o")

    def say(self, word: str) -> None:
        os.write(self._answers, word.encode())

    def await_order(self) -> None:
        os.read(self._orders, 1)

    def hold(self, _: object = None) -> None:
        """A transaction's work: it lasts until it is told to end."""
        self.say("h")
        self.await_order()

    def order(self) -> None:
        os.write(self._ordering, b".")

    def expect(self, word: str) -> None:
        ready, _, _ = select.select([self._answering], [], [], DEADLINE_SECONDS)
        assert ready, f"it waits instead of saying {word}"
        assert os.read(self._answering, 1).decode() == word

    def begin_to_wait(self) -> None:
        """Tell it to write, and go on once it waits for its turn."""
        self.order()
        self.expect("w")
        wait_until(lambda: psutil.Process(self.process).status() == psutil.STATUS_SLEEPING)

    def end(self) -> int:
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            status = os.waitpid(self.process, 0)[1]
            self.process = 0
            os.close(self._ordering)
            os.close(self._answering)
            return os.waitstatus_to_exitcode(status)
        return 0


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def begin(work: Callable[[Environment, Child], object], **pinned: int) -> Child:
        children.append(Child(tmp_path / "log", work, **pinned))
        return children[-1]

    yield begin
    for one in children:
        one.end()


def write_twice(environment: Environment, child: Child) -> None:
    """At once again, before those who wait can."""
    child.await_order()
    environment.write(child.hold)
    environment.write(child.hold)
    child.say("d")
    child.await_order()


def write_once(environment: Environment, child: Child) -> None:
    child.await_order()
    child.say("w")
    environment.write(lambda _: None)
    child.say("d")
    child.await_order()


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="it needs two processors, one of which is kept from whoever is woken",
)
def test_whoever_waits_goes_on_after_another_was_killed_as_his_turn_came(
    child: Callable[..., Child],
) -> None:
    """A mutex in shared memory forgets him, if somebody else had taken it before the other died."""
    one, other = sorted(os.sched_getaffinity(0))[:2]
    holder = child(write_twice, cpu=one)
    killed, waiting = child(write_once, cpu=other), child(write_once, cpu=other)
    holder.order()
    holder.expect("h")
    for writer in (killed, waiting):
        writer.begin_to_wait()
    reading, writing = os.pipe()
    busy = os.fork()
    if busy == 0:
        # Whoever is woken on this processor does not run before this has ended.
        try:
            os.sched_setaffinity(0, {other})
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            os.write(writing, b".")
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                pass
        finally:
            os.write(writing, b"x")
            os._exit(0)
    try:
        if os.read(reading, 1) != b".":
            pytest.skip("there is no right to keep a processor")
        holder.order()
        holder.expect("h")
        os.kill(killed.process, signal.SIGKILL)
    finally:
        os.kill(busy, signal.SIGKILL)
        os.waitpid(busy, 0)
        os.close(reading)
        os.close(writing)
    killed.end()
    holder.order()
    holder.expect("d")
    waiting.expect("d")


def test_ctrl_c_ends_the_wait_for_the_turn_of_another(child: Callable[..., Child]) -> None:
    def be_interrupted(environment: Environment, child: Child) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        child.await_order()
        child.say("w")
        try:
            environment.write(lambda _: None)
        except KeyboardInterrupt:
            child.say("i")
        # The turn that it did not get is not in its way.
        environment.write(lambda _: None)
        child.say("d")
        child.await_order()

    holder, interrupted = child(write_twice), child(be_interrupted)
    holder.order()
    holder.expect("h")
    interrupted.begin_to_wait()
    os.kill(interrupted.process, signal.SIGINT)
    interrupted.expect("i")
    for _ in range(2):
        holder.order()
    interrupted.expect("d")


def test_who_writes_within_his_own_transaction_is_refused_and_does_not_wait_for_himself(
    tmp_path: Path,
) -> None:
    environment = Environment(tmp_path / "log", {"one": {}})
    with pytest.raises(StoreInvalid, match="another write transaction is active on the same thread"):
        environment.write(lambda _: environment.write(lambda _: None))
    environment.write(lambda _: None)
    environment.close()


def test_a_forked_child_keeps_no_turn_of_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = """
        import os, signal, sys, threading
        from pathlib import Path
        import eventlog.environment
        from eventlog.environment import Environment

        # The fork does not wait for the transaction to end.
        eventlog.environment.PAUSE_SECONDS = 0.0
        environment = Environment(Path(sys.argv[1]), {"one": {}})
        begun = threading.Event()

        def hold(_):
            begun.set()
            threading.Event().wait()

        threading.Thread(target=environment.write, args=(hold,), daemon=True).start()
        begun.wait()
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
            signal.pause()
        signal.pause()
    """
    with start(program, tmp_path / "log", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        left = int(process.stdout.readline())
        process.kill()
        process.wait()
        try:
            environment = Environment(tmp_path / "log", {"one": {}})
            environment.write(lambda writing: writing.put(b"key", b"", db=environment["one"]))
            environment.close()
        finally:
            os.kill(left, signal.SIGKILL)


def test_without_a_file_handle_to_spare_a_write_goes_on(child: Callable[..., Child]) -> None:
    def write(environment: Environment, child: Child) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        write_once(environment, child)

    writer = child(write)
    writer.order()
    writer.expect("w")
    writer.expect("d")


def test_a_turn_says_whether_it_was_taken(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").touch()
    turn = WriteTurn(tmp_path)
    assert repr(turn) == f"<WriteTurn at {tmp_path}: not taken>"
    with turn:
        assert repr(turn) == f"<WriteTurn at {tmp_path}: taken>"
    assert repr(turn) == f"<WriteTurn at {tmp_path}: not taken>"
