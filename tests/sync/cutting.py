"""Runs pushes and pulls in processes that are killed with SIGKILL on the way; a script and its driver.

The script reads commands from its standard input. For each it forks a child that opens the store and
syncs, and that is killed either before its n-th operation on a file, as Python's audit hooks count them,
or after some microseconds.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["Cutter"]

OPERATIONS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.scandir", "os.listdir", "fcntl.ioctl", "os.chmod"}
)


class Cutter:
    """The script, running: a context manager."""

    def __enter__(self) -> "Cutter":
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.sync.cutting"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        assert self._process.returncode == 0

    def run(
        self, work: str, home: Path, remote: Path, *, operation: int = 0, seconds: float = 0.0
    ) -> tuple[bool, float, int]:
        """Sync in a process, and kill it before an operation on a file, or after some time.

        Args:
            work: such as "push", or "push log" for the log without the blobs.

        Returns:
            Whether it was killed, how long it took, and how many operations it had begun by its end.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = [work, str(home), str(remote), operation, seconds]
        print(json.dumps(command), file=self._process.stdin, flush=True)
        killed, took, operations = json.loads(self._process.stdout.readline())
        return killed, took, operations


def _child(work: str, home: str, remote: str, operation: int, report: int) -> None:
    from eventlog import sync
    from eventlog.store import Store

    store = Store.open(Path(home))
    count = 0

    def hook(event: str, _: Any) -> None:
        nonlocal count
        if event in OPERATIONS:
            count += 1
            if count == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    os.write(report, b"ready\n")
    sys.addaudithook(hook)
    name, _, without_blobs = work.partition(" ")
    choose = (lambda among: set[str]()) if without_blobs else None
    result = getattr(sync, name)(store, remote, choose=choose)
    assert result.problems == [], result.problems
    os.write(report, b"%d\n" % count)


def _serve() -> None:
    from eventlog import sync
    from eventlog.store import Store

    # What is imported late is imported once, here.
    assert Store
    sync.Remote("/nowhere").state()
    for line in sys.stdin:
        work, home, remote, operation, seconds = json.loads(line)
        reading, report = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(reading)
                _child(work, home, remote, operation, report)
                code = 0
            finally:
                os._exit(code)
        os.close(report)
        with os.fdopen(reading, "r") as said:
            said.readline()
            started = time.monotonic()
            if seconds:
                time.sleep(seconds)
                os.kill(child, signal.SIGKILL)
            operations = int(said.readline() or 0)
            took = time.monotonic() - started
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or status == 0, status
        print(json.dumps([killed, took, operations]), flush=True)


if __name__ == "__main__":
    _serve()
