"""A reader written from docs/FORMAT.md alone. It imports nothing of eventlog, and reads the names of events'
fields, and what they are when missing, from the tables of that page.

    python format_reader.py FORMAT.md COPY

prints the events of a remote's folder, of a bundle, or of a store's folder, one JSON document a line, in the
order of their stores, batches and places; of a store, those of its journals last. Whatever is not as it is
described ends it.
"""

import hashlib
import json
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard


class NotAsDescribed(Exception):
    """The bytes are not what the document says."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise NotAsDescribed(what)


# The document: kinds of events, their fields, and what a missing field is.

Fields = list[tuple[str, str, Any]]
MISSING = object()


class Kinds:
    """What the table of events in the document says."""

    def __init__(self, document: str) -> None:
        self.fields: dict[str, Fields] = {}
        self.is_report: dict[str, bool] = {}
        table = document.partition("| kind | sort | fields |")[2].partition("\n\n")[0]
        for row in table.splitlines()[2:]:
            kind, sort, fields = (cell.strip() for cell in row.strip("|").split("|"))
            self.fields[kind.strip("`")] = parse_fields(fields)
            self.is_report[kind.strip("`")] = sort == "report"
        parameter = re.search(r"^- A parameter is an array: (.*)\.$", document, re.MULTILINE)
        assert parameter
        self.parameter = parse_fields(parameter.group(1))

    def named(self, event: list[Any]) -> dict[str, Any]:
        """An event with its fields by name; of a kind that is not described, as it is."""
        kind, time, task, *rest = event
        require(isinstance(kind, str) and isinstance(task, str), "an event begins with kind, time, task")
        require(isinstance(time, int) and 0 <= time <= 253402300799999, "a time is one until the year 9999")
        if kind not in self.fields:
            return {"kind": kind, "time": time, "task": task, "unknown": rest}
        return {"kind": kind, "time": time, "task": task, "fields": self._by_name(self.fields[kind], rest)}

    def _by_name(self, fields: Fields, values: list[Any]) -> dict[str, Any]:
        told = {}
        for place, (name, kind, default) in enumerate(fields):
            value = values[place] if place < len(values) else default
            require(value is not MISSING, f"{name} may not be missing")
            told[name] = self._read(kind, value)
        return told

    def _read(self, kind: str, value: Any) -> Any:
        if kind.endswith(" or null"):
            return None if value is None else self._read(kind.removesuffix(" or null"), value)
        if kind == "parameter":
            return self._by_name(self.parameter, value)
        if kind.startswith("map of text to "):
            inner = kind.removeprefix("map of text to ")
            return {name: self._read(inner, one) for name, one in value.items()}
        if kind == "array of text":
            return [self._read("text", one) for one in value]
        types = {"text": str, "integer": int, "boolean": bool, "number": (int, float)}
        require(isinstance(value, types[kind]), f"{value!r} is no {kind}")
        return float(value) if kind == "number" else value


def parse_fields(text: str) -> Fields:
    fields: Fields = []
    for one in re.split(r", (?=[a-z_]+: )", text) if text else []:
        name, kind = one.split(": ", 1)
        kind, _, default = kind.partition(" = ")
        fields.append((name, kind, json.loads(default) if default else MISSING))
    return fields


# Batches.

HEADER = struct.Struct(">4s16sQ32s16sQIIQQIIII")


def read_batch(data: bytes, kinds: Kinds) -> dict[str, Any]:
    (
        magic,
        store,
        number,
        previous,
        session,
        first,
        states,
        reports,
        first_time,
        last_time,
        state_length,
        state_size,
        report_length,
        report_size,
    ) = HEADER.unpack_from(data)
    require(magic == b"EVB1", "a batch begins with EVB1")
    require(HEADER.size + state_length + report_length == len(data), "nothing follows the frames")
    require(states + reports > 0, "a batch holds an event at least")
    middle = HEADER.size + state_length
    places: list[int] = []
    state_events: list[list[Any]] = []
    report_events: list[list[Any]] = []
    if states:
        content = decompress(data[HEADER.size : middle], state_size)
        places, state_events = msgspec.msgpack.decode(content)
    if reports:
        report_events = msgspec.msgpack.decode(decompress(data[middle:], report_size))
    require(bool(states) == bool(state_length), "no state events, no frame of them")
    require(bool(reports) == bool(report_length), "no reports, no frame of them")
    require(len(places) == len(state_events) == states, "as many state events as the header says")
    require(len(report_events) == reports, "as many reports as the header says")
    require(places == sorted(set(places)), "places grow")
    require(not places or places[-1] < states + reports, "places are among all events")
    at = dict(zip(places, state_events, strict=True))
    others = iter(report_events)
    events = []
    for place in range(states + reports):
        event = kinds.named(at[place] if place in at else next(others))
        is_report = kinds.is_report.get(event["kind"], place not in at)
        require(is_report == (place not in at), f"a {event['kind']} lies in its frame")
        events.append({"session": session.hex(), "number": first + place, **event})
    times = [event["time"] for event in events]
    require(times == sorted(times), "times never go back")
    require((times[0], times[-1]) == (first_time, last_time), "times are those of the header")
    return {
        "store": store,
        "number": number,
        "previous": previous,
        "session": session,
        "first": first,
        "events": events,
        "hash": hashlib.sha256(data).digest(),
    }


def decompress(frame: bytes, size: int) -> bytes:
    require(0 < size <= 32 << 20, "a frame's content is at most 32 MiB")
    require(zstandard.frame_content_size(frame) == size, "the frame states the same size")
    content = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    require(len(content) == size, "the content has the size of the header")
    return content


# Remotes and bundles.

SEGMENT = re.compile(r"stores/([0-9a-f]{32})/([0-9]{12})-([0-9]{12})-([0-9a-f]{16})\.segment")
BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
ABSENT = re.compile(r"absent/[0-9a-f]{32}")
HAD = re.compile(r"had/[0-9a-f]{32}")
HEAD = re.compile(r"([0-9a-f]{32}) (0|[1-9][0-9]*) ([0-9a-f]{64})")
# What comes before the first batch of a chain: its number, and its hash.
NOTHING = (-1, bytes(32))


def objects_of(copy: Path) -> dict[str, bytes]:
    if copy.is_file():
        with zipfile.ZipFile(copy) as bundle:
            return {name: bundle.read(name) for name in bundle.namelist() if not name.endswith("/")}
    return {
        path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()
    }


def read_copy(copy: Path, kinds: Kinds) -> Iterator[dict[str, Any]]:
    """The events of a remote or a bundle, once all of it is as described."""
    objects = objects_of(copy)
    require(objects.get("eventlog-remote") == b"eventlog remote 1\n", "the marker is there")
    chains: dict[str, dict[int, dict[str, Any]]] = {}
    for name, data in objects.items():
        if match := SEGMENT.fullmatch(name):
            store, first, last, mark = match.groups()
            held = list(split_segment(data))
            check_hashes(held, mark)
            batches = [read_batch(one, kinds) for one in held]
            numbers = [batch["number"] for batch in batches]
            require(numbers == list(range(int(first), int(last) + 1)), "a segment's name says its batches")
            for batch in batches:
                require(batch["store"].hex() == store, "a segment lies under its store")
                same = chains.setdefault(store, {}).setdefault(batch["number"], batch)
                require(same["hash"] == batch["hash"], "segments that overlap are copies")
        elif match := BLOB.fullmatch(name):
            require(hashlib.sha256(data).hexdigest() == match.group(2), "a blob's name is its SHA-256")
    absent = listed(objects, ABSENT)
    since: dict[str, tuple[int, bytes]] = {}
    if copy.is_file():
        absent |= listed(objects, HAD)
        since = heads_in(objects["since"].decode()) if "since" in objects else {}
    for store, chain in sorted(chains.items()):
        for batch in check_chain(chain, since.get(store, NOTHING)):
            for event in batch["events"]:
                for field in ("blob", "diff_blob"):
                    blob = event.get("fields", {}).get(field, "")
                    there = f"blobs/{blob[:2]}/{blob}" in objects or blob in absent
                    require(not re.fullmatch("[0-9a-f]{64}", blob) or there, "a blob that is named is there")
                yield event


def listed(objects: dict[str, bytes], kind: re.Pattern[str]) -> set[str]:
    """The blobs that lists name."""
    digests: set[str] = set()
    for name, data in objects.items():
        if kind.fullmatch(name):
            *lines, rest = data.decode("ascii").split("\n")
            require(bool(lines) and not rest, "every line of a list is ended")
            require(lines == sorted(set(lines)), "a list is sorted")
            require(all(re.fullmatch("[0-9a-f]{64}", line) for line in lines), "a list is of SHA-256s")
            digests.update(lines)
    return digests


def heads_in(text: str) -> dict[str, tuple[int, bytes]]:
    """Number and hash of the last batch of each store that heads name."""
    first, *lines, rest = text.split("\n")
    require(first == "eventlog head 1" and not rest, "heads begin and end so")
    heads = {}
    for line in lines:
        match = HEAD.fullmatch(line)
        require(match is not None, "a line is a store, a number and a hash")
        assert match
        heads[match.group(1)] = int(match.group(2)), bytes.fromhex(match.group(3))
    require(list(heads) == sorted(heads) and len(heads) == len(lines), "each store once, in order")
    return heads


def check_chain(
    chain: dict[int, dict[str, Any]], after: tuple[int, bytes] = NOTHING
) -> Iterator[dict[str, Any]]:
    """The batches of a store in order, each once it is known to continue the chain and its session."""
    last, previous = after
    require(sorted(chain) == list(range(last + 1, last + 1 + len(chain))), "a chain has no gap")
    following: dict[bytes, int] = {}
    for number in sorted(chain):
        batch = chain[number]
        require(batch["previous"] == previous, "a batch names the hash of the one before it")
        previous = batch["hash"]
        # Where a session begins before the chain does, its first event here may have any number.
        begins = following.get(batch["session"], batch["first"] if last >= 0 else 0)
        require(batch["first"] == begins, "a session's events are numbered without a gap")
        require(begins > 0 or batch["events"][0]["kind"] == "SessionStarted", "a session begins so")
        following[batch["session"]] = begins + len(batch["events"])
        yield batch


def check_hashes(batches: list[bytes], mark: str) -> None:
    """Before any batch is decoded: the last is the one that the name means, each names the one before it."""
    hashes = [hashlib.sha256(one).digest() for one in batches]
    require(bool(hashes) and hashes[-1].hex()[:16] == mark, "a segment's name says its last batch's hash")
    named = [HEADER.unpack_from(one)[3] for one in batches[1:]]
    require(named == hashes[:-1], "a batch names the hash of the one before it")


def split_segment(data: bytes) -> Iterator[bytes]:
    require(data[:8] == b"EVSEG001", "a segment begins with EVSEG001")
    position = 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        position += 4 + length
        require(position <= len(data), "a batch ends within its segment")
        yield data[position - length : position]


# The log of a store.

PAGE_HEADER = struct.Struct("=QHHHH")
NODE = struct.Struct("=HHHH")
TREE = struct.Struct("=IHHQQQQQ")
BRANCH, LEAF, LARGE = 1, 2, 4
NO_ROOT = (1 << 64) - 1


class Lmdb:
    """A data file of LMDB, read page by page."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        (self.page_size,) = struct.unpack_from("=I", data, 40)
        transaction, start = max(
            (struct.unpack_from("=Q", data, slot * self.page_size + 144)[0], slot * self.page_size)
            for slot in (0, 1)
        )
        require(struct.unpack_from("=II", data, start + 16) == (0xBEEFC0DE, 1), "a meta page says so")
        require(start == transaction % 2 * self.page_size, "transaction n writes page n mod 2")
        self.main = data[start + 88 : start + 136]

    def entries(self, tree: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of a tree, given its record, in their order."""
        *_, count, root = TREE.unpack(tree)
        found = [] if root == NO_ROOT else list(self._below(root))
        require(len(found) == count, "a tree's record counts its entries")
        return iter(found)

    def _below(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        start = number * self.page_size
        own, zero, flags, lower, _ = PAGE_HEADER.unpack_from(self.data, start)
        require((own, zero) == (number, 0) and flags in (BRANCH, LEAF), "a page says what it is")
        for (pointer,) in struct.iter_unpack("=H", self.data[start + 16 : start + lower]):
            place = start + pointer
            low, high, node_flags, key_size = NODE.unpack_from(self.data, place)
            key = self.data[place + 8 : place + 8 + key_size]
            if flags == BRANCH:
                yield from self._below(low | high << 16 | node_flags << 32)
                continue
            size = low | high << 16
            value = place + 8 + key_size
            if node_flags & 1:
                (page,) = struct.unpack_from("=Q", self.data, value)
                value = page * self.page_size + 16
                require(PAGE_HEADER.unpack_from(self.data, value - 16)[2] == LARGE, "a large value's page")
            yield key, self.data[value : value + size]


def read_store(home: Path, kinds: Kinds) -> Iterator[dict[str, Any]]:
    """The events of a store's log, and those of its journals that are not in the log yet."""
    lmdb = Lmdb((home / "log" / "data.mdb").read_bytes())
    held = {name: dict(lmdb.entries(tree)) for name, tree in lmdb.entries(lmdb.main)}
    require(held.keys() == {b"meta", b"batches", b"heads", b"sessions"}, "the log has four databases")
    meta = held[b"meta"]
    require(meta[b"format"] == b"1", "this is format 1")
    content = meta[b"format"] + meta[b"store"] + meta[b"created"]
    require(meta[b"check"] == hashlib.sha256(content).digest(), "meta has the hash that it says")
    chains: dict[bytes, dict[int, dict[str, Any]]] = {}
    for key, value in held[b"batches"].items():
        batch = read_batch(value, kinds)
        require(key == batch["store"] + struct.pack(">Q", batch["number"]), "a batch lies under its key")
        chains.setdefault(batch["store"], {})[batch["number"]] = batch
    require(held[b"heads"].keys() == chains.keys(), "every store has a head")
    counts: dict[bytes, int] = {}
    for store, chain in sorted(chains.items()):
        last = chain[max(chain)]
        require(
            held[b"heads"][store] == struct.pack(">Q", last["number"]) + last["hash"], "a head is the last"
        )
        for batch in check_chain(chain):
            counts[batch["session"]] = batch["first"] + len(batch["events"])
            yield from batch["events"]
    records = {session: msgspec.msgpack.decode(value) for session, value in held[b"sessions"].items()}
    require({session: record[1] for session, record in records.items()} == counts, "sessions are counted")
    for event in read_journals(home, kinds):
        if event["number"] >= counts.get(bytes.fromhex(event["session"]), 0):
            yield event


# Journals.

CHUNK_HEADER = struct.Struct(">4s16s16sQII")


def read_journals(home: Path, kinds: Kinds) -> Iterator[dict[str, Any]]:
    """The events in the journals of a store's folder, as far as their frames hold."""
    for folder in sorted((home / "journals").iterdir()):
        chunks = [path for path in folder.iterdir() if re.fullmatch("[0-9]{6,}", path.name)]
        for path in sorted(chunks, key=lambda path: int(path.name)):
            data = path.read_bytes()
            if not any(data[:4]):
                continue
            magic, _, session, number, seed, crc = CHUNK_HEADER.unpack_from(data)
            require(magic == b"EVJ1", "a chunk begins with EVJ1")
            require(zlib.crc32(data[:48]) == crc, "the CRC of a chunk's header holds")
            require(session.hex() == folder.name, "a chunk lies in the folder of its session")
            position = CHUNK_HEADER.size
            while position + 8 <= len(data):
                length, crc = struct.unpack_from(">II", data, position)
                payload = data[position + 8 : position + 8 + length]
                if not length or len(payload) < length or zlib.crc32(payload, seed) != crc:
                    break
                event = kinds.named(msgspec.msgpack.decode(payload))
                yield {"session": session.hex(), "number": number, **event}
                number += 1
                position += 8 + length


def main(document: str, copy: str) -> None:
    kinds = Kinds(Path(document).read_text())
    read = read_store if (Path(copy) / "log").is_dir() else read_copy
    for event in read(Path(copy), kinds):
        print(json.dumps(event))


if __name__ == "__main__":
    main(*sys.argv[1:])
