"""Ways to change bytes, and values, that people who write readers did not think of."""

import json
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

__all__ = ["changed_bytes", "changed_json", "changed_packed", "changed_value", "hostile_text"]

# Most bytes that a change adds.
_MOST = 1 << 16
_POWERS = (7, 8, 16, 31, 32, 63, 64)
_INTEGERS = [0, 1, 2, *((1 << power) - 1 for power in _POWERS), *(1 << power for power in _POWERS)]
_TEXTS = [
    "",
    "\0",
    "\n",
    "../../../etc/passwd",
    "/etc/passwd",
    "..",
    "C:\\x",
    "\x1b[2J\x1b]0;x\x07",
    "\u202eabc",
    "\ufeff",
    "\U0001f600" * 3,
    "e\u0301" * 50,
    "x" * 70_000,
    "7" * 5000,
    "-1",
    "nan",
    "1e400",
    "%s%n{0}",
    "${HOME}",
    "https://user:secret@example.org/?x=1",
    "2026-13-45T99:99:99",
    "0001-01-01T00:00:00+23:59",
    "aa" * 32,
]
_NUMBERS: list[Any] = [
    *(sign * one for one in _INTEGERS for sign in (1, -1)),
    *(math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1),
]
# MessagePack that no encoder writes, one item each: what it promises is not there, or not what it seems.
_PACKED = [
    b"\xc1",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\x7f\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdd\x00\x01\x00\x00" + b"\x90" * 65536,
    b"\xdc\xff\xff" + b"\xc0" * 65535,
    b"\x91" * 2000 + b"\xc0",
    b"\x81\xa0" * 2000 + b"\xc0",
    b"\x81\x80\x01",
    b"\x82\xa1a\x01\xa1a\x02",
    b"\xa4\xed\xa0\x80a",
    b"\xa2\xff\xfe",
    b"\xd4\x05\x00",
    b"\xc9\xff\xff\xff\xff\x05",
    b"\xd6\xff\xff\xff\xff\xff",
    b"\xd7\xff" + b"\xff" * 8,
    b"\xc7\x0c\xff" + b"\xff" * 12,
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + b"\x00" * 7,
]


def changed_bytes(chance: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Bytes changed in one to four places.

    Args:
        others: what pieces may be taken from, besides.
    """
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        chance.choice(_CHANGES)(chance, changed, others)
    return bytes(changed)


def changed_value(chance: Random, value: Any) -> Any:
    """A value of lists, dictionaries, texts and numbers with one place of it changed."""
    if chance.randrange(6):
        if isinstance(value, dict) and value:
            key = chance.choice(list(value))
            return {**value, key: changed_value(chance, value[key])}
        if isinstance(value, (list, tuple)) and value:
            place = chance.randrange(len(value))
            return [*value[:place], changed_value(chance, value[place]), *value[place + 1 :]]
    if isinstance(value, dict) and value and chance.randrange(2):
        key = chance.choice(list(value))
        rest = {name: one for name, one in value.items() if name != key}
        return rest if chance.randrange(2) else {**rest, hostile_text(chance): value[key]}
    if isinstance(value, (list, tuple)) and chance.randrange(2):
        return [*value, *value] if chance.randrange(2) else list(value[: chance.randint(0, len(value))])
    return _hostile_value(chance)


def changed_packed(chance: Random, data: bytes) -> bytes:
    """MessagePack with some of its values changed, or made what no encoder makes of them."""
    try:
        value = msgspec.msgpack.decode(data)
        for _ in range(chance.randint(1, 3)):
            value = changed_value(chance, value)
        if not chance.randrange(3):
            value = _with_raw(chance, value)
        return msgspec.msgpack.encode(value)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
        return changed_bytes(chance, data)


def changed_json(chance: Random, data: bytes) -> bytes:
    """JSON with some of its values changed, or written as hardly anybody writes them."""
    try:
        value = json.loads(data)
        for _ in range(chance.randint(1, 3)):
            value = changed_value(chance, value)
        text = json.dumps(value)
    except (ValueError, TypeError, RecursionError):
        return changed_bytes(chance, data)
    if not chance.randrange(3):
        text = chance.choice(_JSON_CHANGES)(chance, text)
    return text.encode(errors="surrogatepass")


def hostile_text(chance: Random) -> str:
    """A text that is not expected."""
    return chance.choice(_TEXTS)


def _hostile_value(chance: Random) -> Any:
    match chance.randrange(5):
        case 0:
            return hostile_text(chance)
        case 1:
            return chance.choice(_NUMBERS)
        case 2:
            return chance.choice([None, True, False, [], {}, [[]], {"": None}])
        case 3:
            nested: Any = []
            for _ in range(chance.choice([3, 50, 300])):
                nested = [nested] if chance.randrange(2) else {"a": nested}
            return nested
    return [hostile_text(chance) for _ in range(chance.randrange(4))]


def _with_raw(chance: Random, value: Any) -> Any:
    if isinstance(value, list) and value:
        place = chance.randrange(len(value))
        inner = _with_raw(chance, value[place])
        return [*value[:place], inner, *value[place + 1 :]]
    return msgspec.Raw(chance.choice(_PACKED))


# Changes of bytes.


def _place(chance: Random, data: bytearray) -> int:
    # What formats mean by a place is near the beginning more often than not.
    size = len(data)
    return chance.randrange(min(size, 200)) if chance.randrange(3) == 0 and size else chance.randint(0, size)


def _flip(chance: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(chance: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[min(_place(chance, data), len(data) - 1)] = chance.choice(
            [0, 1, 0x7F, 0x80, 0xFF, 0x90, 0xC0, 10]
        )


def _cut(chance: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start = _place(chance, data)
    end = len(data) if chance.randrange(3) == 0 else min(len(data), start + chance.randint(1, 64))
    del data[start:end]


def _repeat(chance: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start = _place(chance, data)
    piece = bytes(data[start : start + chance.randint(1, 64)])
    data[start:start] = (piece * chance.choice([1, 2, 50, 2000]))[:_MOST]


def _splice(chance: Random, data: bytearray, others: Sequence[bytes]) -> None:
    source = chance.choice(others) if others else bytes(data)
    start = chance.randint(0, len(source))
    piece = source[start : start + chance.choice([4, 40, 400])]
    at = _place(chance, data)
    data[at : at + chance.choice([0, len(piece)])] = piece


def _number(chance: Random, data: bytearray, _: Sequence[bytes]) -> None:
    size = chance.choice([1, 2, 4, 8])
    number = chance.choice(_INTEGERS) & ((1 << size * 8) - 1)
    at = _place(chance, data)
    data[at : at + size] = number.to_bytes(size, chance.choice(["big", "little"]))


def _zeros(chance: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = _place(chance, data)
    size = chance.choice([1, 4, 16, 64])
    data[at : at + size] = bytes(size)


def _insert(chance: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = _place(chance, data)
    pieces = [chance.randbytes(chance.randint(1, 16)), chance.choice(_PACKED), hostile_text(chance).encode()]
    data[at:at] = chance.choice(pieces)


_CHANGES: list[Callable[[Random, bytearray, Sequence[bytes]], None]] = [
    _flip,
    _flip,
    _set,
    _cut,
    _repeat,
    _splice,
    _number,
    _number,
    _zeros,
    _insert,
]


# Changes of the text of JSON.


def _nested(chance: Random, text: str) -> str:
    depth = chance.choice([500, 990, 1000, 1010, 100_000])
    return text.replace("0.5", "[" * depth + "]" * depth, 1) if chance.randrange(2) else "[" * depth


def _long_number(chance: Random, text: str) -> str:
    return text.replace("5", chance.choice(["9" * 4301, "1e99999", "-" + "8" * 20, "1" + "0" * 300]), 1)


def _twice(_: Random, text: str) -> str:
    return text.replace("{", '{"id": null, "id": [], ', 1)


def _surrogate(chance: Random, text: str) -> str:
    return text.replace("a", chance.choice(["\\ud800", "\\udfff\\ud800", "\\u0000", "\ud800"]), 3)


def _no_number(chance: Random, text: str) -> str:
    return text.replace("1", chance.choice(["NaN", "Infinity", "-Infinity", "0x1", "01"]), 1)


def _other_start(chance: Random, text: str) -> str:
    return chance.choice(["\ufeff", "\0", "[", "null", '"', "\n" * 1000]) + text


_JSON_CHANGES: list[Callable[[Random, str], str]] = [
    _nested,
    _long_number,
    _twice,
    _surrogate,
    _no_number,
    _other_start,
]
