"""A process that copies the files of an environment that it has open does not give its locks back."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.environment import Environment
from eventlog.lock_file import LockFile
from tests.eventlog.processes import run, start

# Whoever opens it with LMDB alone: the readers that he finds there, and how many he takes for dead.
OPEN = """
import sys
import lmdb
environment = lmdb.open(sys.argv[1], max_dbs=4)
words = [line.split() for line in environment.readers().splitlines()]
print([int(line[0]) for line in words if line[0].isdecimal()])
print(environment.reader_check(), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    environment = Environment(tmp_path / "log", {"one": {}})
    yield environment
    environment.close()


def test_who_comes_next_does_not_take_the_lock_file_for_nobodys(
    environment: Environment, tmp_path: Path
) -> None:
    """He would begin it anew, and two write at once."""
    with environment.read():
        shutil.copytree(environment.path, tmp_path / "copy")
        assert run(OPEN, environment.path, stdin=subprocess.DEVNULL) == f"[{os.getpid()}]\n0\n"


def test_its_readers_are_not_taken_for_dead(environment: Environment, tmp_path: Path) -> None:
    """What they read would be written over."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with start(OPEN, environment.path, **pipes) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert (other.stdout.readline(), other.stdout.readline()) == (b"[]\n", b"0\n")
        with environment.read():
            shutil.copytree(environment.path, tmp_path / "copy")
            assert run(OPEN, environment.path, stdin=subprocess.DEVNULL) == f"[{os.getpid()}]\n0\n"
        other.stdin.close()


def test_once_it_is_closed_or_its_process_was_killed_the_lock_file_is_nobodys(tmp_path: Path) -> None:
    program = """
        import os, signal, sys
        from pathlib import Path
        from eventlog.environment import Environment
        environment = Environment(Path(sys.argv[1]), {"one": {}})
        with environment.read():
            if os.fork() == 0:
                print(os.getpid(), flush=True)
                os.close(1)
                os.close(2)
                signal.pause()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    folder = tmp_path / "log"
    child = int(run(program, folder, status=-9))
    try:
        assert run(OPEN, folder, stdin=subprocess.DEVNULL) == "[]\n0\n"
        environment = Environment(folder, {"one": {}})
        with environment.read():
            pass
        environment.close()
        assert run(OPEN, folder, stdin=subprocess.DEVNULL) == "[]\n0\n"
    finally:
        os.kill(child, 9)


def test_what_a_child_holds_that_python_knows_nothing_of_is_in_nobodys_way(tmp_path: Path) -> None:
    """As every program does while it is being started, for a moment: the turn, the lock file."""
    program = """
        import ctypes, os, signal, sys
        from pathlib import Path
        from eventlog.environment import Environment

        def write(environment, work=lambda writing: None):
            environment.write(work)
            with environment.read():
                pass

        children = []

        def fork(_):
            children.append(ctypes.CDLL(None).fork())
            if children[-1] == 0:
                signal.pause()

        environment = Environment(Path(sys.argv[1]), {"one": {}})
        try:
            write(environment, fork)
            write(environment)
            environment.close()
            environment = Environment(Path(sys.argv[1]), {"one": {}})
            write(environment)
            environment.close()
        finally:
            os.kill(children[0], signal.SIGKILL)
    """
    run(program, tmp_path / "log")


def test_where_there_is_no_lock_file_none_is_made(tmp_path: Path) -> None:
    file = LockFile(tmp_path)
    assert repr(file) == f"<LockFile {tmp_path}/lock.mdb>"
    file.close()
    assert list(tmp_path.iterdir()) == []
