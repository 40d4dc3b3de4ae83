"""Changes of what bytes mean: a format is taken apart, its content changed, its checksums made anew."""

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from random import Random

import msgspec
import zstandard

from torture.fuzzing.changes import changed_bytes, changed_json, changed_packed, hostile_text
from torture.fuzzing.trees import Tree, packed, unpacked

__all__ = [
    "batch_with",
    "changed_batch",
    "changed_chunk",
    "changed_segment",
    "changed_tree",
    "changed_zip",
    "chunk_of",
    "renamed_segments",
    "segment_of",
    "with_json",
    "zip_of",
]

_BATCH = struct.Struct(">4s16sQ32s16sQIIQQIIII")
_FIELDS = {"number": 2, "first": 5, "states": 6, "reports": 7, "first_time": 8, "last_time": 9}
_CHUNK = struct.Struct(">4s16s16sQI")
_FRAME = struct.Struct(">II")
_SEGMENT_NAME = re.compile(r"(stores/[0-9a-f]{32})/([0-9]{12})-([0-9]{12})-[0-9a-f]{16}\.segment")


# Batches.


def batch_with(
    data: bytes,
    states: bytes | None = None,
    reports: bytes | None = None,
    fields: Mapping[str, int] | None = None,
) -> bytes:
    """A batch with other contents of its frames, its header saying their sizes as they are.

    Args:
        fields: others of the header, by their names in FORMAT.
    """
    values = list(_BATCH.unpack_from(data))
    middle = _BATCH.size + values[10]
    frames = [data[_BATCH.size : middle], data[middle:]]
    for place, content in enumerate((states, reports)):
        if content is not None:
            frames[place] = zstandard.ZstdCompressor(level=1).compress(content) if content else b""
            values[10 + 2 * place : 12 + 2 * place] = [len(frames[place]), len(content)]
    for name, value in (fields or {}).items():
        values[_FIELDS[name]] = value
    return _BATCH.pack(*values) + b"".join(frames)


def changed_batch(chance: Random, data: bytes) -> bytes:
    """A batch with other events in it."""
    try:
        values = _BATCH.unpack_from(data)
        middle = _BATCH.size + values[10]
        states, reports = _content(data[_BATCH.size : middle]), _content(data[middle:])
        match chance.randrange(6):
            case 0:
                return batch_with(data, states=changed_bytes(chance, states, [reports]))
            case 1:
                return batch_with(data, reports=changed_bytes(chance, reports, [states]))
            case 2:
                return batch_with(data, states=changed_packed(chance, states))
            case 3:
                return batch_with(data, reports=changed_packed(chance, reports))
            case 4:
                # Many times the same, and the header agrees.
                times = chance.choice([2, 100, 5000])
                events = _items(reports) * times
                return batch_with(data, reports=_array(events), fields={"reports": len(events)})
            case _:
                name = chance.choice(list(_FIELDS))
                most = (1 << 32) - 1 if name in ("states", "reports") else (1 << 64) - 1
                return batch_with(data, fields={name: chance.choice([0, 1, 2, most // 2, most])})
    except (struct.error, zstandard.ZstdError, msgspec.MsgspecError, RecursionError):
        return changed_bytes(chance, data)


def _content(frame: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(frame, max_output_size=1 << 24) if frame else b""


def _items(content: bytes) -> list[bytes]:
    return [bytes(one) for one in msgspec.msgpack.decode(content, type=list[msgspec.Raw])] if content else []


def _array(items: list[bytes]) -> bytes:
    return b"\xdd" + struct.pack(">I", len(items)) + b"".join(items) if items else b""


# Chunks of journals.


def chunk_of(
    header: bytes, payloads: list[bytes], first: int | None = None, rest: bytes = bytes(200)
) -> bytes:
    """A chunk of these events, with the ids of the one that a header is of."""
    magic, store, session, number, seed = _CHUNK.unpack_from(header)
    head = _CHUNK.pack(magic, store, session, number if first is None else first, seed)
    frames = (_FRAME.pack(len(one), zlib.crc32(one, seed)) + one for one in payloads)
    return head + struct.pack(">I", zlib.crc32(head)) + b"".join(frames) + rest


def changed_chunk(chance: Random, data: bytes) -> bytes:
    """A chunk with other events in it, or another end; every CRC holds."""
    try:
        seed = _CHUNK.unpack_from(data)[4]
        payloads = _payloads(data, seed)
        if payloads and chance.randrange(4):
            place = chance.randrange(len(payloads))
            payloads[place] = changed_packed(chance, payloads[place])
        chance.shuffle(payloads) if not chance.randrange(4) else None
        first = chance.choice([None, None, 0, 1, (1 << 64) - 1])
        rest = chance.choice([bytes(200), b"", b"\0" * 16 + b"\0\0\1\0" * 100, chance.randbytes(300)])
        return chunk_of(data, payloads, first, rest)
    except struct.error:
        return changed_bytes(chance, data)


def _payloads(data: bytes, seed: int) -> list[bytes]:
    payloads = []
    position = _CHUNK.size + 4
    while position + _FRAME.size <= len(data):
        length, crc = _FRAME.unpack_from(data, position)
        payload = data[position + _FRAME.size : position + _FRAME.size + length]
        if not length or zlib.crc32(payload, seed) != crc:
            break
        payloads.append(payload)
        position += _FRAME.size + length
    return payloads


# Segments.


def segment_of(batches: list[bytes]) -> bytes:
    """A segment of some bytes that should be batches."""
    return b"EVSEG001" + b"".join(struct.pack(">I", len(one)) + one for one in batches)


def changed_segment(chance: Random, data: bytes) -> bytes:
    """A segment with a batch changed, or others in the place of some; their chain is made anew."""
    batches = _split(data)
    if not batches:
        return changed_bytes(chance, data)
    place = chance.randrange(len(batches))
    batches[place] = changed_batch(chance, batches[place])
    if not chance.randrange(4):
        batches = batches * 2 if chance.randrange(2) else batches[::-1]
    if chance.randrange(3):
        batches = _chained(batches)
    return segment_of(batches)


def _split(data: bytes) -> list[bytes]:
    batches, position = [], 8
    while position + 4 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        batches.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    return batches


def _chained(batches: list[bytes]) -> list[bytes]:
    made: list[bytes] = []
    for data in batches:
        before = hashlib.sha256(made[-1]).digest() if made else data[28:60]
        made.append(data[:28] + before + data[60:] if len(data) >= _BATCH.size else data)
    return made


def renamed_segments(tree: Tree) -> Tree:
    """A remote's objects, each segment under the name that its last batch asks for."""
    return {_segment_name(name, data): data for name, data in tree.items()}


def _segment_name(name: str, data: bytes) -> str:
    match = _SEGMENT_NAME.fullmatch(name)
    batches = _split(data) if match else []
    if match is None or not batches:
        return name
    mark = hashlib.sha256(batches[-1]).hexdigest()[:16]
    return f"{match[1]}/{match[2]}-{match[3]}-{mark}.segment"


# Folders and zip files.


def with_json(chance: Random, name: str, data: bytes) -> bytes:
    """What a file holds, changed as its name suggests."""
    if name.endswith(".jsonl"):
        lines = data.splitlines(keepends=True)
        if lines and chance.randrange(4):
            place = chance.randrange(len(lines))
            lines[place] = changed_json(chance, lines[place]) + b"\n"
            return b"".join(lines)
    if name.endswith(".json"):
        return changed_json(chance, data)
    if name.endswith(".segment"):
        return changed_segment(chance, data)
    return changed_bytes(chance, data)


def changed_tree(chance: Random, data: bytes) -> bytes:
    """Files of which one is changed, moved, copied or taken away, as `trees` packs them."""
    tree = unpacked(data)
    if not tree:
        return data
    name = chance.choice(list(tree))
    match chance.randrange(8):
        case 0:
            del tree[name]
        case 1:
            tree[name.rpartition("/")[0] + "/" + hostile_text(chance)[:200]] = tree.pop(name)
        case 2:
            tree[name] = tree[chance.choice(list(tree))]
        case 3:
            tree[f"{name}/x"] = tree.pop(name)
        case _:
            tree[name] = with_json(chance, name, tree[name])
    if chance.randrange(4):
        tree = renamed_segments(tree)
    return packed(tree)


def zip_of(tree: Tree, attributes: dict[str, int] | None = None) -> bytes:
    """A zip file of some files, deflated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in tree.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (attributes or {}).get(name, 0o600) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def changed_zip(chance: Random, data: bytes) -> bytes:
    """A zip file of which a member is changed, its CRC too; or renamed to lead out of it, or made a link."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError):
        return changed_bytes(chance, data)
    if not members:
        return changed_bytes(chance, data)
    name = chance.choice(list(members))
    kinds: dict[str, int] = {}
    match chance.randrange(8):
        case 0:
            inside = hostile_text(chance)[:5000] or "x"
            members[chance.choice([inside, f"../{inside}", f"/{inside}", f"{name}/{inside}"])] = members[name]
        case 1:
            kinds[name] = chance.choice([0o120777, 0o010600, 0o020600, 0o140600, 0o040700])
        case 2:
            del members[name]
        case _:
            members[name] = with_json(chance, name, members[name])
    try:
        changed = zip_of(renamed_segments(members), kinds)
    except (ValueError, UnicodeError):
        return changed_bytes(chance, data)
    return _with_other_headers(chance, changed) if not chance.randrange(3) else changed


def _with_other_headers(chance: Random, data: bytes) -> bytes:
    """The same with a number in the list of members, or in the end, changed."""
    changed = bytearray(data)
    starts = [match.start() for match in re.finditer(rb"PK\x01\x02|PK\x03\x04|PK\x05\x06", data)]
    start = chance.choice(starts)
    at = start + chance.randrange(4, 46)
    size = chance.choice([1, 2, 4])
    number = chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF, chance.randrange(1 << 32)])
    changed[at : at + size] = (number & ((1 << size * 8) - 1)).to_bytes(size, "little")
    return bytes(changed[: len(data)])
