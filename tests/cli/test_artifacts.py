import hashlib
import json
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, Run

CONTENT = b"weights of baseline"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_artifacts_are_listed_with_size_and_hash(eventlog: Run, tasks: Path) -> None:
    header, model = (line.split() for line in eventlog("artifacts", BASELINE).lines)
    assert header == ["NAME", "KIND", "SIZE", "FILE", "UPLOADED", "SHA-256"]
    assert model[:5] == ["model", "file", "19", "B", "model.bin"]
    assert model[-1] == DIGEST
    assert eventlog("artifacts", "77cc").err == "eventlog: no artifacts\n"


def test_an_artifact_that_is_at_a_url_alone_is_listed_and_said_to_be_there(eventlog: Run, rich: Path) -> None:
    elsewhere = eventlog("artifacts", "digits/rich").lines[1].split()
    assert (elsewhere[:2], elsewhere[-1]) == (["elsewhere", "file"], "https://host/far.zip")
    outcome = eventlog("artifacts", "digits/rich", "elsewhere")
    assert outcome.code == 1
    assert "is not in the store, but at https://host/far.zip" in outcome.err


def test_json_has_the_documented_keys(eventlog: Run, tasks: Path) -> None:
    (artifact,) = json.loads(eventlog("artifacts", BASELINE, "--json").out)
    assert list(artifact) == [
        "name",
        "kind",
        "format",
        "file_name",
        "size",
        "sha256",
        "uploaded",
        "url",
        "content_type",
        "preview",
        "metadata",
    ]
    assert (artifact["size"], artifact["sha256"]) == (19, DIGEST)


def test_an_artifact_is_fetched_whole_to_a_file_a_folder_or_stdout(
    eventlog: Run, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert eventlog("artifacts", BASELINE, "model").out == "wrote model.bin (19 B)\n"
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    eventlog("artifacts", BASELINE, "model", "--output", "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT
    (tmp_path / "folder").mkdir()
    outcome = eventlog("artifacts", BASELINE, "model", "--output", "folder", "--json")
    assert json.loads(outcome.out)["path"] == "folder/model.bin"
    assert (tmp_path / "folder" / "model.bin").read_bytes() == CONTENT
    assert eventlog("artifacts", BASELINE, "model", "-o", "-").out.encode() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir() if path != tasks) == [
        "copy",
        "folder",
        "model.bin",
    ]


def test_an_artifact_that_is_not_there_names_those_that_are(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("artifacts", BASELINE, "weights")
    assert outcome.code == 1
    assert "'weights'; it has model" in outcome.err


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "", ".bashrc", "a\\b", "a\nb"])
def test_a_file_name_from_elsewhere_never_becomes_a_path(
    eventlog: Run, store: Store, tmp_path: Path, name: str
) -> None:
    digest = store.blobs.put_bytes(b"payload")
    store.session.append(events.TaskCreated, BASELINE, "evil", "digits")
    store.session.append(events.ArtifactUploaded, BASELINE, "model", "file", digest, 7, name)
    store.flush()
    target = tmp_path / "target"
    target.mkdir()
    assert eventlog("artifacts", BASELINE, "model", "--output", str(target)).code == 0
    assert [path.name for path in target.iterdir()] == [digest]


def test_a_damaged_blob_is_named_and_not_handed_out(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    with Store.open(tasks) as store:
        blob = store.blobs.path(DIGEST)
    blob.chmod(0o600)
    blob.write_bytes(b"weights of BASELINE")
    outcome = eventlog("artifacts", BASELINE, "model", "--output", str(tmp_path / "copy"))
    assert outcome.code == 1
    assert DIGEST in outcome.err
    assert not (tmp_path / "copy").exists()


def test_nothing_of_a_damaged_blob_goes_to_stdout(eventlog: Run, tasks: Path) -> None:
    with Store.open(tasks) as store:
        blob = store.blobs.path(DIGEST)
    blob.chmod(0o600)
    blob.write_bytes(b"weights of BASELINE")
    outcome = eventlog("artifacts", BASELINE, "model", "-o", "-")
    assert (outcome.code, outcome.out) == (1, "")
    assert DIGEST in outcome.err


def test_a_large_damaged_blob_that_goes_to_stdout_ends_with_an_error(
    eventlog: Run, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.cli.artifacts.IN_MEMORY", 10)
    assert eventlog("artifacts", BASELINE, "model", "-o", "-").out.encode() == CONTENT
    with Store.open(tasks) as store:
        blob = store.blobs.path(DIGEST)
    blob.chmod(0o600)
    blob.write_bytes(b"weights of BASELINE")
    outcome = eventlog("artifacts", BASELINE, "model", "-o", "-")
    assert outcome.code == 1
    assert DIGEST in outcome.err
