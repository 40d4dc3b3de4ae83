"""What verify finds in a zip file beyond its members: whether what holds it together says the same twice.

A reader of zip files believes the list at the end, and passes over what stands before each member and between
them. Here both must agree, and there must be nothing else. Not looked at is what the list alone says and no
reading of bytes depends on: the system that made a member, and its attributes.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from eventlog.errors import in_one_line

__all__ = ["check_zip"]

END = struct.Struct("<4s4H2IH")
END_64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR_64 = struct.Struct("<4sIQI")
LISTED = struct.Struct("<4s2s5H3I5HII")
LOCAL = struct.Struct("<4s5H3I2H")
EXTRA = struct.Struct("<2H")
ZIP64_EXTRA = 1
FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF
# The sizes and the CRC follow the member's bytes.
DESCRIPTOR_FLAG = 0x8
DEFLATED = 8
PIECE_SIZE = 1 << 20
DESCRIPTOR_SIZES = (12, 16, 20, 24)


class _Wrong(Exception):
    """What holds the file together cannot be followed further."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A member as the list at the end describes it; `same` is what stands before the member, too."""

    name: bytes
    same: tuple[int, ...]
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def check_zip(path: Path, *, quick: bool = False) -> list[str]:
    """What is wrong with what holds a zip file together, a line each; what members say is not looked at.

    Args:
        quick: do not read deflated members to see whether they end where they should.
    """
    with path.open("rb") as file:
        try:
            size = os.fstat(file.fileno()).st_size
            start, end, count = _find_list(file, size)
            members = _read_list(file, start, end)
            if len(members) != count:
                raise _Wrong(f"its end says that it has {count} members, listed are {len(members)}")
            problems = _check_members(file, members, start)
            if not quick:
                problems += [problem for member in members if (problem := _check_deflated(file, member))]
            return problems
        except (_Wrong, struct.error) as wrong:
            return [f"zip: {wrong}"]


def _find_list(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the list of members begins and ends, and how many it should have."""
    position = size - END.size
    magic, *disks, count, count_again, length, start, comment = END.unpack(_at(file, position, END.size))
    if magic != b"PK\5\6" or comment:
        raise _Wrong("bytes follow its end, or its end was changed")
    end = position
    whole = (count, length, start)
    if position >= LOCATOR_64.size:
        locator = LOCATOR_64.unpack(_at(file, position - LOCATOR_64.size, LOCATOR_64.size))
        if locator[0] == b"PK\6\7":
            end = position - LOCATOR_64.size - END_64.size
            record = END_64.unpack(_at(file, end, END_64.size))
            whole = (record[7], record[8], record[9])
            narrowed = (min(whole[0], FULL_16), min(whole[1], FULL_32), min(whole[2], FULL_32))
            said = (count, length, start)
            limits = (FULL_16, FULL_32, FULL_32)
            if (
                locator[1:] != (0, end, 1)
                or record[:2] != (b"PK\6\6", END_64.size - 12)
                or record[4:7] != (0, 0, whole[0])
                or record[2:4] != (45, 45)
                or any(one not in both for one, *both in zip(said, narrowed, limits, strict=True))
            ):
                raise _Wrong("its two ends do not say the same")
    if any(disks) or count_again != count or whole[1] + whole[2] != end:
        raise _Wrong("its end does not say where its list of members is")
    return whole[2], end, whole[0]


def _read_list(file: BinaryIO, start: int, end: int) -> list[_Member]:
    members = []
    position = start
    while position < end:
        head = LISTED.unpack(_at(file, position, LISTED.size))
        magic, _, needed, flags, method, time, date, crc, packed, size, *lengths = head[:13]
        disk, _, _, offset = head[13:]
        if magic != b"PK\1\2" or disk or lengths[2]:
            raise _Wrong(f"its list of members cannot be read at byte {position}")
        name = _at(file, position + LISTED.size, lengths[0])
        extra = _at(file, position + LISTED.size + lengths[0], lengths[1])
        size, packed, offset = _widened(extra, size, packed, offset)
        members.append(
            _Member(name, (needed, flags, method, time, date), flags, method, crc, packed, size, offset)
        )
        position += LISTED.size + lengths[0] + lengths[1]
    if position != end:
        raise _Wrong("its list of members does not end where it should")
    return sorted(members, key=lambda member: member.offset)


def _check_members(file: BinaryIO, members: list[_Member], end: int) -> list[str]:
    problems = []
    position = 0
    following = [*(member.offset for member in members[1:]), end]
    for member, next_offset in zip(members, following, strict=True):
        shown = _shown(member)
        if member.offset != position:
            raise _Wrong(f"there are bytes between its members, before {shown}")
        head = LOCAL.unpack(_at(file, position, LOCAL.size))
        magic, *same, crc, packed, size, name_length, extra_length = head
        position += LOCAL.size
        name = _at(file, position, name_length)
        size, packed, _ = _widened(_at(file, position + name_length, extra_length), size, packed, 0)
        position += name_length + extra_length + member.packed
        said = (crc, packed, size)
        listed = (member.crc, member.packed, member.size)
        if member.flags & DESCRIPTOR_FLAG:
            if next_offset - position not in DESCRIPTOR_SIZES:
                raise _Wrong(f"there are bytes between its members, behind {shown}")
            position = next_offset
            listed = (0, 0, 0) if said == (0, 0, 0) else listed
        if magic != b"PK\3\4" or name != member.name or tuple(same) != member.same or said != listed:
            problems.append(f"zip: what stands before {shown} is not what the list of members says")
    if position != end:
        raise _Wrong("there are bytes between its members and their list")
    return problems


def _check_deflated(file: BinaryIO, member: _Member) -> str:
    """What is wrong with the end of a deflated member; a reader that has all its bytes looks no further."""
    if member.method != DEFLATED:
        return ""
    file.seek(member.offset)
    *_, name_length, extra_length = LOCAL.unpack(file.read(LOCAL.size))
    file.seek(name_length + extra_length, os.SEEK_CUR)
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    left = member.packed
    try:
        while left and not inflating.eof:
            piece = file.read(min(left, PIECE_SIZE))
            left -= len(piece)
            while piece and not inflating.eof:
                inflating.decompress(piece, PIECE_SIZE)
                piece = inflating.unconsumed_tail
    except zlib.error:
        left = 1
    if inflating.eof and not left and not inflating.unused_data:
        return ""
    return f"zip: {_shown(member)} does not end where it should"


def _shown(member: _Member) -> str:
    return in_one_line(member.name.decode("utf-8", "backslashreplace")[:200])


def _widened(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset, those that do not fit into 32 bits taken from where they stand then."""
    position = 0
    while position < len(extra):
        kind, length = EXTRA.unpack_from(extra, position)
        content = extra[position + EXTRA.size : position + EXTRA.size + length]
        position += EXTRA.size + length
        if len(content) < length:
            raise _Wrong("what is noted of a member is cut short")
        if kind == ZIP64_EXTRA:
            numbers = list(struct.unpack(f"<{length // 8}Q", content[: length // 8 * 8]))
            values = [numbers.pop(0) if one == FULL_32 and numbers else one for one in (size, packed, offset)]
            size, packed, offset = values
    return size, packed, offset


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    if position < 0:
        raise _Wrong("it is cut short")
    file.seek(position)
    return file.read(size)
