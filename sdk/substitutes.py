"""Numbers that are reported in place of NaN and infinity, where a script asks for it."""

import logging
import math
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.sdk.numbers import as_float

__all__ = ["Substitutes"]

log = logging.getLogger("eventlog")


class Substitutes:
    """The numbers that stand in for NaN and for infinity; none at first."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._periods: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Substitutes {self._values}>"

    def __bool__(self) -> bool:
        return bool(self._values)

    def set(self, name: str, value: Any, warn_period: int) -> None:
        """Let a number stand in for "NaN" or for "infinity"; one that is itself so, for nothing.

        Args:
            warn_period: a warning is logged for the first one and after each so many.

        Raises:
            InputInvalid: it is no number, or the period is no whole one above 0.
        """
        number = as_float(f"the value for {name}", value)
        if type(warn_period) is not int or warn_period < 1:
            raise InputInvalid("warn_period must be a whole number above 0")
        self._counts[name] = 0
        self._periods[name] = warn_period
        if math.isfinite(number):
            self._values[name] = number
        else:
            self._values.pop(name, None)

    def of(self, number: float) -> float:
        """The number, or what stands in for it."""
        if not self._values or math.isfinite(number):
            return number
        name = "NaN" if math.isnan(number) else "infinity"
        value = self._values.get(name)
        if value is None:
            return number
        if self._counts[name] % self._periods[name] == 0:
            log.warning("eventlog: %s is reported as %g, as this script has set", name, value)
        self._counts[name] += 1
        return value
