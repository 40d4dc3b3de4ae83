"""What goes to the screen: drawn with colours on a terminal, as plain lines everywhere else.

Text that came from elsewhere (names, console lines, hosts) passes through `clean`, so that it can't drive
the terminal that shows it.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "Part",
    "clean",
    "console",
    "counted",
    "cut_line",
    "document",
    "document_text",
    "draw_on",
    "drawn",
    "first_problems",
    "is_terminal",
    "line",
    "nothing",
    "text",
    "width",
]

# A piece of a line: text, or text and its style in rich's words ("bold", "dim", "red").
Part = str | tuple[str, str]

# More lines than these nobody reads.
MOST_PROBLEMS = 10

# C0 and C1 controls, DEL, line and paragraph separators, and the marks that reverse the reading order.
_controls = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_escapable = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

_console: "Console | None" = None
# What is written as it is.
_WHOLE = frozenset({str, int, bool, type(None)})


def clean(value: str) -> str:
    """`value` on one line, its control characters replaced by what can be seen: "␛" for an escape."""
    return _controls.sub(_visible, value)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def is_terminal(stream: TextIO) -> bool:
    """Whether someone reads along who can see colours and bars."""
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def drawn() -> bool:
    """Whether to draw: stdout is a terminal, or FORCE_COLOR is set.

    NO_COLOR keeps the drawing and drops the colours.
    """
    return _console is not None or bool(os.environ.get("FORCE_COLOR")) or is_terminal(sys.stdout)


def console() -> "Console":
    """What draws on stdout."""
    global _console
    if _console is None:
        from rich.console import Console

        _console = Console(highlight=False, markup=False, emoji=False)
    return _console


@contextmanager
def draw_on(target: "Console") -> Iterator[None]:
    """Everything printed in here goes to `target`, whatever stdout is."""
    global _console
    before, _console = _console, target
    try:
        yield
    finally:
        _console = before


def width() -> int | None:
    """Columns of the terminal; None where lines may be of any length."""
    return console().width if drawn() else None


def line(*parts: Part) -> None:
    """Print one line; the terminal wraps it where it must."""
    if drawn():
        console().print(text(*parts), soft_wrap=True)
    else:
        sys.stdout.write("".join(clean(part if isinstance(part, str) else part[0]) for part in parts) + "\n")


def nothing(words: str) -> None:
    """Say that there is nothing to show: on stderr, so that whoever reads stdout gets just that."""
    sys.stderr.write(f"eventlog: {clean(words)}\n")


def cut_line(*parts: Part) -> None:
    """Print one line, cut where the terminal ends; whole where there is none."""
    if drawn():
        console().print(text(*parts), no_wrap=True, overflow="ellipsis", crop=True)
    else:
        line(*parts)


def text(*parts: Part) -> "Text":
    """The parts as rich text, cleaned."""
    from rich.text import Text

    joined = Text(no_wrap=True, overflow="ellipsis")
    for part in parts:
        words, style = (part, "") if isinstance(part, str) else part
        joined.append(clean(words), style or None)
    return joined


def counted(count: int, noun: str) -> str:
    """As "1 batch", "2 batches", "1,234 events"."""
    plural = f"{noun}es" if noun.endswith(("ch", "s")) else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def first_problems(problems: Sequence[str]) -> list[str]:
    """The lines that tell of problems: of very many the first, and how many more there are."""
    if len(problems) <= MOST_PROBLEMS:
        return list(problems)
    more = f"and {counted(len(problems) - MOST_PROBLEMS, 'problem')} more: --json lists them all"
    return [*problems[:MOST_PROBLEMS], more]


def document(value: Any, *, one_line: bool = False) -> None:
    """Print one JSON document; NaN and the infinities as the strings "NaN", "Infinity", "-Infinity"."""
    sys.stdout.write(document_text(value, one_line=one_line))


def document_text(value: Any, *, one_line: bool = False) -> str:
    """What `document` prints."""
    value = _finite(value)
    written = json.dumps(value, ensure_ascii=False) if one_line else _indented(value)
    if not written.isascii() or "\x7f" in written:
        written = _escapable.sub(lambda match: f"\\u{ord(match[0]):04x}", written)
    return f"{written}\n"


def _indented(value: Any) -> str:
    import msgspec

    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except (OverflowError, UnicodeError):
        # Halves of surrogate pairs, and numbers beyond 64 bits, which json writes too, in ten times the time.
        return json.dumps(value, ensure_ascii=False, indent=2)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return value
    if isinstance(value, dict):
        return {key: item if type(item) in _WHOLE else _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if type(item) in _WHOLE else _finite(item) for item in value]
    return value
