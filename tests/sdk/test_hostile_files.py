"""Files and texts of other machines that are not what they should be are told in one line, or passed over."""

import io
import struct
import time
import zipfile
from pathlib import Path

import pytest

from eventlog.cli.plot_files import save_all
from eventlog.errors import DataCorrupt, InputInvalid, RemoteInvalid
from eventlog.events import ParametersSet
from eventlog.projections import Plot
from eventlog.sdk.archives import extract_archive, is_extracted
from eventlog.sdk.configurations import parse_text
from eventlog.sdk.deserialization import load_object
from eventlog.sdk.exports.target import RECORD, Target
from eventlog.sdk.hocon import parse_hocon
from eventlog.sdk.imported_log import ImportedLog
from eventlog.sdk.importing import import_session
from eventlog.sdk.parameters import nest_parameters
from eventlog.sdk.ranks import read_word
from eventlog.sdk.watcher_folder import Attempt, WatcherFolder
from eventlog.store import Store
from tests.eventlog.memory import at_most

NESTED = b"[" * 100_000


def zip_with(data: bytes) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", data)
    return bytearray(buffer.getvalue())


@pytest.mark.parametrize("damage", ["deflated", "version"])
def test_an_archive_that_cannot_be_unpacked_is_named(tmp_path: Path, damage: str) -> None:
    data = zip_with(bytes(range(256)) * 8)
    if damage == "deflated":
        data[31:41] = b"\xff" * 10
    else:
        struct.pack_into("<H", data, data.index(b"PK\x01\x02") + 6, 255)
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(DataCorrupt, match="is not a sound zip archive"):
        extract_archive(path, tmp_path / "made")
    assert list(tmp_path.iterdir()) == [path]
    assert not is_extracted(path, tmp_path, check_bytes=True)


def test_what_a_watcher_or_a_rank_left_is_passed_over_where_it_is_something_else(tmp_path: Path) -> None:
    watcher = WatcherFolder(tmp_path, "memory://x")
    watcher.make()
    for data in (NESTED, b'{"x":' + NESTED, b"\xff"):
        (watcher.path / "last").write_bytes(data)
        assert watcher.last() == Attempt()
        assert read_word(watcher.path / "last") is None


def test_a_parameter_of_very_many_sections_is_nested_as_far_as_that_can_be_read() -> None:
    nested = nest_parameters({"a/" * 5000 + "b": 1, "a/b": 2})
    assert nested["a"]["b"] == 2
    depth = 0
    inner = nested["a"]
    while isinstance(inner, dict):
        inner = list(inner.values())[-1] if depth else inner["a"]
        depth += 1
    assert inner == 1
    assert depth == 100


@pytest.mark.parametrize(
    "text",
    [
        'include "{}"',
        'include file("{}")\na = ${{HOME}}',
        'a = ${{HOME}}\nInclude required(file("{}"))',
        'a = ${{HOME}}\nb {{ include   url("file://{}") }}',
    ],
)
def test_a_configuration_never_reads_other_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret.conf").write_text("secret = 1\n")
    with pytest.raises(InputInvalid, match="includes a file or a URL"):
        parse_hocon(text.format(tmp_path / "secret.conf"))


def test_a_long_configuration_takes_time_that_grows_with_it_alone() -> None:
    count = 15_000
    start = time.process_time()
    objects = parse_hocon("".join(f"a {{ b{number} = 1 }}\n" for number in range(count)))
    lists = parse_hocon("a += 1\n" * count)
    assert time.process_time() - start < 6
    assert len(objects["a"]) == len(lists["a"]) == count


def test_a_key_of_thousands_of_parts_takes_little_memory() -> None:
    for text in ("a." * 20_000 + "b = 1", '["a".' + "'b' . c." * 20_000 + "d]\ne = 1"):
        with at_most(64 << 20):
            with pytest.raises(InputInvalid):
                parse_text(text, "toml")
    deep = "a." * 400 + "b = 1\nfloats = [" + "0.5, " * 5000 + "0.5]"
    assert len(parse_text(deep, "toml")["floats"]) == 5001
    start = time.process_time()
    with pytest.raises(InputInvalid):
        parse_text("x" * 200_000 + "\n" + '"' * 200_000 + "\n" + "a.b" * 60_000, "toml")
    assert time.process_time() - start < 10


def test_what_is_nested_too_deeply_never_gets_to_pyyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_text("a: " + "[" * 200 + "]" * 200, "yaml")["a"][0]
    assert len(parse_text("a: [" + "[], {}, " * 2000 + "]", "yaml")["a"]) == 4000
    monkeypatch.setattr("yaml.safe_load", lambda _: pytest.fail("it was read"))
    for text in ("a: " + "[{" * 9000, "]" * 1000 + "[[], " * 600):
        with pytest.raises(InputInvalid):
            parse_text(text, "yaml")


def test_objects_are_merged_as_before() -> None:
    text = "a { b = 1, c { d = 1 } }\na { c { e = 2 }, b = 3 }\na.c.d = 4\n"
    text += "x = {a: 1} {a: 2, b: 3}\ny += 1\ny += 2"
    assert parse_hocon(text) == {
        "a": {"b": 3, "c": {"d": 4, "e": 2}},
        "x": {"a": 2, "b": 3},
        "y": [1, 2],
    }
    with pytest.raises(InputInvalid):
        parse_text("[" * 100_000, "yaml")


@pytest.mark.parametrize("record", [NESTED, b"{}{}", b'{"format": "x"}'])
def test_the_record_of_an_export_that_is_none_is_refused(tmp_path: Path, record: bytes) -> None:
    (tmp_path / RECORD).write_bytes(record)
    with at_most(32 << 20):
        with pytest.raises(RemoteInvalid, match="is not the record of an export"):
            Target(str(tmp_path)).open()


def test_a_file_that_only_looks_like_parquet_is_named(tmp_path: Path) -> None:
    name = "tasks/tasks.parquet"
    (tmp_path / "tasks").mkdir()
    (tmp_path / name).write_bytes(b"PAR1" + b"\xff" * 50 + struct.pack("<I", 40) + b"PAR1")
    (tmp_path / RECORD).write_bytes(b'{"format": 1}')
    target = Target(str(tmp_path))
    assert target.open()
    with pytest.raises(DataCorrupt, match=name):
        target.look()


def test_an_artifact_that_claims_more_memory_than_there_is_is_named(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "blob"
    pandas.DataFrame({"a": [1] * 1000}).to_feather(path)
    data = bytearray(path.read_bytes())
    # The size of a column once it is unpacked, before the column.
    size = data.index(struct.pack("<q", 8000) + b"\x04\x22\x4d\x18")
    data[size : size + 8] = struct.pack("<q", 1 << 47)
    path.write_bytes(data)
    with pytest.raises(InputInvalid, match="takes more memory to read as feather"):
        load_object(path, "feather")


def test_a_figure_that_is_nested_too_deeply_is_left_out_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.cli.plot_files._plotly", lambda: "plotly")
    with Store.open(tmp_path / "home") as store:
        for depth in (*range(900, 1000, 7), 100_000):
            plot = Plot("a", "b", 1, 5, "[" * depth + "]" * depth)
            assert save_all(store.blobs, [plot], tmp_path).page is not None
    assert "this is not a figure" in (tmp_path / "plots.html").read_text()


def test_an_event_that_no_session_could_append_is_not_imported(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        log = ImportedLog(store, "x", b"")
        with pytest.raises(DataCorrupt, match="more than an event can have"):
            log.add(ParametersSet(5, "7a" * 16, {"x" * (17 << 20): ("", "", "")}))  # type: ignore[dict-item]


def test_a_file_of_thousands_of_lines_that_are_no_reports_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "task.json").write_text('{"id": "x"}')
    (tmp_path / "session" / "metrics.jsonl").write_text("1\n" * 5000)
    with Store.open(tmp_path / "home") as store:
        problems = import_session(store, tmp_path / "session").problems
    assert "and 952 problems more of this session" in problems[-1]


def test_a_session_of_clearml_takes_as_much_memory_as_its_files_have(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "task.json").write_text('{"id": "x", "hyperparams": {"a\\nb": {"c": 1}}}')
    with Store.open(tmp_path / "home") as store:
        with at_most(16 << 20):
            problems = import_session(store, tmp_path / "session").problems
    (problem,) = problems
    assert problem.endswith("the parameter a\\nb/c cannot be read")
