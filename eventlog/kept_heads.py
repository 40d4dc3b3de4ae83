"""Heads kept elsewhere: a short text that says how far stores had got, to hold a later log against.

    eventlog head 1
    <store id> <number of its last batch> <SHA-256 of that batch>

The hash of a batch covers all batches before it, so these lines, kept where nobody who can write the log can
write, prove that nothing up to them was changed since.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from eventlog.errors import InputInvalid, StoreNewer
from eventlog.regular_file import open_regular

__all__ = ["MOST_BYTES", "KeptHead", "KeptHeads", "heads_text", "load_heads", "read_heads"]

FORMAT = 1
# A hundred thousand stores and more.
MOST_BYTES = 64 << 20
PIECE_SIZE = 1 << 20

_FIRST = re.compile(rb"eventlog head ([1-9][0-9]{0,8})")
_LINE = re.compile(rb"([0-9a-f]{32}) (0|[1-9][0-9]{0,17}) ([0-9a-f]{64})")


class KeptHead(NamedTuple):
    """A store's last batch, as it was."""

    number: int
    hash: bytes


@dataclass(frozen=True)
class KeptHeads:
    """Heads by store id, and what they were read from, for messages."""

    name: str
    heads: Mapping[bytes, KeptHead]

    def __repr__(self) -> str:
        return f"<KeptHeads of {len(self.heads)} stores from {self.name}>"


def heads_text(heads: Mapping[bytes, tuple[int, bytes]]) -> str:
    """Heads as the text to keep: number and hash by store id."""
    lines = [f"{store.hex()} {number} {digest.hex()}" for store, (number, digest) in sorted(heads.items())]
    return "\n".join([f"eventlog head {FORMAT}", *lines]) + "\n"


def read_heads(data: bytes, name: str) -> KeptHeads:
    """The heads that a text states, to the letter.

    Args:
        data: the text.
        name: what to call it in messages.

    Raises:
        InputInvalid: it is not such a text, or was changed.
        StoreNewer: a newer version wrote it.
    """
    first, *lines = data.split(b"\n")
    begins = _FIRST.fullmatch(first)
    if begins is None:
        raise InputInvalid(f"{name} does not hold heads: give a file that `eventlog head -o FILE` wrote")
    if int(begins.group(1)) > FORMAT:
        raise StoreNewer(f"{name} was written by a newer eventlog: upgrade eventlog to read it")
    if not lines or lines.pop():
        raise InputInvalid(f"{name} is cut short: its last line does not end")
    heads: dict[bytes, KeptHead] = {}
    before = b""
    for place, line in enumerate(lines, 2):
        match = _LINE.fullmatch(line)
        if match is None or match.group(1) <= before:
            raise InputInvalid(f"{name} was changed: line {place} is not a head, or out of order")
        before = match.group(1)
        heads[bytes.fromhex(before.decode())] = KeptHead(
            int(match.group(2)), bytes.fromhex(match[3].decode())
        )
    return KeptHeads(name, heads)


def load_heads(path: Path) -> tuple[KeptHeads, bytes]:
    """The heads in a file, and its bytes.

    Raises:
        InputInvalid: it cannot be read, or does not hold heads.
        StoreNewer: a newer version wrote it.
    """
    try:
        with open_regular(path) as file:
            # A read takes all the memory that it is asked for, whatever the file holds.
            data = b""
            while len(data) <= MOST_BYTES and (piece := file.read(PIECE_SIZE)):
                data += piece
    except OSError as error:
        raise InputInvalid(
            f"{path} cannot be read ({error.strerror}): give a file that `eventlog head -o FILE` wrote"
        ) from None
    if len(data) > MOST_BYTES:
        raise InputInvalid(f"{path} does not hold heads: it is larger than {MOST_BYTES} bytes")
    return read_heads(data, str(path)), data
