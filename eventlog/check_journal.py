"""What verify finds in journals: read from their bytes as `docs/FORMAT.md` describes them.

A living session goes on writing while its journal is read, and chunks come and go. A frame that does not
hold is therefore looked at again; and one that is the last, cut short by the death of its process, is no
damage.
"""

import re
import struct
import zlib
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import msgspec

from eventlog.check_batch import BLOB_PLACES, UNDECODABLE, EventHead, blobs_of, grows

__all__ = ["ChunkFacts", "JournalFacts", "check_journals"]

MAGIC = b"EVJ1"
HEADER = struct.Struct(">4s16s16sQI")
HEADER_CRC = struct.Struct(">I")
FRAME = struct.Struct(">II")
FRAMES_START = HEADER.size + HEADER_CRC.size
SESSION = re.compile("[0-9a-f]{32}")
CHUNK = re.compile("[0-9]{6,}")
# The least that is missing of a frame that was cut short, and the most that is there of one without a start.
TORN_SIZE = 16
MAX_TORN = 1 << 16
MAX_SIZE = 128 << 20


@dataclass(slots=True)
class ChunkFacts:
    """A chunk that has been begun: the number of its first event, and the time of each."""

    first: int
    times: list[int]


@dataclass(slots=True)
class JournalFacts:
    """A session's journal, and what is wrong with it.

    Attributes:
        name: its folder, from the store's home.
        session: the id of the session.
        store: the id of the store, or None if no chunk says so.
        chunks: those that could be read, in order.
        blobs: the blobs that its events name.
        problems: what is wrong, a line each.
    """

    name: str
    session: bytes
    store: bytes | None = None
    chunks: list[ChunkFacts] = field(default_factory=list)
    blobs: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def check_position(self, committed: int, last_time: int) -> None:
        """Compare it with what the log holds: events before number `committed`, up to time `last_time`."""
        end = committed
        for chunk in self.chunks:
            if chunk.first > end:
                self.problems.append(f"{self.name}: events {end} to {chunk.first - 1} are missing")
            new = chunk.times[max(0, end - chunk.first) :]
            if not grows([last_time, *new] if new else []):
                self.problems.append(f"{self.name}: event times go back")
            end = max(end, chunk.first + len(chunk.times))
            last_time = max([last_time, *new])


def check_journals(home: Path) -> tuple[list[JournalFacts], list[str]]:
    """Every journal of a store, and what in the folder of journals is none."""
    journals, foreign = [], []
    for folder in _entries(home / "journals"):
        if SESSION.fullmatch(folder.name):
            journals.append(_check_journal(folder))
        else:
            foreign.append(f"journals/{folder.name} is not a journal")
    return journals, foreign


def _check_journal(folder: Path) -> JournalFacts:
    facts = JournalFacts(f"journals/{folder.name}", bytes.fromhex(folder.name))
    for path in sorted(_entries(folder), key=lambda path: (len(path.name), path.name)):
        if CHUNK.fullmatch(path.name):
            _check_chunk(path, facts)
        # The lock is not opened: if this process holds it, closing it would give it back.
        elif path.name != "lock":
            facts.problems.append(f"{facts.name}/{path.name} is not a chunk")
    return facts


def _check_chunk(path: Path, facts: JournalFacts) -> None:
    name = f"{facts.name}/{path.name}"
    chunk = _read_twice(path)
    if chunk.damage:
        facts.problems.append(f"{name} (byte {chunk.end}): {chunk.damage}")
    if chunk.session is None:
        return
    if chunk.session != facts.session:
        facts.problems.append(f"{name} (byte 20): it belongs to session {chunk.session.hex()}")
    if facts.store not in (None, chunk.store):
        facts.problems.append(f"{name} (byte 4): it belongs to store {chunk.store.hex()}")
    facts.store = chunk.store
    times = []
    for index, payload in enumerate(chunk.payloads):
        number = chunk.first + index
        try:
            head = _head_decoder.decode(payload)
            if head.kind in BLOB_PLACES:
                facts.blobs |= blobs_of([msgspec.msgpack.decode(payload)])
        except UNDECODABLE as error:
            facts.problems.append(f"{name}: event {number} cannot be decoded: {error}")
            return
        if not number and head.kind != "SessionStarted":
            facts.problems.append(f"{name}: the session begins with a {head.kind}, not SessionStarted")
        times.append(head.time)
    facts.chunks.append(ChunkFacts(chunk.first, times))


def _read_twice(path: Path) -> "_Chunk":
    """A chunk as it is read; where it is damaged, as it is read again without a change."""
    before: tuple[int, str] | None = None
    while True:
        try:
            size = path.stat().st_size
            if size > MAX_SIZE:
                return _Chunk(damage=f"{size} bytes are more than a chunk ever has")
            chunk = _read_chunk(path.read_bytes())
        except FileNotFoundError:
            # What it held has been committed meanwhile.
            return _Chunk()
        except OSError as error:
            return _Chunk(damage=f"it cannot be read: {error.strerror}")
        if not chunk.damage or (chunk.end, chunk.damage) == before:
            return chunk
        before = (chunk.end, chunk.damage)


def _read_chunk(data: bytes) -> "_Chunk":
    head = data[:FRAMES_START]
    if not any(head[: len(MAGIC)]):
        # It has not been begun, or is being erased to be used again.
        return _Chunk()
    if len(head) < FRAMES_START:
        return _Chunk(damage=f"{len(data)} bytes are fewer than a header has")
    if zlib.crc32(head[: HEADER.size]) != HEADER_CRC.unpack_from(head, HEADER.size)[0]:
        return _Chunk(damage="the CRC of its header does not hold")
    magic, store, session, first, seed = HEADER.unpack_from(head)
    if magic != MAGIC:
        return _Chunk(damage=f"it begins with {magic!r}, not {MAGIC!r}")
    payloads = []
    position = FRAMES_START
    while (payload := _frame_at(data, position, seed)) is not None:
        payloads.append(payload)
        position += FRAME.size + len(payload)
    damage = _damage(data[position:], position, seed)
    if damage:
        damage = f"frame {len(payloads)} does not hold{damage}"
    return _Chunk(store, session, first, payloads, position, damage)


def _frame_at(data: bytes, position: int, seed: int) -> bytes | None:
    """The payload of the frame there, if one is."""
    if position + FRAME.size > len(data):
        return None
    length, crc = FRAME.unpack_from(data, position)
    payload = data[position + FRAME.size : position + FRAME.size + length]
    if not length or len(payload) < length or zlib.crc32(payload, seed) != crc:
        return None
    return payload


def _damage(rest: bytes, position: int, seed: int) -> str:
    """What is wrong with a chunk from a frame on that does not hold; "" if it just ends there.

    The last frame is cut short when its process dies while copying it. Its end is then still zeros or, as a
    big copy may write what is before a multiple of 16 bytes last, its start.
    """
    used = rest.rstrip(b"\0")
    if not used:
        return ""
    if not any(rest[: FRAME.size]):
        return _damage_behind(used, seed)
    length, crc = FRAME.unpack_from(rest.ljust(FRAME.size, b"\0"))
    if other := _other_length(memoryview(rest)[FRAME.size :], length, crc, seed):
        return f": its length should be {other}, not {length}"
    size = FRAME.size + length
    missing = -position % TORN_SIZE
    if 3 <= missing < FRAME.size and not any(rest[:missing]) and len(used) > size:
        return _damage_behind(used, seed)
    if size > len(rest):
        return f": its length of {length} cannot be"
    if len(used) > size:
        return ", and more follows it"
    return ": it was changed" if any(rest[max(0, size - TORN_SIZE) : size]) else ""


def _damage_behind(used: bytes, seed: int) -> str:
    """What is wrong behind a frame whose start is missing."""
    if len(used) > MAX_TORN:
        return ", and more follows it"
    return ", and others follow it" if any(_frame_at(used, at, seed) for at in range(1, len(used))) else ""


def _other_length(payload: memoryview, length: int, crc: int, seed: int) -> int:
    """The length with which the frame holds, and that differs in one byte, or 0; in one pass over it."""
    others = set()
    for place, value in product(range(4), range(256)):
        changed = bytearray(length.to_bytes(4, "big"))
        changed[place] = value
        others.add(int.from_bytes(changed, "big"))
    found, before = seed, 0
    for other in sorted(others):
        if other > len(payload):
            break
        found = zlib.crc32(payload[before:other], found)
        before = other
        if other and found == crc:
            return other
    return 0


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


@dataclass(slots=True)
class _Chunk:
    """A chunk's content up to byte `end`, and what is wrong there. Without a session, it was not begun."""

    store: bytes = b""
    session: bytes | None = None
    first: int = 0
    payloads: list[bytes] = field(default_factory=list)
    end: int = 0
    damage: str = ""


_head_decoder = msgspec.msgpack.Decoder(EventHead)
