"""Heads: printed, signed, and held against what the log is later."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from eventlog.store import Store
from eventlog.sync.bundle import export_bundle
from tests.cli.running import BASELINE, Run, tick, train
from tests.sync.machines import rewritten

requires_ssh_keygen = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")


@pytest.fixture
def remote(eventlog: Run, tasks: Path, tmp_path: Path) -> Path:
    assert eventlog("sync", str(tmp_path / "remote")).code == 0
    return tmp_path / "remote"


@pytest.fixture
def bundle(tasks: Path, tmp_path: Path) -> Path:
    with Store.open(tasks) as store:
        export_bundle(store, tmp_path / "runs.zip")
    return tmp_path / "runs.zip"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", str(tmp_path / "key")]
    subprocess.run(command, check=True)
    line = f"ada@example.org {(tmp_path / 'key.pub').read_text()}"
    (tmp_path / "signers").write_text(f"{line}# nobody else\n")
    return tmp_path / "key"


def go_on(home: Path) -> None:
    with Store.open(home) as store:
        tick(store, 1)
        train(store, "9" * 32, "later", learning_rate="0.3", steps=2)


def test_a_store_a_remote_and_a_bundle_have_the_same_heads(
    eventlog: Run, tasks: Path, remote: Path, bundle: Path
) -> None:
    with Store.open(tasks, read_only=True) as store:
        ((identity, head),) = store.heads().items()
    text = f"eventlog head 1\n{identity.hex()} {head.number} {head.hash.hex()}\n"
    for copy in ([], [str(tasks)], [str(remote)], [str(bundle)]):
        assert eventlog("head", *copy).out == text
    (document,) = json.loads(eventlog("head", "--json").out)
    assert document["time"].endswith("Z")
    assert document["host"]
    told = (document["store"], str(document["number"]), document["sha256"])
    assert told == tuple(text.split()[3:])


def test_a_log_that_went_on_extends_what_was_kept(
    eventlog: Run, tasks: Path, remote: Path, bundle: Path, tmp_path: Path
) -> None:
    heads = str(tmp_path / "heads.txt")
    outcome = eventlog("head", "-o", heads)
    assert (outcome.code, outcome.out) == (0, f"wrote 1 head to {heads}\n")
    go_on(tasks)
    assert eventlog("sync", str(remote)).code == 0
    for copy in ([], [str(remote)], [str(bundle)]):
        outcome = eventlog("verify", *copy, "--against", heads)
        assert outcome.code == 0, outcome.out
        assert outcome.lines[0] == f"unchanged: extends 1 head of {heads}"
    document = json.loads(eventlog("verify", "--against", heads, "--json").out)
    assert document["against"] == {"file": heads, "stores": 1}
    assert document["signed_by"] is None
    assert document["sound"] is True
    # The bundle is older than this.
    assert eventlog("head", "-o", heads, "--force").code == 0
    outcome = eventlog("verify", str(bundle), "--against", heads)
    assert outcome.code == 1
    assert "it was cut, or this is an older copy" in outcome.lines[0]


def test_what_was_verified_is_said_in_one_line(
    eventlog: Run, tasks: Path, remote: Path, bundle: Path
) -> None:
    for copy, name in ((remote, "remote"), (bundle, "bundle")):
        outcome = eventlog("verify", str(copy))
        assert outcome.code == 0
        (line,) = outcome.lines
        assert line.startswith("sound: ")
        assert " of 1 store in 1 segment, " in line
        assert line.endswith(" of 1 session, 2 blobs")
        document = json.loads(eventlog("verify", str(copy), "--quick", "--json").out)
        assert document[name] == str(copy)
        assert (document["segments"], document["blobs"], document["blobs_read"]) == (1, 2, False)
    assert eventlog("verify", "--quick").lines[0].endswith(", 2 blobs (not read)")


def test_a_damaged_blob_of_a_remote_exits_with_1_unless_blobs_are_left_out(
    eventlog: Run, tasks: Path, remote: Path
) -> None:
    blob = min((remote / "blobs").glob("*/*"))
    blob.write_bytes(b"changed")
    outcome = eventlog("verify", str(remote), "--jobs", "2")
    assert outcome.code == 1
    assert outcome.lines[0].startswith(f"blobs/{blob.parent.name}/{blob.name} was changed: ")
    assert outcome.lines[-1].startswith("1 problem: ")
    assert eventlog("verify", str(remote), "--quick").code == 0


@requires_ssh_keygen
def test_signed_heads_are_checked_before_the_log_is(
    eventlog: Run, tasks: Path, key: Path, tmp_path: Path
) -> None:
    heads, signers = tmp_path / "heads.txt", str(tmp_path / "signers")
    outcome = eventlog("head", "-o", str(heads), "--sign", str(key))
    assert outcome.code == 0, outcome.err
    assert outcome.lines[-1] == f"signed with {key}: {heads}.sig"
    against = ["verify", "--against", str(heads), "--signers", signers]
    for signer in ([], ["--signer", "ada@example.org"]):
        outcome = eventlog(*against, *signer)
        assert outcome.code == 0, outcome.err
        assert outcome.lines[0].startswith(f"signed: {heads} by ada@example.org with ED25519 key SHA256:")
    assert json.loads(eventlog(*against, "--json").out)["signed_by"] == "ada@example.org"
    # As docs/FORMAT.md says that it is checked without this program.
    by_hand = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "ada@example.org", "-n", "eventlog-head"]
    with heads.open("rb") as content:
        done = subprocess.run([*by_hand, "-s", f"{heads}.sig"], stdin=content, capture_output=True)
    assert done.returncode == 0, done.stderr

    refused = eventlog(*against, "--signer", "eve@example.org")
    assert refused.code == 1
    assert refused.err.startswith(f"eventlog: {heads} is not signed by eve@example.org")
    text = heads.read_text()
    heads.write_text(f"{text[:-2]}{'0' if text[-2] == '1' else '1'}\n")
    refused = eventlog(*against)
    assert refused.code == 1
    assert "or was changed since" in refused.err
    assert refused.err.count("\n") == 1


@requires_ssh_keygen
def test_a_signature_by_another_key_or_for_another_purpose_does_not_count(
    eventlog: Run, tasks: Path, key: Path, tmp_path: Path
) -> None:
    heads = tmp_path / "heads.txt"
    assert eventlog("head", "-o", str(heads)).code == 0
    against = ["verify", "--against", str(heads), "--signers", str(tmp_path / "signers")]
    assert f"{heads}.sig is not there" in eventlog(*against).err

    def signed(by: Path, purpose: str) -> None:
        Path(f"{heads}.sig").unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(by), "-n", purpose, str(heads)]
        subprocess.run(command, check=True, capture_output=True)

    signed(key, "eventlog-head")
    assert eventlog(*against).code == 0
    signed(key, "file")
    assert eventlog(*against).code == 1
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    signed(other, "eventlog-head")
    assert eventlog(*against).code == 1
    Path(f"{heads}.sig").write_text("no signature")
    assert eventlog(*against).code == 1


@requires_ssh_keygen
def test_a_key_that_cannot_sign_writes_nothing(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    heads = tmp_path / "heads.txt"
    (tmp_path / "no-key").write_text("hello")
    for name in ("nowhere", "no-key"):
        outcome = eventlog("head", "-o", str(heads), "--sign", str(tmp_path / name))
        assert outcome.code == 1
        assert outcome.err.startswith(f"eventlog: {tmp_path / name} ")
        assert outcome.err.count("\n") == 1
    assert not heads.exists()


def test_a_missing_or_old_ssh_keygen_is_said(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "key").write_text("a key")
    arguments = ["head", "-o", str(tmp_path / "heads.txt"), "--sign", str(tmp_path / "key")]
    outcome = eventlog(*arguments, PATH=str(folder))
    assert outcome.code == 1
    assert "ssh-keygen, which is not installed" in outcome.err
    old = folder / "ssh-keygen"
    old.write_text("#!/bin/sh\necho 'unknown option -- Y' >&2\necho 'usage: ssh-keygen ...' >&2\nexit 1\n")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    outcome = eventlog(*arguments, PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    assert outcome.code == 1
    assert "too old" in outcome.err


def test_options_that_need_others_are_wrong_usage(eventlog: Run, tasks: Path) -> None:
    for arguments in (
        ["head", "--sign", "key"],
        ["verify", "--signers", "signers"],
        ["verify", "--against", "heads.txt", "--signer", "ada"],
        ["verify", "--jobs", "0"],
    ):
        assert eventlog(*arguments).code == 2, arguments


def test_what_holds_no_heads_or_is_not_there_is_one_line(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    for name in ("notes.txt", "nowhere.txt"):
        outcome = eventlog("verify", "--against", str(tmp_path / name))
        assert outcome.code == 1
        assert outcome.err.startswith(f"eventlog: {tmp_path / name} ")
        assert outcome.err.count("\n") == 1
    for command in ("head", "verify"):
        outcome = eventlog(command, str(tmp_path / "nowhere"))
        assert outcome.code == 1
        assert outcome.err == (
            f"eventlog: {tmp_path / 'nowhere'} is not there: check the name, or push to it first\n"
        )


def test_heads_of_a_damaged_copy_are_refused(eventlog: Run, tasks: Path, remote: Path) -> None:
    (segment,) = remote.glob("stores/*/*")
    data = bytearray(segment.read_bytes())
    data[-1] ^= 1
    segment.write_bytes(data)
    outcome = eventlog("head", str(remote))
    assert outcome.code == 1
    assert "does not end with the batch that its name says" in outcome.err


def test_a_rewritten_log_with_every_hash_computed_anew_is_caught(
    eventlog: Run, tasks: Path, tmp_path: Path
) -> None:
    heads = tmp_path / "heads.txt"
    assert eventlog("head", "-o", str(heads)).code == 0
    with Store.open(tasks, read_only=True) as store:
        batches = list(store.batches(store.id))
    # The same store, with the same id, in whose history a task had another name.
    forged, remote = tmp_path / "forged", tmp_path / "remote"
    with Store.open(forged) as store:
        shutil.copytree(tasks / "blobs", forged / "blobs", dirs_exist_ok=True)
        store.admit(rewritten(batches, b"baseline", b"improved"))
    assert eventlog("sync", str(remote), EVENTLOG_HOME=str(forged)).code == 0
    assert eventlog("verify", str(remote)).code == 0
    outcome = eventlog("verify", str(remote), "--against", str(heads))
    assert outcome.code == 1
    last = batches[-1]
    assert outcome.lines[0].startswith(
        f"store {last.store.hex()} was rewritten: its batch {last.number} has "
    )


@requires_ssh_keygen
def test_what_is_signed_is_not_replaced_by_a_slip_and_no_signature_of_something_else_is_left(
    eventlog: Run, tasks: Path, key: Path, tmp_path: Path
) -> None:
    heads = tmp_path / "heads.txt"
    report = tmp_path / "report.md"
    for command in (("head", "-o", str(heads)), ("audit", BASELINE, "-o", str(report))):
        signed = eventlog(*command, "--sign", str(key))
        assert signed.code == 0
        assert f"signed with {key}" in signed.out
        file = Path(command[-1])
        before = file.read_bytes()
        assert eventlog(*command).code == 1
        assert file.read_bytes() == before
        # Nor is a signature, though what it signs is elsewhere.
        file.unlink()
        alone = eventlog(*command)
        assert (alone.code, file.exists()) == (1, False)
        assert f"{file}.sig is there already" in alone.err
        assert eventlog(*command, "--force").code == 0
        assert not file.with_name(f"{file.name}.sig").exists()
