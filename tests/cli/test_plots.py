"""`eventlog plots`: plots and media are listed, and written where asked."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, FIGURE, IMAGE, LARGE_FIGURE, MODEL, RICH, Run


def test_plots_and_media_are_listed_as_last_reported(eventlog: Run, rich: Path) -> None:
    header, *rows = eventlog("plots", RICH).lines
    assert header.split() == ["TITLE", "SERIES", "ITERATION", "KIND", "SIZE", "FILE", "REPORTED"]
    assert [re.split(r"\s{2,}", row)[0] for row in rows] == [
        "broken",
        "confusion matrix",
        "roc",
        "samples",
        "samples",
    ]
    chosen = json.loads(eventlog("plots", RICH, "samples", "../../x", "--json").out)
    assert [(one["kind"], one["iteration"], one["size"]) for one in chosen] == [("image", 1, len(IMAGE))]
    assert eventlog("plots", BASELINE).err == "eventlog: no plots and no media\n"
    assert eventlog("plots", MODEL).err == "eventlog: no plots and no media\n"
    for wrong, words in (
        (["PR"], "there is no plot titled 'PR' there; there is broken, confusion matrix, roc, samples"),
        (["samples", "PR"], "there is no series 'PR' of 'samples' there; there is "),
    ):
        outcome = eventlog("plots", RICH, *wrong)
        assert (outcome.code, outcome.out) == (1, "")
        assert words in outcome.err


def test_they_are_saved_with_a_page_that_shows_them(eventlog: Run, rich: Path, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    folder = tmp_path / "new" / "pictures"
    outcome = eventlog("plots", RICH, "--save", str(folder))
    assert outcome.code == 0, outcome.err
    assert outcome.lines == [f"wrote 4 files to {folder}", f"{folder}/plots.html shows them"]
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    page = files.pop("plots.html").decode()
    # What an event says is no path.
    assert files == {
        "broken_0.json": b"no figure </script>",
        "confusion_matrix_validation_1.json": FIGURE.encode(),
        "roc_0.json": LARGE_FIGURE.encode(),
        "samples_.._.._x_1.png": IMAGE,
    }
    drawn = page[page.index("<h2>") :]
    assert drawn.count("Plotly.newPlot") == 2
    # No figure ends its script, and a name is text.
    assert "\\u003c/script>" in drawn
    assert "no figure" not in drawn
    assert "this is not a figure" in drawn
    assert '<img src="samples_.._.._x_1.png"' in drawn
    assert "https://host/&lt;b&gt;.png" in drawn
    # It needs nothing from elsewhere.
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=\"https?:", page)


def test_a_folder_that_is_not_empty_is_left_alone_unless_told(
    eventlog: Run, rich: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "mine").write_text("mine")
    refused = eventlog("plots", RICH, "samples", "--save", str(tmp_path / "pictures"))
    assert refused.code == 1
    assert "is not empty" in refused.err
    assert eventlog("plots", RICH, "samples", "--save", str(tmp_path / "pictures"), "--force").code == 0
    assert (tmp_path / "pictures" / "mine").read_text() == "mine"
    assert (tmp_path / "pictures" / "samples_.._.._x_1.png").read_bytes() == IMAGE


def test_titles_that_make_the_same_file_name_make_two_files(
    eventlog: Run, store: Store, tmp_path: Path
) -> None:
    append = store.session.append
    append(events.TaskCreated, BASELINE, "many", "digits")
    for title in ("a b", "a/b", "A_b", "", "x" * 400, "...", "plots.html"):
        append(events.PlotReported, BASELINE, title, "", 1, json.dumps(title))
    store.flush()
    written = json.loads(eventlog("plots", BASELINE, "--save", str(tmp_path / "out"), "--json").out)
    paths = [Path(one["path"]) for one in written]
    assert len({path.name.casefold() for path in paths}) == 7
    assert all(path.parent == tmp_path / "out" and not path.name.startswith(".") for path in paths)
    assert [json.loads(path.read_text()) for path in paths] == [one["title"] for one in written]


def test_without_plotly_the_files_are_written_and_no_page(eventlog: Run, rich: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "plotly.py").write_text("raise ImportError('not here')")
    outcome = eventlog("plots", RICH, "--save", str(tmp_path / "out"), PYTHONPATH=str(hidden))
    assert outcome.code == 0
    assert outcome.lines == [f"wrote 4 files to {tmp_path / 'out'}"]
    assert "pip install 'eventlog[plots]'" in outcome.err
    assert not (tmp_path / "out" / "plots.html").exists()
    opened = eventlog("plots", RICH, "--open", PYTHONPATH=str(hidden), TMPDIR=str(tmp_path))
    assert (opened.code, "pip install 'eventlog[plots]'" in opened.err) == (1, True)
    # Of pictures alone it needs nothing.
    assert eventlog("plots", RICH, "samples", "--save", str(tmp_path / "b"), PYTHONPATH=str(hidden)).err == ""
    assert (tmp_path / "b" / "plots.html").exists()


def test_a_blob_that_is_missing_is_named_and_the_others_are_written(
    eventlog: Run, rich: Path, tmp_path: Path
) -> None:
    with Store.open(rich) as store:
        (picture,) = (
            one for one in json.loads(eventlog("plots", RICH, "samples", "--json").out) if one["size"]
        )
        store.blobs.path(picture["sha256"]).unlink()
    outcome = eventlog("plots", RICH, "--save", str(tmp_path / "out"))
    assert outcome.code == 1
    assert picture["sha256"] in outcome.err
    assert (tmp_path / "out" / "roc_0.json").exists()
    assert not (tmp_path / "out" / "samples_.._.._x_1.png").exists()


def test_they_are_opened_in_a_browser(eventlog: Run, rich: Path, tmp_path: Path) -> None:
    opener, opened = tmp_path / "bin" / "xdg-open", tmp_path / "opened"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    opener.chmod(0o700)
    path = f"{opener.parent}:{os.environ['PATH']}"
    outcome = eventlog("plots", RICH, "samples", "--open", PATH=path, TMPDIR=str(tmp_path))
    assert outcome.code == 0, outcome.err
    (page,) = tmp_path.glob("eventlog-plots-*/plots.html")
    deadline = time.monotonic() + 30
    while not opened.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert opened.read_text() == f"{page}\n"
