"""Text as an event can hold it."""

from typing import Any

from eventlog.errors import InputInvalid

__all__ = ["INLINE_SIZE", "check_text", "check_title", "cut_text", "plain_text"]

# Bytes; what is larger goes to a blob.
INLINE_SIZE = 64 << 10
# Characters; what a plot is called is shown above it.
_LONGEST_TITLE = 1024


def plain_text(value: Any) -> str:
    """What `str` makes of a value, with "?" where UTF-8 has no form for a character.

    Paths, arguments and output of other programs may hold such halves of a surrogate pair.

    Raises:
        InputInvalid: `str` raises, as it may for an object that is half made or nested too deeply.
    """
    try:
        text = str(value)
    except Exception as error:
        raise InputInvalid(
            f"an object of type {type(value).__name__} cannot be written as text ({type(error).__name__}):"
            " give its text instead"
        ) from None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    # A subclass, such as NumPy's strings, is not encoded as text.
    return text if type(text) is str else "".join(text)


def check_text(what: str, value: Any) -> str:
    """A name that a caller gave, as plain text.

    Args:
        what: what it is the name of, for the message.

    Raises:
        InputInvalid: it is not text, cannot be written as UTF-8, or is longer than 64 KiB.
    """
    if not isinstance(value, str):
        raise InputInvalid(f"{what} must be text, not {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InputInvalid(f"{what}, {value[:50]!r}, cannot be written as UTF-8: choose another") from None
    if size > INLINE_SIZE:
        raise InputInvalid(f"{what} is longer than 64 KiB: choose a shorter one")
    return plain_text(value)


def check_title(title: Any, series: Any) -> tuple[str, str]:
    """What a plot, an image or a sound is called, as plain text; the series may be empty.

    Raises:
        InputInvalid: one of them is not text or is longer than 1,024 characters, or the title is empty.
    """
    names = check_text("the title", title), check_text("the series", series)
    for what, name in zip(("title", "series"), names, strict=True):
        if len(name) > _LONGEST_TITLE:
            raise InputInvalid(
                f"the {what} has {len(name):,} characters: choose one of {_LONGEST_TITLE:,} at most"
            )
    if not names[0].strip():
        raise InputInvalid("the title is empty: give one that says what is reported")
    return names


def cut_text(text: str, size: int = INLINE_SIZE) -> str:
    """The beginning of a text, at most so many bytes of UTF-8."""
    data = text.encode(errors="replace")
    return text if len(data) <= size else data[:size].decode(errors="ignore")
