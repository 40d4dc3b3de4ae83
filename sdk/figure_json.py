"""Plotly figures as JSON: from dictionaries, from Plotly's own objects, and from JSON."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from eventlog.errors import InputInvalid
from eventlog.sdk.plain_text import plain_text

__all__ = ["figure_of", "figure_text"]

# What Plotly's own objects hold arrays as, since its version 6: base64 and one of these.
_FORMATS = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "f4": "f", "f8": "d"}


def figure_of(figure: Any) -> dict[str, Any]:
    """The dictionary of a figure.

    Args:
        figure: a dictionary, one of Plotly's figures, or JSON text.

    Raises:
        InputInvalid: it is none of them, or JSON that cannot be read.
    """
    if isinstance(figure, (str, bytes, bytearray)):
        try:
            figure = json.loads(figure)
        except (ValueError, RecursionError) as error:
            raise InputInvalid(f"the figure is no JSON text: {plain_text(error)[:200]}") from None
    elif not isinstance(figure, Mapping):
        figure = _of_plotly(figure)
    if not isinstance(figure, Mapping):
        raise InputInvalid(f"a figure must be a dictionary with data and layout, not {type(figure).__name__}")
    made = dict(figure)
    data, layout = made.get("data"), made.get("layout")
    if data is None:
        data = []
    elif isinstance(data, Mapping):
        data = [data]
    if not isinstance(data, (list, tuple)):
        raise InputInvalid(f"the data of a figure must be a list of traces, not {type(data).__name__}")
    if layout is not None and not isinstance(layout, Mapping):
        layout = _of_plotly(layout)
    return {**made, "data": [_trace(trace) for trace in data], "layout": dict(layout or {})}


def figure_text(figure: Mapping[str, Any]) -> str:
    """A figure as JSON. NaN and infinity, which JSON does not have, become null.

    Raises:
        InputInvalid: something in it has no form in JSON.
    """
    try:
        return msgspec.json.encode(figure, enc_hook=_encodable).decode()
    except RecursionError:
        raise InputInvalid("the figure contains itself: it cannot be written as JSON") from None
    except UnicodeEncodeError:
        return msgspec.json.encode(_sound(figure), enc_hook=_encodable).decode()
    except InputInvalid:
        raise
    except Exception as error:
        raise InputInvalid(f"the figure cannot be written as JSON: {plain_text(error)[:200]}") from None


def _of_plotly(value: Any) -> dict[str, Any]:
    """The dictionary that one of Plotly's objects, which know how to make it, stands for."""
    make = getattr(value, "to_plotly_json", None)
    if make is None or isinstance(value, type):
        raise InputInvalid(
            f"a figure must be a dictionary, one of Plotly's figures or JSON text, not {type(value).__name__}"
        )
    return dict(make())


def _trace(trace: Any) -> dict[str, Any]:
    if not isinstance(trace, Mapping):
        trace = _of_plotly(trace)
    return {name: _unpacked(value) for name, value in trace.items()}


def _unpacked(value: Any) -> Any:
    """Arrays in base64 as lists, which older versions of Plotly draw too."""
    if isinstance(value, dict):
        if value.keys() >= {"dtype", "bdata"}:
            return _array(value)
        return {name: _unpacked(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)) and any(isinstance(inner, (dict, list, tuple)) for inner in value):
        return [_unpacked(inner) for inner in value]
    return value


def _array(packed: dict[str, Any]) -> Any:
    from base64 import b64decode
    from math import prod

    try:
        data = b64decode(packed["bdata"])
        form = _FORMATS[str(packed["dtype"]).lstrip("<|=")]
        values = list(struct.unpack(f"<{len(data) // struct.calcsize(form)}{form}", data))
        shape = [int(size) for size in str(packed.get("shape", len(values))).split(",")]
        if prod(shape) != len(values):
            raise ValueError(shape)
    except (KeyError, ValueError, TypeError, struct.error):
        # Not one of these after all; whoever draws it may know.
        return packed
    for size in reversed(shape[1:]):
        values = [values[start : start + size] for start in range(0, len(values), size or 1)]
    return values


def _encodable(value: Any) -> Any:
    """What stands in JSON for an object that it has no form for."""
    if hasattr(value, "to_plotly_json"):
        return value.to_plotly_json()
    if isinstance(value, Mapping):
        return dict(value)
    if value is None:
        return "null"
    if hasattr(value, "to_numpy") or hasattr(value, "tolist") or hasattr(value, "detach"):
        from eventlog.sdk.figure_data import plain_values

        return plain_values("the values of the figure", value)
    if isinstance(value, (range, map, filter, zip)):
        return list(value)
    if isinstance(value, str):
        return "".join(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__") or isinstance(value, complex):
        return str(value)
    raise InputInvalid(
        f"the figure holds an object of type {type(value).__name__}, which JSON has no form for"
    )


def _sound(value: Any) -> Any:
    """The same, with "?" where UTF-8 has no form for a character."""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, Mapping):
        return {_sound(name): _sound(inner) for name, inner in value.items()}
    return [_sound(inner) for inner in value] if isinstance(value, (list, tuple)) else value
