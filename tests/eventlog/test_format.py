"""docs/FORMAT.md says what the code does: its tables and examples are compared with what is written."""

import hashlib
import re
import struct
import types
import typing
from pathlib import Path
from typing import Any

import lmdb
import msgspec
import pytest

from eventlog import (
    batch,
    check_batch,
    check_journal,
    chunk,
    events,
    kept_heads,
    partial_file,
    store,
    verify,
)
from eventlog.batch import Batch
from eventlog.events import EVENT_KINDS, Parameter, ScalarReported, SessionStarted, TaskCreated, TaskStarted
from eventlog.store import Store
from eventlog.sync import layout, segment

DOCUMENT = (Path(__file__).parents[2] / "docs" / "FORMAT.md").read_text()
STORE, SESSION, TASK = bytes(range(16)), bytes(range(16, 32)), "2" * 32
START = 1_790_000_000_000
SCALARS = [
    ScalarReported(START + 1, TASK, "loss", "train", 0, 0.5),
    ScalarReported(START + 2, TASK, "loss", "train", 1, 0.25),
]


def section(title: str) -> str:
    """The text under a heading, up to the next of the same level or a higher one."""
    match = re.search(
        rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL
    )
    assert match, title
    return match.group(2)


def rows(text: str, heading: str) -> list[list[str]]:
    """The rows of the table whose first heading is this."""
    lines = text[text.index(f"| {heading} |") :].splitlines()
    table = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def example(name: str) -> bytes:
    match = re.search(rf"^```{name}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert match, name
    return bytes.fromhex(match.group(1))


def type_in_words(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return f"array of {type_in_words(arguments[0])}"
    if origin is dict:
        return f"map of {type_in_words(arguments[0])} to {type_in_words(arguments[1])}"
    if origin is types.UnionType:
        return " or ".join(type_in_words(argument) for argument in arguments)
    if kind is types.NoneType:
        return "null"
    return {str: "text", int: "integer", float: "number", bool: "boolean", Parameter: "parameter"}[kind]


def fields_in_words(kind: type[msgspec.Struct], skip: int) -> str:
    words = []
    for field in msgspec.structs.fields(kind)[skip:]:
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        written = "" if default is msgspec.NODEFAULT else f" = {msgspec.json.encode(default).decode()}"
        words.append(f"{field.name}: {type_in_words(field.type)}{written}")
    return ", ".join(words)


def test_every_kind_of_event_and_all_its_fields_are_described() -> None:
    described = {row[0].strip("`"): (row[1], row[2]) for row in rows(section("Events"), "kind")}
    assert described == {
        name: ("report" if kind.is_report else "state", fields_in_words(kind, 2))
        for name, kind in EVENT_KINDS.items()
    }
    assert f"A parameter is an array: {fields_in_words(Parameter, 0)}." in section("Events")


def test_verify_reads_blobs_where_the_fields_are_that_name_them() -> None:
    named = {
        name: [field.name for field in msgspec.structs.fields(kind)].index(blob) + 1
        for name, kind in EVENT_KINDS.items()
        for blob in ("blob", "diff_blob")
        if blob in kind.__struct_fields__
    }
    assert named == check_batch.BLOB_PLACES


@pytest.mark.parametrize(
    ("title", "written", "read", "constant"),
    [
        ("Batches", batch.HEADER, check_batch.HEADER, batch.MAGIC),
        ("Journals", chunk.HEADER, check_journal.HEADER, chunk.MAGIC),
    ],
)
def test_headers_are_described_to_the_byte(
    title: str, written: struct.Struct, read: struct.Struct, constant: bytes
) -> None:
    assert written.format == read.format
    assert f"`{constant.decode()}`" in section(title)
    described = [(int(row[0]), int(row[1])) for row in rows(section(title), "offset") if row[1].isdigit()]
    sizes = [struct.calcsize(f">{code}") for code in re.findall(r"\d+s|[QIH]", written.format)]
    if title == "Journals":
        sizes.append(chunk.CRC.size)
        assert f"offset {chunk.FRAMES_START} on" in section(title)
    assert described == [(sum(sizes[:place]), size) for place, size in enumerate(sizes)]


def test_limits_are_those_of_the_code() -> None:
    assert batch.MAX_BATCH_SIZE == check_batch.MAX_FRAME_SIZE == 32 << 20
    assert batch.MAX_BATCH_EVENTS == check_batch.MAX_EVENTS == 1_048_576
    assert "holds 1 to 1,048,576 events" in section("Batches")
    assert "at most 32 MiB" in section("Batches")
    assert chunk.MAX_CHUNK_SIZE == check_journal.MAX_SIZE == 128 << 20
    assert "at most 128 MiB" in section("Journals")
    assert chunk.CHUNK_SIZE == 4 << 20
    assert "a file of 4 MiB" in section("Journals")
    assert partial_file.SWEEP_AGE_SECONDS == 24 * 3600
    assert store.FORMAT == verify.FORMAT == b"1"


def test_the_batch_of_the_example_is_read_as_described() -> None:
    data = example("batch")
    assert f"`{hashlib.sha256(data).hexdigest()}`" in section("Examples")
    read = Batch.read(data)
    assert (read.store, read.session, read.number, read.first) == (STORE, SESSION, 0, 0)
    assert [one.event for one in read.events()] == [
        SessionStarted(START, "", "host", "ada", 4711, "eventlog 0.1.0", "3.11.7", ["train.py"]),
        TaskStarted(START + 1, TASK),
        *SCALARS,
    ]
    facts = check_batch.check_batch(data)
    assert (facts.problems, facts.states, facts.reports) == ([], 2, 2)


def test_the_heads_of_the_example_are_read_as_described() -> None:
    match = re.search(r"^```heads\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert match
    kept = kept_heads.read_heads(match.group(1).encode(), "the example")
    assert kept.heads == {STORE: (0, hashlib.sha256(example("batch")).digest())}
    assert kept_heads.heads_text(kept.heads) == match.group(1)


def test_the_chunk_of_the_example_is_read_as_described(tmp_path: Path) -> None:
    folder = tmp_path / "journals" / SESSION.hex()
    folder.mkdir(parents=True)
    (folder / "000000").write_bytes(example("chunk").ljust(chunk.CHUNK_SIZE, b"\0"))
    contents = chunk.read_chunk(folder / "000000")
    assert contents is not None
    assert (contents.store, contents.session, contents.first, contents.damage) == (STORE, SESSION, 2, "")
    assert [events.decode_event(payload) for payload in contents.payloads] == SCALARS
    (facts,), foreign = check_journal.check_journals(tmp_path)
    assert (facts.problems, foreign, facts.store, facts.chunks[0].first) == ([], [], STORE, 2)
    assert facts.chunks[0].times == [START + 1, START + 2]


def test_a_segment_is_as_described() -> None:
    assert [row[1] for row in rows(section("Remotes"), "size")[:1]] == [f"`{segment.MAGIC.decode()}`"]
    data = example("batch")
    pieces = b"".join(segment.segment_pieces([Batch.read(data)]))
    assert pieces == b"EVSEG001" + struct.pack(">I", len(data)) + data
    names = [row[0].strip("`") for row in rows(section("Remotes"), "name")]
    assert names[0] == layout.MARKER
    assert layout.MARKER_TEXT == b"eventlog remote 1\n"
    mark = hashlib.sha256(data).hexdigest()[:16]
    name = f"{STORE.hex()}/{0:012d}-{0:012d}-{mark}.segment"
    described = names[1].replace("<store id>", "[0-9a-f]{32}").replace("<hash>", "[0-9a-f]{16}")
    described = described.replace("<first>", "[0-9]{12}").replace("<last>", "[0-9]{12}")
    assert re.fullmatch(described, f"{layout.STORES}/{name}")
    assert layout.parse_segment(name, len(pieces)) == layout.Segment(0, 0, mark, STORE, len(pieces))
    assert layout.blob_object("ab" * 32) == f"blobs/ab/{'ab' * 32}"


def test_a_store_on_disk_holds_what_is_described_and_nothing_else(home: Path) -> None:
    with Store.open(home) as opened:
        opened.session.append(TaskCreated, TASK, "run", "digits")
        opened.blobs.put_bytes(b"weights")
        opened.flush()
        described = {row[0].strip("`").split("/")[0] for row in rows(section("A store"), "path")}
        assert {path.name for path in home.iterdir()} <= described
        assert home.stat().st_mode & 0o777 == 0o700
        assert opened.session.id is not None
        lines = (home / "journals" / opened.session.id.hex() / "lock").read_text().split("\n")
        assert len(lines) == 3
        identity = opened.id
    described_databases = {row[0].strip("`") for row in rows(section("The log"), "database")}
    with lmdb.open(str(home / "log"), max_dbs=4) as environment:
        with environment.begin() as reading:
            assert {key.decode() for key in reading.cursor().iternext(values=False)} == described_databases
            assert described_databases == set(verify.DATABASES) == set(store.DATABASES)
        held = {}
        for name in described_databases:
            handle = environment.open_db(name.encode())
            with environment.begin(handle) as reading:
                held[name] = dict(reading.cursor())
    described_keys = {
        row[1].strip("`").encode() for row in rows(section("The log"), "database") if row[0] == "`meta`"
    }
    assert held["meta"].keys() == described_keys
    assert held["meta"][b"store"] == identity
    assert list(held["batches"]) == [
        identity + struct.pack(">Q", number) for number in range(len(held["batches"]))
    ]
    last = list(held["batches"].values())[-1]
    assert held["heads"] == {
        identity: struct.pack(">Q", len(held["batches"]) - 1) + hashlib.sha256(last).digest()
    }
    (record,) = held["sessions"].values()
    fields = msgspec.msgpack.decode(record)
    described_record = rows(section("The log"), "place")
    assert len(fields) == len(described_record)
    types = {"bytes": bytes, "integer": int, "array of text": list, "boolean": bool}
    for value, (_, kind, _) in zip(fields, described_record, strict=True):
        assert type(value) is types[kind]
    assert fields[:4] == [identity, 3, [], True]
