"""Slices: one target read with one input after another, for a while, in a process that may die of it."""

import contextlib
import logging
import math
import mmap
import os
import resource
import shutil
import signal
import struct
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.processes import signals_as_usual
from torture.fuzzing.target import MIB, Target, read_within

__all__ = ["Slice", "bombs", "inputs", "read_slice"]

# Beyond what was taken before, and what a target allows: threads, and memory that is kept for later.
_SLACK = 160 * MIB
# No input takes so long: of a processor, or, where it waits for something, by the clock.
_BUSY_SECONDS = 60
_STUCK_SECONDS = 600
_STATE = struct.Struct("=QQd")
_KEPT = "input"
_LONGEST = 4096


@dataclass
class Slice:
    """What came of a slice.

    Attributes:
        inputs: how many were read.
        peak: the most memory that was taken beyond what the process had before, in bytes.
        slowest: the most seconds of a processor that one input took.
        broken: what was not as promised, a line each; the slice ends with the first.
    """

    inputs: int = 0
    peak: int = 0
    slowest: float = 0.0
    broken: list[str] = field(default_factory=list)

    def add(self, other: "Slice") -> None:
        """Add what came of another."""
        self.inputs += other.inputs
        self.peak = max(self.peak, other.peak)
        self.slowest = max(self.slowest, other.slowest)
        self.broken += other.broken


def inputs(target: Target, seed: str, seconds: float) -> Iterator[tuple[str, bytes]]:
    """Inputs by name for so many seconds; the same seed gives the same ones."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        name = f"{seed}/{number}"
        yield name, target.input(Random(f"{name}/{target.name}"))
        number += 1


def bombs(target: Target) -> Iterator[tuple[str, bytes]]:
    """The target's bombs by name."""
    for number, make in enumerate(target.bombs):
        yield f"bomb {number}", make()


def read_slice(
    target: Target, given: Callable[[], Iterable[tuple[str, bytes]]], folder: Path, *, trace: bool = False
) -> Slice:
    """Read inputs in a process of its own, which gets no more memory than the target allows.

    Args:
        given: makes the inputs, in that process.
        folder: where they are read; an input that broke a promise is kept there, as `input`.
    """
    target.seeds()
    folder.mkdir(parents=True, exist_ok=True)
    state = mmap.mmap(-1, _STATE.size + _LONGEST)
    before = _resident()
    child = os.fork()
    if not child:
        _read_all(target, given, folder, state, trace=trace)
    status, peak = _wait(child, state)
    count, _, slowest = _STATE.unpack_from(state)
    text = state[_STATE.size :].rstrip(b"\0").decode("utf-8", "replace")
    done = Slice(count, max(0, peak - before), slowest)
    if status:
        death = "" if status > 0 else f"it was killed by signal {-status}: "
        done.broken.append(f"{target.name}: {death}{text}")
    return done


def _read_all(
    target: Target,
    given: Callable[[], Iterable[tuple[str, bytes]]],
    folder: Path,
    state: mmap.mmap,
    *,
    trace: bool,
) -> None:
    """What the child does; it does not return."""
    code = 1
    name = ""
    try:
        signals_as_usual()
        logging.getLogger("eventlog").setLevel(logging.CRITICAL)
        scratch = folder / "scratch"
        count, slowest = 0, 0.0
        for name, data in given():
            _tell(state, f"input {name}")
            (folder / _KEPT).write_bytes(data)
            scratch.mkdir()
            _limit_time()
            with _limited(target.memory + target.per_byte * len(data) + _SLACK):
                _, seconds = read_within(target, data, scratch, trace=trace)
            shutil.rmtree(scratch)
            count, slowest = count + 1, max(slowest, seconds)
            _STATE.pack_into(state, 0, count, time.monotonic_ns(), slowest)
        (folder / _KEPT).unlink(missing_ok=True)
        code = 0
    except BaseException as error:
        where = [frame for frame in traceback.extract_tb(error.__traceback__) if "eventlog" in frame.filename]
        place = f" at {Path(where[-1].filename).name}:{where[-1].lineno}" if where else ""
        _tell(state, f"input {name}: {type(error).__name__}{place}: {str(error)[:500]}")
    finally:
        # Whatever a target has left open is of no interest.
        os._exit(code)


def _tell(state: mmap.mmap, text: str) -> None:
    line = " ".join(text.split()).encode("utf-8", "replace")[:_LONGEST]
    state[_STATE.size :] = line.ljust(_LONGEST, b"\0")


def _limit_time() -> None:
    """Have the process killed that does not get on, even where no signal reaches Python."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + _BUSY_SECONDS, hard))


@contextlib.contextmanager
def _limited(memory: int) -> Iterator[None]:
    """No more than so many bytes beyond what is taken now."""
    was, hard = resource.getrlimit(resource.RLIMIT_DATA)
    taken = _status_of("VmData")
    resource.setrlimit(resource.RLIMIT_DATA, (taken + memory, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (was, hard))


def _wait(child: int, state: mmap.mmap) -> tuple[int, int]:
    """How a child ended, and the most memory that it had; one that is stuck is killed."""
    last, since = -1, time.monotonic()
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
        count = _STATE.unpack_from(state)[0]
        if count != last:
            last, since = count, time.monotonic()
        elif time.monotonic() - since > _STUCK_SECONDS:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)


def _resident() -> int:
    return _status_of("VmRSS")


def _status_of(name: str) -> int:
    """A size that the system tells of this process, in bytes (proc_pid_status(5)); 0 where it does not."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
