"""HOCON, the form in which dictionaries are kept as configurations: written for a person, and read back.

What is read is JSON and the part of HOCON that needs nothing besides the text
(https://github.com/lightbend/config/blob/main/HOCON.md): comments, unquoted keys and values, dotted keys,
objects that are merged, text over several lines. Substitutions are left to pyhocon. Includes are refused: the
text may come from another machine, and would be given files of this one, and have it ask any URL.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence, Set
from enum import Enum
from typing import Any

from eventlog.errors import InputInvalid, NotAvailable
from eventlog.sdk.plain_text import plain_text

__all__ = ["parse_hocon", "to_hocon"]

_PLAIN_KEY = re.compile(r"[^\W\d][\w\-/]*(?: [\w\-/]+)*")
_PLAIN_WORD = re.compile(r"[\w/.\-]+")
_SPACE = re.compile(r"(?:[\s,]|#[^\n]*|//[^\n]*)*")
_INLINE_SPACE = re.compile(r"[^\S\n]*")
_SPACE_AND_COMMENTS = re.compile(r"(?:\s|#[^\n]*|//[^\n]*)*")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_TRIPLE = re.compile(r'"""(.*?"*)"""(?!")', re.DOTALL)
_UNQUOTED_KEY = re.compile(r'[^\s"{}\[\]:=,+#$.][^"{}\[\]:=,+#$\n.]*')
_UNQUOTED = re.compile(r'(?:[^\s"{}\[\],#$/]|/(?!/)|(?<=:)//)(?:[^"{}\[\],#$\n/]|/(?!/)|(?<=:)//)*')
_INCLUDE = re.compile(r'\binclude\b\s*(?:"|(?:url|file|package|required)\b)', re.IGNORECASE)
_MOST_PARTS = 500
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_NAMES: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "inf": math.inf,
    "-inf": -math.inf,
    "nan": math.nan,
}


def to_hocon(value: Any) -> str:
    """A dictionary or a list as text; what JSON has no form for is written as its own text.

    Raises:
        InputInvalid: it contains itself or is nested too deeply, or something in it has no text.
    """
    try:
        if isinstance(value, Mapping):
            return _fields(value, 0, frozenset()) if value else "{}"
        return _value(value, -2, frozenset())
    except RecursionError:
        raise InputInvalid("the configuration is nested too deeply: give fewer levels, or its text") from None


def parse_hocon(text: str) -> Any:
    """The dictionary or list that a text is, as JSON or HOCON.

    Raises:
        InputInvalid: it is neither, or includes other files.
        NotAvailable: it has a substitution, and pyhocon is not installed.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return _Reader(text).document()
    except _NeedsMore:
        return _with_pyhocon(text)
    except RecursionError:
        raise InputInvalid("the configuration is nested too deeply to be read") from None


def _fields(mapping: Mapping[Any, Any], indent: int, within: frozenset[int]) -> str:
    if id(mapping) in within:
        raise InputInvalid("the configuration contains itself: give a dictionary without cycles")
    inside = within | {id(mapping)}
    lines = []
    for key, value in mapping.items():
        name = _key(key)
        if isinstance(value, Mapping):
            shown = f"{name} {_object(value, indent, indent + 2, inside)}"
        else:
            shown = f"{name} = {_value(value, indent, inside)}"
        lines.append(" " * indent + shown)
    return "\n".join(lines)


def _object(mapping: Mapping[Any, Any], indent: int, inner: int, within: frozenset[int]) -> str:
    if not mapping:
        return "{}"
    return "{\n" + _fields(mapping, inner, within) + "\n" + " " * indent + "}"


def _value(value: Any, indent: int, within: frozenset[int]) -> str:
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        # NumPy's numbers and arrays, as what they hold.
        value = value.tolist()
    if isinstance(value, Enum):
        value = str(value)
    if value is None or value is True or value is False:
        return json.dumps(value)
    if isinstance(value, str):
        return _text(plain_text(value))
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, int):
        return int.__repr__(value) if value.bit_length() < 10_000 else _text(hex(value))
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (bytes, bytearray, memoryview)):
        if id(value) in within:
            raise InputInvalid("the configuration contains itself: give a list without cycles")
        inside = within | {id(value)}
        # Of lists that begin with an object, each item has lines of its own, as ClearML writes them.
        has_lines = isinstance(next(iter(value), None), Mapping) and len(next(iter(value))) > 0
        end = indent + 2 if has_lines or indent < 0 else indent + 4
        items = [
            _object(item, end, indent + 4, inside)
            if isinstance(item, Mapping)
            else _value(item, indent, inside)
            for item in value
        ]
        return "[" + (",\n" + " " * (indent + 2) if has_lines else ", ").join(items) + "]"
    text = plain_text(value)
    return text if _PLAIN_WORD.fullmatch(text) and _named(text) is text else _text(text)


def _key(key: Any) -> str:
    text = plain_text(key)
    plain = _PLAIN_KEY.fullmatch(text) and "//" not in text and text != "include"
    return text if plain else json.dumps(text, ensure_ascii=False)


def _text(text: str) -> str:
    if "\n" in text and '"""' not in text and not text.endswith('"') and "\r" not in text:
        return f'"""{text}"""'
    return json.dumps(text, ensure_ascii=False)


class _NeedsMore(Exception):
    """The text has a substitution, or what may be an include."""


class _Reader:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def document(self) -> Any:
        self._skip(_SPACE)
        if self._sees("["):
            value: Any = self._list()
        elif self._sees("{"):
            value = self._braced()
        else:
            value = self._fields("")
        self._skip(_SPACE)
        if self.at < len(self.text):
            raise self._wrong("its end was expected")
        return value

    def _fields(self, end: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while True:
            self._skip(_SPACE)
            if self.at >= len(self.text) or (end and self._sees(end)):
                return fields
            path = self._path()
            self._skip(_SPACE_AND_COMMENTS)
            adds = self._takes("+=")
            if adds or self._takes("=") or self._takes(":"):
                self._skip(_SPACE_AND_COMMENTS)
            elif not self._sees("{"):
                raise self._wrong("'=', ':' or '{' was expected")
            self._put(fields, path, self._value(), adds)

    def _put(self, fields: dict[str, Any], path: list[str], value: Any, adds: bool) -> None:
        for name in path[:-1]:
            inner = fields.get(name)
            if not isinstance(inner, dict):
                inner = fields[name] = {}
            fields = inner
        name = path[-1]
        if adds:
            earlier = fields.get(name)
            if isinstance(earlier, list):
                earlier.append(value)
                return
            value = [value]
        fields[name] = _merged(fields.get(name), value)

    def _path(self) -> list[str]:
        path = []
        while True:
            if quoted := _QUOTED.match(self.text, self.at):
                path.append(self._unquoted(quoted))
            elif plain := _UNQUOTED_KEY.match(self.text, self.at):
                self.at = plain.end()
                path.append(plain.group().rstrip())
                if path == ["include"] or plain.group().startswith("include "):
                    raise _NeedsMore
            else:
                raise self._wrong("a key was expected")
            if len(path) > _MOST_PARTS:
                raise self._wrong(f"a key has more than {_MOST_PARTS} parts")
            if not self._takes("."):
                return path

    def _value(self) -> Any:
        """One value, or several on a line, which are one."""
        parts: list[Any] = []
        texts: list[str] = []
        while True:
            start = self.at
            self._skip(_INLINE_SPACE)
            space = self.text[start : self.at] if parts else ""
            if self._sees("{"):
                parts.append(self._braced())
                texts.append("")
            elif self._sees("["):
                parts.append(self._list())
                texts.append("")
            elif triple := _TRIPLE.match(self.text, self.at):
                self.at = triple.end()
                parts.append(triple.group(1))
                texts.append(space + triple.group(1))
            elif quoted := _QUOTED.match(self.text, self.at):
                parts.append(self._unquoted(quoted))
                texts.append(space + parts[-1])
            elif self._sees("$"):
                raise _NeedsMore
            elif plain := _UNQUOTED.match(self.text, self.at):
                self.at = plain.end()
                parts.append(_named(plain.group().rstrip()))
                texts.append(space + plain.group())
            else:
                break
        if not parts:
            raise self._wrong("a value was expected")
        if len(parts) == 1:
            return parts[0]
        if all(isinstance(part, dict) for part in parts):
            whole: Any = {}
            for part in parts:
                whole = _merged(whole, part)
            return whole
        if all(isinstance(part, list) for part in parts):
            return [item for part in parts for item in part]
        if any(isinstance(part, (dict, list)) for part in parts):
            raise self._wrong("text beside an object or a list has no meaning")
        return "".join(texts).strip()

    def _braced(self) -> dict[str, Any]:
        self.at += 1
        fields = self._fields("}")
        if not self._takes("}"):
            raise self._wrong("'}' was expected")
        return fields

    def _list(self) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        while True:
            self._skip(_SPACE)
            if self._takes("]"):
                return items
            items.append(self._value())

    def _unquoted(self, quoted: re.Match[str]) -> str:
        self.at = quoted.end()
        try:
            return str(json.loads(quoted.group(), strict=False))
        except ValueError:
            raise self._wrong("an escape in quotes is not known") from None

    def _skip(self, space: re.Pattern[str]) -> None:
        found = space.match(self.text, self.at)
        if found is not None:
            self.at = found.end()

    def _sees(self, sign: str) -> bool:
        return self.text.startswith(sign, self.at)

    def _takes(self, sign: str) -> bool:
        is_there = self._sees(sign)
        if is_there:
            self.at += len(sign)
        return is_there

    def _wrong(self, why: str) -> InputInvalid:
        line = self.text.count("\n", 0, self.at) + 1
        return InputInvalid(
            f"the configuration is neither JSON nor HOCON: {why}, line {line}: read it with"
            " get_configuration_object and parse it yourself"
        )


def _merged(old: Any, new: Any) -> Any:
    """The later of two values; of two objects, the earlier with what the later has put into it."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    for name, value in new.items():
        old[name] = _merged(old.get(name), value)
    return old


def _named(word: str) -> Any:
    """The number, truth value or nothing that an unquoted word is; else the word itself."""
    if word in _NAMES:
        return _NAMES[word]
    try:
        if _INTEGER.fullmatch(word):
            return int(word)
        if _NUMBER.fullmatch(word):
            return float(word)
    except ValueError:
        pass
    return word


def _with_pyhocon(text: str) -> Any:
    if _INCLUDE.search(text):
        raise InputInvalid(
            "the configuration includes a file or a URL, which is not kept with it: read it with"
            " get_configuration_object and parse it yourself"
        )
    try:
        import pyhocon  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise NotAvailable(
            "HOCON with a substitution needs pyhocon: pip install 'eventlog[hocon]', or parse the text of"
            " get_configuration_object yourself"
        ) from None
    try:
        parsed = pyhocon.ConfigFactory.parse_string(text)
    except Exception as error:
        raise InputInvalid(
            f"the configuration cannot be read as HOCON ({type(error).__name__}): read it with"
            " get_configuration_object and parse it yourself"
        ) from None
    return parsed.as_plain_ordered_dict() if hasattr(parsed, "as_plain_ordered_dict") else parsed
