"""A full disk, or a limit on file sizes: nothing is raised into a training loop, nothing is forgotten."""

import contextlib
import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from eventlog import events
from eventlog.chunk import CHUNK_SIZE, Chunk, maps_safely
from eventlog.committer import MAX_WAITING, RESERVE
from eventlog.errors import StoreFull
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog.disks import fill, mounted
from tests.eventlog.processes import (
    TASK,
    Acknowledged,
    chain_of,
    events_of,
    read_store,
    run,
    start,
    wait_until,
)

MIB = 1 << 20


# One in memory, one that overwrites its blocks in place, and one that never does.
@pytest.fixture(params=["tmpfs", "ext4", "btrfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", request.param, (120 if request.param == "btrfs" else 48) * MIB) as folder:
        yield folder


def report(store: Store, number: int, size: int = 0) -> None:
    if size:
        store.session.append(events.TextReported, TASK, f"{number} ".ljust(size, "x"))
    else:
        store.session.append(events.ScalarReported, TASK, "loss", "train", number, 0.5)


def numbers(store: Store) -> list[int]:
    return [
        event.iteration if isinstance(event, events.ScalarReported) else int(event.text.split()[0])
        for event in events_of(chain_of(store), events.ScalarReported, events.TextReported)
    ]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_full_disk_costs_one_warning_and_is_caught_up_with(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(disk / "home") as store:
        report(store, 0)
        store.flush()
        filler = fill(disk)
        # Beyond the chunk that is allocated already.
        for number in range(1, 120_000):
            report(store, number)
        with pytest.raises(StoreFull, match=r"no room .*free some disk space"):
            store.flush()
        assert len(warnings_of(caplog)) == 1
        assert "no room" in warnings_of(caplog)[0]
        filler.unlink()
        store.flush()
        assert numbers(store) == list(range(120_000))
        report(store, 120_000)
    assert len(warnings_of(caplog)) == 1
    with Store.open(disk / "home") as store:
        assert numbers(store) == list(range(120_001))
        assert not events_of(chain_of(store), events.EventsDropped)
    assert not verify(disk / "home").problems


def test_it_is_caught_up_with_without_anybody_asking(disk: Path) -> None:
    with Store.open(disk / "home") as store:
        report(store, 0)
        store.flush()
        filler = fill(disk)
        for number in range(1, 1000):
            report(store, number, 6000)
        with pytest.raises(StoreFull):
            store.flush()
        filler.unlink()
        wait_until(lambda: numbers(store) == list(range(1000)))


def test_reports_that_do_not_fit_into_the_backlog_are_dropped_and_counted_where_they_are_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    size = 60_000
    with mounted(tmp_path / "disk", "tmpfs", 160 * MIB) as disk, Store.open(disk / "home") as store:
        report(store, 0)
        store.flush()
        filler = fill(disk)
        count = int(1.5 * (MAX_WAITING + RESERVE)) // size
        for number in range(1, count):
            report(store, number, size)
            if number % 10 == 0:
                store.session.append(events.ProgressSet, TASK, number)
        filler.unlink()
        store.flush()
        report(store, count)
        store.session.append(events.ProgressSet, TASK, count)
        store.flush()
        found = chain_of(store)
        kept = numbers(store)
        dropped = events_of(found, events.EventsDropped)
        assert sum(event.count for event in dropped) + len(kept) == count + 1
        assert kept == sorted(set(kept))
        assert kept[-1] == count
        assert all("no room" in event.reason for event in dropped)
        progress = [event.progress for event in events_of(found, events.ProgressSet)]
        assert progress == [*range(10, count, 10), count]
        # Reports were kept up to the bound, and then dropped in one go.
        assert kept == [*range(len(kept) - 1), count]
        assert MAX_WAITING * 3 // 4 < len(kept) * size < MAX_WAITING + RESERVE
        assert len(warnings_of(caplog)) == 1
        kinds = [type(one.event) for one in found if not isinstance(one.event, events.ProgressSet)]
        assert kinds[-2:] == [events.EventsDropped, events.ScalarReported]


def lines_of_a_report(store: Store) -> int:
    """How many lines of Python a report runs through."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        report(store, 0)
    finally:
        sys.settrace(before)
    return count


def test_a_report_that_is_dropped_costs_no_more_the_more_state_events_wait(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "tmpfs", 160 * MIB) as disk, Store.open(disk / "home") as store:
        report(store, 0)
        store.flush()
        filler = fill(disk)
        for number in range(MAX_WAITING // 60_000 + 100):
            report(store, number, 60_000)
        with pytest.raises(StoreFull):
            store.flush()
        # What is left of the last chunk.
        for number in range(MIB // 100):
            report(store, number, 100)
        store.session.append(events.ProgressSet, TASK, 0)
        few = lines_of_a_report(store)
        for number in range(1, 1000):
            store.session.append(events.ProgressSet, TASK, number % 100)
        assert lines_of_a_report(store) == few
        filler.unlink()
        store.flush()
        assert len(events_of(chain_of(store), events.ProgressSet)) == 1000


@pytest.mark.parametrize("left", [0, 4096, 70_000, 200_000, 4 * MIB - 4096, 4 * MIB, 4 * MIB + 8192, 9 * MIB])
def test_wherever_the_room_ends_nothing_is_lost(tmp_path: Path, left: int) -> None:
    with mounted(tmp_path / "disk", "tmpfs", 64 * MIB) as disk, Store.open(disk / "home") as store:
        report(store, 0)
        store.session.close()
        filler = fill(disk, left)
        # The session begins, fills chunks and commits with what is left.
        for number in range(1, 400):
            store.session.append(events.TextReported, TASK, f"{number} " + os.urandom(12_000).hex())
            if number == 100:
                with contextlib.suppress(StoreFull):
                    store.flush()
        filler.unlink()
        store.flush()
        assert numbers(store) == list(range(400))
        store.session.close()
        assert not list((store.home / "journals").iterdir())


def test_a_disk_without_room_for_a_file_lets_a_session_begin(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mounted(tmp_path / "disk", "tmpfs", 64 * MIB, ",nr_inodes=64") as disk:
        with Store.open(disk / "home") as store:
            with contextlib.suppress(OSError):
                for number in range(64):
                    (disk / f"file{number}").touch()
            report(store, 0)
            store.flush()
            report(store, 1)
            assert len(warnings_of(caplog)) == 1
            for path in disk.glob("file*"):
                path.unlink()
            store.flush()
            # From now on there is a journal, which another process can see.
            report(store, 2)
            journals = list((disk / "home" / "journals").iterdir())
            assert [path.name for path in journals] == [store.session.id.hex()]
        with Store.open(disk / "home") as store:
            assert numbers(store) == [0, 1, 2]


# Reports numbers for ever, without a pause in which nothing waits; slowly enough for a backlog of seconds.
BUSY = """
    import sys, time
    from eventlog import events
    from eventlog.store import Store
    from tests.eventlog.processes import TASK, Acknowledged

    store = Store.open(sys.argv[1])
    acknowledged = Acknowledged(sys.argv[2])
    number = 0
    while True:
        store.session.append(events.TextReported, TASK, f"{number} ".ljust(200, "x"))
        acknowledged.add(number)
        number += 1
        if number % 100 == 0:
            time.sleep(1e-3)
"""


def committed(store: Store) -> int:
    return sum(record.next for record in store.sessions())


def test_once_there_is_room_again_a_busy_process_can_be_killed_without_loss(
    disk: Path, tmp_path: Path
) -> None:
    home = disk / "home"
    log = Acknowledged(tmp_path / "log")
    with Store.open(home) as store, start(BUSY, home, log.path, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: committed(store))
            filler = fill(disk)
            # Until it has filled the chunks that it has.
            full = len(log.numbers())
            wait_until(lambda: len(log.numbers()) > full + 40_000)
            filler.unlink()
            # The first commit that succeeds has a file looked for; by the second there is one.
            for _ in range(2):
                reached = len(log.numbers())
                wait_until(lambda reached=reached: committed(store) > reached)
        finally:
            process.kill()
    acknowledged = log.numbers()
    with Store.open(home) as store:
        found = numbers(store)
        assert found == list(range(len(found)))
        assert 0 <= len(found) - len(acknowledged) <= 1


def test_a_process_killed_while_the_disk_is_full_leaves_no_hole(disk: Path, tmp_path: Path) -> None:
    home = disk / "home"
    log = Acknowledged(tmp_path / "log")
    with Store.open(home) as store, start(BUSY, home, log.path, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: committed(store))
            before = len(log.numbers())
            filler = fill(disk)
            full = len(log.numbers())
            wait_until(lambda: len(log.numbers()) > full + 40_000)
        finally:
            process.kill()
    assert len(list((home / "journals").iterdir())) == 1
    with Store.open(home) as store:
        # There may be no room to recover it, and yet the store can be read.
        assert numbers(store) == list(range(len(numbers(store))))
    filler.unlink()
    with Store.open(home) as store:
        found = numbers(store)
        assert found == list(range(len(found)))
        assert before <= len(found) < len(log.numbers())
        assert not list((home / "journals").iterdir())
    assert not verify(home).problems


def test_a_process_that_ends_while_the_disk_is_full_ends_as_ever_and_says_what_is_lost(disk: Path) -> None:
    program = """
        import logging, sys
        from pathlib import Path
        from eventlog import events
        from eventlog.store import Store
        from tests.eventlog.disks import fill
        from tests.eventlog.processes import TASK
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        disk = Path(sys.argv[1])
        store = Store.open(disk / "home")
        store.session.append(events.TextReported, TASK, "0")
        store.flush()
        fill(disk)
        for number in range(1, 20_000):
            store.session.append(events.TextReported, TASK, f"{number} ".ljust(300, "x"))
    """
    output = run(program, disk).splitlines()
    assert len(output) == 3
    assert all(line.startswith("eventlog: ") for line in output)
    assert "lost with this process" in output[-1]
    (disk / "filler").unlink()
    found = [
        int(event.text.split()[0]) for event in events_of(read_store(disk / "home"), events.TextReported)
    ]
    assert found == list(range(len(found)))
    assert 1 <= len(found) < 20_000
    # The chunk that it had was really there.
    assert len(found) > 10_000 or not maps_safely(disk)


def test_a_store_cannot_be_made_on_a_full_disk_and_the_error_says_what_to_do(disk: Path) -> None:
    program = """
        import sys
        from eventlog.errors import StoreFull
        from eventlog.store import Store
        try:
            Store.open(sys.argv[1])
        except StoreFull as error:
            print(error)
    """
    for left in (0, 8192, 40_000):
        (disk / "filler").unlink(missing_ok=True)
        fill(disk, left)
        output = run(program, disk / f"home{left}")
        assert output.count("\n") == 1, left
        assert "no room" in output
        assert "free some disk space" in output
    (disk / "filler").unlink()
    for left in (0, 8192, 40_000):
        run(program, disk / f"home{left}")
        assert read_store(disk / f"home{left}") == []


LIMITED = """
    import logging, resource, sys
    from eventlog import events
    from eventlog.errors import StoreFull
    from eventlog.store import Store
    from tests.eventlog.processes import TASK, chain_of, events_of
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    store = Store.open(sys.argv[1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), limits[1]))
    for number in range(30_000):
        store.session.append(events.ScalarReported, TASK, "loss", "train", number, 0.5)
        if number % 5000 == 0:
            store.session.append(events.TextReported, TASK, "".join(map(str, range(9000))))
    try:
        store.flush()
        print("flushed")
    except StoreFull as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    store.flush()
    reported = [event.iteration for event in events_of(chain_of(store), events.ScalarReported)]
    assert reported == list(range(30_000))
    store.close()
"""


@pytest.mark.parametrize("limit", [0, 4096, 40_000, 70_000, 4 * MIB - 1])
def test_a_limit_on_the_size_of_files_is_a_full_disk(home: Path, limit: int) -> None:
    output = run(LIMITED, home, limit).splitlines()
    # One warning; and the last limit leaves room for the commits, not for the chunks.
    assert output[0].startswith("eventlog: no room for the journal")
    assert len(output) == 2
    assert output[1] == "flushed" if limit > MIB else "no room to write" in output[1]
    assert not list((home / "journals").iterdir())


def test_what_was_in_memory_is_in_the_file_that_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the file and the next commit leaves no hole."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    with Store.open(home) as store:
        report(store, 0)
        store.flush()
        go = threading.Event()
        # A writer that holds LMDB's lock keeps every commit waiting.
        writer = threading.Thread(target=store.environment.write, args=(lambda _: go.wait(),))
        writer.start()
        number, size = 1, 60_000
        with monkeypatch.context() as patch:
            patch.setattr(Chunk, "allocate", no_room)
            while not is_in_memory(store) or number * size < 2 * CHUNK_SIZE:
                report(store, number, size)
                number += 1
        while is_in_memory(store):
            report(store, number, size)
            number += 1
        # As it would be if the process were killed now.
        shutil.copytree(home, copy)
        go.set()
        writer.join()
    program = """
        import sys
        from pathlib import Path
        from tests.eventlog.processes import chain_of, events_of
        from eventlog import events
        from eventlog.store import Store
        with Store.open(Path(sys.argv[1])) as store:
            print(*(one.text.split()[0] for one in events_of(chain_of(store), events.TextReported)))
    """
    assert run(program, copy).split() == [str(one) for one in range(1, number)]


def no_room(*_: object, **__: object) -> Chunk:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_in_memory(store: Store) -> bool:
    chunk = store.session._chunk
    return chunk is not None and chunk.path is None
