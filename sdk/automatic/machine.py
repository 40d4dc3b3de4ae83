"""What psutil says of this machine, in the numbers that are reported.

Nothing that psutil keeps between two calls is used: what the script itself asks of it is not changed. A
number that cannot be had here, in a container say, is left out.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

__all__ = ["Machine"]

_GIB, _MIB = 1 << 30, 1 << 20
# The search for children reads of every process there is: of so much time it may take one part.
_RARELY = 1000


class Machine:
    """The machine that this process runs on, watched from now on.

    Args:
        own_memory: the memory in use is that of this process and its children.
    """

    def __init__(self, *, own_memory: bool = True) -> None:
        self._own_memory = own_memory
        self._process = psutil.Process()
        self._children: list[Any] = []
        self._search_due = 0.0
        self._counted: dict[str, tuple[float, float]] = {}
        self._cpu = (0.0, 0.0)
        self.since_last()

    def __repr__(self) -> str:
        return f"<Machine as seen by process {self._process.pid}>"

    def now(self) -> dict[str, float]:
        """What it is at this moment."""
        return dict(self._memory())

    def since_last(self) -> dict[str, float]:
        """The same, and what it was busy with since this was last called."""
        numbers = self.now()
        for part in (self._cpu_usage, self._disk, self._network, self._reads_and_writes):
            with contextlib.suppress(Exception):
                numbers |= part()
        return numbers

    def processes(self) -> set[int]:
        """The ids of this process and its children."""
        return {self._process.pid, *(child.pid for child in self._children)}

    def _memory(self) -> Iterator[tuple[str, float]]:
        memory = psutil.virtual_memory()
        used = self._own_resident() if self._own_memory else memory.total - memory.available
        yield "memory_used_gb", used / _GIB
        yield "memory_free_gb", memory.available / _GIB

    def _own_resident(self) -> float:
        started = time.monotonic()
        if started >= self._search_due:
            with contextlib.suppress(Exception):
                self._children = self._process.children(recursive=True)
            self._search_due = started + _RARELY * (time.monotonic() - started)
        total = 0.0
        for process in (self._process, *self._children):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total

    def _cpu_usage(self) -> dict[str, float]:
        times = psutil.cpu_times()
        # On Linux, what guests take is in "user" and "nice" already.
        every = sum(times) - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)
        busy = every - times.idle - getattr(times, "iowait", 0)
        (before_every, before_busy), self._cpu = self._cpu, (every, busy)
        if not before_every or every <= before_every:
            return {}
        return {"cpu_usage": min(max(100 * (busy - before_busy) / (every - before_every), 0), 100)}

    def _disk(self) -> dict[str, float]:
        return {"disk_free_percent": 100 - psutil.disk_usage(os.getcwd()).percent}  # noqa: PTH109

    def _network(self) -> dict[str, float]:
        # Where a counter has come round again, psutil remembers it, under a lock that a fork could inherit.
        counters = psutil.net_io_counters(nowrap=False)
        return {
            **self._rate("network_tx_mbs", counters.bytes_sent),
            **self._rate("network_rx_mbs", counters.bytes_recv),
        }

    def _reads_and_writes(self) -> dict[str, float]:
        counters: Any = psutil.disk_io_counters(nowrap=False)
        return {
            **self._rate("io_read_mbs", counters.read_bytes),
            **self._rate("io_write_mbs", counters.write_bytes),
        }

    def _rate(self, name: str, count: float, clock: Callable[[], float] = time.monotonic) -> dict[str, float]:
        """MiB a second since it was last counted."""
        now = clock()
        before = self._counted.get(name)
        self._counted[name] = (now, count)
        if before is None or now <= before[0] or count < before[1]:
            return {}
        return {name: (count - before[1]) / _MIB / (now - before[0])}
