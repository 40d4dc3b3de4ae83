"""`eventlog export`: what it prints, and what it says of places that will not do."""

import importlib.util
import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.running import BASELINE, Run
from tests.sdk.exports.reading import read
from tests.sync.servers import web_server

needs_client = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="MLflow's client is not installed"
)


def test_it_says_what_it_wrote_and_that_there_is_nothing_new(tasks: Path, eventlog: Run, tmp_path: Path):
    out = tmp_path / "out"
    first = eventlog("export", str(out))
    assert first.code == 0, first.err
    assert first.out.startswith("exported 3 tasks, 4 parameters, 100 scalars, 1")
    assert (first.err, len(first.lines)) == ("", 1)
    assert len(read(out, "tasks")) == 3
    again = eventlog("export", str(out))
    assert (again.code, again.out) == (0, "exported nothing new\n")
    done = json.loads(eventlog("export", str(out), "--json").out)
    assert (done["files"], done["problems"], done["url"]) == (0, [], str(out))


def test_a_project_that_there_is_not_is_an_error_and_not_chosen_for_good(
    tasks: Path, eventlog: Run, tmp_path: Path
):
    done = eventlog("export", str(tmp_path / "out"), "--project", "digit")
    assert (done.code, done.err) == (
        1,
        "eventlog: no task of a project 'digit': did you mean 'digits'?\n",
    )
    assert not (tmp_path / "out").exists()


def test_tasks_are_chosen_as_elsewhere(tasks: Path, eventlog: Run, tmp_path: Path):
    done = eventlog("export", str(tmp_path / "one"), "--task", "digits/baseline", "--json")
    assert json.loads(done.out)["tasks"] == 1
    assert {row[0] for row in read(tmp_path / "one", "scalars", "task")} == {BASELINE}
    under = json.loads(eventlog("export", str(tmp_path / "under"), "-p", "digits/other", "--json").out)
    assert (under["tasks"], under["scalars"]) == (1, 0)
    other = eventlog("export", str(tmp_path / "one"), "--project", "digits")
    assert other.code == 1
    assert f"is an export of task {BASELINE}: go on with it without choosing again" in other.err


def test_a_place_that_will_not_do_is_named_in_one_line(tasks: Path, eventlog: Run, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    for place, said in [
        (tmp_path / "file", "is a file, and no whole bundle: name a folder"),
        (tmp_path / "full", "is not an export, and not empty (thesis.tex)"),
        (tmp_path / "nowhere" / "out", "cannot be made, as"),
        ("nosuch://bucket/x", "nosuch"),
    ]:
        done = eventlog("export", str(place))
        assert (done.code, done.out) == (1, "")
        assert said in done.err
        assert done.err.count("\n") == 1


def test_a_folder_that_a_web_server_publishes_is_no_place_for_it(tasks: Path, eventlog: Run, tmp_path: Path):
    with web_server(tmp_path / "published") as url:
        done = eventlog("export", f"{url}/e")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"eventlog: {url}/e can only be read: ")


@pytest.mark.parametrize("name", ["runs.csv", "runs.JSON", "runs.xlsx"])
def test_a_name_of_a_file_in_another_format_is_refused(tasks: Path, eventlog: Run, tmp_path: Path, name: str):
    done = eventlog("export", str(tmp_path / name))
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "would be a folder of Parquet files, and no ." in done.err
    assert not (tmp_path / name).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_rights_is_named(tasks: Path, eventlog: Run, tmp_path: Path):
    (tmp_path / "out").mkdir(mode=0o500)
    done = eventlog("export", str(tmp_path / "out"))
    assert done.code == 1
    assert "check its owner and rights" in done.err


@pytest.mark.parametrize("arguments", [(), ("out", "--mlflow", "http://host")])
def test_one_place_is_named(tasks: Path, eventlog: Run, arguments: tuple[str, ...]):
    done = eventlog("export", *arguments)
    assert done.code == 2
    assert "name a folder or URL for Parquet files, or an MLflow server with --mlflow" in done.err


def test_a_server_that_is_none_or_not_there_is_named(tasks: Path, eventlog: Run):
    done = eventlog("export", "--mlflow", "host:5000")
    assert done.code == 1
    assert "is not the URL of an MLflow tracking server: give one such as http://host:5000" in done.err
    with socket.socket() as taken:
        # Bound, and nobody listens.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = eventlog("export", "--mlflow", f"http://me:secret@127.0.0.1:{port}")
    assert done.code == 1
    assert "cannot be reached" in done.err
    assert "check that the MLflow server runs" in done.err
    assert "secret" not in done.err


class NotMlflow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@needs_client
def test_a_server_of_another_kind_is_named(tasks: Path, eventlog: Run):
    with ThreadingHTTPServer(("127.0.0.1", 0), NotMlflow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = eventlog("export", "--mlflow", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert done.code == 1
    assert "its experiments cannot be listed" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="MLflow's client is installed")
def test_a_missing_client_is_named_with_its_extra(tasks: Path, eventlog: Run):
    with ThreadingHTTPServer(("127.0.0.1", 0), NotMlflow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = eventlog("export", "--mlflow", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert done.code == 1
    assert "pip install 'eventlog[mlflow]'" in done.err
