"""Every kind of byte in every kind of file, changed one at a time: verify names it, or docs/FORMAT.md says
why it may change.

Bytes are chosen with a fixed seed, and at every boundary of what the formats describe. That every byte of
LMDB's structure, of a batch in the log and of a journal is checked has tests in `tests/eventlog`.
"""

import base64
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventlog.cli.signatures import NAMESPACE, check_signature, sign
from eventlog.errors import EventlogError
from eventlog.kept_heads import KeptHeads, heads_text, load_heads, read_heads
from eventlog.store import Store
from eventlog.sync import push
from eventlog.sync.bundle import export_bundle, known_to
from eventlog.sync.check_remote import verify_bundle, verify_remote
from eventlog.sync.urls import objects_at
from eventlog.verify import verify
from tests.sync.machines import Machine, rewritten, segment_batches

BATCH_HEADER = (0, 4, 20, 28, 60, 76, 84, 88, 92, 100, 108, 112, 116, 120, 124)
KILLED = """
    import os, signal, sys
    from pathlib import Path
    os.environ["EVENTLOG_COMMIT_INTERVAL_SECONDS"] = "1000"
    from eventlog.events import ScalarReported, TaskCreated
    from eventlog.store import Store
    store = Store.open(Path(sys.argv[1]))
    store.session.append(TaskCreated, "7" * 32, "killed", "digits")
    for step in range(20):
        store.session.append(ScalarReported, "7" * 32, "loss", "train", step, 0.5)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass
class World:
    """A store and its copies, all of them sound, and the heads that were kept of them.

    Attributes:
        later: a bundle that goes on from the other, and leaves out a blob that it names.
    """

    home: Path
    remote: Path
    bundle: Path
    later: Path
    heads: Path

    @property
    def kept(self) -> KeptHeads:
        return load_heads(self.heads)[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    made = World(*(folder / name for name in ("home", "remote", "runs.zip", "later.zip", "heads.txt")))
    one = Machine(made.home)
    for name in ("model", "labels"):
        one.train()
        one.upload(f"{name} ".encode() * 200, name)
        push(one.store, made.remote)
    one.upload(os.urandom(3000), "noise")
    one.train()
    push(one.store, made.remote)
    export_bundle(one.store, made.bundle)
    one.train()
    one.upload(b"model " * 200, "again")
    one.upload(b"later " * 200, "later")
    push(one.store, made.remote)
    made.heads.write_text(heads_text(one.store.heads()))
    export_bundle(one.store, made.later, known=known_to(str(made.bundle)))
    one.close()
    # One blob is known not to be there.
    left_out = min((made.remote / "blobs").glob("*/*"))
    left_out.unlink()
    (made.remote / "absent").mkdir()
    (made.remote / "absent" / ("5e" * 16)).write_text(f"{left_out.name}\n")
    # And one session was killed before its journal could be committed.
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(made.home)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    for copy in (made.home, made.remote, made.bundle, made.later):
        assert problems_of(copy) == []
    for copy in (made.home, made.remote, made.later):
        assert problems_of(copy, made.kept) == []
    return made


def problems_of(copy: Path, against: KeptHeads | None = None) -> list[str]:
    try:
        if copy.is_file():
            return verify_bundle(copy, against=against, jobs=1).problems
        if (copy / "log").is_dir():
            return verify(copy, against=against, jobs=1).problems
        return verify_remote(objects_at(copy), against=against, jobs=1).problems
    except EventlogError as error:
        return [str(error)]


@contextmanager
def changed(path: Path, place: int, mask: int) -> Iterator[None]:
    """A file with one byte changed, for a while."""
    mode = path.stat().st_mode
    path.chmod(0o600)
    with path.open("r+b", buffering=0) as file:
        byte = os.pread(file.fileno(), 1, place)
        os.pwrite(file.fileno(), bytes([byte[0] ^ mask]), place)
        try:
            yield
        finally:
            os.pwrite(file.fileno(), byte, place)
            path.chmod(mode)


def some(chance: random.Random, size: int, boundaries: Iterable[int], count: int) -> list[int]:
    """Places in a file: its first and last byte, both sides of each boundary, and some more."""
    places = {0, size - 1, *(chance.randrange(size) for _ in range(count))}
    for boundary in boundaries:
        places |= {boundary - 1, boundary}
    return sorted(place for place in places if 0 <= place < size)


# A remote.


def boundaries_of_segment(data: bytes) -> Iterator[int]:
    position = 8
    for batch in segment_batches(data):
        yield position
        position += 4
        yield from (position + field for field in BATCH_HEADER)
        yield position + 124 + struct.unpack_from(">I", batch, 108)[0]
        position += len(batch)


def test_every_kind_of_byte_of_a_remote_is_checked(world: World) -> None:
    chance = random.Random(1)
    tried = 0
    for path in sorted(world.remote.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        boundaries = boundaries_of_segment(data) if path.suffix == ".segment" else ()
        name = path.relative_to(world.remote).as_posix()
        for place in some(chance, len(data), boundaries, 120):
            with changed(path, place, 1 << chance.randrange(8)):
                problems = problems_of(world.remote)
                # A digit changed in a list of absent blobs is another blob's: the one that it was is missing.
                where = "is missing" if name.startswith("absent/") else name
                assert any(name in line or where in line for line in problems), (name, place, problems)
            tried += 1
    assert tried > 700
    assert problems_of(world.remote) == []


def test_every_letter_of_a_name_on_a_remote_is_checked(world: World) -> None:
    chance = random.Random(2)
    for path in sorted(world.remote.rglob("*")):
        name = path.relative_to(world.remote).as_posix()
        if not path.is_file() or name.startswith("absent/"):
            # The names of lists of absent blobs are random.
            continue
        for place in some(chance, len(path.name), (12, 13, 25, 26, 42), 4):
            letter = path.name[place]
            other = chance.choice([one for one in "0123456789abcdefX" if one != letter])
            renamed = path.rename(path.with_name(path.name[:place] + other + path.name[place + 1 :]))
            assert problems_of(world.remote), renamed
            renamed.rename(path)
    assert problems_of(world.remote) == []


def test_whole_objects_removed_cut_swapped_or_moved_are_named(world: World, tmp_path: Path) -> None:
    segments = sorted(world.remote.glob("stores/*/*"))
    blobs = sorted(world.remote.glob("blobs/*/*"))
    (absent,) = world.remote.glob("absent/*")
    files = [world.remote / "eventlog-remote", *segments, *blobs, absent]
    for path in files:
        path.rename(tmp_path / "kept")
        # A chain that is cut off behind a batch is sound by itself: heads kept elsewhere show it.
        assert bool(problems_of(world.remote)) == (path != segments[-1]), path
        assert problems_of(world.remote, world.kept), path
        (tmp_path / "kept").rename(path)
        data = path.read_bytes()
        for length in {0, len(data) // 2, len(data) - 1}:
            path.write_bytes(data[:length])
            # A list cut off to nothing lists nothing, and what it listed is then missing.
            assert problems_of(world.remote), (path, length)
        path.write_bytes(data + b"\0")
        assert problems_of(world.remote), path
        path.write_bytes(data)
    for first, second in ((segments[0], segments[1]), (segments[1], segments[2]), (blobs[0], blobs[1])):
        first.rename(tmp_path / "kept")
        second.rename(first)
        (tmp_path / "kept").rename(second)
        assert problems_of(world.remote), (first, second)
        first.rename(tmp_path / "kept")
        second.rename(first)
        (tmp_path / "kept").rename(second)
    for folder in ("stores", "blobs", "absent"):
        (world.remote / folder).rename(tmp_path / "kept")
        (world.remote / folder).write_bytes(b"")
        assert f"{folder} is not an object of a remote" in problems_of(world.remote)
        (world.remote / folder).unlink()
        (tmp_path / "kept").rename(world.remote / folder)
    assert problems_of(world.remote) == []


# A bundle.


def structure_of(path: Path) -> tuple[set[int], set[int], set[int]]:
    """Where in a zip file structure is, where what no reading depends on, and where deflated bytes are."""
    data = path.read_bytes()
    structure, free, deflated = set(), set(), set()
    with zipfile.ZipFile(path) as bundle:
        position = bundle.start_dir
        for info in bundle.infolist():
            name, extra = struct.unpack_from("<2H", data, info.header_offset + 26)
            start = info.header_offset + 30 + name + extra
            structure |= set(range(info.header_offset, start))
            if info.compress_type == zipfile.ZIP_DEFLATED:
                deflated |= set(range(start, start + info.compress_size))
            free |= {position + place for place in (4, 5, 36, 37, 38, 39, 40, 41)}
            position += 46 + sum(struct.unpack_from("<3H", data, position + 28))
    return structure | set(range(bundle.start_dir, len(data))), free, deflated


def contents_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


@pytest.mark.parametrize("kind", ["whole", "later"])
def test_every_kind_of_byte_of_a_bundle_is_checked(world: World, kind: str) -> None:
    path = {"whole": world.bundle, "later": world.later}[kind]
    structure, free, deflated = structure_of(path)
    expected = contents_of(path)
    assert deflated
    chance = random.Random(3)
    size = path.stat().st_size
    others = [place for place in range(size) if place not in structure]
    unnoticed: set[int] = set()
    for place in sorted({*chance.sample(sorted(structure), 350), *chance.sample(others, 300)}):
        with changed(path, place, 1 << chance.randrange(8)):
            if not problems_of(path):
                unnoticed.add(place)
                assert contents_of(path) == expected
    # There is more than one way to deflate the same bytes, and few bits lead from one to another.
    assert unnoticed <= free | deflated
    assert len(unnoticed & deflated) < 10
    # Every byte of the end, and of one member's entry and header.
    for place in (*range(size - 22, size), *range(30)):
        with changed(path, place, 0x10):
            assert problems_of(path), place
    assert problems_of(path) == []


def test_a_bundle_with_more_or_less_in_it_is_named(world: World, tmp_path: Path) -> None:
    data = world.bundle.read_bytes()
    path = tmp_path / "runs.zip"
    for other in (
        data + b"\0",
        b"\0" + data,
        data[:-1],
        data[:100],
        data[: len(data) // 2] + b"\0" + data[len(data) // 2 :],
        data[:-2] + struct.pack("<H", 5) + b"hello",
        b"",
    ):
        path.write_bytes(other)
        assert problems_of(path), len(other)
    contents = contents_of(world.bundle)
    assert contents

    def write(members: Iterable[tuple[str, bytes]]) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, content in members:
                bundle.writestr(name, content)

    write(contents.items())
    assert problems_of(path) == []
    for left_out in contents:
        write((name, content) for name, content in contents.items() if name != left_out)
        assert problems_of(path, world.kept), left_out
    write([*contents.items(), ("stores/notes.txt", b"hello")])
    assert problems_of(path) == ["stores/notes.txt is not an object of a remote"]


# A store.


def test_every_kind_of_file_of_a_store_is_checked(world: World) -> None:
    chance = random.Random(4)
    (chunk,) = world.home.glob("journals/*/000000")
    used = len(chunk.read_bytes().rstrip(b"\0"))
    for place in some(chance, used, (4, 20, 36, 44, 48, 52, 56, 60), 4):
        with changed(chunk, place, 1 << chance.randrange(8)):
            # Its first bytes are what says that it has been begun.
            assert problems_of(world.home), place
    for blob in world.home.glob("blobs/*/*"):
        for place in some(chance, blob.stat().st_size, (), 2):
            with changed(blob, place, 1 << chance.randrange(8)):
                assert any(blob.name in line for line in problems_of(world.home)), place
    log = world.home / "log" / "data.mdb"
    data = log.read_bytes()
    with Store.open(world.home, read_only=True) as store:
        batches = [batch for identity in store.heads() for batch in store.batches(identity)]
    for batch in batches:
        start = data.rindex(batch.data)
        if data.index(batch.data) != start:
            # A page that LMDB has let go of holds an older copy, which nobody reads.
            continue
        # Every byte of a batch in the log has a test of its own; here a few of each.
        for place in some(chance, len(batch.data), BATCH_HEADER, 3)[batch.number % 4 :: 4]:
            with changed(log, start + place, 1 << chance.randrange(8)):
                assert problems_of(world.home), (batch, place)
    assert problems_of(world.home) == []


def test_whole_files_of_a_store_removed_or_cut_are_named(world: World, tmp_path: Path) -> None:
    for path in (world.home / "log" / "data.mdb", *world.home.glob("blobs/*/*")):
        path.rename(tmp_path / "kept")
        assert problems_of(world.home), path
        (tmp_path / "kept").rename(path)
    (world.home / "blobs" / "notes.txt").write_text("hello")
    assert problems_of(world.home) == ["blobs/notes.txt is not a folder of blobs"]
    (world.home / "blobs" / "notes.txt").unlink()


# A log that was written anew.


@pytest.mark.parametrize("copy", ["store", "remote", "bundle"])
def test_a_history_written_anew_is_sound_by_itself_and_caught_by_heads_kept_elsewhere(
    world: World, tmp_path: Path, copy: str
) -> None:
    with Store.open(world.home, read_only=True) as store:
        (identity,) = store.heads()
        batches = list(store.batches(identity))
    forged = rewritten(batches, b"baseline", b"improved")
    assert forged[0].data != batches[0].data
    with Store.open(tmp_path / "forged") as store:
        shutil.rmtree(tmp_path / "forged" / "blobs")
        shutil.copytree(world.home / "blobs", tmp_path / "forged" / "blobs")
        store.admit(forged)
        push(store, tmp_path / "remote")
        export_bundle(store, tmp_path / "bundle.zip")
    place = {"store": "forged", "remote": "remote", "bundle": "bundle.zip"}[copy]
    assert problems_of(tmp_path / place) == []
    (line,) = problems_of(tmp_path / place, world.kept)
    number = world.kept.heads[identity].number
    assert line.startswith(f"store {identity.hex()} was rewritten: its batch {number} has the SHA-256 ")


# Heads, and their signature.


def test_every_byte_of_kept_heads_is_checked(world: World) -> None:
    text = world.heads.read_bytes()
    chance = random.Random(5)
    for place in range(len(text)):
        other = bytearray(text)
        other[place] ^= 1 << chance.randrange(8)
        try:
            kept = read_heads(bytes(other), "heads.txt")
        except EventlogError:
            continue
        assert problems_of(world.remote, kept), place
    assert problems_of(world.remote, read_heads(text, "heads.txt")) == []


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
def test_every_kind_of_byte_of_a_signature_is_checked(world: World, tmp_path: Path) -> None:
    key, signers, heads = tmp_path / "key", tmp_path / "signers", tmp_path / "heads.txt"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    content = world.heads.read_bytes()
    signature = sign(content, key, NAMESPACE)
    path = tmp_path / "heads.txt.sig"
    chance = random.Random(6)

    def is_good(content: bytes, signature: bytes) -> bool:
        path.write_bytes(signature)
        try:
            return check_signature(content, heads, signers, "ada@example.org").signer == "ada@example.org"
        except EventlogError:
            return False

    assert is_good(content, signature)
    for place in some(chance, len(signature), (29, 30, len(signature) - 28), 60):
        other = bytearray(signature)
        other[place] ^= 1 << chance.randrange(8)
        assert not is_good(content, bytes(other)) or packed(other) == packed(signature), place
    for place in some(chance, len(content), (), 20):
        other = bytearray(content)
        other[place] ^= 1 << chance.randrange(8)
        assert not is_good(bytes(other), signature), place


def packed(signature: bytes) -> bytes:
    """What a signature says, whatever white space is in it."""
    return base64.b64decode(b"".join(bytes(signature).split()[3:-3]))
