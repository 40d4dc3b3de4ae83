"""Verify: silent about every sound store, and exact about every damaged one."""

import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lmdb
import msgspec
import pytest
import zstandard

from eventlog import check_batch as check_batch_module
from eventlog.batch import Batch, encode_batch
from eventlog.check_batch import check_batch
from eventlog.check_journal import check_journals
from eventlog.check_report import Report
from eventlog.environment import Environment
from eventlog.errors import EventlogError, NotFound, StoreInvalid, StoreNewer
from eventlog.events import (
    ArtifactUploaded,
    ExecutionRecorded,
    MediaReported,
    PlotReported,
    ProgressSet,
    ScalarReported,
    SessionStarted,
    TaskCompleted,
    TaskCreated,
    TaskStarted,
    TextReported,
    encode_event,
)
from eventlog.home import make_home
from eventlog.store import DATABASES, Store
from eventlog.verify import verify

DEADLINE_SECONDS = 100
TASK = "ab" * 16
FRAMES_START = 52

WRITER = """
    import os, random, signal, sys
    from pathlib import Path
    from eventlog.events import ScalarReported, TaskCompleted, TaskCreated, TaskStarted, TextReported
    from eventlog.store import Store
    store = Store.open(Path(sys.argv[1]))
    count, end, task = int(sys.argv[2]), sys.argv[3], sys.argv[4]
    append = store.session.append
    append(TaskCreated, task, "run", "digits")
    append(TaskStarted, task)
    print("begun", flush=True)
    for number in range(count):
        append(ScalarReported, task, "loss", "train", number, random.random())
        if number % 1000 == 0:
            append(TextReported, task, f"step {number}")
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    append(TaskCompleted, task)
    store.close()
"""


def start_writer(home: Path, count: int, end: str = "closed", task: str = TASK) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(home), str(count), end, task]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def write_some(home: Path) -> None:
    """A store with two chains, several sessions, blobs, and enough batches for a tree of pages."""
    other = Store.open(home.parent / "other")
    other.session.append(TaskCreated, "cd" * 16, "elsewhere", "digits")
    other.session.append(ScalarReported, "cd" * 16, "loss", "train", 0, 0.5)
    other.flush()
    with Store.open(home) as store:
        store.admit(list(other.batches(other.id)))
        append = store.session.append
        append(TaskCreated, TASK, "run", "digits")
        append(TaskStarted, TASK)
        append(ExecutionRecorded, TASK, "", "main", "", "", store.blobs.put_bytes(b"diff" * 30_000))
        blob = store.blobs.put_bytes(bytes(range(256)) * 300)
        append(ArtifactUploaded, TASK, "model", "file", blob, 76_800, "model.bin")
        append(TextReported, TASK, "long", 20, store.blobs.put_bytes(b"line\n" * 20_000))
        for number in range(80):
            for step in range(number * 4):
                append(ScalarReported, TASK, "loss", "train", step, step * 0.37)
            append(ProgressSet, TASK, number)
            store.flush()
        append(TaskCompleted, TASK)
    with Store.open(home) as store:
        store.session.append(TaskCreated, "ef" * 16, "open", "digits")
        store.session.append(TaskStarted, "ef" * 16)
    other.close()
    shutil.rmtree(home.parent / "other")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sound") / "home"
    write_some(home)
    # One session more, killed before its journal could be committed.
    program = WRITER.replace("store = Store.open(Path(sys.argv[1]))", SLOW_COMMITS)
    command = [sys.executable, "-c", textwrap.dedent(program), str(home), "40", "killed", "01" * 16]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == -signal.SIGKILL
    return home


SLOW_COMMITS = """os.environ["EVENTLOG_COMMIT_INTERVAL_SECONDS"] = "1000"
    store = Store.open(Path(sys.argv[1]))"""


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    home = tmp_path / "copy"
    shutil.copytree(sound, home)
    return home


def problems_of(home: Path) -> list[str]:
    try:
        report = verify(home)
    except EventlogError as error:
        return [str(error)]
    assert all("\n" not in line for line in report.problems)
    return report.problems


@contextlib.contextmanager
def changed(path: Path, offset: int, mask: int = 0xFF) -> Iterator[None]:
    """A file with one byte changed, for a while."""
    mode = path.stat().st_mode
    path.chmod(0o600)
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ mask]))
        try:
            yield
        finally:
            file.seek(offset)
            file.write(byte)
            path.chmod(mode)


def log_of(home: Path) -> dict[str, dict[bytes, bytes]]:
    """What LMDB itself reads."""
    with lmdb.open(str(home / "log"), max_dbs=4, readonly=True, lock=False) as environment:
        held = {}
        for name in ("batches", "heads", "meta", "sessions"):
            database = environment.open_db(name.encode(), create=False)
            with environment.begin(database) as reading:
                held[name] = {bytes(key): bytes(value) for key, value in reading.cursor()}
        return held


def edit(home: Path, database: str, work: Callable[[lmdb.Transaction], None]) -> None:
    """Change the log through LMDB, as nothing in eventlog would."""
    with lmdb.open(str(home / "log"), max_dbs=4, map_size=1 << 30) as environment:
        handle = environment.open_db(database.encode(), create=False)
        with environment.begin(handle, write=True) as writing:
            work(writing)


def own_batches(home: Path) -> list[tuple[bytes, bytes]]:
    """Keys and values of the batches of the store itself, in order."""
    log = log_of(home)
    return [item for item in log["batches"].items() if item[0][:16] == log["meta"][b"store"]]


# Sound stores.


def test_a_sound_store_has_no_problem_and_is_counted(sound: Path) -> None:
    report = verify(sound)
    assert report.problems == []
    assert (report.stores, report.sessions, report.journals, report.blobs) == (2, 3, 1, 3)
    batches = [Batch.read(value) for value in log_of(sound)["batches"].values()]
    assert report.batches == len(batches)
    assert report.events == sum(batch.states + batch.reports for batch in batches)
    assert report.unknown == 0


def test_a_store_whose_path_is_not_utf8_has_no_problem(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / os.fsdecode(b"h\xffome")
    copy.rename(moved)
    # Programs put paths there, which Python passes over.
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere")])
    assert verify(moved).problems == []


def test_a_store_without_events_has_no_problem(home: Path) -> None:
    Store.open(home).close()
    assert repr(verify(home)) == (
        "<Report: 0 problems in 0 stores, 0 batches, 0 events, 0 sessions, 0 journals, 0 blobs>"
    )


def test_nothing_is_changed_by_verifying(copy: Path) -> None:
    def state() -> dict[Path, tuple[int, int, str]]:
        return {
            path: (
                path.stat().st_mtime_ns,
                path.stat().st_mode,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in copy.rglob("*")
            if path.is_file() and path.name != "lock.mdb"
        }

    before = state()
    verify(copy)
    assert state() == before


def test_a_recovered_store_has_no_problem(copy: Path) -> None:
    Store.open(copy).close()
    report = verify(copy)
    assert report.problems == []
    assert (report.sessions, report.journals) == (4, 0)


def test_progress_grows_to_its_total(sound: Path) -> None:
    calls: list[tuple[int, int]] = []
    verify(sound, lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert all(0 < done <= total for done, total in calls)


def test_a_store_that_eight_processes_write_to_has_no_problem(home: Path) -> None:
    Store.open(home).close()
    tasks = [f"{number:032x}" for number in range(8)]
    # Enough events for chunks to fill up, be erased and be used again.
    writers = [start_writer(home, 120_000, task=task) for task in tasks]
    deadline = time.monotonic() + DEADLINE_SECONDS
    seen: list[Report] = []
    while any(writer.poll() is None for writer in writers):
        assert time.monotonic() < deadline
        seen.append(verify(home))
        assert seen[-1].problems == []
    assert [writer.returncode for writer in writers] == [0] * 8
    assert any(0 < report.journals for report in seen)
    report = verify(home)
    assert report.problems == []
    # Begun, created, started, scalars, lines, completed, ended.
    assert report.events == 8 * (120_000 + 120 + 5)


def test_commits_in_the_middle_of_verifying_do_not_disturb_it(copy: Path) -> None:
    with Store.open(copy) as store:
        commits = 0

        def commit(_done: int, _total: int) -> None:
            nonlocal commits
            for _ in range(3):
                commits += 1
                store.session.append(ProgressSet, TASK, commits % 100)
                store.flush()

        before = len(log_batches(store))
        report = verify(copy, commit)
        assert report.problems == []
        assert report.batches == before
        # So many that the pages of the transaction that is read would have been used again.
        assert commits > 200
        assert verify(copy).batches == before + commits


def log_batches(store: Store) -> list[Batch]:
    return [batch for identity in store.heads() for batch in store.batches(identity)]


def test_a_chunk_read_while_it_is_written_is_read_again(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = journal_of(copy)
    data = path.read_bytes()
    # A writer got ahead of the reader: a later frame was already there, an earlier one not yet.
    half_read = data[:400] + bytes(200) + data[600:]
    answers = [half_read, data]
    monkeypatch.setattr(Path, "read_bytes", lambda _: answers.pop(0))
    assert journal_problems(copy) == []
    assert answers == []
    answers = [half_read, half_read]
    assert len(journal_problems(copy)) == 1


def test_sessions_killed_at_random_instants_leave_no_problem(home: Path) -> None:
    Store.open(home).close()
    chance = random.Random(11)
    for number in range(10):
        writer = start_writer(home, 10_000_000, task=f"{number:032x}")
        journals = home / "journals"
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not any(journals.glob("*/000000")):
            assert time.monotonic() < deadline
        # An instant somewhere in what follows: so many readings of the folder.
        for _ in range(chance.randrange(3000)):
            os.listdir(journals)  # noqa: PTH208
        writer.kill()
        writer.wait()
        assert verify(home).problems == []
        Store.open(home).close()
        assert verify(home).problems == []


def test_a_session_of_this_process_still_owns_its_journal_afterwards(home: Path) -> None:
    with Store.open(home) as store:
        store.session.append(TaskCreated, TASK, "run", "digits")
        assert verify(home).problems == []
        program = """
            import sys
            from pathlib import Path
            from eventlog.recovery import live_sessions
            print(*(session.hex() for session in live_sessions(Path(sys.argv[1]))))
        """
        command = [sys.executable, "-c", textwrap.dedent(program), str(home)]
        alive = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert store.session.id is not None
        assert alive == [store.session.id.hex()]


# What is no store.


def test_no_store_and_a_foreign_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("hello")
    for missing in ("nowhere", "empty"):
        with pytest.raises(NotFound, match="no store at"):
            verify(tmp_path / missing)
    for foreign in ("foreign", "foreign/notes.txt"):
        with pytest.raises(StoreInvalid, match="does not hold a store"):
            verify(tmp_path / foreign)


@pytest.mark.parametrize("databases", [None, (), DATABASES], ids=["no page", "no database", "no entry"])
def test_a_store_whose_making_was_cut_off_is_none_yet(home: Path, databases: Iterable[str] | None) -> None:
    make_home(home)
    if databases is None:
        (home / "log" / "data.mdb").touch()
    else:
        Environment(home / "log", {name: {} for name in databases}).close()
    with pytest.raises(NotFound, match="no store at"):
        verify(home)
    (home / "blobs" / "ab").mkdir()
    (home / "blobs" / "ab" / ("ab" * 32)).write_text("of a log that was lost")
    if databases is None:
        assert verify(home).problems
    else:
        with pytest.raises(StoreInvalid, match="its log is empty"):
            verify(home)


def test_another_programs_lmdb_environment_is_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "log"), max_dbs=1) as environment:
        with environment.begin(environment.open_db(b"theirs"), write=True) as writing:
            writing.put(b"key", b"value")
    with pytest.raises(StoreInvalid, match="its log is of something else"):
        verify(tmp_path)


def test_a_store_of_a_newer_version_is_refused(copy: Path) -> None:
    edit(copy, "meta", lambda writing: writing.put(b"format", b"2"))
    with pytest.raises(StoreNewer, match="upgrade eventlog"):
        verify(copy)


# Damage to the log.


@pytest.mark.parametrize("seed", range(3))
def test_a_byte_changed_in_the_log_is_named_or_changes_nothing_that_is_held(
    sound: Path, copy: Path, seed: int
) -> None:
    expected = log_of(sound)
    path = copy / "log" / "data.mdb"
    data = path.read_bytes()
    used = [place for place in range(len(data)) if data[place]]
    chance = random.Random(seed)
    named = 0
    for _ in range(60):
        with changed(path, chance.choice(used), chance.randrange(1, 256)):
            problems = problems_of(copy)
            assert problems or log_of(copy) == expected
            named += bool(problems)
    assert named > 15


def test_a_byte_changed_anywhere_in_a_batch_is_named_as_that_batchs(sound: Path, copy: Path) -> None:
    path = copy / "log" / "data.mdb"
    data = path.read_bytes()
    key, value = own_batches(sound)[40]
    assert len(value) > 200
    # Pages that LMDB has let go of may hold older copies of it, which nobody reads.
    starts = [found.start() for found in re.finditer(re.escape(value), data)]
    name = f"batch 40 of store {key[:16].hex()} (page "
    chance = random.Random(1)
    # Every field of its header, and places in both frames.
    fields = [
        0,
        3,
        4,
        19,
        20,
        27,
        28,
        59,
        60,
        75,
        76,
        83,
        84,
        87,
        88,
        91,
        92,
        99,
        100,
        107,
        108,
        112,
        116,
        120,
        123,
    ]
    for offset in [*fields, *(chance.randrange(124, len(value)) for _ in range(15))]:
        with contextlib.ExitStack() as stack:
            for start in starts:
                stack.enter_context(changed(path, start + offset))
            problems = problems_of(copy)
            assert any(line.startswith(f"log: {name}") for line in problems), (offset, problems)


def put(home: Path, database: str, key: bytes, value: bytes | None) -> None:
    edit(home, database, lambda writing: writing.delete(key) if value is None else writing.put(key, value))


def test_every_record_of_the_log_is_checked(sound: Path, copy: Path) -> None:
    for database in ("heads", "sessions"):
        for key, value in log_of(sound)[database].items():
            for offset in range(0, len(value), 5):
                put(copy, database, key, value[:offset] + bytes([value[offset] ^ 1]) + value[offset + 1 :])
                assert problems_of(copy), (database, key, offset)
            put(copy, database, key, None)
            assert problems_of(copy), (database, key)
            put(copy, database, key, value)
    assert problems_of(copy) == []
    put(copy, "heads", b"x" * 16, bytes(40))
    assert problems_of(copy) == [
        f"log: the head of store {(b'x' * 16).hex()} says batch 0, and there is none"
    ]


def test_meta_is_checked(sound: Path, copy: Path) -> None:
    for key, value in log_of(sound)["meta"].items():
        flipped = [
            value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
            for at in range(len(value))
            if key != b"format"
        ]
        for other in (None, b"", value + b"x", *flipped):
            put(copy, "meta", key, other)
            assert [line for line in problems_of(copy) if line.startswith("log: meta ")], (key, other)
        put(copy, "meta", key, value)
    put(copy, "meta", b"format", b"\xce")
    assert problems_of(copy)[0] == "log: meta says b'\\xce' for 'format', which cannot be"
    put(copy, "meta", b"format", b"1")
    put(copy, "meta", b"later", b"1")
    assert problems_of(copy) == ["log: meta has an entry 'later', which it never has"]


def test_a_missing_batch_is_named(copy: Path) -> None:
    batches = own_batches(copy)
    store = batches[0][0][:16].hex()
    edit(copy, "batches", lambda writing: [writing.delete(batches[place][0]) for place in (5, 9, 10)])
    lines = problems_of(copy)
    assert f"log: missing batch 5 of store {store}" in lines
    assert f"log: missing batches 9 to 10 of store {store}" in lines
    edit(copy, "batches", lambda writing: writing.delete(batches[-1][0]))
    assert any(
        f"the head of store {store} says batch {len(batches) - 1}" in line for line in problems_of(copy)
    )


def rewritten(batch: Batch, **changes: object) -> bytes:
    """The batch, encoded anew with something changed: sound in itself."""
    numbered = batch.events()
    fields: dict[str, object] = {
        "store": batch.store,
        "number": batch.number,
        "previous": batch.previous,
        "session": batch.session,
        "first": batch.first,
        "events": [encode_event(one.event) for one in numbered],
        "states": [place for place, one in enumerate(numbered) if not one.event.is_report],
        "first_time": batch.first_time,
        "last_time": batch.last_time,
    }
    return encode_batch(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_batch_written_anew_with_another_value_is_named(copy: Path) -> None:
    key, value = own_batches(copy)[40]
    batch = Batch.read(value)
    events = [one.event for one in batch.events()]
    place = next(place for place, event in enumerate(events) if isinstance(event, ScalarReported))
    events[place] = ScalarReported(events[place].time, TASK, "loss", "train", 0, -1.0)
    forged = rewritten(batch, events=[encode_event(event) for event in events])
    edit(copy, "batches", lambda writing: writing.put(key, forged))
    (line,) = problems_of(copy)
    assert line.startswith(f"log: batch 40 of store {key[:16].hex()} (page ")
    assert "was changed" in line
    assert hashlib.sha256(forged).hexdigest() in line


def test_of_two_batches_with_a_broken_link_the_changed_one_is_blamed(copy: Path) -> None:
    key, value = own_batches(copy)[40]
    edit(copy, "batches", lambda writing: writing.put(key, rewritten(Batch.read(value), previous=b"x" * 32)))
    lines = problems_of(copy)
    assert len(lines) == 2
    assert "batch 39" in lines[0]
    assert "cannot be confirmed: the batch after it was changed" in lines[0]
    assert "batch 40" in lines[1]
    assert "was changed: the batch after it" in lines[1]


def rechained(home: Path, change: Callable[[Batch], dict[str, object]]) -> None:
    """Write the own chain anew with every hash and head right, so that only what it says can be wrong."""
    previous = bytes(32)

    def work(writing: lmdb.Transaction) -> None:
        nonlocal previous
        for key, value in batches:
            data = rewritten(Batch.read(value), **{"previous": previous, **change(Batch.read(value))})
            writing.put(key, data)
            previous = hashlib.sha256(data).digest()

    batches = own_batches(home)
    edit(home, "batches", work)
    head = struct.pack(">Q", len(batches) - 1) + previous
    edit(home, "heads", lambda writing: writing.put(batches[0][0][:16], head))


def test_numbering_of_a_session_with_a_gap_or_an_overlap_is_named(copy: Path) -> None:
    for shift in (1, -1):
        rechained(copy, lambda batch, shift=shift: {"first": batch.first + shift * (batch.number == 7)})
        lines = problems_of(copy)
        assert any("batch 7 of store" in line and "goes on with event" in line for line in lines), lines
        rechained(copy, lambda batch, shift=shift: {"first": batch.first - shift * (batch.number == 7)})
        assert problems_of(copy) == []


def test_times_that_go_back_or_are_not_the_headers_are_named(copy: Path) -> None:
    rechained(copy, lambda batch: {"first_time": batch.first_time - 1} if batch.number == 7 else {})
    lines = problems_of(copy)
    assert any("batch 7 of store" in line and "its header says" in line for line in lines)


def test_events_of_unknown_kinds_and_further_fields_are_counted_and_no_problem() -> None:
    newer = [
        encode_event(SessionStarted(5, "", "host", "ada", 1)),
        msgspec.msgpack.encode(["TaskFrozen", 6, TASK, {"model": [1, 2]}]),
        msgspec.msgpack.encode(["ScalarReported", 7, TASK, "loss", "train", 0, 1.0, "a later field"]),
        msgspec.msgpack.encode(["GaugeReported", 7, TASK, 1.5]),
    ]
    data = encode_batch(
        store=b"s" * 16,
        number=0,
        previous=bytes(32),
        session=b"t" * 16,
        first=0,
        events=newer,
        states=[0, 1],
        first_time=5,
        last_time=7,
    )
    facts = check_batch(data)
    assert (facts.problems, facts.unknown, facts.whole) == ([], 2, True)
    assert facts.hash == hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("events", "states", "words"),
    [
        ([["SessionStarted", 5, ""], ["ScalarReported", 6]], [0], "reports that cannot be decoded"),
        ([["SessionStarted", 5, ""], 7], [0], "reports that cannot be decoded"),
        ([["SessionStarted", True, ""]], [0], "does not begin with kind, time and task"),
        ([["SessionStarted", 5, ""], ["ScalarReported", 4, TASK]], [0], "times go back"),
        ([["SessionStarted", 5, ""], ["TaskStarted", 6, TASK]], [0], "has a TaskStarted among its reports"),
        (
            [["SessionStarted", 5, ""], ["ScalarReported", 6, TASK]],
            [0, 1],
            "has a ScalarReported among its state",
        ),
        ([["TaskStarted", 5, TASK]], [0], "with another event than SessionStarted"),
        ([["ScalarReported", 5, TASK]], [], "with another event than SessionStarted"),
    ],
)
def test_events_that_are_not_what_the_format_says_are_named(
    events: list[object], states: list[int], words: str
) -> None:
    times = [event[1] for event in events if isinstance(event, list)]
    data = encode_batch(
        store=b"s" * 16,
        number=0,
        previous=bytes(32),
        session=b"t" * 16,
        first=0,
        events=[msgspec.msgpack.encode(event) for event in events],
        states=states,
        first_time=int(min(times)),
        last_time=int(max(times)),
    )
    assert any(words in problem for problem in check_batch(data).problems)


def test_a_batch_that_would_take_too_much_memory_is_named_and_not_unpacked() -> None:
    bomb = zstandard.compress(bytes(300 << 20))
    for size in (300 << 20, 1000):
        header = struct.pack(
            ">4s16sQ32s16sQIIQQIIII",
            b"EVB1",
            b"s" * 16,
            0,
            bytes(32),
            b"t" * 16,
            0,
            0,
            1,
            5,
            5,
            0,
            0,
            len(bomb),
            size,
        )
        (problem,) = check_batch(header + bomb).problems
        assert problem == f"has reports of {300 << 20} bytes, its header says {size}"


def test_a_log_cut_off_or_emptied_is_named(sound: Path, copy: Path) -> None:
    size = (sound / "log" / "data.mdb").stat().st_size
    for length in (0, 100, 5000, 9000, size // 3, size // 2):
        (copy / "log" / "data.mdb").write_bytes((sound / "log" / "data.mdb").read_bytes()[:length])
        assert any(line.startswith("log/data.mdb: ") for line in problems_of(copy)), length


def test_a_damaged_lock_file_of_lmdb_is_survived(copy: Path) -> None:
    for data in (b"", bytes(100), random.Random(1).randbytes(70_000), b"\xff" * 70_000):
        (copy / "log" / "lock.mdb").write_bytes(data)
        assert all(line.startswith("log: LMDB cannot open") for line in problems_of(copy))


# Damage to blobs.


def test_a_byte_changed_in_a_blob_is_named(copy: Path) -> None:
    for path in sorted((copy / "blobs").glob("*/*")):
        for offset in (0, path.stat().st_size // 2, path.stat().st_size - 1):
            with changed(path, offset, 0x01):
                (line,) = problems_of(copy)
                assert line.startswith(f"blobs/{path.name[:2]}/{path.name} was changed: its SHA-256 is ")


def test_missing_blobs_and_foreign_files_are_named(copy: Path) -> None:
    paths = sorted((copy / "blobs").glob("*/*"))
    for path in paths:
        path.unlink()
    lines = problems_of(copy)
    assert len(lines) == 3
    for path in paths:
        assert any(
            f"blobs/{path.name[:2]}/{path.name}, which batch " in line and "missing" in line for line in lines
        )
    (copy / "blobs" / "notes.txt").write_text("hello")
    (copy / "blobs" / "ab").mkdir(exist_ok=True)
    (copy / "blobs" / "ab" / ("cd" * 32)).write_text("hello")
    (copy / "blobs" / "ab" / ("ab" * 32)).mkdir()
    foreign = [line for line in problems_of(copy) if line not in lines]
    assert foreign == [
        f"blobs/ab/{'ab' * 32} is not a blob",
        f"blobs/ab/{'cd' * 32} is not a blob",
        "blobs/notes.txt is not a folder of blobs",
    ]


# Damage to journals.


def journal_of(home: Path) -> Path:
    (chunk,) = (home / "journals").glob("*/000000")
    return chunk


def journal_problems(home: Path) -> list[str]:
    journals, foreign = check_journals(home)
    for journal in journals:
        journal.check_position(0, 0)
    return foreign + [line for journal in journals for line in journal.problems]


def test_a_byte_changed_anywhere_in_a_journal_is_named(copy: Path) -> None:
    path = journal_of(copy)
    used = len(path.read_bytes().rstrip(b"\0"))
    assert used > 1000
    # A chunk's size is not part of what is checked, and a small one is read faster.
    os.truncate(path, used + 1000)
    for offset in range(used):
        with changed(path, offset, 0x41):
            lines = journal_problems(copy)
            assert lines, offset
            assert lines[0].startswith(f"journals/{path.parent.name}"), lines


def test_a_changed_journal_is_named_by_verify_and_a_missing_one_is_not_missed(copy: Path) -> None:
    path = journal_of(copy)
    with changed(path, 200):
        (line,) = problems_of(copy)
        assert line.startswith(f"journals/{path.parent.name}/000000 (byte ")
        assert line.endswith("and more follows it")
    (path.parent / "notes").write_text("hello")
    assert problems_of(copy) == [f"journals/{path.parent.name}/notes is not a chunk"]
    shutil.rmtree(path.parent)
    assert problems_of(copy) == []


def test_a_last_frame_cut_short_is_no_damage(copy: Path) -> None:
    path = journal_of(copy)
    data = path.read_bytes()
    position, last = FRAMES_START, 0
    while (length := int.from_bytes(data[position : position + 4], "big")) > 0:
        last, position = position, position + 8 + length
    data = data[: position + 5000]
    # A copy is cut short by whole registers of the processor.
    for end in range(last, position - 15, 16):
        path.write_bytes(data[:end].ljust(len(data), b"\0"))
        assert journal_problems(copy) == [], end
    # Copied in another order, so that its length and its beginning are what is missing.
    for start in range(last + 16, position, 16):
        path.write_bytes(data[:last] + bytes(start - last) + data[start:])
        assert journal_problems(copy) == [], start
    # The same in the middle is damage.
    for place in (last // 2, 10 * last // 11):
        path.write_bytes(data[:place] + bytes(16) + data[place + 16 :])
        assert len(journal_problems(copy)) == 1


def test_a_chunk_being_begun_or_erased_is_no_damage(copy: Path) -> None:
    path = journal_of(copy)
    data = path.read_bytes()
    for erased in (4, 30, 52, 500):
        path.write_bytes(bytes(erased) + data[erased:])
        assert journal_problems(copy) == []
    path.write_bytes(bytes(4) + data[4:52] + bytes(5000))
    assert journal_problems(copy) == []


def test_a_page_of_a_journal_lost_between_others_is_damage(copy: Path) -> None:
    path = journal_of(copy)
    data = bytearray(path.read_bytes())
    data[1024:2048] = bytes(1024)
    path.write_bytes(data)
    (line,) = journal_problems(copy)
    assert "does not hold, and" in line


def write_chunk(folder: Path, name: str, first: int, events: list[bytes], **header: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    store, session = header.get("store", b"s" * 16), header.get("session", bytes.fromhex(folder.name))
    head = struct.pack(">4s16s16sQI", b"EVJ1", store, session, first, 99)
    frames = b"".join(struct.pack(">II", len(one), zlib.crc32(one, 99)) + one for one in events)
    (folder / name).write_bytes((head + struct.pack(">I", zlib.crc32(head)) + frames).ljust(8192, b"\0"))


def test_chunks_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "journals" / ("5e" * 16)
    scalars = [encode_event(ScalarReported(time, TASK, "loss", "train", 0, 1.0)) for time in range(10)]
    begun = [encode_event(SessionStarted(0, "", "host", "ada", 1))]
    write_chunk(folder, "000000", 0, begun + scalars[:4])
    write_chunk(folder, "000003", 5, scalars[4:])
    assert journal_problems(tmp_path) == []
    write_chunk(folder, "000003", 6, scalars[4:])
    assert journal_problems(tmp_path) == [f"journals/{folder.name}: events 5 to 5 are missing"]
    write_chunk(folder, "000003", 5, scalars[:4])
    assert journal_problems(tmp_path) == [f"journals/{folder.name}: event times go back"]
    write_chunk(folder, "000003", 5, scalars[4:], session=b"t" * 16)
    assert journal_problems(tmp_path)[0].endswith(f"it belongs to session {(b't' * 16).hex()}")
    write_chunk(folder, "000003", 5, scalars[4:], store=b"t" * 16)
    assert journal_problems(tmp_path)[0].endswith(f"it belongs to store {(b't' * 16).hex()}")
    write_chunk(folder, "000003", 5, [b"\xc1"])
    assert "event 5 cannot be decoded" in journal_problems(tmp_path)[0]
    (folder / "000003").unlink()
    (folder / "000004").write_bytes(bytes(8192))
    assert journal_problems(tmp_path) == []
    (tmp_path / "journals" / "notes").write_text("hello")
    assert journal_problems(tmp_path) == ["journals/notes is not a journal"]


def test_a_blob_that_only_a_journal_names_must_be_there(copy: Path) -> None:
    folder = copy / "journals" / ("5e" * 16)
    digest = "12" * 32
    event = ArtifactUploaded(1, TASK, "model", "file", digest, 3, "model.bin")
    begun = encode_event(SessionStarted(0, "", socket.gethostname(), "ada", 1))
    store = log_of(copy)["meta"][b"store"]
    write_chunk(folder, "000000", 0, [begun, encode_event(event)], store=store)
    assert problems_of(copy) == [f"blobs/12/{digest}, which journals/{folder.name} names, is missing"]


@pytest.mark.parametrize("kind", [TextReported, PlotReported, MediaReported])
def test_a_blob_that_only_a_report_names_must_be_there(
    home: Path, kind: type[TextReported | PlotReported | MediaReported]
) -> None:
    digest = "12" * 32
    fields: dict[type, tuple[object, ...]] = {
        TextReported: ("", 20, digest),
        PlotReported: ("roc", "", 0, "", digest),
        MediaReported: ("samples", "", 0, "image", digest, 3),
    }
    with Store.open(home) as store:
        store.session.append(kind, TASK, *fields[kind])
    (line,) = problems_of(home)
    assert line.startswith(f"blobs/12/{digest}, which batch ")


def test_of_large_batches_one_is_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_batch(
        store=b"s" * 16,
        number=0,
        previous=bytes(32),
        session=b"t" * 16,
        first=0,
        events=[msgspec.msgpack.encode(["ScalarReported", 5, "a" * 32, "loss", "train", 1, 0.5])] * 3,
        states=[],
        first_time=5,
        last_time=5,
    )
    held: list[bool] = []
    decompress = check_batch_module._decompress

    def watched(frame: bytes, size: int, name: str) -> bytes:
        held.append(check_batch_module._one_large.locked())
        return decompress(frame, size, name)

    monkeypatch.setattr(check_batch_module, "_decompress", watched)
    for large in (check_batch_module.LARGE, 0):
        monkeypatch.setattr(check_batch_module, "LARGE", large)
        assert check_batch(data).whole
    assert held == [False, False, True, True]
    assert not check_batch_module._one_large.locked()
