"""The checks of `python -m torture` tell what is broken: each is shown something that is."""

import shutil
import signal
import subprocess
import threading
from pathlib import Path

import lmdb
import msgspec
import pytest

from eventlog import events
from eventlog.store import Store
from eventlog.sync import push
from tests.eventlog.processes import run, start
from torture import full_disks
from torture.fault import Outcome
from torture.promises import check_facts, check_living, check_store
from torture.syncing import check_remote
from torture.workloads import noted_in

COUNT = 50
TASK = "0123456789abcdef" * 2
# Reports, notes what returned, and dies with half of it committed.
SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    from eventlog import events
    from eventlog.store import Store
    from torture.workloads import Noted

    home, notes, task, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    store, noted = Store.open(home), Noted(notes, "w0")
    store.session.append(events.TaskCreated, task, "task w0", "torture")
    store.session.append(events.TaskStarted, task)
    for number in range(count):
        store.session.append(events.ScalarReported, task, "loss", "w0", number, 0.5)
        noted.add("scalar")
        if number == count // 2:
            store.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the home of a store whose only process was killed, and its notes."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "notes").mkdir()
    run(
        SCRIPT,
        folder / "home",
        folder / "notes",
        TASK,
        COUNT,
        status=-9,
        env={"EVENTLOG_COMMIT_INTERVAL_SECONDS": "1000"},
    )
    return folder


@pytest.fixture
def folder(killed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "folder"))


def checked(folder: Path) -> Outcome:
    outcome = Outcome()
    check_store(outcome, folder / "home", noted_in(folder / "notes"))
    return outcome


def recovered(folder: Path) -> Path:
    Store.open(folder / "home").close()
    return folder / "home"


def test_a_sound_store_keeps_every_promise(folder: Path) -> None:
    outcome = checked(folder)
    assert outcome.broken == []
    assert (outcome.acknowledged, outcome.lost) == (COUNT, 0)
    assert outcome.promises > 10


def test_a_journal_that_is_gone_is_told_with_what_was_in_it(folder: Path) -> None:
    (journal,) = (folder / "home" / "journals").iterdir()
    shutil.rmtree(journal)
    outcome = checked(folder)
    assert outcome.lost == COUNT - COUNT // 2 - 1
    assert any(f"{outcome.lost} of {COUNT} acknowledged events are lost" in line for line in outcome.broken)
    assert any("shown as running" in line for line in outcome.broken)
    assert any("have not ended" in line for line in outcome.broken)


def test_a_journal_that_was_flipped_is_told(folder: Path) -> None:
    (chunk,) = (folder / "home" / "journals").glob("*/000000")
    data = bytearray(chunk.read_bytes())
    end = len(data.rstrip(b"\0"))
    data[end // 2] ^= 1
    chunk.write_bytes(data)
    outcome = checked(folder)
    assert any(line.startswith("verify, before it is opened") for line in outcome.broken)
    assert any("found damaged" in line for line in outcome.broken)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([0, 1, 2, 3], ""),
        ([0, 1, 2, 3, 4], ""),
        ([0, 1, 2, 3, 4, 5], "2 events of writer w0 are there whose calls had not returned"),
        ([0, 1, 2], "1 of 4 acknowledged events are lost: scalar of writer w0"),
        ([0, 2, 3], "1 of 4 acknowledged events are lost: scalar of writer w0"),
        ([0, 1, 1, 2, 3], "not once each and in order: scalar of writer w0: 1 at place 2 of 5"),
        ([0, 1, 3, 2], "not once each and in order: scalar of writer w0: 3 at place 2 of 4"),
        ([], "4 of 4 acknowledged events are lost: scalar of writer w0"),
    ],
)
def test_given_what_the_log_holds_and_what_had_returned_then_what_is_wrong_is_told(
    found: list[int], told: str
) -> None:
    outcome = Outcome()
    check_facts(outcome, {("scalar", "w0"): found}, {("scalar", "w0"): 4})
    assert outcome.acknowledged == 4
    assert outcome.lost == 4 - len({0, 1, 2, 3} & set(found))
    assert any(line.startswith(told) for line in outcome.broken) if told else outcome.broken == []


def test_a_flipped_byte_of_a_batch_is_told(folder: Path) -> None:
    home = recovered(folder)
    path = home / "log" / "data.mdb"
    data = bytearray(path.read_bytes())
    data[data.rindex(b"EVB1") + 130] ^= 1
    path.write_bytes(data)
    assert any(line.startswith("verify") for line in checked(folder).broken)


def test_a_view_that_says_something_else_is_told(folder: Path) -> None:
    home = recovered(folder)
    assert checked(folder).broken == []
    with lmdb.open(str(home / "views"), max_dbs=64) as environment:
        series = environment.open_db(b"series", create=False)
        with environment.begin(write=True, db=series) as transaction, transaction.cursor() as cursor:
            assert cursor.first()
            cursor.delete()
    assert any("is missing in the views" in line for line in checked(folder).broken)


def test_a_living_process_that_commits_no_more_is_told(tmp_path: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        from eventlog import events
        from eventlog.store import Store

        store = Store.open(Path(sys.argv[1]))
        for _ in iter(int, 1):
            store.session.append(events.TaskCreated, "0123456789abcdef" * 2, "task", "torture")
            store.flush()
            print("committed", flush=True)
    """
    with start(program, tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        drained = threading.Thread(target=process.stdout.read, daemon=True)
        drained.start()
        going, stopped = Outcome(), Outcome()
        check_living(going, tmp_path)
        process.send_signal(signal.SIGSTOP)
        check_living(stopped, tmp_path, seconds=0.1)
        process.kill()
        drained.join()
    assert going.broken == []
    assert stopped.broken[0].startswith("sessions of living processes commit no more: ")


def test_a_remote_whose_segment_is_cut_or_whose_blob_is_gone_is_told(folder: Path) -> None:
    remote = folder / "remote"
    with Store.open(folder / "home") as store:
        digest = store.blobs.put_bytes(b"weights")
        store.session.append(events.ArtifactUploaded, TASK, "weights", "file", digest, 7, "weights.bin")
        push(store, remote)
    sound = Outcome()
    assert check_remote(sound, remote)
    assert sound.broken == []
    (remote / "blobs" / digest[:2] / digest).unlink()
    gone = Outcome()
    check_remote(gone, remote)
    assert digest in gone.broken[0]
    (segment,) = (remote / "stores").glob("*/*.segment")
    segment.write_bytes(segment.read_bytes()[:-1])
    cut = Outcome()
    check_remote(cut, remote)
    assert segment.name in cut.broken[0]


@pytest.mark.parametrize(
    ("dropped", "told"),
    [
        (COUNT - 1, ""),
        (COUNT, ""),
        (COUNT - 2, "1 events are missing beyond the 48 that were dropped"),
        (COUNT + 5, "55 events are said to be dropped, 51 may be missing"),
    ],
)
def test_more_or_fewer_missing_than_were_said_to_be_dropped_is_told(
    tmp_path: Path, dropped: int, told: str
) -> None:
    with Store.open(tmp_path) as store:
        append = store.session.append
        append(events.TaskCreated, TASK, "task w0", "torture")
        append(events.TaskStarted, TASK)
        append(events.ScalarReported, TASK, "loss", "w0", 0, 0.5)
        append(events.EventsDropped, "", dropped, "no room")
        append(events.TaskCompleted, TASK)
    outcome = Outcome()
    noted = {("scalar", "w0"): COUNT}
    full_disks.check(outcome, tmp_path, noted, noted, killed=False)
    assert any(line == told for line in outcome.broken) if told else outcome.broken == []
    assert outcome.lost == max(0, COUNT - 1 - dropped)


def test_a_dead_process_that_counts_as_living_is_told(tmp_path: Path) -> None:
    with start("", stdout=subprocess.PIPE) as dead:
        dead.wait()
    with Store.open(tmp_path) as store:
        store.session.append(events.TaskCreated, TASK, "task", "torture")
        store.flush()
        (journal,) = (tmp_path / "journals").iterdir()
        (journal / "lock").write_text(f"{dead.pid}\nhost\n")
        outcome = Outcome()
        check_living(outcome, tmp_path, seconds=0.1)
    assert "sessions of dead processes count as living: 1" in outcome.broken


def test_a_session_that_begins_before_those_that_had_ended_is_told(folder: Path) -> None:
    outcome = Outcome()
    earlier = check_store(outcome, folder / "home", noted_in(folder / "notes"))
    assert outcome.broken == []
    with Store.open(folder / "home") as store:
        store.session.append(events.TagsAdded, TASK, ["later"])
    check_store(outcome, folder / "home", noted_in(folder / "notes"), earlier=earlier)
    assert outcome.broken == []
    late = [one._replace(event=msgspec.structs.replace(one.event, time=1 << 50)) for one in earlier]
    check_store(outcome, folder / "home", noted_in(folder / "notes"), earlier=late)
    assert outcome.broken == ["3 events of sessions that began later have earlier times"]
