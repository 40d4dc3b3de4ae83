"""A power cut in the first moments of a store, simulated from a record of real writes and syncs."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from eventlog import events
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog.processes import TASK, events_of, read_store, run
from torture.disk import Disk
from torture.fault import Outcome
from torture.recording import Entry, Operation, missing, read_record, recording_environment
from torture.syncing import check_remote

pytestmark = pytest.mark.skipif(missing() != "", reason=missing())

# A store in folders that are new as well; what it holds is flushed, and pushed to a remote that is new.
SCRIPT = """
    import os, sys
    from pathlib import Path
    from eventlog import events
    from eventlog.store import Store
    from eventlog.sync import push

    root, notes, task = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    note = os.open(notes / "note", os.O_WRONLY | os.O_CREAT)
    store = Store.open(root / "project" / "runs" / "home")
    digest = store.blobs.put_bytes(b"weights")
    store.session.append(events.ArtifactUploaded, task, "weights", "file", digest, 7, "weights.bin")
    store.flush()
    os.write(note, b"flushed")
    push(store, root / "remote")
    os.write(note, b"pushed")
    os._exit(0)
"""
HOME = "project/runs/home"
TRIES = 3


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Entry]]:
    """The folder that was recorded, and what was done in it."""
    folder = tmp_path_factory.mktemp("recorded").resolve()
    root, notes = folder / "root", folder / "notes"
    root.mkdir()
    notes.mkdir()
    environment = recording_environment(root, notes, folder / "record")
    run(SCRIPT, root, notes, TASK, env=environment)
    return root, list(read_record(folder / "record"))


def lefts(record: tuple[Path, list[Entry]], folder: Path, first: str, last: str, most: int) -> Iterator[Path]:
    """What cuts at some moments between two notes leave, or from the beginning on, or to the end."""
    root, entries = record
    notes = {
        entry.paths[1]: place for place, entry in enumerate(entries) if entry.operation is Operation.NOTE
    }
    moments = range(notes.get(first, 0), notes.get(last, len(entries)))
    chosen = set(Random(1).sample(moments, min(most, len(moments))))
    assert chosen
    disk = Disk(root)
    for number, entry in enumerate(entries):
        for chance in range(TRIES if number in chosen else 0):
            left = folder / f"{number}-{chance}"
            disk.write_left(left, Random(f"{number} {chance}"), entry)
            yield left
        disk.apply(entry)


def test_a_cut_while_a_store_is_made_leaves_none_or_a_whole_one(
    record: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    for left in lefts(record, tmp_path, "", "flushed", 30):
        with Store.open(left / HOME) as store:
            store.session.append(events.TaskCreated, TASK, "the next", "digits")
            store.flush()


def test_what_was_flushed_first_is_there_after_a_cut_and_so_are_all_folders_on_the_way(
    record: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    for left in lefts(record, tmp_path, "flushed", "pushed", 4):
        (uploaded,) = events_of(read_store(left / HOME), events.ArtifactUploaded)
        assert (left / HOME / "blobs" / uploaded.blob[:2] / uploaded.blob).read_bytes() == b"weights"
        assert not verify(left / HOME).problems


def test_what_was_pushed_to_a_new_remote_is_there_after_a_cut(
    record: tuple[Path, list[Entry]], tmp_path: Path
) -> None:
    for left in lefts(record, tmp_path, "pushed", "", 2):
        outcome = Outcome()
        (head,) = check_remote(outcome, left / "remote").values()
        assert head.number == 0
        assert outcome.broken == []
