"""How much memory Python gives out while something is done."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["MIB", "at_most"]

MIB = 1 << 20


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """A block that never has so many bytes more than at its beginning."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size, f"{peak / MIB:.1f} MiB"
