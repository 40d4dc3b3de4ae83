"""The data of a figure: lists of Python's own values, from lists, NumPy, pandas or tensors.

Nothing is imported for it: what an array is able to do is asked of the array itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.sdk.numbers import as_float
from eventlog.sdk.plain_text import plain_text

__all__ = ["labels_of", "matrix_of", "plain_values", "points_of", "ticks_of", "vector_of"]


# What whoever draws reads as a floating-point number in any case.
_LARGEST = 1 << 64


def plain_values(what: str, data: Any) -> Any:
    """Data as lists, within lists, of Python's own values; what is no collection stays as it is.

    Args:
        what: what it is, for the message.

    Raises:
        InputInvalid: it is a dictionary, or cannot be read.
    """
    if isinstance(data, (str, bytes, int, float)) and type(data).__module__ == "builtins":
        return data
    try:
        data = _as_array(data)
        if hasattr(data, "tolist"):
            values = data.tolist()
            # What is in an array of objects may be anything; in all others it is plain already.
            return plain_values(what, values) if _kind(data) == "O" else values
        if isinstance(data, Iterable) and not isinstance(data, (str, bytes, bytearray, Mapping)):
            return [plain_values(what, item) for item in data]
    except InputInvalid:
        raise
    except RecursionError:
        raise InputInvalid(f"{what} contain themselves: give a list of numbers") from None
    except Exception as error:
        raise InputInvalid(f"{what} cannot be read ({type(error).__name__}: {_line(error)})") from None
    if isinstance(data, Mapping):
        raise InputInvalid(f"{what} must be a list or an array, not a {type(data).__name__}")
    return data


def vector_of(what: str, data: Any) -> list[int | float]:
    """The numbers of a list or an array of one dimension; a number alone is a list of one.

    Raises:
        InputInvalid: it has more dimensions, or something in it is no number.
    """
    values = plain_values(what, data)
    if values is None:
        raise InputInvalid(f"{what} are missing: give a list of numbers")
    if not isinstance(values, list):
        values = [values]
    if any(isinstance(value, list) for value in values):
        raise InputInvalid(f"{what} must have one dimension: give a list of numbers")
    return [_number(what, value) for value in values]


def matrix_of(what: str, data: Any) -> list[list[int | float]]:
    """The rows of a matrix.

    Raises:
        InputInvalid: it has not two dimensions, its rows differ in length, or something in it is no number.
    """
    rows = _rows(what, data, "a matrix: a list of rows, or an array of two dimensions")
    if not rows or not rows[0]:
        raise InputInvalid(f"{what} must have at least one row and one column")
    return [[_number(what, value) for value in row] for row in rows]


def points_of(what: str, data: Any, dimensions: int) -> list[list[Any]]:
    """Points as lists of coordinates: one list for x, one for y, …

    Coordinates are numbers, texts (categories, or dates as ISO 8601), dates and times.

    Args:
        data: rows of `dimensions` coordinates each.

    Raises:
        InputInvalid: it is something else.
    """
    names = ("x", "y", "z")[:dimensions]
    meant = f"a list of points ({', '.join(names)})"
    rows = _rows(what, data, meant)
    if rows and len(rows[0]) != dimensions:
        raise InputInvalid(f"{what} must be {meant}, not rows of {len(rows[0])}")
    return [[_coordinate(what, row[place]) for row in rows] for place in range(dimensions)]


def labels_of(what: str, data: Any, count: int | None = None) -> list[str] | None:
    """Labels as texts, or None where there are none.

    Args:
        count: how many there must be; None for any number.

    Raises:
        InputInvalid: there are more or fewer, or they are no list.
    """
    if data is None:
        return None
    values = plain_values(what, data)
    if not isinstance(values, list):
        raise InputInvalid(f"{what} must be a list of texts, not {type(data).__name__}")
    if count is not None and len(values) != count:
        raise InputInvalid(f"{what} must be {count}, one for each, not {len(values)}")
    return [plain_text(value) for value in values]


def ticks_of(what: str, data: Any, count: int) -> list[str] | None:
    """Labels of an axis as texts, at least as many as there are places on it; None where there are none.

    As in ClearML there may be more or fewer, as of classes that a matrix lacks. Places without a label get
    their number: whoever draws would leave them out.

    Args:
        count: how many places there are.

    Raises:
        InputInvalid: they are no list.
    """
    labels = labels_of(what, data)
    return [*labels, *map(str, range(len(labels), count))] if labels else None


def _as_array(data: Any) -> Any:
    """An array for a frame, a series or a tensor; anything else as it is."""
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    elif hasattr(data, "detach"):
        data = data.detach().cpu()
    elif hasattr(data, "__array__") and not hasattr(data, "tolist"):
        data = data.__array__()
    # Times of nanoseconds would be whole numbers in a list.
    return data.astype("datetime64[us]") if _kind(data) == "M" else data


def _kind(data: Any) -> str:
    """The letter by which NumPy knows what an array holds, or "" where it does not say."""
    kind = getattr(getattr(data, "dtype", None), "kind", "")
    return kind if isinstance(kind, str) else ""


def _rows(what: str, data: Any, meant: str) -> list[list[Any]]:
    rows = plain_values(what, data)
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise InputInvalid(f"{what} must be {meant}")
    if len({len(row) for row in rows}) > 1:
        raise InputInvalid(f"{what} must be {meant}; their rows differ in length")
    if any(isinstance(value, list) for row in rows for value in row):
        raise InputInvalid(f"{what} must be {meant}; they have more than two dimensions")
    return rows


def _number(what: str, value: Any) -> int | float:
    if type(value) is float:
        return value
    if type(value) in (int, bool) and abs(value) < _LARGEST:
        return int(value)
    return float("nan") if value is None else as_float(f"each of {what}", value)


def _coordinate(what: str, value: Any) -> Any:
    if isinstance(value, str):
        return plain_text(value)
    return value if hasattr(value, "isoformat") else _number(what, value)


def _line(error: Exception) -> str:
    return " ".join(plain_text(error).split())[:200]
