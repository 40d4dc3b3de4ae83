"""How the machine is watched: what `Task.init` takes as `auto_resource_monitoring`."""

import logging
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from eventlog.errors import InputInvalid
from eventlog.sdk.names import shown

__all__ = ["MONITOR", "MonitorOptions", "set_first_report"]

log = logging.getLogger("eventlog")

# What the titles of the machine's own curves begin with, as in ClearML.
MONITOR = ":monitor:"

_FIRST = ("first_report_sec", "report_start_sec", "seconds_from_start")
# ClearML may count in the script's iterations, and waits for them; here it is seconds in any case.
_NO_MATTER = ("wait_for_first_iteration_to_start_sec", "max_wait_for_first_iteration_to_start_sec")
_OFTEN = "sample_frequency_per_sec"
_INTERVAL = "report_frequency_sec"
_OWN_MEMORY, _ALL_MEMORY = "report_mem_used_per_process", "report_global_mem_used"
_KNOWN = (_INTERVAL, *_FIRST, _OFTEN, _OWN_MEMORY, _ALL_MEMORY, *_NO_MATTER)
_SAMPLE = 1.0
# No machine is asked more often than this, whatever is given.
_SHORTEST = 0.05


class MonitorOptions(NamedTuple):
    """How often the machine is watched, and what of its memory counts.

    Attributes:
        first: seconds from the start of the task to the first report; None for half an interval.
        interval: seconds between two reports; None for the configured ``monitor_interval_seconds``.
        sample: seconds between two looks at what is averaged in a report.
        own_memory: the memory in use is that of this process and its children, not the machine's.
    """

    first: float | None = None
    interval: float | None = None
    sample: float = _SAMPLE
    own_memory: bool = True

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "MonitorOptions":
        """Read ClearML's options; one that there is not is warned of.

        Raises:
            InputInvalid: a number of seconds is not one above zero.
        """
        unknown = sorted(str(name) for name in given if name not in _KNOWN)
        if unknown:
            log.warning(
                "eventlog: auto_resource_monitoring has no option %s; choose from %s",
                shown(", ".join(unknown)),
                ", ".join(_KNOWN),
            )
        first = next((_seconds(given, name) for name in _FIRST if given.get(name) is not None), _first)
        often = _seconds(given, _OFTEN)
        own = given.get(_OWN_MEMORY)
        if own is None:
            own = not given.get(_ALL_MEMORY, False)
        return cls(
            first,
            _seconds(given, _INTERVAL),
            _SAMPLE if often is None else max(1 / often, _SHORTEST),
            bool(own),
        )


def set_first_report(seconds: float | None) -> None:
    """Report first after so many seconds in the tasks that begin from here on, where they do not say.

    Raises:
        InputInvalid: it is no number, or less than 0.
    """
    global _first
    _first = _seconds({_FIRST[-1]: seconds}, _FIRST[-1])


_first: float | None = None


def _seconds(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0 or (value == 0 and name not in _FIRST):
        raise InputInvalid(
            f"auto_resource_monitoring: {name} must be a number above zero, not {shown(value)}"
        )
    return max(float(value), _SHORTEST)
