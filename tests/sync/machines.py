"""Machines with real stores, and a reader of remotes that takes nothing from `eventlog.sync`."""

import contextlib
import hashlib
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union
from unittest.mock import patch

import lmdb
import msgspec

from eventlog.batch import Batch, encode_batch
from eventlog.events import (
    EVENT_KINDS,
    ArtifactUploaded,
    Event,
    ExecutionRecorded,
    ScalarReported,
    TaskCreated,
    TaskStarted,
    TextReported,
    encode_event,
)
from eventlog.store import Store

__all__ = ["Machine", "absent_from", "batches_of", "blobs_named", "change_batch", "read_remote", "rewritten"]


# What an older version does not know: events with blobs, edits, and reports are among them.
NEWER = frozenset({"ArtifactUploaded", "ParametersSet", "TextReported", "TaskRenamed"})


class Machine:
    """A store of its own, open until it is closed, and something to do on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store = Store.open(home)
        self.task = self.store.id.hex()

    def __repr__(self) -> str:
        return f"<Machine {self.home.name}>"

    @property
    def id(self) -> bytes:
        return self.store.id

    def train(self, steps: int = 3) -> None:
        """Commit a batch of scalars."""
        self.append(TaskCreated, self.task, "baseline", "digits")
        self.append(TaskStarted, self.task)
        for step in range(steps):
            self.append(ScalarReported, self.task, "loss", "train", step, 1 / (step + 1))
        self.store.flush()

    def upload(self, data: bytes, name: str = "model") -> str:
        """Commit a batch that names a blob; returns its digest."""
        digest = self.store.blobs.put_bytes(data)
        self.append(ArtifactUploaded, self.task, name, "file", digest, len(data), "model.bin")
        self.store.flush()
        return digest

    def append(self, kind: type[Event], *fields: object) -> None:
        self.store.session.append(kind, *fields)

    def close(self) -> None:
        self.store.close()

    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.home)


@contextlib.contextmanager
def older_program() -> Iterator[None]:
    """What follows is done by an older version, which does not know all kinds of event."""
    known: Any = Union[tuple(kind for name, kind in EVENT_KINDS.items() if name not in NEWER)]
    with (
        patch("eventlog.events._decoder", msgspec.msgpack.Decoder(list[known])),
        patch("eventlog.events._one_decoder", msgspec.msgpack.Decoder(known)),
        patch("eventlog.sync.upgrading.KINDS", "older"),
    ):
        yield


def batches_of(store: Store) -> dict[bytes, list[bytes]]:
    """Every batch that a store holds, by the store that committed it."""
    return {copy_of: [batch.data for batch in store.batches(copy_of)] for copy_of in store.heads()}


def blobs_named(batch: Batch) -> set[str]:
    """The blobs that a batch's events name."""
    named = set()
    for numbered in batch.events():
        if isinstance(numbered.event, ArtifactUploaded | TextReported):
            named.add(numbered.event.blob)
        elif isinstance(numbered.event, ExecutionRecorded):
            named.add(numbered.event.diff_blob)
    return named - {""}


def rewritten(batches: list[Batch], old: bytes, new: bytes) -> list[Batch]:
    """The same chain with other words in its events, as many letters long, and every hash computed anew."""
    made: list[Batch] = []
    for batch in batches:
        events = [numbered.event for numbered in batch.events()]
        data = encode_batch(
            store=batch.store,
            number=batch.number,
            previous=made[-1].hash if made else batch.previous,
            session=batch.session,
            first=batch.first,
            events=[encode_event(event).replace(old, new) for event in events],
            states=[place for place, event in enumerate(events) if not event.is_report],
            first_time=batch.first_time,
            last_time=batch.last_time,
        )
        made.append(Batch.read(data))
    return made


def read_remote(root: Path) -> dict[bytes, dict[int, bytes]]:
    """Batches by number, by store, of a remote in a folder, every object of which must be whole.

    It is written from the layout's description alone. Asserts that every blob has the hash of its name,
    every segment its length, its chain and the hash of its name, and that every blob named is there or
    listed as absent.
    """
    if not (root / "eventlog-remote").exists():
        assert not root.exists() or {path.name for path in root.iterdir()} <= {"temporary"}
        return {}
    assert (root / "eventlog-remote").read_bytes() == b"eventlog remote 1\n"
    assert {path.name for path in root.iterdir()} <= {
        "eventlog-remote",
        "stores",
        "blobs",
        "absent",
        "temporary",
    }
    blobs = set()
    for path in (root / "blobs").glob("*/*"):
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.parent.name == path.name[:2]
        blobs.add(path.name)
    absent = absent_from(root)
    held: dict[bytes, dict[int, bytes]] = {}
    for path in (root / "stores").glob("*/*"):
        match = re.fullmatch(r"(\d{12})-(\d{12})-([0-9a-f]{16})\.segment", path.name)
        assert match
        store = bytes.fromhex(path.parent.name)
        numbers = []
        previous = None
        for data in segment_batches(path.read_bytes()):
            batch = Batch.read(data)
            assert batch.store == store
            assert previous in (None, batch.previous)
            previous = hashlib.sha256(data).digest()
            assert blobs_named(batch) <= blobs | absent
            assert held.setdefault(store, {}).setdefault(batch.number, data) == data
            numbers.append(batch.number)
        assert numbers == list(range(int(match.group(1)), int(match.group(2)) + 1))
        assert previous is not None
        assert previous.hex()[:16] == match.group(3)
    return {store: dict(sorted(batches.items())) for store, batches in held.items()}


def absent_from(place: Path) -> set[str]:
    """The blobs that a remote, or the home of a store, lists as absent; every list must be sound."""
    absent: set[str] = set()
    for path in (place / "absent").glob("*"):
        assert re.fullmatch("[0-9a-f]{32}", path.name)
        lines = path.read_text().splitlines(keepends=True)
        assert lines
        assert lines == sorted(set(lines))
        assert all(re.fullmatch("[0-9a-f]{64}\n", line) for line in lines)
        absent |= {line.strip() for line in lines}
    return absent


def segment_batches(data: bytes) -> Iterator[bytes]:
    assert data[:8] == b"EVSEG001"
    position = 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        position += 4 + length
        assert position <= len(data)
        yield data[position - length : position]


def change_batch(home: Path, store: bytes, number: int, position: int) -> None:
    """Flip a bit of a byte of a batch in a closed store, as a failing disk would."""
    environment = lmdb.open(str(home / "log"), max_dbs=16)
    key = store + struct.pack(">Q", number)
    with environment.begin(write=True) as transaction:
        batches = environment.open_db(b"batches", txn=transaction, create=False)
        data = bytearray(transaction.get(key, db=batches))
        data[position] ^= 1
        transaction.put(key, bytes(data), db=batches)
    environment.close()
