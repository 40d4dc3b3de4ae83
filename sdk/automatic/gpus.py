"""What NVIDIA's management library says of the GPUs of this machine, in the numbers that are reported."""

import os
import sys
from collections.abc import Callable, Iterator, Set
from typing import Any

__all__ = ["Gpus"]

_GIB = 1 << 30
# The inode of the namespace of processes that is not a container's (PROC_PID_INIT_INO in linux/proc_ns.h).
_FIRST_NAMESPACE = 0xEFFFFFFC


class Gpus:
    """The GPUs of this machine, numbered as the driver does.

    Args:
        nvml: the module `pynvml`, or what has the same functions; it is initialised.
    """

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        # What a GPU or its driver has no answer to is not asked again.
        self._unanswered: set[tuple[int, str]] = set()
        self._knows_processes = _is_first_namespace()

    def __repr__(self) -> str:
        return f"<Gpus: {len(self._handles)}>"

    @classmethod
    def open(cls) -> "Gpus | None":
        """The GPUs, or None where there are none, no driver, or no pynvml."""
        nvml: Any = sys.modules.get("pynvml")
        if nvml is None and not _has_driver():
            return None
        try:
            nvml = nvml or _imported()
            nvml.nvmlInit()
        except Exception:
            return None
        try:
            return cls(nvml)
        except Exception:
            _quietly(nvml.nvmlShutdown)
            return None

    def close(self) -> None:
        """Let go of the driver."""
        _quietly(self._nvml.nvmlShutdown)

    def now(self, processes: Set[int] | None) -> dict[str, float]:
        """What they are busy with at this moment.

        Args:
            processes: the memory in use is that of these; None for all.
        """
        return {
            f"gpu_{index}_{name}": value
            for index, handle in enumerate(self._handles)
            for name, value in self._of(index, handle, processes)
        }

    def _of(self, index: int, handle: Any, processes: Set[int] | None) -> Iterator[tuple[str, float]]:
        def ask(function: str, *arguments: Any) -> Any:
            return self._ask(index, function, handle, *arguments)

        temperature = ask("nvmlDeviceGetTemperature", getattr(self._nvml, "NVML_TEMPERATURE_GPU", 0))
        if temperature is not None:
            yield "temperature", float(temperature)
        rates = ask("nvmlDeviceGetUtilizationRates")
        if rates is not None:
            yield "utilization", float(rates.gpu)
        memory = ask("nvmlDeviceGetMemoryInfo")
        if memory is not None:
            own = None if processes is None or not self._knows_processes else self._used_by(ask, processes)
            yield "mem_used_gb", (memory.used if own is None else own) / _GIB
            yield "mem_usage", 100 * memory.used / memory.total if memory.total else 0.0
            yield "mem_free_gb", memory.free / _GIB
        power = ask("nvmlDeviceGetPowerUsage")
        if power is not None:
            yield "power_draw", power / 1000

    def _used_by(self, ask: Callable[..., Any], processes: Set[int]) -> int | None:
        """Bytes that processes use; None where the driver does not say."""
        used: dict[int, int | None] = {}
        for function in ("nvmlDeviceGetGraphicsRunningProcesses", "nvmlDeviceGetComputeRunningProcesses"):
            running = ask(function)
            if running is not None:
                used |= {one.pid: one.usedGpuMemory for one in running if one.pid in processes}
            elif function.endswith("ComputeRunningProcesses"):
                return None
        return None if None in used.values() else sum(bytes_ or 0 for bytes_ in used.values())

    def _ask(self, index: int, function: str, handle: Any, *arguments: Any) -> Any:
        if (index, function) in self._unanswered:
            return None
        try:
            return getattr(self._nvml, function)(handle, *arguments)
        except Exception:
            self._unanswered.add((index, function))
            return None


def _imported() -> Any:
    import pynvml

    return pynvml


def _has_driver() -> bool:
    """Whether there is anything to ask; importing pynvml takes longer than this."""
    import ctypes

    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def _is_first_namespace() -> bool:
    """Whether the driver and this process call processes by the same numbers; not so in a container."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _FIRST_NAMESPACE  # noqa: PTH116
    except OSError:
        return True


def _quietly(function: Callable[[], object]) -> None:
    try:
        function()
    except Exception:  # noqa: S110 (it is only let go of)
        pass
