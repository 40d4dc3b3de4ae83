"""An LMDB environment: it grows, outlives forks and failed writes, and refuses what is not its own."""

import os
import random
import shutil
import signal
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from eventlog.environment import Environment
from eventlog.errors import DataCorrupt, EventlogError, StoreInvalid, StoreReadOnly
from tests.eventlog.disks import read_only
from tests.eventlog.processes import DEADLINE_SECONDS, fingerprint, run, start, wait_until

DATABASES: dict[str, dict[str, Any]] = {"one": {}, "two": {"dupsort": True}}
SMALL = 64 << 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def environment(folder: Path) -> Iterator[Environment]:
    environment = Environment(folder, DATABASES, map_size=SMALL)
    yield environment
    environment.close()


def put(environment: Environment, number: int, size: int = 20_000) -> None:
    value = random.Random(number).randbytes(size)
    environment.write(lambda writing: writing.put(b"%08d" % number, value, db=environment["one"]))


def check(environment: Environment, count: int, size: int = 20_000) -> None:
    with environment.read() as reading:
        for number in range(count):
            assert reading.get(b"%08d" % number, db=environment["one"]) == random.Random(number).randbytes(
                size
            )
        assert reading.stat(environment["one"])["entries"] == count


def test_an_environment_is_made_private_and_kept(folder: Path) -> None:
    environment = Environment(folder, DATABASES)
    put(environment, 0)
    assert repr(environment) == f"<Environment {folder}>"
    assert environment.size() == (folder / "data.mdb").stat().st_size
    environment.close()
    assert {path.name: path.stat().st_mode & 0o777 for path in [folder, *folder.iterdir()]} == {
        "log": 0o700,
        "data.mdb": 0o600,
        "lock.mdb": 0o600,
    }
    # All of the lock file is there: it is written through memory.
    assert (folder / "lock.mdb").stat().st_blocks * 512 >= (folder / "lock.mdb").stat().st_size > 64 << 10
    environment = Environment(folder, DATABASES)
    check(environment, 1)
    environment.close()


def test_a_database_that_a_newer_version_added_is_made(folder: Path) -> None:
    environment = Environment(folder, DATABASES)
    put(environment, 0)
    environment.close()
    environment = Environment(folder, {**DATABASES, "three": {}})
    check(environment, 1)
    with environment.read() as reading:
        assert reading.stat(environment["three"])["entries"] == 0
    environment.close()


# Growing.


def test_a_map_that_is_full_grows_while_other_threads_read(environment: Environment) -> None:
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                with environment.read() as reading, reading.cursor(environment["one"]) as cursor:
                    for key, value in cursor:
                        assert value == random.Random(int(key)).randbytes(20_000)
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for number in range(60):
            put(environment, number)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not failures
    check(environment, 60)


def test_a_value_larger_than_the_map_is_kept(environment: Environment) -> None:
    put(environment, 0, 10 << 20)
    check(environment, 1, 10 << 20)


def test_a_map_that_another_process_grew_is_grown_here(environment: Environment) -> None:
    program = """
        import sys
        from pathlib import Path
        from eventlog.environment import Environment
        from tests.eventlog.test_environment import DATABASES, SMALL, check, put
        environment = Environment(Path(sys.argv[1]), DATABASES, map_size=SMALL)
        for first, last in ((20, 60), (100, 200)):
            sys.stdin.readline()
            check(environment, first)
            for number in range(first, last):
                put(environment, number)
            print("grown", flush=True)
    """
    with start(program, environment.path, stdin=-1, stdout=-1) as process:
        for first, last in ((0, 20), (60, 100)):
            for number in range(first, last):
                put(environment, number)
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"grown\n"
            # Both begin with a reader that finds the map too small, here in several threads at once.
            readers = [
                threading.Thread(target=check, args=(environment, {20: 60, 100: 200}[last])) for _ in range(3)
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
        put(environment, 200)
    check(environment, 201)


def test_an_environment_is_opened_while_another_process_makes_it_grow(folder: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        from eventlog.environment import Environment
        from tests.eventlog.test_environment import DATABASES, SMALL, put
        environment = Environment(Path(sys.argv[1]), DATABASES, map_size=SMALL)
        for number in range(300):
            put(environment, number)
    """
    Environment(folder, DATABASES, map_size=SMALL).close()
    with start(program, folder) as process:
        while process.poll() is None:
            Environment(folder, DATABASES, map_size=SMALL).close()
    assert process.returncode == 0
    environment = Environment(folder, DATABASES, map_size=SMALL)
    check(environment, 300)
    environment.close()


def test_growing_within_a_transaction_of_the_same_thread_is_refused_and_not_waited_for(
    environment: Environment,
) -> None:
    with environment.read(), pytest.raises(EventlogError, match="nested use"):
        put(environment, 0, 1 << 20)
    put(environment, 0, 1 << 20)
    check(environment, 1, 1 << 20)


def test_transactions_within_others_of_the_same_thread_go_on_while_somebody_waits_to_be_alone(
    environment: Environment,
) -> None:
    begun, closed = threading.Event(), threading.Event()

    def close() -> None:
        begun.wait()
        environment.close()
        closed.set()

    closer = threading.Thread(target=close)
    closer.start()
    with environment.read():
        begun.set()
        wait_until(lambda: environment._alone_for is not None)
        with environment.read() as reading:
            assert reading.stat(environment["one"])["entries"] == 0
        assert not closed.is_set()
    closer.join()
    with pytest.raises(StoreInvalid, match="cannot be used"), environment.read():
        pass


# Other processes.


def test_readers_that_were_killed_do_not_take_all_places(environment: Environment) -> None:
    program = """
        import os, signal, sys
        import lmdb
        environment = lmdb.open(sys.argv[1], max_dbs=4, max_readers=1024)
        held = []
        try:
            while True:
                held.append(environment.begin())
        except lmdb.ReadersFullError:
            print(len(held), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    count = int(run(program, environment.path, status=-signal.SIGKILL))
    assert count > 1000
    check(environment, 0)
    put(environment, 0)
    check(environment, 1)


def forked(work: Callable[[], object]) -> None:
    """Run it in a child of a fork, where it has to go through."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_has_a_handle_of_its_own_and_takes_nothing_from_its_parent(folder: Path) -> None:
    program = """
        import os, sys, threading
        from pathlib import Path
        from eventlog.environment import Environment
        from tests.eventlog.test_environment import DATABASES, SMALL, check, forked, put

        environment = Environment(Path(sys.argv[1]), DATABASES, map_size=SMALL)
        done = threading.Event()

        def read():
            while not done.is_set():
                with environment.read() as reading, reading.cursor(environment["one"]) as cursor:
                    assert all(len(value) == 20000 for _, value in cursor)

        def write():
            while not done.is_set():
                environment.write(lambda writing: writing.put(b"x", os.urandom(500), db=environment["two"]))

        def in_child(number):
            put(environment, number + 1)
            forked(lambda: check(environment, number + 2))
            environment.close()

        threads = [threading.Thread(target=work) for work in (read, read, write)]
        for thread in threads:
            thread.start()
        try:
            for number in range(0, 20, 2):
                put(environment, number)
                forked(lambda: in_child(number))
                check(environment, number + 2)
        finally:
            done.set()
        for thread in threads:
            thread.join()
        environment.close()
    """
    run(program, folder)


def test_a_forked_child_can_write_after_an_error_that_the_parent_has_kept(environment: Environment) -> None:
    """Its traceback refers to the transaction that failed."""

    def fail(writing: Any) -> None:
        raise ArithmeticError

    with pytest.raises(ArithmeticError) as kept:
        environment.write(fail)
    forked(lambda: put(environment, 0))
    check(environment, 1)
    assert kept.value.__traceback__ is not None


def test_a_forked_child_can_write_while_a_thread_has_an_ended_transaction_in_a_variable(
    environment: Environment,
) -> None:
    ready, done = threading.Event(), threading.Event()

    def read() -> None:
        with environment.read() as reading:
            assert reading.stat(environment["one"])["entries"] == 0
        ready.set()
        done.wait()
        del reading

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        ready.wait()
        forked(lambda: put(environment, 0))
    finally:
        done.set()
        reader.join()
    check(environment, 1)


def test_threads_that_fork_at_once_wait_for_each_other(folder: Path) -> None:
    program = """
        import os, sys, threading
        from pathlib import Path
        from eventlog.environment import Environment
        from tests.eventlog.test_environment import DATABASES, put

        environment = Environment(Path(sys.argv[1]), DATABASES)
        failures = []

        def fork(worker):
            for number in range(8):
                put(environment, 100 * worker + number, 100)
                child = os.fork()
                if child == 0:
                    put(environment, 100 * worker + 50 + number, 100)
                    os._exit(0)
                if os.waitpid(child, 0)[1]:
                    failures.append(worker)

        threads = [threading.Thread(target=fork, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        with environment.read() as reading:
            print(reading.stat(environment["one"])["entries"])
    """
    assert run(program, folder) == "64\n"


# Failures.


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_a_write_that_fails_is_undone_while_other_threads_read_without_pause(
    environment: Environment, size: int
) -> None:
    """Its work raises, or fills the map; py-lmdb undoes it at an instant when no other thread reads."""
    for number in range(2):
        put(environment, number)
    done, together = threading.Event(), threading.Barrier(3)
    rounds = 0

    def read() -> None:
        together.wait()
        while not done.is_set():
            with environment.read() as reading:
                for _ in range(20):
                    for number in range(2):
                        reading.get(b"%08d" % number, db=environment["one"])

    def fail(writing: Any) -> None:
        writing.put(b"key", bytes(size), db=environment["one"])
        raise ArithmeticError

    def write() -> None:
        nonlocal rounds, size
        together.wait()
        for _ in range(6):
            with pytest.raises(ArithmeticError):
                environment.write(fail)
            rounds += 1
            # So that the map is full each time.
            size *= 2

    readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    writer = threading.Thread(target=write, daemon=True)
    try:
        for thread in [*readers, writer]:
            thread.start()
        writer.join(DEADLINE_SECONDS / 3)
        stuck = writer.is_alive()
    finally:
        done.set()
        for thread in [*readers, writer]:
            thread.join()
    assert not stuck
    assert rounds == 6
    check(environment, 2)


def failing_writes(tmp_path: Path) -> Path:
    """A library that has writes to LMDB's meta pages fail as long as a file is there, to be preloaded."""
    source = tmp_path / "fail.c"
    source.write_text(
        r"""
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdlib.h>
        #include <string.h>
        #include <stdio.h>
        #include <sys/types.h>
        #include <unistd.h>

        static int fails(int file, off_t offset) {
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t size = readlink(link, path, sizeof path - 1);
            if (size < 0 || offset >= 8192) return 0;
            path[size] = 0;
            return strstr(path, "data.mdb") && access(getenv("FAIL_WHILE"), F_OK) == 0;
        }
        ssize_t pwrite(int file, const void *data, size_t size, off_t offset) {
            if (fails(file, offset)) { errno = atoi(getenv("FAIL_WITH")); return -1; }
            ssize_t (*next)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
            return next(file, data, size, offset);
        }
        ssize_t pwrite64(int file, const void *data, size_t size, off_t offset) {
            return pwrite(file, data, size, offset);
        }
        """
    )
    library = tmp_path / "fail.so"
    compiler = shutil.which("cc") or pytest.skip("there is no C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.parametrize(("number", "error"), [(28, "StoreFull"), (5, "StoreFull"), (122, "StoreFull")])
def test_a_write_of_the_meta_page_that_failed_is_got_over(
    tmp_path: Path, folder: Path, number: int, error: str
) -> None:
    """LMDB refuses a handle after that; a quota (122) that shows there is no other than a full disk."""
    program = """
        import os, sys, threading
        from pathlib import Path
        from eventlog.environment import Environment
        from eventlog.errors import EventlogError
        from tests.eventlog.test_environment import DATABASES, check, put

        environment = Environment(Path(sys.argv[1]), DATABASES)
        put(environment, 0)
        Path(os.environ["FAIL_WHILE"]).touch()
        for _ in range(3):
            try:
                put(environment, 1)
            except EventlogError as error:
                print(type(error).__name__)
        threads = [threading.Thread(target=check, args=(environment, 1)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.unlink(os.environ["FAIL_WHILE"])
        put(environment, 1)
        check(environment, 2)
        environment.close()
    """
    variables = {
        "LD_PRELOAD": str(failing_writes(tmp_path)),
        "FAIL_WHILE": str(tmp_path / "fail"),
        "FAIL_WITH": str(number),
    }
    assert run(program, folder, env=variables).split() == [error] * 3


def test_what_is_not_lmdb_s_is_refused_and_not_touched(folder: Path) -> None:
    for data in (b"garbage", b"garbage" * 10_000, bytes(10_000), b"\0" * 16 + b"\xde\xc0\xef\xbe"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "data.mdb").write_bytes(data)
        before = fingerprint(folder, times=True)
        for reading in (False, True):
            with pytest.raises((StoreInvalid, DataCorrupt), match=f"^{folder} .*eventlog verify"):
                Environment(folder, DATABASES, read_only=reading)
        assert fingerprint(folder, times=True) == before


def test_an_environment_of_something_else_is_refused_and_not_changed(folder: Path) -> None:
    folder.mkdir()
    for key in (b"other", None):
        with lmdb.open(str(folder), max_dbs=4) as other:
            database = other.open_db(key)
            with other.begin(write=True) as writing:
                writing.put(b"key", b"value", db=database)
        before = fingerprint(folder)["data.mdb"]
        for reading in (False, True):
            with pytest.raises(StoreInvalid, match="something else: set EVENTLOG_HOME"):
                Environment(folder, DATABASES, read_only=reading)
        assert fingerprint(folder)["data.mdb"] == before
        shutil.rmtree(folder)
        folder.mkdir()


def test_an_empty_data_file_is_one_that_was_never_begun(folder: Path) -> None:
    folder.mkdir()
    (folder / "data.mdb").touch()
    environment = Environment(folder, DATABASES)
    put(environment, 0)
    check(environment, 1)
    environment.close()


@pytest.mark.parametrize("reading", [False, True])
def test_a_data_file_that_was_cut_off_is_named_and_kills_nobody(
    environment: Environment, folder: Path, tmp_path: Path, reading: bool
) -> None:
    """Where little is missing, zeros take its place: it may be that nothing was lost, or it is not read."""
    program = """
        import sys
        from pathlib import Path
        from eventlog.environment import Environment
        from eventlog.errors import DataCorrupt, StoreInvalid
        from tests.eventlog.test_environment import DATABASES, check
        for path in map(Path, sys.argv[2:]):
            try:
                environment = Environment(path, DATABASES, read_only=bool(int(sys.argv[1])))
                check(environment, 100)
                print("read", flush=True)
            except (DataCorrupt, StoreInvalid, AssertionError) as error:
                print(type(error).__name__, error, flush=True)
    """
    for number in range(100):
        put(environment, number)
    size = environment.size()
    lengths = (100, 4096, 8192, 10_000, size // 3, size - (1 << 20) - 4096, size - 8192, size - 1)
    copies = [tmp_path / f"copy{length}" for length in lengths]
    for copy, length in zip(copies, lengths, strict=True):
        copy.mkdir()
        shutil.copyfile(folder / "data.mdb", copy / "data.mdb")
        os.truncate(copy / "data.mdb", length)
    before = [fingerprint(copy)["data.mdb"] for copy in copies]
    lines = run(program, int(reading), *copies).splitlines()
    assert len(lines) == len(copies)
    # A reader mends nothing.
    unmended = len(copies) if reading else len(copies) - 2
    for number, (copy, line) in enumerate(zip(copies, lines, strict=True)):
        named = line.startswith((f"DataCorrupt {copy} ", f"StoreInvalid {copy} "))
        assert named or (number >= unmended and line.startswith(("read", "AssertionError"))), line
        if number < unmended:
            assert fingerprint(copy)["data.mdb"] == before[number]


def test_what_cannot_be_written_is_named_so_and_can_be_read(environment: Environment, folder: Path) -> None:
    put(environment, 0)
    environment.close()
    with read_only(folder):
        with pytest.raises(StoreReadOnly, match=f"^{folder} cannot be written .*check its owner and rights"):
            Environment(folder, DATABASES)
        reading = Environment(folder, DATABASES, read_only=True)
        check(reading, 1)
        with pytest.raises(StoreReadOnly):
            put(reading, 1)
        reading.close()


def test_who_has_no_right_to_the_lock_file_can_read(folder: Path) -> None:
    program = """
        import os, sys
        from pathlib import Path
        from eventlog.environment import Environment
        from eventlog.errors import StoreReadOnly
        from tests.eventlog.test_environment import DATABASES, check
        # What the first one imports may lie where only root can read.
        Environment(Path(sys.argv[1]) / "other", DATABASES).close()
        # From here the path is seen without any right to the folders above.
        os.chdir(sys.argv[1])
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        check(Environment(Path("log"), DATABASES, read_only=True), 1)
        try:
            Environment(Path("log"), DATABASES)
        except StoreReadOnly as error:
            print("refused")
    """
    if os.getuid():
        pytest.skip("only root can become somebody else")
    environment = Environment(folder, DATABASES)
    put(environment, 0)
    environment.close()
    for path in [folder.parent, folder, *folder.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert run(program, folder.parent) == "refused\n"


def test_a_reader_of_a_living_environment_sees_snapshots_and_what_came_since(
    environment: Environment, folder: Path
) -> None:
    """Opened for reading alone it takes a reader's place, so that no page is overwritten under it."""
    program = """
        import sys
        from pathlib import Path
        from eventlog.environment import Environment
        from tests.eventlog.test_environment import DATABASES, check
        environment = Environment(Path(sys.argv[1]), DATABASES, read_only=True)
        with environment.read() as reading:
            print("ready", flush=True)
            sys.stdin.readline()
            for key, value in reading.cursor(environment["one"]):
                assert value == bytes(3000), key
        with environment.read() as reading:
            assert reading.get(b"00000000", db=environment["one"]) == bytes([99]) * 3000
    """

    def overwrite(byte: int) -> None:
        def work(writing: Any) -> None:
            for number in range(50):
                writing.put(b"%08d" % number, bytes([byte]) * 3000, db=environment["one"])

        environment.write(work)

    overwrite(0)
    with start(program, folder, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"ready\n"
        for byte in range(1, 100):
            overwrite(byte)
        process.communicate(b"\n")
    assert process.returncode == 0


def test_a_full_limit_is_named_with_what_to_do(folder: Path) -> None:
    program = """
        import resource, sys
        from pathlib import Path
        from eventlog.environment import Environment
        from eventlog.errors import StoreFull
        from tests.eventlog.test_environment import DATABASES, check, put
        environment = Environment(Path(sys.argv[1]), DATABASES)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        try:
            for number in range(100):
                put(environment, number)
        except StoreFull as error:
            print(error)
        check(environment, number)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        put(environment, number)
        check(environment, number + 1)
    """
    output = run(program, folder)
    assert output.startswith(f"{folder}: no room to write (")
    assert "raise the limit" in output
    assert output.count("\n") == 1
