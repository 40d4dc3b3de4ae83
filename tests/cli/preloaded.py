"""The command in a process of its own that need not import anything: it is forked off one that has it all.

Hundreds of tests run a command or ten, and most of what each takes is its imports. What is started like this
has its own arguments, environment, folder and output, and ends as an interpreter ends.
"""

import atexit
import contextlib
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import eventlog.cli
from eventlog.cli import main
from tests.cli.running import Outcome

__all__ = ["Preloaded"]

# More than a socket takes at once.
MOST_BYTES = 1 << 20
PIECE_SIZE = 1 << 16
SERVER = "from tests.cli.preloaded import serve; serve()"
# What an interpreter reads when it starts, and only then.
READ_AT_START = ("PYTHON", "LANG", "LC_", "LD_")


class Preloaded:
    """A process that has imported the command, for those that are forked off it; a context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, "PYTHONUTF8": "1"}
        self._read_at_start = _read_at_start(environment)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                # What is forked off writes to pipes as well.
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            )

    def __enter__(self) -> "Preloaded":
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.close()
        self._process.communicate()

    @staticmethod
    def is_possible() -> bool:
        """Whether this system has what it is made of."""
        return hasattr(os, "pidfd_open") and hasattr(socket, "SOCK_SEQPACKET")

    def fits(self, environment: dict[str, str]) -> bool:
        """Whether what is forked off is as if it had been started in this environment."""
        return self._read_at_start == _read_at_start(environment)

    def run(self, arguments: tuple[str, ...], environment: dict[str, str], timeout: float) -> Outcome:
        """Run the command.

        Args:
            timeout: seconds after which it is killed.

        Raises:
            subprocess.TimeoutExpired: it was.
        """
        request = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
        ends = [os.pipe() for _ in range(3)]
        try:
            with self._lock:
                socket.send_fds(self._mine, [json.dumps(request).encode()], [end for _, end in ends])
        finally:
            for _, end in ends:
                os.close(end)
        out, err, status = (end for end, _ in ends)
        try:
            told = _read_all((out, err, status), timeout)
        finally:
            for end, _ in ends:
                os.close(end)
        match told[status].split():
            case [_, code]:
                return Outcome(int(code), told[out].decode(), told[err].decode())
            case [child]:
                os.kill(int(child), signal.SIGKILL)
                raise subprocess.TimeoutExpired(["eventlog", *arguments], timeout, told[out], told[err])
        raise RuntimeError(f"what commands are forked off has ended: {self._process.communicate()[1]!r}")


def serve() -> None:
    """Fork for each request, until nobody is there to ask; what is forked ends as the command does."""
    for module in pkgutil.iter_modules(eventlog.cli.__path__, "eventlog.cli."):
        import_module(module.name)
    # Else the collection at the end of each would copy all that it shares with this one.
    gc.freeze()
    requests = socket.socket(fileno=int(sys.argv[1]))
    requests.set_inheritable(False)
    with selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not requests:
                    ready.unregister(key.fd)
                    os.close(key.fd)
                    _tell(*key.data)
                    continue
                data, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, 3)
                if not data:
                    return
                child = os.fork()
                if not child:
                    others = [key for key in ready.get_map().values() if key.fileobj is not requests]
                    ready.close()
                    requests.close()
                    _run(
                        json.loads(data),
                        descriptors,
                        [end for key in others for end in (key.fd, key.data[1])],
                    )
                out, err, status = descriptors
                os.close(out)
                os.close(err)
                with contextlib.suppress(BrokenPipeError):
                    os.write(status, b"%d\n" % child)
                ready.register(os.pidfd_open(child), selectors.EVENT_READ, (child, status))


def _tell(child: int, status: int) -> None:
    """Write the exit code of a process that has ended, if somebody still waits for it."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        os.write(status, b"%d\n" % code)
    os.close(status)


def _run(request: dict[str, Any], descriptors: list[int], others: list[int]) -> NoReturn:
    os.dup2(descriptors[0], 1)
    os.dup2(descriptors[1], 2)
    # A command that is started has no more than these.
    for descriptor in (*descriptors, *others):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    sys.argv[1:] = request["arguments"]
    try:
        main.main()
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            _end(ending.code or 0)
        raise
    raise AssertionError("it exits")


def _end(code: int) -> NoReturn:
    """End as an interpreter ends, but without taking apart all that it shares with the others."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    os._exit(code)


def _read_all(ends: tuple[int, ...], timeout: float) -> dict[int, bytes]:
    """What comes out of pipes until all of them end, or for so many seconds."""
    told = dict.fromkeys(ends, b"")
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as ready:
        for end in ends:
            ready.register(end, selectors.EVENT_READ)
        while ready.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in ready.select(left):
                piece = os.read(key.fd, PIECE_SIZE)
                told[key.fd] += piece
                if not piece:
                    ready.unregister(key.fd)
    return told


def _read_at_start(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}
