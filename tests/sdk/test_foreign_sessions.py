"""What comes from elsewhere is looked over, and refused in one line where it is no session."""

import io
import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import DataCorrupt, EventlogError, InputInvalid
from eventlog.projections import Views
from eventlog.sdk.importing import import_session
from eventlog.sdk.stores import close_stores
from eventlog.sdk.task import Task
from eventlog.store import Store
from eventlog.sync import archive as archives
from eventlog.verify import verify
from tests.sdk.offline_sessions import NAMES, bring_home, record, zip_of

pytestmark = pytest.mark.usefixtures("offline_mode")


def problems_of(store: Store, path: Path) -> list[str]:
    """What is said of a session that is not sound, in a line each, whether or not something of it came in."""
    try:
        problems = import_session(store, path).problems
    except EventlogError as error:
        problems = [str(error)]
    assert not any("\n" in problem for problem in problems)
    return problems


def changed(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """A copy of a zip file, each member changed."""
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as made:
        for name in source.namelist():
            member = change(name, source.read(name))
            if member is not None:
                made.writestr(*member)
    return target


def with_member(path: Path, info: zipfile.ZipInfo, data: bytes = b"x") -> Path:
    target = Path(shutil.copy(path, path.with_name("more.zip")))
    with zipfile.ZipFile(target, "a") as made:
        made.writestr(info, data)
    return target


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("blobs/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def device() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("blobs/device")
    info.external_attr = (stat.S_IFBLK | 0o600) << 16
    return info


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (zipfile.ZipInfo("../outside"), "leads out of it"),
        (zipfile.ZipInfo("blobs/../../outside"), "leads out of it"),
        (zipfile.ZipInfo("/etc/outside"), "leads out of it"),
        (zipfile.ZipInfo("C:/outside"), "leads out of it"),
        (link(), "is a link"),
        (device(), "is neither a file nor a folder"),
    ],
    ids=["dots", "dots within", "absolute", "drive", "link", "device"],
)
def test_a_zip_file_with_what_no_session_has_is_refused(
    elsewhere: Path, info: zipfile.ZipInfo, said: str
) -> None:
    _, path = record()
    with pytest.raises(DataCorrupt, match=said) as caught:
        bring_home(with_member(path, info), elsewhere)
    assert "\n" not in str(caught.value)
    with Store.open(elsewhere) as store:
        assert store.heads() == {}


def test_a_bomb_is_refused(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 1 << 20)
    _, path = record()
    info = zipfile.ZipInfo(f"blobs/ab/{'ab' * 32}")
    info.compress_type = zipfile.ZIP_DEFLATED
    with pytest.raises(DataCorrupt, match="claim to hold"):
        bring_home(with_member(path, info, bytes(64 << 20)), elsewhere)


def test_what_is_exported_is_never_taken_for_a_bomb(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 1 << 20)
    Task.set_offline(True)
    task = Task.init(**NAMES)
    empty = tmp_path / "empty.bin"
    empty.write_bytes(bytes(32 << 20))
    task.upload_artifact("empty", empty)
    task.close()
    result, state, _ = bring_home(zip_of(task), elsewhere)
    assert (result.problems, state.artifacts["empty"].size) == ([], 32 << 20)


def test_members_on_top_of_each_other_are_refused(elsewhere: Path) -> None:
    _, path = record()
    data = bytearray(path.read_bytes())
    # The second entry of the list of members is made to point at the first one's bytes.
    places = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x01\x02"]
    first, second = (struct.unpack_from("<I", data, at + 42)[0] for at in places[:2])
    assert first != second
    struct.pack_into("<I", data, places[1] + 42, first)
    path.write_bytes(data)
    with pytest.raises(DataCorrupt, match=r"on top of another|whole zip file"):
        bring_home(path, elsewhere)


@pytest.mark.parametrize("field", [20, 24], ids=["compressed", "whole"])
def test_a_lie_about_a_size_is_found(elsewhere: Path, field: int) -> None:
    _, path = record()
    data = bytearray(path.read_bytes())
    for at in range(len(data)):
        if data[at : at + 4] == b"PK\x01\x02" and b"blobs/" in data[at + 46 : at + 60]:
            size = struct.unpack_from("<I", data, at + field)[0]
            struct.pack_into("<I", data, at + field, max(1, size - 7))
    path.write_bytes(data)
    with Store.open(elsewhere) as store:
        assert problems_of(store, path)
        assert verify(elsewhere).problems == []
        assert len(list(store.blobs)) == 0


def foreign_batches(store: Store) -> int:
    """How many batches of other stores a store has."""
    return sum(head.number + 1 for identity, head in store.heads().items() if identity != store.id)


@pytest.mark.parametrize("part", ["stores/", "blobs/"])
def test_damage_is_named_and_never_let_in(elsewhere: Path, tmp_path: Path, part: str) -> None:
    _, path = record()
    with Store.open(tmp_path / "undamaged") as undamaged:
        import_session(undamaged, path)
        recorded = foreign_batches(undamaged)

    def flip(name: str, data: bytes) -> tuple[str, bytes]:
        if name.startswith(part):
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        return name, data

    with Store.open(elsewhere) as store:
        result = import_session(store, changed(path, flip))
        assert result.problems
        assert part in " ".join(result.problems)
        assert not any("\n" in problem for problem in result.problems)
        if part == "stores/":
            # What came before the damage may be here, and the files that it names.
            assert foreign_batches(store) < recorded
        else:
            with Views.open(store) as views:
                views.catch_up()
                for row in views.find():
                    artifact = views.task(row.id).artifacts.get("bytes")
                    assert artifact is None or artifact.blob not in store.blobs
    assert verify(elsewhere).problems == []


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_zip_file_that_was_cut_is_refused(elsewhere: Path, kept: float) -> None:
    _, path = record()
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataCorrupt, match="not a whole zip file"):
        bring_home(path, elsewhere)


def test_a_session_whose_task_cannot_be_found_in_it_is_refused(elsewhere: Path) -> None:
    _, path = record()
    renamed = changed(path, lambda name, data: (name.replace("stores/", "stored/"), data))
    with pytest.raises(DataCorrupt, match="no task that can be read"):
        bring_home(renamed, elsewhere)


def test_bytes_that_are_changed_anywhere_are_found_or_change_nothing(elsewhere: Path) -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    _, path = record()
    data = path.read_bytes()
    whole = bring_home(path, elsewhere / "whole")
    homes = iter(range(10_000))

    @settings(max_examples=60, database=None)
    @given(at=st.integers(0, len(data) - 1), value=st.integers(0, 255))
    def check(at: int, value: int) -> None:
        path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
        home = elsewhere / str(next(homes))
        with Store.open(home) as store:
            if problems_of(store, path):
                return
        assert bring_home(path, home)[1:] == whole[1:]

    check()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b"text"),
        os.mkfifo,
        lambda path: path.write_bytes(empty_zip()),
    ],
    ids=["nothing", "empty folder", "text", "pipe", "empty zip"],
)
def test_what_is_no_session_is_refused_in_one_line(
    elsewhere: Path, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    path = tmp_path / "given"
    make(path)
    with Store.open(elsewhere) as store:
        with pytest.raises((InputInvalid, DataCorrupt)) as caught:
            import_session(store, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def empty_zip() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()


def test_a_folder_with_a_link_in_it_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    task, _ = record()
    folder = task.get_offline_mode_folder()
    assert folder is not None
    close_stores()
    away = shutil.copytree(folder, tmp_path / "away")
    shutil.rmtree(away / "views")
    (away / "views").symlink_to(tmp_path)
    with pytest.raises(DataCorrupt, match="'views' in it is a link"):
        bring_home(away, elsewhere)


def test_a_folder_whose_log_would_crash_lmdb_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    task, _ = record()
    folder = task.get_offline_mode_folder()
    assert folder is not None
    close_stores()
    away = shutil.copytree(folder, tmp_path / "away")
    data = bytearray((away / "log" / "data.mdb").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 + 10 : page * 4096 + 40] = b"\xff" * 30
    (away / "log" / "data.mdb").write_bytes(data)
    with pytest.raises(DataCorrupt, match="is refused"):
        bring_home(away, elsewhere)
