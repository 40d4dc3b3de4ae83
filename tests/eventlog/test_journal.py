"""Journals: what is read of a chunk however it was cut or damaged, and who holds a journal's lock."""

import importlib
import mmap
import os
import resource
import signal
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from eventlog import chunk as chunk_module
from eventlog import events
from eventlog.check_journal import check_journals
from eventlog.chunk import (
    CHUNK_SIZE,
    FRAME,
    FRAMES_START,
    POPULATED,
    TORN_SIZE,
    Chunk,
    maps_safely,
    read_chunk,
)
from eventlog.errors import DataCorrupt, StoreNewer
from eventlog.events import SessionStarted, TextReported, encode_event
from eventlog.journal import JournalLock, create_journal
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog.disks import mounted, read_only
from tests.eventlog.processes import TASK, chain_of, events_of, run, start, wait_until

STORE, SESSION = bytes(range(16)), bytes(range(16, 32))
OWNER = ["17", "host", "boot"]
files = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60
)


@pytest.fixture(params=[True, False], ids=["mapped", "written"])
def mapped(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def make(
    path: Path, payloads: list[bytes], *, first: int = 0, size: int = 4096, mapped: bool = True
) -> Chunk:
    path.unlink(missing_ok=True)
    chunk = Chunk.allocate(path, size, mapped=mapped)
    chunk.begin(STORE, SESSION, first)
    for payload in payloads:
        chunk.put(payload)
    return chunk


def change(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


def starts(payloads: list[bytes]) -> list[int]:
    """Where each frame begins, and where the last ends."""
    places = [FRAMES_START]
    for payload in payloads:
        places.append(places[-1] + FRAME.size + len(payload))
    return places


PAYLOADS = [bytes([number]) * (20 + number) for number in range(1, 20)]


@files
@given(payloads=some.lists(some.binary(min_size=1, max_size=100), max_size=20), first=some.integers(0, 2**40))
def test_a_chunk_is_read_back_as_it_was_written(
    tmp_path: Path, mapped: bool, payloads: list[bytes], first: int
) -> None:
    make(tmp_path / "chunk", payloads, first=first, mapped=mapped)
    contents = read_chunk(tmp_path / "chunk")
    assert contents is not None
    assert (contents.store, contents.session, contents.first) == (STORE, SESSION, first)
    assert (contents.payloads, contents.damage) == (payloads, "")


def test_a_chunk_is_all_there_before_it_is_begun(tmp_path: Path, mapped: bool) -> None:
    chunk = Chunk.allocate(tmp_path / "chunk", mapped=mapped)
    status = (tmp_path / "chunk").stat()
    assert status.st_size == CHUNK_SIZE == status.st_blocks * 512
    assert status.st_mode & 0o777 == 0o600
    assert repr(chunk) == f"<Chunk {tmp_path / 'chunk'}>"
    assert repr(Chunk.in_memory()) == "<Chunk in memory>"
    assert read_chunk(tmp_path / "chunk") is None
    with pytest.raises(FileExistsError):
        Chunk.allocate(tmp_path / "chunk", mapped=mapped)
    chunk.remove()
    assert not list(tmp_path.iterdir())
    chunk.remove()


@files
@given(cut=some.integers(0, 4096))
# Where a newer version's begin otherwise.
@example(cut=3)
def test_what_is_before_the_end_of_a_file_that_was_cut_is_read(tmp_path: Path, cut: int) -> None:
    make(tmp_path / "chunk", PAYLOADS)
    os.truncate(tmp_path / "chunk", cut)
    whole = sum(end <= cut for end in starts(PAYLOADS)[1:])
    if 0 < cut < FRAMES_START:
        with pytest.raises(DataCorrupt, match="header"):
            read_chunk(tmp_path / "chunk")
        return
    contents = read_chunk(tmp_path / "chunk")
    if not cut:
        assert contents is None
        return
    assert contents is not None
    assert contents.payloads == PAYLOADS[:whole]


@files
@given(place=some.integers(0, starts(PAYLOADS)[-1] - 1), flip=some.integers(1, 255))
@example(place=starts(PAYLOADS)[2] + 2, flip=3)
@example(place=starts(PAYLOADS)[-2] + 2, flip=1)
def test_a_changed_byte_is_found_and_what_is_before_it_is_read(
    tmp_path: Path, mapped: bool, place: int, flip: int
) -> None:
    make(tmp_path / "chunk", PAYLOADS, mapped=mapped)
    data = (tmp_path / "chunk").read_bytes()
    change(tmp_path / "chunk", place, bytes([data[place] ^ flip]))
    if place < FRAMES_START:
        with pytest.raises((DataCorrupt, StoreNewer)):
            read_chunk(tmp_path / "chunk")
        return
    contents = read_chunk(tmp_path / "chunk")
    assert contents is not None
    damaged = sum(end <= place for end in starts(PAYLOADS)[1:])
    assert contents.payloads == PAYLOADS[:damaged]
    assert contents.damage == f"frame {damaged} at byte {starts(PAYLOADS)[damaged]} does not hold"


@pytest.mark.parametrize("size", [4096, CHUNK_SIZE], ids=["small", "full size"])
@pytest.mark.parametrize("damaged", [0, 4, len(PAYLOADS) - 1])
def test_a_length_with_a_changed_byte_never_passes_for_a_frame_cut_short(
    tmp_path: Path, mapped: bool, damaged: int, size: int
) -> None:
    make(tmp_path / "chunk", PAYLOADS, size=size, mapped=mapped)
    start = starts(PAYLOADS)[damaged]
    length = (tmp_path / "chunk").read_bytes()[start : start + 4]
    # Every bit, and more than one at once, as far as the chunk reaches and beyond.
    for place, flip in [*((place, 1 << bit) for place in range(4) for bit in range(8)), (1, 0x3F), (2, 0x0B)]:
        change(tmp_path / "chunk", start + place, bytes([length[place] ^ flip]))
        contents = read_chunk(tmp_path / "chunk")
        assert contents is not None
        assert contents.payloads == PAYLOADS[:damaged]
        assert contents.damage == f"frame {damaged} at byte {start} does not hold", (place, flip)
        change(tmp_path / "chunk", start, length)


def test_a_last_frame_cut_short_at_any_byte_is_no_damage(tmp_path: Path, mapped: bool) -> None:
    # Longer than a byte of its length can say, and than those before it.
    last = bytes(range(1, 256)) * 3
    make(tmp_path / "chunk", [*PAYLOADS, last], mapped=mapped)
    start, end = starts([*PAYLOADS, last])[-2:]
    for cut in range(end - 1, start - 1, -1):
        change(tmp_path / "chunk", cut, b"\0")
        contents = read_chunk(tmp_path / "chunk")
        assert contents is not None
        assert contents.payloads == PAYLOADS
        # Where less is missing than a copy ever leaves out but for chance, nothing tells it from damage.
        assert bool(contents.damage) == (end - cut < TORN_SIZE), cut


@files
@given(data=some.data())
def test_a_last_frame_that_was_not_copied_to_its_end_is_no_damage(
    tmp_path: Path, data: some.DataObject
) -> None:
    last = data.draw(some.binary(min_size=60, max_size=1500)) + b"\1" * 20
    make(tmp_path / "chunk", [*PAYLOADS, last])
    start, end = starts([*PAYLOADS, last])[-2:]
    # What is missing is an end or, as a large copy may write its first bytes last, a beginning.
    missing = data.draw(some.integers(16, end - start))
    place = end - missing if data.draw(some.booleans()) else start
    change(tmp_path / "chunk", place, bytes(missing))
    contents = read_chunk(tmp_path / "chunk")
    assert contents is not None
    assert (contents.payloads, contents.damage) == (PAYLOADS, "")


def test_a_last_frame_without_what_a_big_copy_writes_last_is_no_damage(tmp_path: Path) -> None:
    """All before the first boundary of a vector register is missing, and where the copy stood, all behind."""
    last = bytes(range(1, 256)) * 8
    path = tmp_path / "journals" / SESSION.hex() / "000000"
    path.parent.mkdir(parents=True)
    started = encode_event(SessionStarted(1, "", "host", "user", 1, "", ""))
    for shift in range(64):
        payloads = [started, encode_event(TextReported(2, "", "x" * shift))]
        make(path, [*payloads, last])
        start, end = starts([*payloads, last])[-2:]
        whole = path.read_bytes()
        for width in (16, 32, 64):
            missing = width - start % width
            for copied in (start + 300, end - 16, end):
                change(path, start, whole[start:end])
                change(path, start, bytes(missing))
                change(path, copied, bytes(end - copied))
                contents = read_chunk(path)
                assert contents is not None
                if copied == end and missing <= 4:
                    # Nothing tells it from a length that was changed; with two bytes less nothing is missing.
                    continue
                assert (contents.payloads, contents.damage) == (payloads, ""), (shift, width, copied)
                (journal,), foreign = check_journals(tmp_path)
                assert (journal.problems, foreign) == ([], []), (shift, width, copied)
        path.unlink()


def test_zeros_over_frames_that_others_follow_are_damage(tmp_path: Path) -> None:
    for place in (starts(PAYLOADS)[4], starts(PAYLOADS)[4] + 9):
        make(tmp_path / "chunk", PAYLOADS)
        change(tmp_path / "chunk", place, bytes(60))
        contents = read_chunk(tmp_path / "chunk")
        assert contents is not None
        assert contents.payloads == PAYLOADS[:4]
        assert "frame 4" in contents.damage


@pytest.mark.parametrize("imported", [True, False], ids=["with ctypes", "without"])
@pytest.mark.parametrize("beside", [True, False], ids=["beside", "in-a-call"])
def test_what_is_written_where_the_pages_were_made_does_not_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, imported: bool, beside: bool
) -> None:
    if not maps_safely(tmp_path) or not chunk_module._populates:
        pytest.skip("pages are not made ahead here")
    importlib.import_module("ctypes")
    if not imported:
        monkeypatch.delitem(sys.modules, "ctypes")
    chunk = make(tmp_path / "chunk", [], size=CHUNK_SIZE)

    def faults(start: int) -> int:
        """How many there are while 256 KiB are written from there on."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for place in range(start, start + POPULATED, mmap.PAGESIZE):
            chunk.memory[place] = 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    cold = faults(2 * POPULATED)
    assert cold > 4
    chunk.populate(5, beside=beside)
    assert faults(0) < cold
    # Up to the end, and no further.
    chunk.populate(CHUNK_SIZE - 1, beside=beside)
    chunk.populate(CHUNK_SIZE, beside=beside)
    assert chunk_module._populates


def test_frames_of_an_earlier_life_of_a_chunk_never_pass(tmp_path: Path) -> None:
    old = make(tmp_path / "000000", PAYLOADS, size=CHUNK_SIZE)
    before = (tmp_path / "000000").read_bytes()
    old.erase()
    assert not any((tmp_path / "000000").read_bytes())
    assert read_chunk(tmp_path / "000000") is None
    new = old.again(tmp_path / "000001")
    assert not (tmp_path / "000000").exists()
    new.begin(STORE, SESSION, 100)
    new.put(b"new")
    # A power cut may bring back pages as they were: here everything behind the only new frame.
    change(tmp_path / "000001", new.end, before[new.end :])
    contents = read_chunk(tmp_path / "000001")
    assert contents is not None
    assert (contents.first, contents.payloads) == (100, [b"new"])
    # And here the frame just where the next would be.
    change(tmp_path / "000001", new.end, bytes(CHUNK_SIZE - new.end))
    change(tmp_path / "000001", new.end, before[FRAMES_START : starts(PAYLOADS)[1]])
    contents = read_chunk(tmp_path / "000001")
    assert contents is not None
    assert contents.payloads == [b"new"]
    assert contents.damage


def test_a_chunk_that_is_being_begun_or_erased_does_not_count(tmp_path: Path) -> None:
    make(tmp_path / "chunk", [])
    # The magic comes last.
    change(tmp_path / "chunk", 0, bytes(4))
    assert read_chunk(tmp_path / "chunk") is None
    # And goes first; recovery sees by the chunk after it that nothing is missing.
    make(tmp_path / "chunk", PAYLOADS)
    change(tmp_path / "chunk", 0, bytes(4))
    with pytest.raises(DataCorrupt):
        read_chunk(tmp_path / "chunk")


@pytest.mark.parametrize("erased", [4, FRAMES_START, 1_000_000, CHUNK_SIZE - 70_000])
def test_a_full_chunk_that_is_being_erased_does_not_count(tmp_path: Path, erased: int) -> None:
    """On a full disk the chunk after it is in memory, and goes with its process."""
    full = [bytes([number]) * 60_000 for number in range(1, 1 + CHUNK_SIZE // 60_010)]
    make(tmp_path / "chunk", full, size=CHUNK_SIZE)
    change(tmp_path / "chunk", 0, bytes(erased))
    assert read_chunk(tmp_path / "chunk") is None


def test_a_chunk_of_a_newer_version_is_named_so(tmp_path: Path) -> None:
    make(tmp_path / "chunk", PAYLOADS)
    change(tmp_path / "chunk", 0, b"EVJ2")
    with pytest.raises(StoreNewer, match="upgrade eventlog"):
        read_chunk(tmp_path / "chunk")


@files
@given(data=some.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_named_as_damaged(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "chunk").write_bytes(data)
    try:
        contents = read_chunk(tmp_path / "chunk")
    except (DataCorrupt, StoreNewer):
        return
    assert contents is None
    # The same behind a header that holds.
    make(tmp_path / "chunk", [])
    change(tmp_path / "chunk", FRAMES_START, data)
    contents = read_chunk(tmp_path / "chunk")
    assert contents is not None
    assert contents.payloads == []


def test_a_frame_that_claims_to_be_huge_takes_no_memory(tmp_path: Path) -> None:
    make(tmp_path / "chunk", PAYLOADS)
    change(tmp_path / "chunk", starts(PAYLOADS)[3], struct.pack(">II", 2**32 - 1, 0))
    contents = read_chunk(tmp_path / "chunk")
    assert contents is not None
    assert contents.payloads == PAYLOADS[:3]
    assert contents.damage


@pytest.mark.parametrize(("kind", "safe"), [("tmpfs", True), ("ext4", True), ("xfs", True), ("btrfs", False)])
def test_files_are_mapped_where_they_cannot_run_out_of_room(tmp_path: Path, kind: str, safe: bool) -> None:
    with mounted(tmp_path / "a disk", kind, (320 if kind == "xfs" else 120) << 20) as disk:
        (disk / "inner").mkdir()
        assert maps_safely(disk / "inner") is safe
        with mounted(disk / "inner" / "over", "tmpfs", 1 << 20) as inner:
            assert maps_safely(inner)


def test_the_file_system_that_is_seen_is_the_last_one_mounted_over_a_folder() -> None:
    lines = [
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw",
        "22 21 0:5 / /home rw shared:1 - btrfs /dev/sdb rw",
        r"23 21 0:6 / /home/with\040space rw - xfs /dev/sdc rw",
        "24 21 0:7 / /home/over rw - xfs /dev/sdd rw",
        "25 21 0:8 / /home/over rw - nfs4 server:/ rw",
    ]
    kinds = {
        "/": "ext4",
        "/root": "ext4",
        "/home": "btrfs",
        "/homes": "ext4",
        "/home/me/.eventlog": "btrfs",
        "/home/with space/a": "xfs",
        "/home/over/a": "nfs4",
    }
    for folder, kind in kinds.items():
        assert chunk_module._file_system(Path(folder), lines) == kind


# Recovery.

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from eventlog.store import Store
    from eventlog.events import TaskCreated, TextReported
    session = Store.open(Path(sys.argv[1])).session
    session.append(TaskCreated, sys.argv[2], "run", "digits")
    session.append(TextReported, sys.argv[2], "first")
    session.append(TextReported, sys.argv[2], "last, with as much text as a cut needs to be told by")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(home: Path, *, written: bool) -> tuple[Path, list[int]]:
    """The chunk of a session that was killed before any commit, and where its frames begin and end."""
    environment = {"EVENTLOG_COMMIT_INTERVAL_SECONDS": "1000"}
    run(KILLED, home, TASK, status=-signal.SIGKILL, written=written, env=environment)
    (folder,) = (home / "journals").iterdir()
    contents = read_chunk(folder / "000000")
    assert contents is not None
    assert not contents.damage
    return folder / "000000", starts(contents.payloads)


def recovered_texts(home: Path) -> list[str]:
    with Store.open(home) as store:
        events = [event.event for batch in store.batches(store.id) for event in batch.events()]
    return [event.text for event in events if isinstance(event, TextReported)]


@pytest.mark.parametrize("place", [2, 3])
def test_recovery_warns_of_a_last_event_whose_length_was_changed_and_keeps_it(
    home: Path, mapped: bool, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    path, places = killed(home, written=not mapped)
    data = path.read_bytes()
    start = places[-2]
    change(path, start + place, bytes([data[start + place] | 0x80]))
    damaged = path.read_bytes()
    assert damaged != data
    assert recovered_texts(home) == ["first"]
    (warning,) = [record.getMessage() for record in caplog.records]
    aside = home / "damaged" / path.parent.name
    assert f"frame {len(places) - 2} at byte {start} does not hold" in warning
    assert warning.endswith(f"a copy of the journal is kept at {aside}")
    assert (aside / path.name).read_bytes() == damaged
    assert not path.exists()


def test_recovery_says_nothing_of_a_last_event_that_was_cut_short(
    home: Path, mapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path, places = killed(home, written=not mapped)
    cut = (places[-2] + places[-1]) // 2
    change(path, cut, bytes(places[-1] - cut))
    assert recovered_texts(home) == ["first"]
    assert not caplog.records
    assert not (home / "damaged").exists()
    assert not path.exists()


# The lock.


@pytest.fixture
def journals(home: Path) -> Path:
    (home / "journals").mkdir(parents=True)
    return home / "journals"


HOLDER = """
    import sys, time
    from pathlib import Path
    from eventlog.journal import create_journal
    lock = create_journal(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), ["17", "host", "boot"])
    print(lock, flush=True)
    sys.stdin.read()
"""


def test_a_journal_is_its_process_s_own_from_its_first_instant_until_it_lets_go(journals: Path) -> None:
    lock = create_journal(journals.parent, SESSION, OWNER)
    folder = journals / SESSION.hex()
    assert [path.name for path in journals.iterdir()] == [SESSION.hex()]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert lock.owner() == OWNER
    lock.sync()
    assert JournalLock.is_taken(folder)
    assert JournalLock.take(folder) is None
    # Neither of these has given it back.
    ask = """
        import sys
        from pathlib import Path
        from eventlog.journal import JournalLock
        print(JournalLock.is_taken(Path(sys.argv[1])), JournalLock.take(Path(sys.argv[1])))
    """
    assert run(ask, folder) == "True None\n"
    lock.release(remove=False)
    assert run(ask, folder) == f"False <JournalLock {folder}>\n"
    taken = JournalLock.take(folder)
    assert taken is not None
    taken.release(remove=True)
    taken.release(remove=True)
    assert not list(journals.iterdir())
    assert not list((journals.parent / "temporary").iterdir())
    assert JournalLock.take(folder) is None
    assert not JournalLock.is_taken(folder)


@pytest.mark.parametrize("lets_go", [True, False])
def test_a_journal_is_free_once_its_process_is_dead_even_if_a_child_of_it_lives(
    journals: Path, lets_go: bool
) -> None:
    program = """
        import os, sys
        from pathlib import Path
        from eventlog.journal import create_journal
        lock = create_journal(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), ["17", "host", "boot"])
        child = os.fork()
        if child == 0 and sys.argv[3:]:
            # A child that lets go takes nothing from its parent.
            lock.release(remove=False)
        os.write(1, b"ready\\n")
        sys.stdin.read()
        os._exit(0)
    """
    folder = journals / SESSION.hex()
    arguments = (journals.parent, SESSION.hex(), *["lets go"] * lets_go)
    with start(program, *arguments, stdin=-1, stdout=-1) as process:
        assert process.stdout.read(12) == b"ready\nready\n"
        assert JournalLock.is_taken(folder)
        assert JournalLock.take(folder) is None
        process.kill()
        wait_until(lambda: not JournalLock.is_taken(folder))
        lock = JournalLock.take(folder)
        assert lock is not None
        lock.release(remove=True)


@pytest.mark.skipif(sys.platform != "linux", reason="a POSIX record lock does not outlast this")
def test_a_process_that_reads_its_own_store_file_by_file_keeps_its_session(home: Path) -> None:
    program = """
        import shutil, sys
        from pathlib import Path
        from eventlog import events
        from eventlog.store import Store
        home, task = Path(sys.argv[1]), sys.argv[2]
        store = Store.open(home)
        store.session.append(events.ProgressSet, task, 1)
        shutil.copytree(home / "journals", home.parent / "copy")
        print("copied", flush=True)
        sys.stdin.readline()
        store.session.append(events.ProgressSet, task, 2)
        store.close()
    """
    with start(program, home, TASK, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"copied\n"
        # Whoever opens a store recovers the sessions that it takes for dead.
        with Store.open(home) as store:
            assert len(store.live_sessions()) == 1
        process.communicate(b"\n")
        assert process.returncode == 0
    with Store.open(home) as store:
        assert [event.progress for event in events_of(chain_of(store), events.ProgressSet)] == [1, 2]
    assert not verify(home).problems


def test_a_journal_that_cannot_be_made_leaves_nothing(journals: Path) -> None:
    (journals / SESSION.hex()).mkdir()
    (journals / SESSION.hex() / "in the way").touch()
    with pytest.raises(OSError, match="not empty"):
        create_journal(journals.parent, SESSION, OWNER)
    assert not list((journals.parent / "temporary").iterdir())


def test_whether_a_journal_is_held_can_be_asked_where_nothing_can_be_written(journals: Path) -> None:
    folder = journals / SESSION.hex()
    with start(HOLDER, journals.parent, SESSION.hex(), stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == f"<JournalLock {folder}>\n".encode()
        with read_only(journals.parent):
            assert JournalLock.is_taken(folder)
            process.kill()
            process.wait()
            assert not JournalLock.is_taken(folder)
