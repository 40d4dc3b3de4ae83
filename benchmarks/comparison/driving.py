"""Starts the driver with one program and one piece of work, and ends what it leaves behind."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.comparison.program import Program
from benchmarks.peers import driver

__all__ = ["Drive", "DriveFailed", "bytes_on_disk", "end_drives"]

_MARK = "EVENTLOG_BENCHMARK_DRIVE"
# A closed port of this machine: whoever wants to reach out notices at once that there is no network.
_NOWHERE = "http://127.0.0.1:9"


_running: "set[Drive]" = set()
# Held while one begins, so that none does unseen while all are ended.
_beginning = threading.Lock()
_over = False


def end_drives() -> None:
    """End all that run, in whatever thread, and let none begin any more: the run is cut off."""
    global _over
    with _beginning:
        _over = True
        running = list(_running)
    for drive in running:
        drive.end()


class DriveFailed(Exception):
    """A program did not do a piece of work; the message says why, in one line."""


class Drive:
    """A process that does one piece of work with one program.

    Args:
        folder: where the program keeps what it is told.
        bytecode: where modules of an editable installation are kept compiled, as an installed one's are.
        options: the arguments of the work, beside the folder.

    Raises:
        DriveFailed: the run was cut off.
    """

    def __init__(self, program: Program, work: str, folder: Path, bytecode: Path, **options: Any) -> None:
        self._mark = uuid.uuid4().hex
        self._private = folder.with_name(f"{folder.name}-{self._mark[:8]}")
        self._result = self._private / "result.json"
        self._said = self._private / "stderr"
        for path in (folder, self._private / "home", self._private / "temporary"):
            path.mkdir(parents=True, exist_ok=True)
        arguments = json.dumps({"folder": str(folder), **options} if work != "describe" else options)
        # -P: a folder of adapters that are named after their programs must not come first.
        command = [program.python, "-P", driver.__file__, program.path, work, arguments, self._result]
        with _beginning, self._said.open("wb") as said:
            if _over:
                raise DriveFailed("the run was cut off")
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env=self._environment(program, bytecode),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            _running.add(self)

    def wait(self, seconds: float) -> dict[str, Any]:
        """What it measured.

        Raises:
            DriveFailed: it exited with an error, or had not ended after so many seconds.
        """
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise DriveFailed(f"had not ended after {seconds:,.0f} s") from None
        finally:
            self.end()
        figures: dict[str, Any] = json.loads(self._result.read_text()) if self._result.exists() else {}
        if figures.get("failed"):
            raise DriveFailed(figures["failed"])
        if status or not figures:
            said = self._said.read_text(errors="replace").strip().splitlines()
            raise DriveFailed(f"exit status {status}: {' '.join(said[-1:])[:200]}")
        return figures

    def has_failed(self) -> bool:
        """Whether it has ended with an error."""
        return bool(self._process.poll())

    def end(self) -> None:
        """End it and everything that it started."""
        # Only while it is known to be ours: the number of a process that has ended may be another's by now.
        self._process.kill()
        self._process.wait()
        for process in self._marked():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        _running.discard(self)

    def _marked(self) -> Iterator[int]:
        """The processes that it started, wherever they have gone; none where there is no /proc."""
        mark = f"{_MARK}={self._mark}".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes():
                    yield int(path.parent.name)

    def _environment(self, program: Program, bytecode: Path) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "OPENBLAS_CORETYPE") if name in os.environ}
        environment = {
            **kept,
            "PATH": f"{program.python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self._private / "home"),
            "TMPDIR": str(self._private / "temporary"),
            "NO_PROXY": "127.0.0.1,localhost,::1",
            "DO_NOT_TRACK": "1",
            # A network of this size gains nothing from threads, and they would make the loop uneven.
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            _MARK: self._mark,
        }
        environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NOWHERE)
        if not program.requirements:
            environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
        return environment


def bytes_on_disk(folder: Path) -> int:
    """What the file system has allocated for the files of a folder."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
    return total
