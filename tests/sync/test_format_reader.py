"""docs/FORMAT.md is complete: a reader written from it alone reads what the program reads."""

import ast
import json
import os
import struct
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog.batch import FIRST_PREVIOUS, Batch, NumberedEvent, encode_batch
from eventlog.events import EVENT_KINDS, Event, Parameter, SessionEnded, SessionStarted, Unknown
from eventlog.store import Store
from eventlog.sync import pull, push
from eventlog.sync.bundle import export_bundle, known_to
from tests.sync import format_reader
from tests.sync.machines import Machine

READER = Path(format_reader.__file__)
NOT_AS_DESCRIBED = (format_reader.NotAsDescribed, struct.error)
DOCUMENT = Path(__file__).parents[2] / "docs" / "FORMAT.md"


def read(copy: Path) -> list[dict[str, Any]]:
    """What the reader prints, in a process of its own."""
    command = [sys.executable, "-I", str(READER), str(DOCUMENT), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def printed(numbered: NumberedEvent) -> dict[str, Any]:
    """An event as the program reads it, the way the reader prints it."""
    event = numbered.event
    told: dict[str, Any] = {"session": numbered.session.hex(), "number": numbered.number}
    if isinstance(event, Unknown):
        kind, time, task, *rest = msgspec.msgpack.decode(event.raw)
        return {**told, "kind": kind, "time": time, "task": task, "unknown": rest}
    told |= {"kind": type(event).__name__, "time": event.time, "task": event.task}
    return told | {"fields": {name: plain(getattr(event, name)) for name in event.__struct_fields__[2:]}}


def plain(value: Any) -> Any:
    if isinstance(value, Parameter):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def events_of(store: Store) -> Iterator[NumberedEvent]:
    for identity in sorted(store.heads()):
        for batch in store.batches(identity):
            yield from batch.events()


def sample(kind: Any, blob: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return [sample(inner[0], blob), "ü"]
    if origin is dict:
        return {"a/b": sample(inner[1], blob), "é": sample(inner[1], blob)}
    if origin is types.UnionType:
        return sample(inner[0], blob)
    if kind is Parameter:
        return Parameter("0.1", "float", "how fast")
    return {str: "text\n", int: 7, float: 0.25, bool: True}[kind]


def fill(one: Machine) -> None:
    """An event of every kind, with every field set, and then with none that need not be."""
    blob = one.store.blobs.put_bytes(b"weights")
    for kind in EVENT_KINDS.values():
        if kind in (SessionStarted, SessionEnded):
            continue
        fields = msgspec.structs.fields(kind)[2:]
        values = [
            blob if field.name in ("blob", "diff_blob") else sample(field.type, blob) for field in fields
        ]
        one.append(kind, one.task, *values)
        needed = [value for field, value in zip(fields, values, strict=True) if field.required]
        one.append(kind, one.task, *needed)
    one.store.flush()
    for _ in range(3):
        one.train()


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Machine]:
    one = Machine(tmp_path / "laptop")
    fill(one)
    one.close()
    one.store = Store.open(one.home)
    one.train()
    yield one
    one.close()


def test_it_imports_nothing_of_ours() -> None:
    tree = ast.parse(READER.read_text())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in named} <= {*sys.stdlib_module_names, "msgspec", "zstandard"}


def test_it_reads_a_remote_and_a_bundle_as_the_program_does(
    filled: Machine, machine: Any, remote: Path, tmp_path: Path
) -> None:
    push(filled.store, remote)
    filled.train()
    push(filled.store, remote)
    desktop = machine("desktop")
    desktop.train()
    push(desktop.store, remote)
    pull(filled.store, remote)
    expected = [printed(numbered) for numbered in events_of(filled.store)]
    assert {event["kind"] for event in expected} == set(EVENT_KINDS)
    assert read(remote) == expected
    export_bundle(filled.store, tmp_path / "runs.zip")
    assert read(tmp_path / "runs.zip") == expected
    # One that goes on from it, of which one store has nothing new, and that leaves out a blob that it names.
    filled.upload(b"once", "once")
    export_bundle(filled.store, tmp_path / "more.zip", known=known_to(str(tmp_path / "runs.zip")))
    filled.upload(b"once", "again")
    filled.upload(b"twice", "another")
    export_bundle(filled.store, tmp_path / "later.zip", known=known_to(str(tmp_path / "more.zip")))
    expected = [printed(numbered) for numbered in events_of(filled.store)]
    told = [read(tmp_path / name) for name in ("runs.zip", "more.zip", "later.zip")]
    assert all(told)
    key = itemgetter("session", "number")
    assert sorted((event for part in told for event in part), key=key) == sorted(expected, key=key)


def test_it_reads_a_store_as_the_program_does(filled: Machine, machine: Any, remote: Path) -> None:
    desktop = machine("desktop")
    for _ in range(150):
        # Enough for a tree of pages, with values that are large.
        desktop.train(40)
    large = os.urandom(9000).hex()
    desktop.append(EVENT_KINDS["ArtifactUploaded"], desktop.task, "noise", "file", "", 0, large)
    desktop.store.flush()
    push(desktop.store, remote)
    pull(filled.store, remote)
    expected = [printed(numbered) for numbered in events_of(filled.store)]
    assert read(filled.home) == expected
    assert len(expected) > 6000


def test_it_reads_a_journal_as_the_program_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLOG_COMMIT_INTERVAL_SECONDS", "1000")
    one = Machine(tmp_path / "laptop")
    one.append(EVENT_KINDS["TaskCreated"], one.task, "baseline", "digits")
    for step in range(100):
        one.append(EVENT_KINDS["ScalarReported"], one.task, "loss", "train", step, 1 / (step + 1))
    journaled = read(one.home)
    one.store.flush()
    committed = [printed(numbered) for numbered in events_of(one.store)]
    one.close()
    assert len(journaled) == 102
    assert journaled == committed[:102]


def test_it_reads_what_older_and_newer_versions_wrote(tmp_path: Path, remote: Path) -> None:
    store, session, task = b"s" * 16, b"e" * 16, "2" * 32
    raw = [
        ["SessionStarted", 5, "", "host", "ada", 7],
        ["TaskCreated", 5, task, "name", "project"],
        ["FutureHappened", 6, task, {"any": [1, None]}],
        ["TaskCompleted", 7, task, "done", "", "from the future", 9],
        ["ScalarReported", 7, task, "loss", "train", 3, 1],
        ["FutureReported", 8, task],
    ]
    batch = encode_batch(
        store=store,
        number=0,
        previous=FIRST_PREVIOUS,
        session=session,
        first=0,
        events=[msgspec.msgpack.encode(one) for one in raw],
        states=[0, 1, 2, 3],
        first_time=5,
        last_time=8,
    )
    with Store.open(tmp_path / "home") as opened:
        opened.admit([Batch.read(batch)])
        push(opened, remote)
        expected = [printed(numbered) for numbered in events_of(opened)]
    told = read(remote)
    assert told == expected
    assert told[0]["fields"]["command"] == []
    assert told[1]["fields"]["type"] == "training"
    assert told[2]["unknown"] == [{"any": [1, None]}]
    assert told[3]["fields"] == {"reason": "done", "message": ""}
    assert told[4]["fields"]["value"] == 1.0


def test_it_notices_what_is_not_as_described(filled: Machine, remote: Path) -> None:
    push(filled.store, remote)
    (path,) = remote.glob("stores/*/*")
    data = path.read_bytes()
    kinds = format_reader.Kinds(DOCUMENT.read_text())
    for place in range(0, len(data), 13):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(NOT_AS_DESCRIBED):
            list(format_reader.read_copy(remote, kinds))
    path.write_bytes(data)
    assert list(format_reader.read_copy(remote, kinds))


def test_it_knows_every_kind_and_every_field() -> None:
    kinds = format_reader.Kinds(DOCUMENT.read_text())
    assert kinds.fields.keys() == EVENT_KINDS.keys()
    described: type[Event]
    for name, described in EVENT_KINDS.items():
        assert [field for field, _, _ in kinds.fields[name]] == list(described.__struct_fields__[2:])
