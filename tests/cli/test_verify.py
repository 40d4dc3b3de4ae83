import json
import os
from pathlib import Path

import pytest

from eventlog.store import Store
from tests.cli.running import Run


def test_a_sound_store_is_said_to_be_with_what_was_checked(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("verify")
    assert outcome.code == 0, outcome.out
    assert outcome.out.startswith("sound: ")
    assert outcome.out.endswith("1 session, 0 journals, 2 blobs\n")
    document = json.loads(eventlog("verify", "--json").out)
    with Store.open(tasks) as store:
        events = sum(len(batch.events()) for batch in store.batches(store.id))
    assert document["events"] == events
    assert document["sound"] is True
    assert document["problems"] == []


def test_a_damaged_blob_is_named_and_exits_with_1(eventlog: Run, tasks: Path) -> None:
    blob = min((tasks / "blobs").glob("*/*"))
    blob.chmod(0o600)
    blob.write_bytes(b"changed")
    outcome = eventlog("verify")
    assert outcome.code == 1
    assert blob.name in outcome.lines[0]
    assert outcome.lines[-1].startswith("1 problem: ")
    document = json.loads(eventlog("verify", "--json").out)
    assert document["sound"] is False
    assert len(document["problems"]) == 1


def test_verify_changes_nothing(eventlog: Run, tasks: Path) -> None:
    before = {
        path: path.read_bytes() for path in tasks.rglob("*") if path.is_file() and path.name != "lock.mdb"
    }
    assert eventlog("verify").code == 0
    assert {
        path: path.read_bytes() for path in tasks.rglob("*") if path.is_file() and path.name != "lock.mdb"
    } == before


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "--against"),
        ("sync",),
        ("bundle", "create", "new.zip", "--since"),
        ("head", "--output"),
    ],
)
def test_no_command_waits_for_a_pipe_or_replaces_it(
    eventlog: Run, tasks: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outcome = eventlog(*command, str(pipe))
    assert outcome.code == 1
    assert str(pipe) in outcome.err + outcome.out
    assert (outcome.err + outcome.out).count("\n") == 1
    assert pipe.is_fifo()


def test_what_heads_that_were_kept_say_is_told_first(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    kept = tmp_path / "heads.txt"
    with Store.open(tasks) as store:
        kept.write_text(f"eventlog head 1\n{store.id.hex()} 1000 {'0' * 64}\n")
    for blob in (tasks / "blobs").glob("*/*"):
        blob.unlink()
    lines = eventlog("verify", "--against", str(kept)).lines
    assert "though" in lines[0]
    assert "it had batch 1000" in lines[0]
    assert len(lines) == 4
    # And where they say nothing, that is said.
    kept.write_text("eventlog head 1\n")
    nothing = eventlog("verify", "--against", str(kept))
    assert f"note: {kept} holds no heads: nothing was compared with it" in nothing.lines
