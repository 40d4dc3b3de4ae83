"""What counts as a number, as a whole one, and as an iteration."""

import math
import operator
from typing import Any

from eventlog.errors import InputInvalid

__all__ = ["as_float", "as_iteration", "as_percent"]

_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


def as_float(what: str, value: Any) -> float:
    """The number that a value is: a Python or NumPy number, an array or a tensor without dimensions, or text.

    NaN and infinity are numbers.

    Raises:
        InputInvalid: it is no number.
    """
    if getattr(value, "ndim", 0):
        raise InputInvalid(
            f"{what} must be a number, not an array of shape {tuple(value.shape)}: give one of its elements"
        )
    try:
        return float(value)
    except OverflowError:
        raise InputInvalid(f"{what} is too large for a 64-bit floating-point number") from None
    except Exception:
        shown = f"the text {value[:50]!r}" if isinstance(value, (str, bytes)) else type(value).__name__
        raise InputInvalid(f"{what} must be a number, not {shown}") from None


def as_percent(what: str, value: Any) -> int:
    """The whole percents that a number is, from 0 to 100; a fraction is left out.

    Raises:
        InputInvalid: it is no number, or not from 0 to 100.
    """
    percent = math.nan if isinstance(value, (str, bytes)) else as_float(what, value)
    if not 0 <= percent <= 100:
        raise InputInvalid(f"{what} must be a number from 0 to 100, not {_shown(value)}")
    return int(percent)


def as_iteration(value: Any) -> int:
    """The whole number that an iteration is; a floating-point number may be one.

    Raises:
        InputInvalid: it is none, or does not fit into 64 bits.
    """
    try:
        is_whole = getattr(value, "is_integer", None)
        number = int(value) if is_whole is not None and is_whole() else operator.index(value)
    except Exception:
        raise InputInvalid(f"the iteration must be a whole number, not {_shown(value)}") from None
    if not _SMALLEST <= number <= _LARGEST:
        raise InputInvalid(f"the iteration {_shown(number)} does not fit into 64 bits")
    return number


def _shown(value: Any) -> str:
    """A value in a few words; one of thousands of digits is not written out."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"of {value.bit_length()} bits"
    text = (
        f"{type(value).__name__} {value!r}" if isinstance(value, (int, float, str)) else type(value).__name__
    )
    return text if len(text) <= 60 else text[:60] + "…"
