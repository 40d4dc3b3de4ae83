"""Console text: the lines that a task reported, in order."""

import msgspec

__all__ = ["TextLine"]


class TextLine(msgspec.Struct, array_like=True, frozen=True):
    """One report of text.

    Attributes:
        time: in milliseconds since 1970-01-01 UTC.
        level: a number of the logging module.
        text: what was reported; it may hold several lines.
        blob: SHA-256 of the whole text where it is larger than 64 KiB; `text` is then its beginning.
        session: id of the session that reported it, 16 bytes.
    """

    time: int
    level: int
    text: str
    blob: str = ""
    session: bytes = b""

    def __repr__(self) -> str:
        return f"<TextLine {self.time} {self.text[:40]!r}>"
