"""The report of a task: what it says is so, it says how to check it, and nothing in it passes for markup."""

import errno
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eventlog import events
from eventlog.batch import Batch
from eventlog.cli import signatures
from eventlog.cli.moments import iso
from eventlog.errors import InputInvalid
from eventlog.events import Parameter
from eventlog.store import Store
from tests.cli.running import BASELINE, RICH, WIDER, Run, tick

HOSTILE = "<script>alert(1)</script> | `x` **y** \x1b[31m\u202e\n# z"


def code_blocks(markdown: str) -> list[str]:
    return re.findall(r"^```\n(.*?)\n```$", markdown, re.MULTILINE | re.DOTALL)


def batches_of(home: Path) -> list[Batch]:
    with Store.open(home, read_only=True) as store:
        return list(store.batches(store.id))


def test_it_says_who_did_what_where_and_when(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("audit", "digits/baseline")
    assert outcome.code == 0, outcome.err
    page = outcome.out
    assert page.startswith("# Audit of digits/baseline\n")
    assert BASELINE in page
    assert "**The log is sound: " in page
    diff = hashlib.sha256(
        b"diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n+lr = 0.1\n"
    ).hexdigest()
    weights = hashlib.sha256(b"weights of baseline").hexdigest()
    assert f"- Commit: {'c0ffee' * 6}c0ff" in page
    assert f"- Uncommitted changes: SHA-256 {diff}" in page
    assert re.search(rf"\| artifact \| model \| 19 \| `{weights}` \| matches \|", page)
    assert "| Args/lr | 0.1 | float |" in page
    assert "numpy==2.0 scikit-learn==1.5" in page
    assert "| ScalarReported | 40 |" in page
    with Store.open(tasks, read_only=True) as store:
        history = [one for batch in store.batches(store.id) for one in batch.state_events()]
    of_task = [one for one in history if one.event.task == BASELINE]
    rows = [line for line in page.splitlines() if re.match(r"\| `20\d\d-", line)]
    # Progress, twenty times, is three rows and one that says how many were left out.
    assert len(rows) == len(of_task) - 20 + 3
    assert "| … | ProgressSet | 17 more of them |" in page
    assert all(f"{one.session.hex()[:8]}:{one.number}" in page for one in (of_task[0], of_task[-1]))


def test_the_same_is_there_for_programs(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("audit", "digits/baseline", "--json")
    document = json.loads(outcome.out)
    (batch,) = batches_of(tasks)
    (proof,) = document["batches"]
    assert (proof["store"], proof["number"], proof["sha256"]) == (batch.store.hex(), 0, batch.hash.hex())
    own = [one for one in batch.events() if one.event.task == BASELINE]
    assert proof["events"] == len(own) == sum(document["events"].values())
    assert document["events"]["ScalarReported"] == 40
    assert document["sound"] is True
    assert document["heads"] == [{"store": batch.store.hex(), "number": 0, "sha256": batch.hash.hex()}]
    assert document["task"]["id"] == BASELINE
    assert len(document["history"]) == len(
        [one for one in batch.state_events() if one.event.task == BASELINE]
    )
    (file,) = document["files"]
    assert (file["what"], file["name"], file["status"], file["fate"]) == ("artifact", "model", "matches", "")


def test_what_it_says_to_do_checks_it(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    page = eventlog("audit", "digits/baseline").out
    assert eventlog("sync", str(remote)).code == 0
    blocks = code_blocks(page)
    (heads,) = (block for block in blocks if block.startswith("eventlog head 1\n"))
    (tmp_path / "heads.txt").write_text(f"{heads}\n")
    assert eventlog("verify", str(remote), "--against", str(tmp_path / "heads.txt")).code == 0
    (script,) = (block for block in blocks if block.startswith("python3 -c '"))
    done = subprocess.run(
        [sys.executable, "-I", "-c", script.split("'")[1]], cwd=remote, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        f"{one.number} {one.previous.hex()} {one.hash.hex()}" for one in batches_of(tasks)
    ]
    (checksum,) = (block for block in blocks if "sha256sum" in block)
    for folder in (remote, tasks):
        assert subprocess.run(["sh", "-c", checksum], cwd=folder, capture_output=True).returncode == 0
    for blob in (remote / "blobs").glob("*/*"):
        blob.write_bytes(b"changed")
    assert subprocess.run(["sh", "-c", checksum], cwd=remote, capture_output=True).returncode == 1


def test_of_a_task_without_files_none_are_said_to_match(eventlog: Run, tasks: Path) -> None:
    with Store.open(tasks) as store:
        store.session.append(events.TaskCreated, "ab" * 16, "bare", "digits")
    page = eventlog("audit", "digits/bare").out
    assert "for this report. Its events name no files by SHA-256.**" in page


def test_every_file_is_named_with_whether_its_bytes_are_here(eventlog: Run, rich: Path) -> None:
    document = json.loads(eventlog("audit", "digits/rich", "--json").out)
    found = {(one["what"], one["name"].split(" (")[0]): one["status"] for one in document["files"]}
    assert found == {
        ("artifact", "table"): "matches",
        ("artifact", "elsewhere"): "elsewhere",
        ("model", "base"): "elsewhere",
        ("model", "rich - 3"): "matches",
        ("plot", "roc 0"): "matches",
        ("image", "samples/../../x 1"): "matches",
        ("image", "samples/far 1"): "elsewhere",
    }
    table = next(one for one in document["files"] if one["name"] == "table")
    blob = rich / "blobs" / table["sha256"][:2] / table["sha256"]
    blob.chmod(0o600)
    blob.write_bytes(b"a;b\n")
    outcome = eventlog("audit", "digits/rich", "--json")
    assert outcome.code == 1
    document = json.loads(outcome.out)
    assert document["sound"] is False
    assert document["problems"] == ["artifact table: its bytes have another SHA-256 than its event says"]
    blob.unlink()
    outcome = eventlog("audit", "digits/rich")
    assert outcome.code == 1
    assert "| not here |" in outcome.out
    assert f"{table['sha256']}, which batch " in code_blocks(outcome.out)[0]


def test_a_model_at_a_url_is_here_if_its_bytes_are(eventlog: Run, rich: Path) -> None:
    with Store.open(rich) as store:
        digest = store.blobs.put_bytes(b"weights from the host")
        for model, sha256 in (("1" * 32, digest), ("2" * 32, "0" * 64)):
            store.session.append(events.ModelCreated, model, f"of {model[0]}", "digits")
            weights = ("", 0, "", "", "https://host/one.pt", None, "", sha256)
            store.session.append(events.ModelWeightsSet, model, *weights)
            store.session.append(events.ModelLinked, RICH, model, "input", model[0])
    document = json.loads(eventlog("audit", "digits/rich", "--json").out)
    found = {one["sha256"]: one["status"] for one in document["files"] if one["name"].startswith("of ")}
    assert found == {digest: "matches", "0" * 64: "elsewhere"}


def test_the_batches_that_hold_what_a_model_is_are_part_of_the_proof(eventlog: Run, rich: Path) -> None:
    model = "3" * 32
    with Store.open(rich) as store:
        for event, about, fields in (
            (events.ModelLinked, RICH, (model, "output", "weights")),
            (events.ModelLinked, RICH, (model, "input", "weights")),
            (events.ModelCreated, model, ("of late", "digits")),
            (events.ModelWeightsSet, model, ("", 0, "", "", "https://host/late.pt", None, "", "0" * 64)),
        ):
            store.session.append(event, about, *fields)
            store.flush()
        batches = list(store.batches(store.id))
        last = batches[-1]
        of_models = sum(one.event.is_about_model for batch in batches for one in batch.events())
    document = json.loads(eventlog("audit", "digits/rich", "--json").out)
    assert "0" * 64 in {one["sha256"] for one in document["files"]}
    assert last.hash.hex() in {one["sha256"] for one in document["batches"]}
    # Of one that it has read and made, each event counts once.
    assert f"and {of_models} events of its models," in eventlog("audit", "digits/rich").out


def test_what_was_changed_is_told_with_what_it_was_before(eventlog: Run, tasks: Path) -> None:
    with Store.open(tasks) as store:
        tick(store, 5)
        append = store.session.append
        append(events.ParametersSet, BASELINE, {"Args/lr": Parameter("0.5", "float")})
        append(events.ParametersDeleted, BASELINE, ["Args/steps"])
        digest = store.blobs.put_bytes(b"better weights")
        append(events.ArtifactUploaded, BASELINE, "model", "file", digest, 14, "model.bin")
        append(events.ArtifactsDeleted, BASELINE, ["model"])
    page = eventlog("audit", "digits/baseline").out
    assert re.search(r"\| Args/lr \| 0.1 \| 0.5 \| \S+@\S+ \|", page)
    assert re.search(r"\| Args/steps \| 20 \| \(deleted\) \| \S+@\S+ \|", page)
    document = json.loads(eventlog("audit", "digits/baseline", "--json").out)
    assert [(one["name"], one["fate"]) for one in document["files"]] == [
        ("model", "replaced"),
        ("model", "deleted"),
    ]
    assert [one["number"] for one in document["batches"]] == [0, 1]


def test_a_moment_of_the_past_can_be_audited(eventlog: Run, tasks: Path) -> None:
    with Store.open(tasks, read_only=True) as store:
        history = [one for batch in store.batches(store.id) for one in batch.events()]
    parameters = next(
        one.event for one in history if one.event.task == BASELINE and type(one.event) is events.ParametersSet
    )
    earlier = sum(one.event.task == BASELINE and one.event.time <= parameters.time for one in history)
    at = iso(parameters.time)
    assert at is not None
    document = json.loads(eventlog("audit", BASELINE, "--at", at, "--json").out)
    assert document["at"] == at
    assert sum(document["events"].values()) == earlier
    assert document["files"] == []
    assert document["task"]["status"] == "in_progress"


def test_the_name_of_the_file_says_how_it_is_written(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    begins = {"a.html": "<!DOCTYPE html>", "a.json": "{"}
    for name, beginning in begins.items():
        outcome = eventlog("audit", "digits/wider", "-o", str(tmp_path / name))
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith(f"wrote {tmp_path / name}: ")
        text = (tmp_path / name).read_text()
        assert text.startswith(beginning)
        assert WIDER in text
    assert eventlog("audit", "digits/wider", "-o", str(tmp_path / "a.pdf")).code == 2
    assert eventlog("audit", "digits/wider", "--json", "--format", "md").code == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(begins)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
def test_a_signed_report_is_checked_as_it_says(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    page, key = tmp_path / "PAGE.md", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "allowed_signers").write_text(f"NAME {(tmp_path / 'key.pub').read_text()}")
    outcome = eventlog("audit", "digits/wider", "-o", str(page), "--sign", str(key))
    assert outcome.code == 0, outcome.err
    (command,) = (one for one in code_blocks(page.read_text()) if "ssh-keygen" in one)
    command = ["sh", "-c", command.replace("PAGE", "PAGE.md")]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    page.write_text(page.read_text().replace("0.2", "0.1"))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag != "meta":
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


@pytest.mark.parametrize("kind", ["md", "html", "json"])
def test_nothing_that_came_from_elsewhere_passes_for_markup(eventlog: Run, tasks: Path, kind: str) -> None:
    task = "6" * 32
    with Store.open(tasks) as store:
        tick(store, 5)
        append = store.session.append
        append(events.TaskCreated, task, HOSTILE, HOSTILE, "training", HOSTILE)
        append(events.TaskStarted, task)
        append(events.ParametersSet, task, {HOSTILE: Parameter(HOSTILE, HOSTILE)})
        append(events.ConfigurationSet, task, HOSTILE, HOSTILE, "", HOSTILE)
        append(events.ExecutionRecorded, task, HOSTILE, HOSTILE, "$(rm -rf ~)", HOSTILE, "", HOSTILE)
        append(events.ArtifactUploaded, task, HOSTILE, HOSTILE, "", 0, HOSTILE, "", "", {}, HOSTILE)
        append(events.ScalarReported, task, HOSTILE, HOSTILE, 0, 1.0)
        append(events.SingleValueReported, task, HOSTILE, 1.0)
        append(events.TaskFailed, task, HOSTILE, f"```\n{HOSTILE}\n```\n", HOSTILE)
    outcome = eventlog("audit", task, "--format", kind)
    assert outcome.code == 0, outcome.err
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", outcome.out)
    assert "git show" not in outcome.out
    if kind == "html":
        tags = Tags()
        tags.feed(outcome.out)
        assert tags.opened == []
        assert "script" not in tags.names
        assert "http" not in re.sub(r"<meta[^>]*>", "", outcome.out)
    elif kind == "md":
        text = outcome.out
        for block in re.findall(r"^(`{3,})\n(.*?)\n\1$", text, re.MULTILINE | re.DOTALL):
            text = text.replace(block[1], "")
        assert not re.search(r"(?<!\\)<script", text)
        assert not re.search(r"^# z", text, re.MULTILINE)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table
    else:
        json.loads(outcome.out)


def test_a_long_history_is_summarised_for_people_and_whole_for_programs(eventlog: Run, tasks: Path) -> None:
    task = "8" * 32
    with Store.open(tasks) as store:
        append = store.session.append
        append(events.TaskCreated, task, "long", "digits")
        for number in range(1500):
            append(events.ProgressSet, task, number % 100)
            append(events.TagsAdded, task, [str(number % 7)])
            append(events.ScalarReported, task, "loss", "train", number, 0.5)
        for number in range(30_000):
            append(events.ScalarReported, task, "loss", "train", number, 0.5)
    page = eventlog("audit", task).out
    assert len(page.splitlines()) < 700
    assert "2,601 rows between these are left out" in page
    assert "| ScalarReported | 31,500 |" in page
    document = json.loads(eventlog("audit", task, "--json").out)
    assert len(document["history"]) == 3001
    assert document["events"]["ScalarReported"] == 31_500


def test_events_of_several_machines_are_proved_by_the_batches_of_each(
    eventlog: Run, rich: Path, tmp_path: Path
) -> None:
    remote, second = str(tmp_path / "remote"), {"EVENTLOG_HOME": str(tmp_path / "second")}
    eventlog("sync", remote)
    eventlog("sync", remote, **second)
    with Store.open(tmp_path / "second") as store:
        tick(store, 1)
        store.session.append(events.TagsAdded, RICH, ["seen"])
        other = store.id
    document = json.loads(eventlog("audit", RICH, "--json", **second).out)
    assert len({one["store"] for one in document["batches"]}) == 2
    assert {one["store"] for one in document["heads"]} == {one["store"] for one in document["batches"]}
    assert other.hex() in {one["store"] for one in document["heads"]}


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_its_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("old")
    signatures.signature_path(page).write_text("of the old one")

    def fill_up(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(signatures, "write_synced", fill_up)
    with pytest.raises(InputInvalid, match="cannot be written"):
        signatures.write_signed(page, b"new", None, signatures.FILE, force=True)
    assert page.read_text() == "old"
    assert signatures.signature_path(page).read_text() == "of the old one"
