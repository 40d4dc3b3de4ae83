"""A target: one reader of bytes from elsewhere, and one reading that is measured."""

import contextlib
import shutil
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random

from eventlog.errors import EventlogError
from torture.fuzzing.changes import changed_bytes

__all__ = ["Target", "errors_of_the_tree", "read_within"]

MIB = 1 << 20


def _unchanged(chance: Random, data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: what it reads, for tables and `--only`.
        seeds: real bytes of its kind, made by the real writers.
        read: reads bytes, in an empty folder that it may use; lets out whatever is no error of the tree.
        shape: changes bytes by what they mean, so that checksums hold and what is behind them is reached.
        bombs: make bytes that are small and claim, or unpack to, much.
        memory: bytes that reading may take whatever the input is.
        per_byte: bytes of memory that it may take for each byte of the input, besides.
        seconds: of a processor that it may take, besides one for each 256 KiB.
        slow: it starts processes, or opens stores: tests read a few inputs alone.
        needs: packages, or programs, without which it cannot be read.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes, Path], None]
    shape: Callable[[Random, bytes], bytes] = _unchanged
    bombs: Sequence[Callable[[], bytes]] = ()
    memory: int = 48 * MIB
    per_byte: int = 64
    seconds: float = 3.0
    slow: bool = False
    needs: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Target {self.name}>"

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed here."""
        return [name for name in self.needs if not (find_spec(name) or shutil.which(name))]

    def input(self, chance: Random) -> bytes:
        """An input: a seed, changed in one way or several."""
        seeds = self.seeds()
        data = chance.choice(seeds)
        way = chance.randrange(4)
        if way:
            data = self.shape(chance, data)
        if way != 1:
            data = changed_bytes(chance, data, seeds)
        return data


@contextlib.contextmanager
def errors_of_the_tree() -> Iterator[None]:
    """Passes over the errors that may come out of a reader; each has a message of one line."""
    try:
        yield
    except EventlogError as error:
        message = str(error)
    else:
        return
    assert message, "an error says nothing"
    assert "\n" not in message, f"an error has more than one line: {message!r}"


def read_within(target: Target, data: bytes, folder: Path, *, trace: bool = True) -> tuple[int, float]:
    """Read an input, and make sure that it took no more than it may.

    Args:
        trace: measure the memory that Python gives out, which takes several times as long.

    Returns:
        The most bytes that were taken at once, or 0, and the seconds of a processor.

    Raises:
        AssertionError: it took more than the target allows, or is otherwise not as promised.
        Exception: what came out of the reader.
    """
    peak = 0
    start = time.process_time()
    if trace:
        tracemalloc.start()
    try:
        target.read(data, folder)
        if trace:
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        if trace:
            tracemalloc.stop()
    seconds = time.process_time() - start
    memory = target.memory + target.per_byte * len(data)
    assert peak <= memory, f"{peak / MIB:.1f} MiB were taken to read {len(data)} bytes"
    allowed = (target.seconds + len(data) / (256 << 10)) * (4 if trace else 1)
    assert seconds <= allowed, f"{seconds:.1f} s were taken to read {len(data)} bytes"
    return peak, seconds
