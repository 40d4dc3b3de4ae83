"""Where a file goes: ClearML's layout, names that never leave it, and no secret in what is recorded."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.configuration import Configuration
from eventlog.errors import InputInvalid
from eventlog.sdk.destinations import check_destination, file_url, path_part, reveal, task_folder_url

NONE = Configuration()
ID = "ab" * 16


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://bucket/runs/", "s3://bucket/runs"),
        ("s3://bucket", "s3://bucket"),
        ("/data/runs/", "file:///data/runs"),
        (Path("/data"), "file:///data"),
        ("file:///data/", "file:///data"),
        ("memory://", "memory://"),
        ("", ""),
        (False, ""),
        (None, ""),
    ],
)
def test_a_destination_is_a_url(given: object, url: str) -> None:
    assert check_destination(given, NONE) == url


def test_a_path_is_taken_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_destination("runs", NONE) == f"file://{tmp_path}/runs"


def test_the_configured_destination_is_meant_by_none_and_true() -> None:
    configured = Configuration(default_output_uri="s3://bucket/all")
    assert check_destination(None, configured) == check_destination(True, configured) == "s3://bucket/all"
    assert check_destination("/here", configured) == "file:///here"
    assert check_destination(False, configured) == ""
    # What libraries pass without asking: the store is the destination, then.
    assert check_destination(True, NONE) == ""


@pytest.mark.parametrize(
    "given", [7, b"x", "a\nb", "x" * 100_000, "simplecache::s3://bucket", "s3://a\0b", "nowhere://a"]
)
def test_what_cannot_be_a_destination_is_refused(given: object) -> None:
    with pytest.raises(InputInvalid, match="destination"):
        check_destination(given, NONE)


def test_the_layout_is_clearmls() -> None:
    url = file_url("s3://bucket/runs", "a/b", "my task", ID, "artifacts", "person.json", "person")
    assert url == f"s3://bucket/runs/a/b/my task.{ID}/artifacts/person/person.json"
    assert file_url("memory://", "a", "t", ID, "models", "w.pt") == f"memory://a/t.{ID}/models/w.pt"
    assert task_folder_url("file:///", "a", "t", ID) == f"file:///a/t.{ID}"


@given(st.text(), st.text(), st.text(), st.text())
def test_no_name_leaves_its_folder(project: str, task: str, name: str, file_name: str) -> None:
    url = file_url("s3://bucket", project, task, ID, "artifacts", file_name, name)
    parts = url.removeprefix("s3://bucket/").split("/")
    assert not {"", ".", ".."}.intersection(parts)
    assert len([part for part in project.split("/") if part]) + 4 == len(parts)
    assert all(len(part.encode()) <= 255 and part.isprintable() for part in parts)


def test_a_long_name_keeps_its_ending_and_what_tells_it_from_others() -> None:
    one, other = path_part("x" * 10_000 + ".tar"), path_part("x" * 10_001 + ".tar")
    assert one != other
    assert one.endswith(".tar")
    assert path_part("x" * 10_000, f".{ID}").endswith(f".{ID}")


def test_a_secret_is_masked_and_known_to_this_process_alone() -> None:
    for secret in ("s3://key:hunter2secret@bucket/x", "https://host/x?sig=hunter2secret&v=1"):
        shown = check_destination(secret, NONE)
        assert "hunter2" not in shown
        url = file_url(shown, "a", "t", ID, "models", "w.pt")
        assert "hunter2" not in url
        real = reveal(url)
        assert "hunter2secret" in real
        assert f"/x/a/t.{ID}/models/w.pt" in real
    assert reveal("s3://bucket/x") == "s3://bucket/x"
    with pytest.raises(InputInvalid, match="credentials of"):
        reveal("sftp://********@elsewhere/x")
