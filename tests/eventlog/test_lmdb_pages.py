"""The reader of LMDB's file: agrees with LMDB on every sound file, and survives every damaged one."""

import os
import random
import shutil
import sys
from pathlib import Path

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.errors import DataCorrupt, StoreInvalid
from eventlog.held_transaction import HeldTransaction
from eventlog.lmdb_pages import Snapshot, SnapshotGone

PAGE = os.sysconf("SC_PAGESIZE")
NAMES = ("batches", "heads", "sessions")
Contents = dict[str, dict[bytes, bytes]]

changes = st.tuples(
    st.sampled_from(NAMES),
    st.binary(min_size=1, max_size=1) | st.binary(min_size=1, max_size=300),
    st.none()
    | st.tuples(st.sampled_from([0, 1, 40, 600, 1900, 2040, 2100, 5000, 70_000]), st.integers(0, 255)),
)
transactions = st.lists(st.lists(changes, max_size=30), min_size=1, max_size=25)


def open_environment(folder: Path) -> lmdb.Environment:
    return lmdb.open(str(folder), max_dbs=4, map_size=1 << 30, sync=False)


def write(environment: lmdb.Environment, contents: Contents, transaction: list[tuple]) -> None:
    handles = {name: environment.open_db(name.encode()) for name in NAMES}
    with environment.begin(write=True) as writing:
        for name, key, value in transaction:
            if value is None:
                writing.delete(key, db=handles[name])
                contents[name].pop(key, None)
            else:
                data = bytes([value[1]]) * value[0]
                writing.put(key, data, db=handles[name])
                contents[name][key] = data


def read(folder: Path, **options: int) -> tuple[Contents, list[str]]:
    contents: Contents = {name: {} for name in NAMES}
    with Snapshot(folder / "data.mdb", "data.mdb", **options) as snapshot:
        for database, key, value, page in snapshot.entries():
            assert 2 <= page <= snapshot.last_page
            contents.setdefault(database, {})[key] = value
        return contents, snapshot.problems


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(transactions)
def test_it_reads_what_lmdb_wrote_and_finds_nothing_wrong(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[tuple]]
) -> None:
    folder = tmp_path_factory.mktemp("environment")
    contents: Contents = {name: {} for name in NAMES}
    with open_environment(folder) as environment:
        for transaction in history:
            write(environment, contents, transaction)
        assert read(folder) == (contents, [])
    assert read(folder) == (contents, [])
    shutil.rmtree(folder)


def test_a_long_history_with_readers_in_between_leaves_nothing_wrong(tmp_path: Path) -> None:
    chance = random.Random(7)
    contents: Contents = {name: {} for name in NAMES}
    with open_environment(tmp_path) as environment:
        reader = None
        for _ in range(400):
            transaction = [
                (
                    chance.choice(NAMES),
                    b"%05d" % chance.randrange(600),
                    (chance.choice([5, 90, 3000, 20_000]), 1),
                )
                if chance.random() < 0.7
                else (chance.choice(NAMES), b"%05d" % chance.randrange(600), None)
                for _ in range(chance.randrange(12))
            ]
            write(environment, contents, transaction)
            if chance.random() < 0.05:
                if reader is not None:
                    reader.abort()
                reader = environment.begin()
            if chance.random() < 0.1:
                assert read(tmp_path) == (contents, [])
        if reader is not None:
            reader.abort()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with branches, leaves, large values and free pages."""
    folder = tmp_path_factory.mktemp("sound")
    chance = random.Random(3)
    contents: Contents = {name: {} for name in NAMES}
    with open_environment(folder) as environment:
        for number in range(60):
            transaction = [
                ("batches", b"%020d" % (number * 5 + place), (chance.choice([30, 900, 2500, 9000]), place))
                for place in range(5)
            ]
            write(environment, contents, [*transaction, ("heads", b"head", (40, number))])
    return folder


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(sound, folder)
    return folder


def shape(contents: Contents) -> dict[str, list[tuple[int, int]]]:
    """What this reader answers for: not the bytes of keys and values, but where they are and how long."""
    return {name: [(len(key), len(value)) for key, value in held.items()] for name, held in contents.items()}


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_byte_is_named_or_changes_nothing_that_is_held(sound: Path, copy: Path, seed: int) -> None:
    data = (sound / "data.mdb").read_bytes()
    expected, _ = read(sound)
    pages = [
        page
        for page in range(len(data) // PAGE)
        if int.from_bytes(data[page * PAGE :][:8], sys.byteorder) == page
    ]
    chance = random.Random(seed)
    named = 0
    descriptor = os.open(copy / "data.mdb", os.O_RDWR)
    for _ in range(300):
        # Where structure is: in the beginning of a page, and at its end.
        offset = chance.choice(
            [chance.randrange(160), chance.randrange(24), PAGE - 1 - chance.randrange(200)]
        )
        place = chance.choice(pages) * PAGE + offset
        os.pwrite(descriptor, bytes([data[place] ^ chance.randrange(1, 256)]), place)
        try:
            contents, problems = read(copy)
        except DataCorrupt as error:
            contents, problems = {}, [str(error)]
        named += bool(problems)
        assert problems or shape(contents) == shape(expected)
        assert all(line.startswith("data.mdb: ") and "\n" not in line for line in problems)
        os.pwrite(descriptor, data[place : place + 1], place)
    os.close(descriptor)
    assert named > 50


@pytest.mark.parametrize("slot", [0, 1])
def test_every_byte_of_a_meta_page_but_the_size_of_the_map_is_checked(
    sound: Path, copy: Path, slot: int
) -> None:
    data = (sound / "data.mdb").read_bytes()
    descriptor = os.open(copy / "data.mdb", os.O_RDWR)
    for offset in [*range(32), *range(40, 200), PAGE - 1]:
        place = slot * PAGE + offset
        for mask in (0x01, 0x80, 0xFF):
            os.pwrite(descriptor, bytes([data[place] ^ mask]), place)
            try:
                _, problems = read(copy)
            except DataCorrupt as error:
                problems = [str(error)]
            assert problems, (slot, offset, mask)
        os.pwrite(descriptor, data[place : place + 1], place)
    os.close(descriptor)


def pages_in_use(data: bytes) -> dict[str, int]:
    """One page of each kind, by what docs/FORMAT.md says of the file."""
    newest = max((int.from_bytes(data[slot * PAGE + 144 :][:8], sys.byteorder), slot) for slot in (0, 1))[1]
    free, main = (int.from_bytes(data[newest * PAGE + at :][:8], sys.byteorder) for at in (80, 128))
    record = data.index(b"batches", main * PAGE) + len(b"batches")
    branch = int.from_bytes(data[record + 40 :][:8], sys.byteorder)
    node = branch * PAGE + int.from_bytes(data[branch * PAGE + 16 :][:2], sys.byteorder)
    return {"free list": free, "main": main, "branch": branch, "leaf": data[node] | data[node + 1] << 8}


@pytest.mark.parametrize("kind", ["free list", "main", "branch", "leaf"])
def test_every_byte_of_structure_in_a_page_is_named(sound: Path, copy: Path, kind: str) -> None:
    data = (sound / "data.mdb").read_bytes()
    expected, _ = read(sound)
    page = pages_in_use(data)[kind]
    start = page * PAGE
    lower, upper = (int.from_bytes(data[start + at :][:2], sys.byteorder) for at in (12, 14))
    assert int.from_bytes(data[start : start + 8], sys.byteorder) == page
    assert data[start + 10] == (1 if kind == "branch" else 2)
    pointers = [int.from_bytes(data[start + at :][:2], sys.byteorder) for at in range(16, lower, 2)]
    heads = [pointer + at for pointer in pointers for at in range(8)]
    # Of the free list and the main database, what is in the nodes is structure as well.
    offsets = [*range(lower), *(range(upper, PAGE) if kind in {"free list", "main"} else heads)]
    descriptor = os.open(copy / "data.mdb", os.O_RDWR)
    unnamed = []
    for offset in offsets:
        os.pwrite(descriptor, bytes([data[start + offset] ^ 0x01]), start + offset)
        contents, problems = read(copy)
        if not problems:
            unnamed.append(offset)
            assert sum(map(len, contents.values())) == sum(map(len, expected.values())), offset
        os.pwrite(descriptor, data[start + offset : start + offset + 1], start + offset)
    os.close(descriptor)
    # What this reader leaves to others: a database's name; the last bit of the size of a value that has room
    # for a byte more. And a byte that makes a node's size even means nothing.
    allowed = {"free list": 1, "main": len(b"batchesheadssessions") + 3, "branch": 1, "leaf": len(pointers)}
    assert len(unnamed) <= allowed[kind], unnamed


def test_random_pages_in_place_of_sound_ones_are_survived(sound: Path, copy: Path) -> None:
    data = (sound / "data.mdb").read_bytes()
    chance = random.Random(5)
    descriptor = os.open(copy / "data.mdb", os.O_RDWR)
    for _ in range(150):
        page = chance.randrange(2, len(data) // PAGE) * PAGE
        other = chance.randrange(2, len(data) // PAGE) * PAGE
        # Another page of the same file, or garbage behind a plausible header.
        garbage = data[page : page + 16] + chance.randbytes(PAGE - 16)
        os.pwrite(descriptor, chance.choice([garbage, data[other : other + PAGE], bytes(PAGE)]), page)
        read(copy)
        os.pwrite(descriptor, data[page : page + PAGE], page)
    os.close(descriptor)


def test_a_file_cut_off_anywhere_is_named(sound: Path, copy: Path) -> None:
    size = (sound / "data.mdb").stat().st_size
    for length in [
        0,
        1,
        100,
        151,
        PAGE,
        PAGE + 1,
        2 * PAGE - 1,
        2 * PAGE,
        3 * PAGE,
        size // 2,
        size - PAGE,
        size - 5000,
    ]:
        os.truncate(copy / "data.mdb", 0)
        with (sound / "data.mdb").open("rb") as source:
            (copy / "data.mdb").write_bytes(source.read(length))
        try:
            _, problems = read(copy)
        except DataCorrupt as error:
            problems = [str(error)]
        assert problems, length


def test_garbage_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"hello", bytes(20_000), random.Random(1).randbytes(20_000)):
        (tmp_path / "data.mdb").write_bytes(data)
        with pytest.raises(DataCorrupt, match=r"data\.mdb"):
            read(tmp_path)


def test_a_held_transaction_stays_whole_while_others_write(copy: Path) -> None:
    contents, _ = read(copy)
    with HeldTransaction(copy) as held:
        with open_environment(copy) as environment:
            write(environment, {name: {} for name in NAMES}, [("heads", b"head", None)])
            contents["heads"].pop(b"head")
        # Its meta page is still there, but a writer may be about to write it anew.
        with pytest.raises(SnapshotGone):
            Snapshot(copy / "data.mdb", "data.mdb", transaction=held.number)
        held.renew()
        with Snapshot(copy / "data.mdb", "data.mdb", transaction=held.number) as snapshot:
            with open_environment(copy) as environment:
                after = {name: dict(values) for name, values in contents.items()}
                for number in range(40):
                    keys = [key for key in after["batches"] if random.Random(number).random() < 0.2]
                    write(environment, after, [("batches", key, None) for key in keys])
                    write(environment, after, [("heads", b"%d" % number, (9000, number))])
            found: Contents = {name: {} for name in NAMES}
            for database, key, value, _ in snapshot.entries():
                found[database][key] = value
            assert (found, snapshot.problems) == (contents, [])
        with pytest.raises(SnapshotGone):
            Snapshot(copy / "data.mdb", "data.mdb", transaction=held.number)
        held.renew()
        assert read(copy, transaction=held.number) == (after, [])


def test_what_lmdb_cannot_open_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"x" * 10_000)
    with pytest.raises(StoreInvalid, match="LMDB cannot open"):
        with HeldTransaction(tmp_path):
            pass


def test_a_value_larger_than_allowed_is_named_and_not_read(copy: Path) -> None:
    _, problems = read(copy, max_value=5000)
    assert problems
    assert all("larger than any in a store" in line for line in problems)


def test_reprs_say_what_they_are(copy: Path) -> None:
    with Snapshot(copy / "data.mdb", "data.mdb") as snapshot:
        assert repr(snapshot).startswith(f"<Snapshot of {copy}/data.mdb: transaction ")
    assert repr(HeldTransaction(copy)) == f"<HeldTransaction 0 of {copy}>"
