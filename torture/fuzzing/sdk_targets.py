"""Readers of what is taken from another machine's tasks: sessions, artifacts, configurations, plots."""

import gzip
import io
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from eventlog.cli.plot_files import save_all
from eventlog.configuration import Configuration
from eventlog.events import Parameter
from eventlog.projections import Plot
from eventlog.sdk.archives import extract_archive, is_extracted
from eventlog.sdk.configurations import parse_text
from eventlog.sdk.deserialization import PICKLES, load_object
from eventlog.sdk.exports.target import Target as ExportTarget
from eventlog.sdk.figure_json import figure_of, figure_text
from eventlog.sdk.importing import import_session
from eventlog.sdk.model_designs import design_dict
from eventlog.sdk.parameters import cast_parameter, nest_parameters
from eventlog.sdk.ranks import read_word
from eventlog.sdk.watcher_folder import WatcherFolder
from eventlog.store import Store
from eventlog.sync.remembered import remembered
from eventlog.verify import verify
from torture.fuzzing import corpus
from torture.fuzzing.changes import changed_bytes, changed_json, hostile_text
from torture.fuzzing.formats import changed_tree, changed_zip, zip_of
from torture.fuzzing.target import MIB, Target, errors_of_the_tree
from torture.fuzzing.trees import packed, unpacked, write_below

__all__ = ["SDK_TARGETS"]


# Sessions of ClearML.


def _read_clearml(path: Path, folder: Path) -> None:
    os.environ["EVENTLOG_HOME"] = str(folder / "home")
    with Store.open(folder / "home") as store:
        with errors_of_the_tree():
            problems = import_session(store, path).problems
            assert not any("\n" in line for line in problems)
    assert verify(folder / "home", jobs=1).problems == []


def _read_clearml_zip(data: bytes, folder: Path) -> None:
    (folder / "session.zip").write_bytes(data)
    _read_clearml(folder / "session.zip", folder)
    assert sorted(one.name for one in folder.iterdir()) == ["home", "session.zip"]


def _read_clearml_folder(data: bytes, folder: Path) -> None:
    (folder / "session").mkdir()
    write_below(folder / "session", unpacked(data))
    _read_clearml(folder / "session", folder)


# Configurations, parameters, and files of settings.

_HOCON = b"""
# a comment
server { port = 80, host : example.org }  // another
server.host = "other.org"
sizes = [ 1
  2.5, three ]
sizes += 4
text = \"\"\"two
lines\"\"\"
merged = {a : 1} {b = 2}
url = http://x/y
"""
_YAML = b"a: &x [1, 2.5, 2026-01-01, null]\nb: *x\nc: {d: !!str 1, <<: {e: 1}}\n? [f, g]\n: |\n  text\n"
_TOML = b'a = 1\n[b.c]\nd = ["e", 2026-01-01T00:00:00Z, 1.5]\n[[f]]\ng = 0x1f\n'
_SETTINGS = (
    b'remote = "s3://bucket/x"\ncommit_interval_seconds = 0.5\nauto_sync = "close"\nshared_home = false\n'
)


def _read_configuration(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    for kind in ("", "yaml", "toml", "json"):
        with errors_of_the_tree():
            parse_text(text, kind)
    with errors_of_the_tree():
        design_dict(text)


def _laughs() -> bytes:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{number + 1}: &a{number + 1} [{', '.join([f'*a{number}'] * 9)}]\n" for number in range(30)
    )
    return laughs.encode()


_CONFIGURATION_BOMBS = (
    _laughs,
    lambda: b"a { b%d = 1 }\n" * 20_000,
    lambda: b"".join(b"a { b%d = 1 }\n" % number for number in range(20_000)),
    lambda: b"a += 1\n" * 50_000,
    lambda: b"a." * 50_000 + b"b = 1",
    lambda: b"a = " + b"{" * 100_000,
    lambda: b"a = [" * 20_000,
    lambda: b"a: " + b"[{" * 50_000,
    lambda: b'a = """' + b'""x' * 50_000,
    lambda: b'a = "' + b"\\u0041" * 50_000,
    lambda: b"a = x" + b" /" * 50_000,
    lambda: b"a: " + b"- " * 20_000,
    lambda: b"? " * 20_000,
    lambda: b"[" * 20_000,
    lambda: b"a = " + b"9" * 100_000,
    lambda: b'include "/etc/passwd"\na = 1\n',
    lambda: b'include url("http://127.0.0.1:9/x")\na = 1\n',
    lambda: b"a = ${b}\nb = ${a}\n",
    lambda: b"a = ${HOME}\n",
    lambda: b"a0 = x\n" + b"".join(b"a%d = ${a%d}${a%d}\n" % (n + 1, n, n) for n in range(30)),
)


def _read_parameter(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    for kind in (
        "int",
        "float",
        "bool",
        "complex",
        "bytes",
        "list",
        "tuple",
        "dict",
        "set",
        "frozenset",
        "x/y",
    ):
        with errors_of_the_tree():
            cast_parameter(Parameter(text, kind))
    with errors_of_the_tree():
        nest_parameters({text: 1, f"{text}/x": 2, "General/x": 3})


def _read_settings(data: bytes, folder: Path) -> None:
    (folder / "config.toml").write_bytes(data)
    with errors_of_the_tree():
        Configuration.load(folder)
    with errors_of_the_tree():
        Store.open(folder, create=False)


# Small files that processes leave each other.

_ATTEMPT = b'{"remote":"s3://bucket","pushed":3,"began":1790000000000000000,"problem":""}'
_WORD = b'{"task":"7a","home":"/home/x","session":"00","store":"00"}'
_RUN = b'{"task":"7a","session":"00","time":1790000000000,"ended":true,"kept":false}'
_REMOTES = b"s3://bucket/x\n/somewhere\n"


def _read_left(data: bytes, folder: Path) -> None:
    watcher = WatcherFolder(folder, "memory://x")
    watcher.make()
    (watcher.path / "last").write_bytes(data)
    with errors_of_the_tree():
        watcher.last()
    (folder / "cache").mkdir()
    (folder / "cache" / "remotes").write_bytes(data)
    with errors_of_the_tree():
        remembered(folder)
    (folder / "word").write_bytes(data)
    with errors_of_the_tree():
        read_word(folder / "word")


_LEFT_BOMBS = (
    lambda: b"[" * (8 * MIB),
    lambda: b'{"x":' * MIB,
    lambda: b'{"remote":"' + b"x" * (32 * MIB) + b'"}',
)


# Artifacts.


@cache
def _objects() -> dict[str, bytes]:
    """What each format's bytes are, of those whose packages are installed."""
    import numpy

    buffer = io.BytesIO()
    numpy.savez_compressed(buffer, data=numpy.arange(20.0))
    made = {
        "json": b'{"a": [1, 2.5, null, "text"]}',
        "yaml": _YAML,
        "text": b"text",
        "npz": buffer.getvalue(),
        "array-csv.gz+2,float64": gzip.compress(b"1.0,2.0\n3.0,4.0\n", mtime=0),
        "csv.gz+1": gzip.compress(b",a,b\n0,1,x\n1,2,y\n", mtime=0),
    }
    try:
        import pandas

        frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        for form, write in (("parquet", frame.to_parquet), ("feather", frame.to_feather)):
            target = io.BytesIO()
            write(target)
            made[form] = target.getvalue()
        from PIL import Image

        target = io.BytesIO()
        Image.new("RGB", (8, 8)).save(target, "PNG")
        made["image"] = target.getvalue()
    except ImportError:
        pass
    return made


def _object_seeds() -> list[bytes]:
    return [packed({form: data}) for form, data in _objects().items()]


def _read_object(data: bytes, folder: Path) -> None:
    for form, content in unpacked(data).items():
        if form.partition("+")[0] in PICKLES:
            continue
        (folder / "blob").write_bytes(content)
        with errors_of_the_tree():
            load_object(folder / "blob", form)


def _shape_object(chance: Random, data: bytes) -> bytes:
    form, content = next(iter(unpacked(data).items()), ("", b""))
    if chance.randrange(10) == 0:
        form = chance.choice(
            [*_objects(), "csv.gz+99999999999999999999", "array-csv.gz+x,O", hostile_text(chance)[:99]]
        )
    if ".gz" in form and chance.randrange(2):
        try:
            content = gzip.compress(changed_bytes(chance, gzip.decompress(content)), mtime=0)
        except (OSError, EOFError, ValueError):
            pass
    elif form == "npz" and chance.randrange(2):
        content = changed_zip(chance, content)
    else:
        content = changed_json(chance, content) if form == "json" else changed_bytes(chance, content)
    return packed({form: content})


def _read_archive(data: bytes, folder: Path) -> None:
    inside = folder / "inside"
    inside.mkdir()
    (inside / "folder.zip").write_bytes(data)
    with errors_of_the_tree():
        extract_archive(inside / "folder.zip", inside / "made")
        is_extracted(inside / "folder.zip", inside / "made", check_bytes=True)
    # Nothing is left where nothing may be: it is whole and in its place, or not there.
    assert {one.name for one in inside.iterdir()} <= {"folder.zip", "made"}
    assert [one.name for one in folder.iterdir()] == ["inside"]
    is_extracted(inside / "folder.zip", inside, check_bytes=True)


def _archives() -> list[bytes]:
    return [zip_of({"a/b.txt": b"text", "c.bin": bytes(range(256)), "d/": b""}, {"a/b.txt": 0o755})]


# Plots.

_FIGURE = (
    b'{"data": [{"type": "bar", "y": {"dtype": "f8", "bdata": "AAAAAAAA8D8=", "shape": "1"}}],'
    b' "layout": {"title": "x"}}'
)


def _read_figure(data: bytes, folder: Path) -> None:
    with errors_of_the_tree():
        figure_text(figure_of(data))
    with Store.open(folder / "home") as store:
        plot = Plot("a title", "a series", 1, 5, data.decode("utf-8", "replace"))
        with errors_of_the_tree(), patch("eventlog.cli.plot_files._plotly", lambda: "plotly"):
            save_all(store.blobs, [plot], folder)


# The record of an export.

_RECORD = b'{"format": 1, "heads": {"00": 1}, "left_out": [], "files": {"tasks/tasks.parquet": {"size": 5}}}'


def _read_record(data: bytes, folder: Path) -> None:
    (folder / "eventlog-export.json").write_bytes(data)
    with errors_of_the_tree():
        target = ExportTarget(str(folder))
        if target.open():
            target.look()


def _shape_text(others: Sequence[bytes]) -> Any:
    def shape(chance: Random, data: bytes) -> bytes:
        """Lines in another order, and texts that nobody expects."""
        lines = data.splitlines(keepends=True)
        chance.shuffle(lines)
        place = chance.randint(0, len(lines))
        return b"".join([*lines[:place], hostile_text(chance).encode() + b"\n", *lines[place:]])

    return shape


_CONFIGURATIONS = [_HOCON, _YAML, _TOML, b'{"a": [1, {"b": null}]}']

SDK_TARGETS = [
    Target(
        "ClearML zip", lambda: [zip_of(corpus.clearml_session())], _read_clearml_zip, changed_zip, slow=True
    ),
    Target(
        "ClearML folder",
        lambda: [packed(corpus.clearml_session())],
        _read_clearml_folder,
        changed_tree,
        slow=True,
    ),
    Target(
        "configuration",
        lambda: _CONFIGURATIONS,
        _read_configuration,
        _shape_text(_CONFIGURATIONS),
        _CONFIGURATION_BOMBS,
    ),
    Target("parameter", lambda: [b"1", b"[1, 2]", b'{"a": (1, {2})}', b"b'x'", b"a/b/c"], _read_parameter),
    Target("settings", lambda: [_SETTINGS], _read_settings, _shape_text([_SETTINGS])),
    Target(
        "files left by processes",
        lambda: [_ATTEMPT, _WORD, _RUN, _REMOTES],
        _read_left,
        changed_json,
        _LEFT_BOMBS,
    ),
    Target("artifact", _object_seeds, _read_object, _shape_object, memory=256 * MIB, needs=("numpy", "yaml")),
    Target("archive", _archives, _read_archive, changed_zip),
    Target("figure", lambda: [_FIGURE], _read_figure, changed_json, slow=True),
    Target("export record", lambda: [_RECORD], _read_record, changed_json),
]
