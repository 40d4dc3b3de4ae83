"""The command in a process of its own that need not import anything: it is forked off one that has it all.

Hundreds of tests run a command or ten, and most of what each takes is its imports. What is started like this
has its own arguments, environment, folder and output, and ends as an interpreter ends.
"""

import gc
import json
import os
import pkgutil
import selectors
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

MOST_BYTES = 1 << 20
SERVER = "from tests.cli.preloaded import serve; serve()"
# What an interpreter reads when it starts, and only then.
READ_AT_START = ("PYTHON", "LANG", "LC_", "LD_")


class Preloaded:
    """A process that has imported the command, for those that are forked off it; a context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            environment = {**os.environ, "PYTHONUTF8": "1"}
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
        self._environment = {name: environment.get(name) for name in environment if _read_at_start(name)}

    def __enter__(self) -> "Preloaded":
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.close()
        self._process.communicate()

    def fits(self, environment: dict[str, str]) -> bool:
        """Whether what is forked off is as if it had been started in this environment."""
        return self._environment == {name: environment[name] for name in environment if _read_at_start(name)}

    def run(self, arguments: tuple[str, ...], environment: dict[str, str], timeout: float) -> Outcome:
        """Run the command.

        Args:
            timeout: seconds after which it is taken to hang.
        """
        request = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
        ends = [os.pipe() for _ in range(3)]
        try:
            with self._lock:
                socket.send_fds(self._mine, [json.dumps(request).encode()], [end for _, end in ends])
        finally:
            for _, end in ends:
                os.close(end)
        (out_end, _), (err_end, _), (status_end, _) = ends
        with open(out_end, "rb") as out, open(err_end, "rb") as err, open(status_end, "rb") as status:
            read = [b"", b""]

            def drain(place: int) -> None:
                read[place] = (out, err)[place].read()

            threads = [threading.Thread(target=drain, args=(place,), daemon=True) for place in (0, 1)]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + timeout
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
                assert not thread.is_alive(), f"eventlog {' '.join(arguments)} runs for {timeout} s"
            code = status.readline()
        if not code:
            raise RuntimeError(f"what commands are forked off has ended: {self._process.communicate()[1]!r}")
        return Outcome(int(code), read[0].decode(), read[1].decode())


def serve() -> None:
    """Fork for each request, until nobody is there to ask; what is forked ends as the command does."""
    for module in pkgutil.iter_modules(eventlog.cli.__path__, "eventlog.cli."):
        import_module(module.name)
    # Else the collection at the end of each would copy all that it shares with this one.
    gc.freeze()
    requests = socket.socket(fileno=int(sys.argv[1]))
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
                out, err, status = descriptors
                child = os.fork()
                if not child:
                    _run(json.loads(data), out, err)
                os.close(out)
                os.close(err)
                ready.register(os.pidfd_open(child), selectors.EVENT_READ, (child, status))


def _tell(child: int, status: int) -> None:
    """Write the exit code of a process that has ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(status, "w") as file:
        print(code, file=file)


def _run(request: dict[str, Any], out: int, err: int) -> NoReturn:
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    sys.argv[1:] = request["arguments"]
    main.main()
    raise AssertionError("it exits")


def _read_at_start(name: str) -> bool:
    return name.startswith(READ_AT_START)
