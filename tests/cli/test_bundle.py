"""`eventlog bundle create` and `eventlog sync FILE`: a remote in one file, and what a later one lacks."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog.cli.main import _run as run
from eventlog.events import ArtifactUploaded, TaskCreated
from eventlog.store import Store
from eventlog.sync import bundle
from tests.cli.running import Run

Work = Callable[[str], None]


def commit(home: Path, name: str, content: bytes, size: int) -> str:
    """Commits a task with an artifact; gives the artifact's blob."""
    with Store.open(home) as store:
        digest = store.blobs.put_bytes(content)
        store.session.append(TaskCreated, f"{name:0>32}", name, "bundles")
        store.session.append(ArtifactUploaded, f"{name:0>32}", "data", "file", digest, size, "data.bin")
    return digest


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """Commits a task with an artifact of its own."""

    def commit_own(name: str) -> None:
        commit(tmp_path / "home", name, name.encode() * 10, 10)

    return commit_own


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], str]:
    return lambda name: str(tmp_path / name)


def other(tmp_path: Path) -> dict[str, str]:
    return {"EVENTLOG_HOME": str(tmp_path / "other")}


def other_has(tmp_path: Path, digest: str) -> bool:
    with Store.open(tmp_path / "other") as there:
        return digest in there.blobs


def test_a_bundle_brings_all_of_a_store_to_a_machine_without_a_network(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("1")
    made = eventlog("bundle", "create", files("all.zip"))
    assert made.code == 0
    assert made.lines[0].startswith(f"wrote {files('all.zip')}: ")
    taken = eventlog("sync", files("all.zip"), **other(tmp_path))
    assert taken.code == 0
    assert [line.split()[0] for line in taken.lines] == ["pulled"]
    assert "bundles/1" in eventlog("ls", **other(tmp_path)).out
    assert eventlog("verify", **other(tmp_path)).code == 0
    assert eventlog("verify", files("all.zip")).code == 0
    assert eventlog("sync", files("all.zip"), **other(tmp_path)).lines == ["pulled nothing new"]


@pytest.mark.parametrize("by", ["bundle", "heads", "remote"])
def test_a_later_bundle_has_only_what_the_other_side_lacks(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path, by: str
) -> None:
    since = {"bundle": files("first.zip"), "heads": files("heads.txt"), "remote": files("remote")}[by]
    work("1")
    eventlog("bundle", "create", files("first.zip"))
    eventlog("head", "-o", files("heads.txt"))
    eventlog("sync", files("remote"), "--push")
    work("2")
    made = json.loads(eventlog("bundle", "create", files("second.zip"), "--since", since, "--json").out)
    assert (made["blobs"], made["problems"]) == (1, [])
    work("3")
    # One that goes on from a bundle that itself goes on from another one.
    eventlog("bundle", "create", files("third.zip"), "--since", files("second.zip"))
    assert eventlog("sync", files("second.zip"), "--dry-run", **other(tmp_path)).code == 1
    early = eventlog("sync", files("second.zip"), **other(tmp_path))
    assert early.code == 1
    assert "take in the bundle first that it goes on from" in early.lines[-1]
    for name in ("first.zip", "second.zip", "third.zip"):
        assert eventlog("sync", files(name), **other(tmp_path)).code == 0
    shown = eventlog("ls", **other(tmp_path)).out
    assert all(f"bundles/{number}" in shown for number in "123")
    assert eventlog("verify", **other(tmp_path)).code == 0
    for name in ("second.zip", "third.zip"):
        checked = eventlog("verify", files(name))
        assert checked.code == 0, checked.out
        assert "goes on from what was sent before" in checked.out
    assert eventlog("verify", files("second.zip"), "--against", files("heads.txt")).code == 0
    nothing = eventlog("bundle", "create", files("nothing.zip"), "--since", files("third.zip"))
    assert "nothing new" in nothing.lines[0]


@pytest.fixture
def chain(eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path) -> bytes:
    """Bundles of two stores: a whole one, one with what is new in one store, one with nothing new.

    Heads of both were kept before and after the first. What is given is the id of the silent store.
    """
    with Store.open(tmp_path / "silent") as store:
        store.session.append(TaskCreated, "c" * 32, "silent", "bundles")
        silent = store.id
    eventlog("bundle", "create", files("silent.zip"), EVENTLOG_HOME=str(tmp_path / "silent"))
    work("1")
    eventlog("sync", files("silent.zip"))
    eventlog("bundle", "create", files("monday.zip"))
    eventlog("head", "-o", files("monday.txt"))
    work("2")
    eventlog("bundle", "create", files("tuesday.zip"), "--since", files("monday.zip"))
    eventlog("head", "-o", files("tuesday.txt"))
    eventlog("bundle", "create", files("wednesday.zip"), "--since", files("tuesday.zip"))
    return silent


def test_a_store_with_nothing_new_is_not_sent_again_further_down_a_chain(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path, chain: bytes
) -> None:
    for name in ("tuesday.zip", "wednesday.zip"):
        with zipfile.ZipFile(files(name)) as bundle:
            assert not any(f"stores/{chain.hex()}" in member for member in bundle.namelist()), name
    work("3")
    made = eventlog("bundle", "create", files("thursday.zip"), "--since", files("wednesday.zip"), "--json")
    assert 0 < json.loads(made.out)["batches"] <= 2
    for day in ("monday", "tuesday", "wednesday", "thursday"):
        assert eventlog("sync", files(f"{day}.zip"), **other(tmp_path)).code == 0
    shown = eventlog("ls", **other(tmp_path)).out
    assert all(f"bundles/{name}" in shown for name in ("1", "2", "3", "silent"))


def test_heads_of_a_store_with_nothing_new_are_what_a_bundle_goes_on_from(
    eventlog: Run, files: Callable[[str], str], tmp_path: Path, chain: bytes
) -> None:
    checked = eventlog("verify", files("tuesday.zip"), "--against", files("monday.txt"))
    assert checked.code == 0, checked.out
    assert f"store {chain.hex()} has nothing new here: batch " in checked.out
    assert "extends 2 heads" in checked.out

    kept = Path(files("monday.txt")).read_text()
    line = next(line for line in kept.splitlines() if line.startswith(chain.hex()))
    Path(files("lie.txt")).write_text(kept.replace(line, line[:-64] + line[:-65:-1]))
    rewritten = eventlog("verify", files("tuesday.zip"), "--against", files("lie.txt"))
    assert rewritten.code == 1
    assert f"store {chain.hex()} was rewritten" in rewritten.out


def test_heads_from_before_what_a_bundle_goes_on_from_cannot_be_compared(
    eventlog: Run, files: Callable[[str], str], chain: bytes
) -> None:
    assert eventlog("verify", files("wednesday.zip"), "--against", files("tuesday.txt")).code == 0
    early = eventlog("verify", files("wednesday.zip"), "--against", files("monday.txt"))
    assert early.code == 1
    assert "cannot be compared: what is here of it follows batch " in early.out
    assert "verify a copy that has taken this one in" in early.out
    late = eventlog("verify", files("tuesday.zip"), "--against", files("tuesday.txt"))
    assert late.code == 0, late.out
    assert eventlog("verify", files("monday.zip"), "--against", files("tuesday.txt")).code == 1


def test_a_bundle_that_says_it_goes_on_from_other_heads_is_found_out(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("1")
    eventlog("head", "-o", files("heads.txt"))
    work("2")
    eventlog("bundle", "create", files("second.zip"), "--since", files("heads.txt"))
    with zipfile.ZipFile(files("second.zip")) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    store, number, digest = members["since"].split()[3:]
    lies = (
        members["since"].replace(digest, digest[::-1]),
        members["since"].replace(b" %b " % number, b" 7 "),
        members["since"][:-9],
        b"",
        members["since"].replace(store, store[::-1]),
    )
    for lie in lies:
        with zipfile.ZipFile(files("lie.zip"), "w") as bundle:
            for name, data in members.items():
                bundle.writestr(name, lie if name == "since" else data)
        assert eventlog("verify", files("lie.zip")).code == 1, lie


def test_blobs_that_stayed_behind_come_with_a_later_bundle(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("1")
    work("2")
    first = json.loads(eventlog("bundle", "create", files("a.zip"), "--task", "bundles/1", "--json").out)
    assert (first["blobs"], first["absent"]) == (1, 1)
    eventlog("bundle", "create", files("b.zip"), "--since", files("a.zip"))
    for name in ("a.zip", "b.zip"):
        eventlog("sync", files(name), **other(tmp_path))
    for number in "12":
        fetched = eventlog(
            "artifacts", f"bundles/{number}", "data", "-o", files(f"got{number}"), **other(tmp_path)
        )
        assert fetched.code == 0, fetched.err
        assert Path(files(f"got{number}")).read_bytes() == number.encode() * 10


def test_what_cannot_be_made_or_read_is_one_line_and_nothing_is_replaced(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("1")
    eventlog("bundle", "create", files("all.zip"))
    before = Path(files("all.zip")).read_bytes()
    work("2")
    Path(files("text")).write_text("no heads")
    Path(files("cut.zip")).write_bytes(before[:-40])
    with zipfile.ZipFile(files("foreign.zip"), "w") as foreign:
        foreign.writestr("readme", "no remote")
    for arguments in (
        ("bundle", "create", files("all.zip")),
        ("bundle", "create", files("no/folder.zip")),
        ("bundle", "create", files("b.zip"), "--since", files("nothing")),
        ("bundle", "create", files("b.zip"), "--since", files("text")),
        ("bundle", "create", files("b.zip"), "--since", files("cut.zip")),
        ("sync", files("all.zip"), "--push"),
        ("sync", files("cut.zip")),
        ("sync", files("foreign.zip")),
        ("sync", files("text")),
    ):
        done = eventlog(*arguments)
        assert (done.code, done.err.count("\n")) == (1, 1), arguments
    for arguments in (
        ("bundle", "create", files("b.zip"), "--since", files("cut.zip")),
        ("sync", files("cut.zip")),
    ):
        assert "no whole bundle: name a folder, or copy it again" in eventlog(*arguments).err
    assert Path(files("all.zip")).read_bytes() == before
    assert not Path(files("b.zip")).exists()
    assert eventlog("bundle", "create", files("all.zip"), "--force").code == 0
    assert Path(files("all.zip")).read_bytes() != before


def test_a_file_that_appears_while_a_bundle_is_written_is_kept(
    environment: dict[str, str], work: Work, files: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    work("one")
    write = bundle._write

    def write_beside_another(*arguments: Any, **options: Any) -> Any:
        written = write(*arguments, **options)
        Path(files("all.zip")).write_text("precious")
        return written

    monkeypatch.setattr(bundle, "_write", write_beside_another)
    assert run(["bundle", "create", files("all.zip")]) == 1
    assert Path(files("all.zip")).read_text() == "precious"
    assert not list(Path(files("all.zip")).parent.glob(".all.zip-*"))


def test_what_was_left_of_a_bundle_whose_making_was_killed_is_removed(
    eventlog: Run, work: Work, files: Callable[[str], str]
) -> None:
    work("one")
    left, fresh, other_one = (Path(files(f".all.zip-{mark * 16}")) for mark in "abx")
    for path in (left, fresh, other_one):
        path.write_text("PK")
    for path in (left, other_one):
        os.utime(path, (0, 0))
    assert eventlog("bundle", "create", files("all.zip")).code == 0
    assert [path.exists() for path in (left, fresh, other_one)] == [False, True, True]


def test_a_bundle_that_leaves_out_what_was_sent_before_is_sound(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("one")
    eventlog("bundle", "create", files("monday.zip"))
    blob = commit(tmp_path / "home", "two", b"one" * 10, 10)
    eventlog("bundle", "create", files("tuesday.zip"), "--since", files("monday.zip"))
    done = eventlog("verify", files("tuesday.zip"))
    assert done.code == 0, done.out
    assert f"blobs that were left out, since the side that it is for has them: 1 ({blob[:12]})" in done.out
    # What was not sent before is told by whoever lacks it.
    for day in ("monday", "tuesday"):
        eventlog("sync", files(f"{day}.zip"), **other(tmp_path))
    with Store.open(tmp_path / "other") as there:
        there.blobs.path(blob).unlink()
    assert eventlog("verify", **other(tmp_path)).code == 1


def without(source: str, target: str, is_cut: Callable[[str], bool]) -> None:
    """Write a zip file anew, without some of its members."""
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as rest:
        cut = [info for info in whole.infolist() if is_cut(info.filename)]
        assert cut
        for info in whole.infolist():
            if info not in cut:
                rest.writestr(info, whole.read(info))


def test_a_blob_cut_out_of_a_later_bundle_is_named(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("one")
    eventlog("bundle", "create", files("monday.zip"))
    sent = commit(tmp_path / "home", "two", b"one" * 10, 10)
    new = commit(tmp_path / "home", "three", b"new" * 10, 10)
    eventlog("bundle", "create", files("tuesday.zip"), "--since", files("monday.zip"))
    without(files("tuesday.zip"), files("cut.zip"), lambda name: name.endswith(new))
    done = eventlog("verify", files("cut.zip"))
    assert done.code == 1
    assert f"{new}, which" in done.out
    # And so is one that was left out, where the list that says so is cut out.
    without(files("tuesday.zip"), files("cut.zip"), lambda name: name.startswith("had/"))
    done = eventlog("verify", files("cut.zip"))
    assert done.code == 1
    assert f"{sent}, which" in done.out


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("had/" + "a" * 32, b"no digest\n", "line 1 is not a SHA-256"),
        ("had/" + "a" * 32, b"", "is cut short"),
        ("had/" + "a" * 32, b"a" * (65 * 65536 + 1), "more than such a list ever has"),
        ("had/list", b"", "had/list is not an object of a remote"),
        ("had/x/y", b"", "had/x/y is not an object of a remote"),
        ("had", b"", "had is not an object of a remote"),
    ],
)
def test_a_list_of_what_was_left_out_that_is_none_is_named(
    eventlog: Run, work: Work, files: Callable[[str], str], name: str, content: bytes, says: str
) -> None:
    work("one")
    eventlog("bundle", "create", files("monday.zip"))
    with zipfile.ZipFile(files("monday.zip"), "a") as bundle:
        bundle.writestr(name, content)
    done = eventlog("verify", files("monday.zip"))
    assert done.code == 1
    assert says in " ".join(done.out.split())
    # What goes on from it takes it for one that names nothing.
    assert eventlog("bundle", "create", files("next.zip"), "--since", files("monday.zip")).code == 0


def test_what_any_earlier_bundle_had_is_not_sent_again(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("1")
    eventlog("bundle", "create", files("1.zip"))
    for number in (2, 3):
        work(str(number))
        eventlog("bundle", "create", files(f"{number}.zip"), "--since", files(f"{number - 1}.zip"))
    # It was in the first of them alone.
    commit(tmp_path / "home", "again", b"1" * 10, 10)
    made = json.loads(eventlog("bundle", "create", files("4.zip"), "--since", files("3.zip"), "--json").out)
    assert (made["blobs"], made["absent"], made["problems"]) == (0, 0, [])
    for number in (1, 2, 3, 4):
        assert eventlog("verify", files(f"{number}.zip")).code == 0
        assert eventlog("sync", files(f"{number}.zip"), **other(tmp_path)).code == 0
    assert eventlog("verify", **other(tmp_path)).code == 0


def test_what_the_other_side_gave_says_nothing_of_blobs_that_it_lacks(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    # A remote has some bytes, and so has this store; another one has what names them, and not the bytes.
    blob = commit(tmp_path / "home", "one", b"bytes", 5)
    eventlog("sync", files("remote"), "--push")
    commit(tmp_path / "home", "again", b"bytes", 5)
    stays = json.loads(
        eventlog("bundle", "create", files("log.zip"), "--active-since", "2100-01-01", "--json").out
    )
    assert (stays["blobs"], stays["absent"]) == (0, 1)
    assert eventlog("sync", files("log.zip"), **other(tmp_path)).code == 0
    commit(tmp_path / "other", "theirs", b"theirs", 6)
    made = eventlog("bundle", "create", files("reply.zip"), "--since", files("remote"), **other(tmp_path))
    assert made.code == 0, made.out
    assert eventlog("sync", files("reply.zip")).code == 0
    commit(tmp_path / "home", "two", b"bytes", 5)
    made = eventlog("bundle", "create", files("next.zip"), "--since", files("reply.zip"))
    assert made.code == 0, made.out
    taken = eventlog("sync", files("next.zip"), **other(tmp_path))
    assert taken.code == 0, taken.out
    assert other_has(tmp_path, blob)


def test_what_once_stayed_behind_is_sent_once_it_may_travel(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    blob = commit(tmp_path / "home", "one", b"bytes", 5)
    eventlog("bundle", "create", files("mon.zip"), "--active-since", "2100-01-01")
    assert eventlog("sync", files("mon.zip"), **other(tmp_path)).code == 0
    commit(tmp_path / "other", "theirs", b"theirs", 6)
    # It is not where this one is made, and not named in it.
    made = eventlog(
        "bundle", "create", files("reply.zip"), "--since", files("mon.zip"), "--json", **other(tmp_path)
    )
    assert json.loads(made.out)["absent"] == 1
    assert eventlog("sync", files("reply.zip")).code == 0
    work("three")
    made = eventlog("bundle", "create", files("tue.zip"), "--since", files("reply.zip"), "--json")
    assert (json.loads(made.out)["blobs"], json.loads(made.out)["absent"]) == (2, 0)
    for name in ("reply.zip", "tue.zip"):
        assert eventlog("verify", files(name)).code == 0
    assert eventlog("sync", files("tue.zip"), **other(tmp_path)).code == 0
    assert other_has(tmp_path, blob)


def test_a_loss_that_is_known_is_told_to_whoever_gets_a_bundle(
    eventlog: Run, files: Callable[[str], str], tmp_path: Path
) -> None:
    blob = commit(tmp_path / "home", "one", b"bytes", 5)
    eventlog("bundle", "create", files("mon.zip"))
    eventlog("sync", files("mon.zip"), **other(tmp_path))
    with Store.open(tmp_path / "other") as there:
        there.blobs.path(blob).unlink()
    eventlog("sync", files("remote"), "--repair", **other(tmp_path))
    commit(tmp_path / "other", "theirs", b"theirs", 6)
    eventlog("bundle", "create", files("tue.zip"), "--since", files("mon.zip"), **other(tmp_path))
    assert eventlog("sync", files("tue.zip")).code == 0
    made = eventlog("bundle", "create", files("wed.zip"), "--since", files("tue.zip"), "--json")
    assert json.loads(made.out)["blobs"] == 1
    assert eventlog("sync", files("wed.zip"), **other(tmp_path)).code == 0
    assert other_has(tmp_path, blob)


def test_what_was_in_a_bundle_that_never_came_is_told(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    blob = commit(tmp_path / "home", "one", b"bytes", 5)
    eventlog("bundle", "create", files("mon.zip"), "--active-since", "2100-01-01")
    assert eventlog("sync", files("mon.zip"), **other(tmp_path)).code == 0
    # It has no batch, so that no gap shows that it is lacking.
    eventlog("bundle", "create", files("lost.zip"), "--since", files("mon.zip"))
    work("two")
    eventlog("bundle", "create", files("wed.zip"), "--since", files("lost.zip"))
    taken = eventlog("sync", files("wed.zip"), **other(tmp_path))
    assert taken.code == 1
    assert blob in taken.lines[-1]
    # Which it says in its turn, and so gets it.
    eventlog("bundle", "create", files("reply.zip"), "--since", files("wed.zip"), **other(tmp_path))
    assert eventlog("sync", files("reply.zip")).code == 0
    eventlog("bundle", "create", files("fri.zip"), "--since", files("reply.zip"))
    assert eventlog("sync", files("fri.zip"), **other(tmp_path)).code == 0
    assert other_has(tmp_path, blob)


def test_a_blob_that_a_bundle_lacks_is_not_to_be_pushed_into_it(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("one")
    eventlog("bundle", "create", files("all.zip"))
    without(files("all.zip"), files("cut.zip"), lambda name: name.startswith("blobs/"))
    taken = eventlog("sync", files("cut.zip"), **other(tmp_path))
    assert taken.code == 1
    assert taken.lines[-1].endswith(
        "copy it again, or take in one that has it, made with `eventlog bundle create`"
    )


def test_a_new_store_leaves_out_what_a_remote_has(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("1")
    eventlog("sync", files("remote"), "--push")
    # Of this store the remote has nothing, but for the bytes that it names.
    commit(tmp_path / "new", "same", b"1" * 10, 10)
    home = {"EVENTLOG_HOME": str(tmp_path / "new")}
    made = eventlog("bundle", "create", files("new.zip"), "--since", files("remote"), "--json", **home)
    assert json.loads(made.out)["blobs"] == 0
    done = eventlog("verify", files("new.zip"))
    assert done.code == 0, done.out


def test_a_damaged_blob_is_told_once_and_as_damaged(
    eventlog: Run, files: Callable[[str], str], tmp_path: Path
) -> None:
    # Bytes that cannot be compressed, so that they stand in the file as they are.
    content = bytes(range(256))
    commit(tmp_path / "home", "a", content, 256)
    eventlog("bundle", "create", files("all.zip"))
    with zipfile.ZipFile(files("all.zip")) as bundle:
        (blob,) = [info for info in bundle.infolist() if info.filename.startswith("blobs/")]
    data = bytearray(Path(files("all.zip")).read_bytes())
    data[data.index(content, blob.header_offset)] ^= 1
    Path(files("bad.zip")).write_bytes(data)
    taken = eventlog("sync", files("bad.zip"), **other(tmp_path))
    assert taken.code == 1
    assert taken.lines[0].endswith("; 1 blob is not here")
    assert taken.lines[1:] == [
        f"{blob.filename} in {files('bad.zip')} is damaged (Bad CRC-32); it is passed over"
    ]


def test_bytes_that_the_other_side_has_are_not_sent_again(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    work("1")
    eventlog("bundle", "create", files("first.zip"))
    commit(tmp_path / "home", "again", b"1" * 10, 10)
    made = json.loads(
        eventlog("bundle", "create", files("second.zip"), "--since", files("first.zip"), "--json").out
    )
    assert (made["blobs"], made["absent"], made["problems"]) == (0, 0, [])
    for name in ("first.zip", "second.zip"):
        assert eventlog("sync", files(name), **other(tmp_path)).code == 0
    assert eventlog("verify", **other(tmp_path)).code == 0


@pytest.mark.parametrize("command", ["sync", "verify"])
def test_of_thousands_of_bad_stores_ten_are_told_and_how_many_more(
    eventlog: Run, tasks: Path, tmp_path: Path, command: str
) -> None:
    bundle = tmp_path / "runs.zip"
    assert eventlog("bundle", "create", str(bundle)).code == 0
    with zipfile.ZipFile(bundle, "a") as members:
        for number in range(2000):
            members.writestr(f"stores/{number:032x}/{0:012}-{0:012}-{number:016x}.segment", b"no segment")
    told = eventlog(command, str(bundle))
    assert told.code == 1
    problems = json.loads(eventlog(command, str(bundle), "--json").out)["problems"]
    assert len(problems) >= 2000
    assert [line for line in told.lines if ".segment" in line] == problems[:10]
    assert f"and {len(problems) - 10:,} problems more: --json lists them all" in told.lines


def test_heads_leave_out_all_artifacts_before_them_but_those_that_are_chosen(
    eventlog: Run, work: Work, files: Callable[[str], str], tmp_path: Path
) -> None:
    """They tell nothing of artifacts, some of which may have stayed behind."""
    work("1")
    work("2")
    eventlog("bundle", "create", files("first.zip"), "--task", "bundles/1")
    eventlog("sync", files("first.zip"), **other(tmp_path))
    eventlog("head", "-o", files("heads.txt"), **other(tmp_path))
    since = ("--since", files("heads.txt"), "--json")
    assert json.loads(eventlog("bundle", "create", files("none.zip"), *since).out)["blobs"] == 0
    chosen = json.loads(eventlog("bundle", "create", files("chosen.zip"), *since, "--task", "bundles/2").out)
    assert (chosen["batches"], chosen["blobs"], chosen["absent"]) == (0, 1, 0)
    assert eventlog("verify", files("chosen.zip")).code == 0
    assert eventlog("sync", files("chosen.zip"), **other(tmp_path)).code == 0
    checked = json.loads(eventlog("verify", "--json", **other(tmp_path)).out)
    assert (checked["blobs"], checked["absent_blobs"], checked["problems"]) == (2, 0, [])
