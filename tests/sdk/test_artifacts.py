"""What is uploaded comes back as it was, under its own name, and nothing in it is believed."""

import gzip
import hashlib
import io
import mimetypes
import os
import pickle
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from eventlog import Task
from eventlog.errors import BlobMissing, DataCorrupt, InputInvalid, NotFound
from eventlog.events import ArtifactUploaded, TaskCreated
from eventlog.sdk.artifacts import Artifact
from eventlog.store import Store
from tests.sdk.scripts import Scripts


def put(task: Task, name: str, value: Any, **options: Any) -> Artifact:
    assert task.upload_artifact(name, value, **options) is True
    return task.artifacts[name]


def test_a_file_comes_back_under_its_own_name(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "weights v1.bin"
    path.write_bytes(os.urandom(3 << 20))
    for given in (path, str(path)):
        artifact = put(task, "weights", given, metadata={"epoch": 7})
        assert (artifact.name, artifact.type, artifact.size) == ("weights", "custom", 3 << 20)
        assert artifact.hash == hashlib.sha256(path.read_bytes()).hexdigest()
        assert artifact.metadata == {"epoch": "7"}
        assert abs(artifact.timestamp - datetime.now()) < timedelta(hours=1)
        assert (artifact.mode, artifact.preview) == ("output", "weights v1.bin - 3.15 MB\n")
        copy = Path(artifact.get_local_copy())
        assert copy.name == "weights v1.bin"
        assert copy.read_bytes() == path.read_bytes()
        assert artifact.get() == copy
        assert artifact.url.startswith("file:///")
    assert repr(artifact) == "<Artifact 'weights': custom, 3,145,728 bytes>"


def test_what_a_new_task_uploads_folds_nothing(task: Task, home: Path) -> None:
    assert task.upload_artifact("numbers", {"a": 1})
    assert not (home / "views" / "data.mdb").exists()
    assert task.artifacts["numbers"].get() == {"a": 1}
    assert (home / "views" / "data.mdb").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.HTML", "text/html"), ("a.csv.gz", "text/csv"), ("a.tar.gz", "application/x-tar"), ("a", "")],
)
def test_a_file_s_name_speaks_of_its_media_type(task: Task, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert put(task, "file", tmp_path / name).type_data.content_type == said
    # The system's files, once somebody had them read, say no other.
    mimetypes.init()
    assert put(task, "again", tmp_path / name).type_data.content_type == said


def test_what_a_script_writes_into_a_copy_never_reaches_the_artifact(task: Task, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("as it was")
    artifact = put(task, "a", tmp_path / "a.txt")
    copy = Path(artifact.get_local_copy())
    assert Path(artifact.get_local_copy()).stat().st_mtime_ns == copy.stat().st_mtime_ns
    copy.write_text("scribbled")
    assert Path(artifact.get_local_copy()).read_text() == "as it was"
    (tmp_path / "a.txt").write_text("changed later")
    assert Path(artifact.get_local_copy()).read_text() == "as it was"


def test_a_folder_comes_back_as_a_folder(task: Task, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("A")
    (folder / "deep" / "b.txt").write_text("B")
    artifact = put(task, "results", folder)
    assert artifact.type == "archive"
    assert artifact.preview == f"Archive content {folder}/*:\na.txt - 1 byte\ndeep/b.txt - 1 byte\n"
    copy = artifact.get()
    assert copy.name == "results"
    assert {str(path.relative_to(copy)) for path in copy.rglob("*")} == {
        "a.txt",
        "deep",
        "deep/b.txt",
        "deep/empty",
    }
    assert (copy / "deep" / "b.txt").read_text() == "B"
    (copy / "a.txt").write_text("scribbled")
    assert (artifact.get() / "a.txt").read_text() == "A"
    archive = Path(artifact.get_local_copy(extract_archive=False))
    assert archive.name == "results.zip"
    assert zipfile.is_zipfile(archive)


def test_wildcards_keep_what_they_match(task: Task, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a.csv", "b.csv", "c.txt"):
        (folder / name).write_text(name)
    for given in (str(folder / "*.csv"), folder / "*.csv"):
        artifact = put(task, "tables", given)
        assert sorted(path.name for path in artifact.get().iterdir()) == ["a.csv", "b.csv"]
        assert artifact.type == "archive"
    with pytest.raises(InputInvalid, match="no file or folder"):
        task.upload_artifact("none", folder / "*.parquet")
    (folder / "one" / "two").mkdir(parents=True)
    (folder / "one" / "a.csv").write_text("another")
    (folder / "one" / "two" / "a.csv").write_text("a third")
    copy = put(task, "tables", str(folder / "**" / "a.csv")).get()
    found = {str(path.relative_to(copy)): path.read_text() for path in copy.rglob("*.csv")}
    assert found == {"a.csv": "a.csv", "one/a.csv": "another", "one/two/a.csv": "a third"}
    # As with ClearML, where only the name has wildcards.
    copy = put(task, "below", str(folder / "[a-b]*.csv")).get()
    names = {"a.csv", "b.csv", "one/a.csv", "one/two/a.csv"}
    assert {str(path.relative_to(copy)) for path in copy.rglob("*.csv")} == names
    copy = put(task, "folders", str(folder / "o*")).get()
    assert sorted(path.name for path in (copy / "one").iterdir()) == ["a.csv", "two"]


def test_a_list_of_paths_is_kept_as_one_archive(task: Task, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for name in ("a.csv", "one/b.csv", "one/c.csv"):
        (tmp_path / name).write_text(name)
    copy = put(task, "files", [tmp_path / "a.csv", tmp_path / "one"]).get()
    assert {str(path.relative_to(copy)) for path in copy.rglob("*.csv")} == {
        "a.csv",
        "one/b.csv",
        "one/c.csv",
    }
    with pytest.raises(InputInvalid, match="no file or folder"):
        task.upload_artifact("files", [tmp_path / "a.csv", tmp_path / "nothing"])
    # Texts are a list of texts, whether files of those names are there or not.
    assert put(task, "names", [str(tmp_path / "a.csv")]).get() == [str(tmp_path / "a.csv")]


@pytest.mark.parametrize(
    "value",
    [{}, {"b": 1, "a": [1, {"x": 0.5}], "ü": "漢"}, [1, "two", None], [], {"n": None, "inf": float("inf")}],
)
def test_dictionaries_and_lists_come_back(task: Task, value: Any) -> None:
    artifact = put(task, "value", value)
    assert artifact.type == type(value).__name__
    assert artifact.get() == value
    assert Path(artifact.get_local_copy()).name == "value.json"


def test_what_json_has_no_form_for_is_pickled_or_becomes_what_it_has(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    value = {"f": np.float32(0.5), "i": np.int64(3), "a": np.arange(3), "p": Path("/x")}
    artifact = put(task, "value", value)
    assert artifact.type == "pickle"
    assert "pickled instead" in caplog.text
    assert artifact.get()["a"].tolist() == [0, 1, 2]
    artifact = put(task, "value", value, auto_pickle=False)
    assert artifact.type == "dict"
    assert artifact.get() == {"f": 0.5, "i": 3, "a": [0, 1, 2], "p": "/x"}


def test_a_circular_dictionary_comes_back_as_a_pickle(task: Task) -> None:
    value: dict[str, Any] = {"a": 1}
    value["itself"] = value
    back = put(task, "value", value).get()
    assert back["itself"] is back
    items: list[Any] = [1]
    items.append(items)
    assert put(task, "value", items).type == "pickle"
    with pytest.raises(InputInvalid, match="Circular"):
        task.upload_artifact("value", value, auto_pickle=False)


@pytest.mark.parametrize("value", [{"b": 1, "a": [1, {"x": 0.5}], "ü": "漢"}, [1, "two", None], {}])
def test_dictionaries_and_lists_come_back_from_yaml(task: Task, value: Any) -> None:
    artifact = put(task, "value", value, extension_name=".yaml")
    assert artifact.get() == value
    assert Path(str(artifact.get_local_copy())).name == "value.yaml"
    assert artifact.type_data.content_type == "application/yaml"


def test_a_dictionary_is_written_as_clearml_writes_it(task: Task) -> None:
    artifact = put(task, "d", {"b": 1, "a": {"c": [1, 2]}})
    # The size, the hash and the preview are those that ClearML 2.1 recorded for the same call.
    assert (artifact.size, str(artifact.hash)[:6]) == (86, "b87c9b")
    assert artifact.type_data == ("application/json", artifact.preview)
    assert put(task, "y", {"b": 1, "a": 2}, extension_name="yaml").preview == "a: 2\nb: 1\n"


@pytest.mark.parametrize(
    "text", ["just some text", "line\n" * 5000, "x" * 5000, "a\0b", "漢", "no/such/file.csv", "*.nothing"]
)
def test_a_text_that_is_no_path_is_kept_as_text(task: Task, text: str) -> None:
    artifact = put(task, "text", text)
    assert (artifact.type, artifact.size) == ("string", len(text.encode()))
    assert artifact.get() == text
    assert Path(str(artifact.get_local_copy())).name == "text.txt"


def test_a_text_that_looks_like_a_path_is_warned_of(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    put(task, "text", "just some text")
    assert caplog.text == ""
    put(task, "text", "/data/missing.csv")
    assert "no file or folder /data/missing.csv: the text itself is kept" in caplog.text


def test_a_url_is_noted_and_fetched_when_it_is_asked_for(task: Task) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("/bucket/x/data.csv", b"a,b")
    artifact = put(task, "url", "memory://bucket/x/data.csv")
    assert (artifact.type, artifact.size, artifact.hash) == ("custom", None, None)
    assert artifact.url == "memory://bucket/x/data.csv"
    copy = Path(artifact.get())
    assert (copy.name, copy.read_bytes()) == ("data.csv", b"a,b")
    system.pipe_file("/bucket/x/data.csv", b"later")
    assert Path(artifact.get()).read_bytes() == b"a,b"
    assert Path(artifact.get(force_download=True)).read_bytes() == b"later"
    assert artifact.get(deserialization_function=len) == 5
    system.rm("/bucket", recursive=True)
    with pytest.raises(NotFound):
        artifact.get_local_copy(force_download=True)
    assert artifact.get_local_copy(raise_on_error=False, force_download=True) is None


def test_a_secret_in_a_url_is_not_recorded(task: Task) -> None:
    artifact = put(task, "url", "https://host.invalid/x.csv?token=hunter2secret")
    assert "hunter2" not in artifact.url
    assert artifact.type_data.content_type == "text/csv"


@pytest.mark.parametrize("extension", [None, ".png", "bmp", ".gif", ".tiff", ".webp", ".jpg"])
def test_images_come_back(task: Task, extension: str | None) -> None:
    image = Image.new("RGB", (8, 4), (255, 0, 0))
    artifact = put(task, "picture", image, extension_name=extension)
    assert (artifact.type, artifact.preview) == ("image", "PIL.Image.Image image mode=RGB size=8x4")
    back = artifact.get()
    assert back.size == (8, 4)
    assert back.convert("RGB").getpixel((0, 0))[0] > 250
    name = Path(str(artifact.get_local_copy())).name
    assert name == "picture." + (extension or ".png").lstrip(".")


def test_an_image_that_a_format_cannot_hold_is_kept_as_png(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    image = Image.new("RGBA", (2, 2), (255, 0, 0, 7))
    artifact = put(task, "picture", image, extension_name=".jpg")
    assert artifact.get().getpixel((0, 0)) == (255, 0, 0, 7)
    assert "'.png' is taken instead" in caplog.text


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.array([0.1, 1e-300, np.nan, np.inf]),
        np.array([[2**62 + 1]]),
        np.array([True, False]),
        np.arange(3, dtype=np.float32),
        np.zeros((3, 1), dtype=np.uint8),
    ],
)
def test_arrays_come_back_from_a_csv(task: Task, array: np.ndarray[Any, Any]) -> None:
    artifact = put(task, "array", array, extension_name=".csv.gz")
    back = artifact.get()
    assert (back.dtype, back.shape, artifact.type) == (array.dtype, array.shape, "numpy")
    np.testing.assert_array_equal(back, array)
    assert Path(str(artifact.get_local_copy())).name == "array.csv.gz"


def test_an_array_that_a_csv_cannot_hold_is_refused(task: Task) -> None:
    for array in (np.zeros((2, 2, 2)), np.array(1), np.array(["a"])):
        with pytest.raises(InputInvalid, match="one or two dimensions"):
            task.upload_artifact("array", array, extension_name=".csv.gz")


def test_keys_are_sorted_unless_said_otherwise(task: Task) -> None:
    assert list(put(task, "v", {"b": 1, "a": 2}).get()) == ["a", "b"]
    assert list(put(task, "v", {"b": 1, "a": 2}, sort_keys=False).get()) == ["b", "a"]
    assert put(task, "v", {"b": 1, 2: 3}).get() == {"b": 1, 2: 3}
    assert put(task, "v", {"b": 1, 2: 3}, sort_keys=False).get() == {"b": 1, "2": 3}


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.array(1.5),
        np.array([], dtype=np.float32),
        np.array([np.nan, np.inf]),
        np.array(["a", "é"]),
        np.array([True, False]),
        np.zeros((2, 0, 3), dtype=np.complex64),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    ],
)
def test_arrays_come_back(task: Task, array: np.ndarray[Any, Any]) -> None:
    artifact = put(task, "array", array)
    back = artifact.get()
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)
    assert artifact.preview == repr(array)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"x": [1, 2], "y": [0.1, 1e-300], "z": ["a", "é,\n"]}),
        pd.DataFrame({"x": [1, 2]}, index=["i", "j"]),
        pd.DataFrame({"x": [1, 2]}, index=pd.RangeIndex(5, 7, name="step")),
        pd.DataFrame({"x": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", "n"])),
    ],
)
@pytest.mark.parametrize("extension", [None, ".csv.gz", ".parquet", "parquet", ".pickle", ".pkl"])
def test_frames_come_back(task: Task, frame: pd.DataFrame, extension: str | None) -> None:
    artifact = put(task, "frame", frame, extension_name=extension)
    assert artifact.type == ("pickle" if extension == ".pkl" else "pandas")
    assert put(task, "frame", frame).preview == str(frame)
    back = artifact.get()
    back.index = back.index.astype(frame.index.dtype) if frame.index.nlevels == 1 else back.index
    pd.testing.assert_frame_equal(back, frame, check_dtype=False, check_index_type=False)
    name = Path(artifact.get_local_copy()).name
    assert name == "frame." + (extension or ".csv.gz").lstrip(".")


@pytest.mark.parametrize("index", [["i", "j"], [0, 1], pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])])
@pytest.mark.parametrize("extension", [None, ".csv.gz", ".parquet", ".pickle"])
def test_columns_in_several_levels_come_back(task: Task, extension: str | None, index: object) -> None:
    """As those of what was grouped, or turned."""
    columns = pd.MultiIndex.from_tuples(
        [("loss", "mean"), ("loss", "std"), ("n", "sum")], names=["what", "how"]
    )
    frame = pd.DataFrame([[0.1, 0.2, 3], [0.4, 0.5, 6]], columns=columns, index=index)
    artifact = put(task, "frame", frame, extension_name=extension)
    pd.testing.assert_frame_equal(artifact.get(), frame, check_index_type=False)
    turned = frame.rename(columns={"mean": 2020, "std": 2021})
    if extension != ".csv.gz":
        pd.testing.assert_frame_equal(put(task, "turned", turned).get(), turned, check_index_type=False)


LABELS = {
    "mixed": [2020, "sum"],
    "flags": [True, False],
    "days": pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True),
    "periods": pd.period_range("2026-01", periods=2, freq="M"),
    "intervals": pd.interval_range(0, 2),
    "categories": pd.CategoricalIndex(["a", "b"]),
    "durations": pd.to_timedelta(["1h", "2h"]),
    "nothing": ["a", None],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_that_parquet_and_feather_cannot_hold_come_back_from_a_pickle(
    task: Task, labels: Any, caplog: pytest.LogCaptureFixture
) -> None:
    levels = pd.MultiIndex.from_product([["x"], labels])
    frame = pd.DataFrame([[0.1, 0.2], [0.3, 0.4]], columns=levels)
    pd.testing.assert_frame_equal(put(task, "frame", frame).get(), frame)
    assert not caplog.text
    flat = pd.DataFrame([[0.1, 0.2], [0.3, 0.4]], columns=labels)
    for extension in (".parquet", ".feather"):
        pd.testing.assert_frame_equal(put(task, "flat", flat, extension_name=extension).get(), flat)


def test_values_in_columns_of_several_levels_that_parquet_cannot_hold_are_pickled(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    frame = pd.DataFrame([[{"a": 1}], [5]], columns=pd.MultiIndex.from_tuples([("x", "y")]))
    artifact = put(task, "frame", frame)
    pd.testing.assert_frame_equal(artifact.get(), frame)
    assert "'.pickle' is taken instead" in caplog.text


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame(index=["i"]),
        pd.DataFrame(index=range(3)),
    ],
)
@pytest.mark.parametrize("extension", [None, ".pickle"])
def test_frames_of_nothing_come_back(task: Task, frame: pd.DataFrame, extension: str | None) -> None:
    back = put(task, "frame", frame, extension_name=extension).get()
    assert back.shape == frame.shape
    assert list(back.columns) == list(frame.columns)


def test_a_frame_comes_back_from_feather_or_from_csv_where_that_cannot_hold_it(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    artifact = put(task, "frame", frame, extension_name=".feather")
    pd.testing.assert_frame_equal(artifact.get(), frame, check_dtype=False)
    assert Path(str(artifact.get_local_copy())).name == "frame.feather"
    odd = pd.DataFrame({"x": [{"a": 1}, 5]})
    artifact = put(task, "frame", odd, extension_name=".feather")
    assert Path(str(artifact.get_local_copy())).name == "frame.csv.gz"
    assert "'.csv.gz' is taken instead" in caplog.text


def test_the_same_object_takes_its_room_once(task: Task) -> None:
    frame = pd.DataFrame({"x": range(100)})
    for value in (frame, np.arange(100), {"a": 1}):
        assert put(task, "one", value).hash == put(task, "two", value).hash
    assert len(list(task._store.blobs)) == 3


class Speechless:
    def __repr__(self) -> str:
        raise RuntimeError("half made")


class Custom:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Custom)

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("value", [Custom(), (1, 2), 5, None, "", b"x", {1: {2}}, [(1, 2)], io.BytesIO(b"x")])
def test_any_other_object_comes_back_by_pickle(task: Task, value: Any) -> None:
    artifact = put(task, "object", value)
    assert (artifact.type, Path(str(artifact.get_local_copy())).name) == ("pickle", "object.pkl")
    back = artifact.get()
    assert back.getvalue() == b"x" if isinstance(value, io.BytesIO) else back == value
    with pytest.raises(InputInvalid, match="block_unsafe"):
        artifact.get(block_unsafe_artifacts=True)


@pytest.mark.parametrize(
    "value", [Custom(), (1, 2), 5, None, {"a": object()}, b"x", "", np.array([object()])]
)
def test_any_other_object_is_refused_where_it_may_not_be_pickled(task: Task, value: Any) -> None:
    with pytest.raises(InputInvalid, match=r"pickle|\.pkl"):
        task.upload_artifact("object", value, auto_pickle=False)
    assert task.artifacts == {}


def test_an_object_that_cannot_say_what_it_is_has_no_preview(task: Task) -> None:
    artifact = put(task, "object", Speechless())
    assert artifact.preview == ""
    assert isinstance(artifact.get(), Speechless)


def test_a_function_of_the_callers_makes_the_bytes(task: Task) -> None:
    artifact = put(
        task, "object", Custom(), extension_name=".bin", serialization_function=lambda value: b"its bytes"
    )
    assert (artifact.type, artifact.size) == ("custom", 9)
    assert Path(artifact.get()).name == "object.bin"
    assert artifact.get(deserialization_function=bytes.decode) == "its bytes"
    with pytest.raises(InputInvalid, match="must return bytes"):
        task.upload_artifact("object", 5, serialization_function=str)


def test_what_cannot_be_pickled_is_refused(task: Task) -> None:
    with pytest.raises(InputInvalid, match="cannot be pickled"):
        task.upload_artifact("object", lambda: 1, auto_pickle=True)


@pytest.mark.parametrize("path", ["nope.txt", "/nope/none.txt", "just some text", "a\0b", "x" * 5000])
def test_a_path_that_does_not_exist_is_refused_in_one_line(task: Task, path: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        task.upload_artifact("file", Path(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert task.artifacts == {}


def test_a_file_that_cannot_be_read_is_refused(task: Task, scripts: Scripts, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "loop").symlink_to("loop")
    with pytest.raises(InputInvalid, match="no file or folder"):
        task.upload_artifact("loop", tmp_path / "folder" / "loop")
    with pytest.raises(InputInvalid, match="no file or folder"):
        task.upload_artifact("below", Path(__file__) / "x")


def test_a_pipe_is_no_file(task: Task, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputInvalid, match="not a regular file"):
        task.upload_artifact("pipe", tmp_path / "pipe")


@pytest.mark.parametrize("name", ["", 7, None, "x\ud800", "x" * 100_000])
def test_a_name_that_cannot_be_one_is_refused(task: Task, name: Any) -> None:
    with pytest.raises(InputInvalid, match="name"):
        task.upload_artifact(name, {})


@pytest.mark.parametrize("name", ["a/b", "../../up", "..", "a\\b", ".", "ü" * 300, "tab\there"])
def test_the_name_of_an_artifact_never_becomes_a_path(task: Task, home: Path, name: str) -> None:
    artifact = put(task, name, {"a": 1})
    copy = Path(artifact.get_local_copy())
    assert copy.parent == home / "cache" / artifact.hash
    assert artifact.get() == {"a": 1}


def test_an_extension_that_does_not_fit_is_warned_of_and_the_usual_one_taken(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"json": {"a": 1}, "npz": np.arange(3), "csv.gz": pd.DataFrame({"x": [1]})}
    for ending, value in values.items():
        caplog.clear()
        artifact = put(task, "value", value, extension_name=".foo")
        assert Path(str(artifact.get_local_copy())).name == f"value.{ending}"
        assert f"'.foo', and '.{ending}' is taken instead" in caplog.text


def test_an_artifact_of_the_same_name_takes_the_place_of_the_one_before(task: Task) -> None:
    put(task, "value", {"a": 1})
    assert put(task, "value", {"a": 2}).get() == {"a": 2}
    assert list(task.artifacts) == ["value"]


def test_an_artifact_that_is_not_there_is_named_with_those_that_are(task: Task) -> None:
    put(task, "one", {})
    with pytest.raises(NotFound, match="'two'; it has: one"):
        task.artifacts["two"]
    with pytest.raises(KeyError):
        task.artifacts["two"]
    assert task.artifacts.get("two") is None
    assert "two" not in task.artifacts


def test_what_has_no_text_is_refused_beside_an_artifact(task: Task) -> None:
    for options in (
        {"metadata": {"a": Speechless()}},
        {"metadata": {Speechless(): 1}},
        {"preview": Speechless()},
    ):
        with pytest.raises(InputInvalid, match="Speechless"):
            put(task, "value", {"a": 1}, **options)
    assert task.artifacts == {}


def test_a_preview_may_be_given(task: Task) -> None:
    assert put(task, "value", {"a": 1}, preview="what it is").preview == "what it is"
    assert len(put(task, "value", {"a": 1}, preview="x" * 100_000).preview) == 64 << 10
    assert put(task, "value", {"a": 1}).preview.startswith("{")


def test_what_was_uploaded_may_be_deleted_afterwards(task: Task, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("a")
    put(task, "file", tmp_path / "file", delete_after_upload=True)
    put(task, "folder", tmp_path / "folder", delete_after_upload=True)
    put(task, "value", {"a": 1}, delete_after_upload=True)
    assert not (tmp_path / "file").exists()
    assert not (tmp_path / "folder").exists()
    assert (task.artifacts["folder"].get() / "a").read_text() == "a"


def test_bytes_may_be_read_by_a_function_of_ones_own(task: Task) -> None:
    assert put(task, "value", {"a": 1}).get(deserialization_function=len) == task.artifacts["value"].size


def test_a_blob_that_is_missing_is_named(task: Task) -> None:
    artifact = put(task, "value", {"a": 1})
    path = task._store.blobs.path(artifact.hash)
    path.unlink()
    for read in (artifact.get, artifact.get_local_copy, lambda: artifact.url):
        with pytest.raises(BlobMissing, match=artifact.hash):
            read()


def test_bytes_that_are_not_what_they_should_be_are_an_error_of_the_tree(task: Task) -> None:
    for value in ({"a": 1}, np.arange(3), pd.DataFrame({"x": [1]}), [1]):
        artifact = put(task, "value", value)
        path = task._store.blobs.path(artifact.hash)
        path.chmod(0o600)
        path.write_bytes(b"\0damaged")
        with pytest.raises(DataCorrupt):
            artifact.get()


def flip_a_bit(path: Path) -> None:
    """As a failing disk does: the size and the times stay."""
    status = path.stat()
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("kind", ["file", "folder", "dict", "numpy", "pandas", "pickle"])
def test_one_wrong_bit_of_a_blob_is_never_handed_out(task: Task, tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.bin").write_bytes(os.urandom(100_000))
    values = {
        "file": tmp_path / "folder" / "a.bin",
        "folder": tmp_path / "folder",
        "dict": {"learning rate": "0.123456"},
        "numpy": np.zeros(100),
        "pandas": pd.DataFrame({"x": range(100)}),
        "pickle": {1, 2, 3},
    }
    artifact = put(task, "v1", values[kind])
    assert artifact.type == {"file": "custom", "folder": "archive"}.get(kind, kind)
    flip_a_bit(task._store.blobs.path(artifact.hash))
    for read in (
        artifact.get,
        artifact.get_local_copy,
        lambda: artifact.get_local_copy(extract_archive=False),
        lambda: artifact.get(deserialization_function=bytes),
    ):
        with pytest.raises(DataCorrupt, match=f"{artifact.hash} of artifact 'v1'.*eventlog verify.*pull"):
            read()
    cache = task._store.home / "cache"
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_wrong_bit_of_a_copy_is_not_handed_out_again(task: Task, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.bin").write_bytes(os.urandom(1000))
    for value, inner in ((tmp_path / "folder", "a.bin"), (tmp_path / "folder" / "a.bin", "")):
        artifact = put(task, "value", value)
        flip_a_bit(Path(artifact.get_local_copy()) / inner)
        copy = Path(artifact.get_local_copy()) / inner
        assert copy.read_bytes() == (tmp_path / "folder" / "a.bin").read_bytes()


def test_names_that_the_locale_has_no_form_for_are_no_obstacle(
    task: Task, tmp_path: Path, scripts: Scripts
) -> None:
    (tmp_path / "ä").mkdir()
    (tmp_path / "ä" / "ü.txt").write_text("ö")
    put(task, "file", tmp_path / "ä" / "ü.txt")
    put(task, "folder", tmp_path / "ä")
    put(task, "ü", {"ü": "ö"})
    text = f"""
    import pathlib
    from eventlog import Task
    from eventlog.errors import InputInvalid
    artifacts = Task.get_task("{task.id}").artifacts
    assert pathlib.Path(artifacts["file"].get()).read_bytes() == "ö".encode()
    assert artifacts["ü"].get() == {{"ü": "ö"}}
    assert artifacts["ü"].get_local_copy()
    try:
        artifacts["folder"].get()
    except InputInvalid as error:
        print(error)
    """
    ran = scripts.start(text, environment={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert ran.wait() == 0, ran.err
    assert "LC_ALL" in ran.out


# An artifact from another machine.


def foreign(tmp_path: Path, home: Path, data: bytes, file_name: str, stored_format: str) -> Artifact:
    """An artifact that another store's log claims to have, with its bytes here."""
    task_id = "ab" * 16
    with Store.open(tmp_path / "elsewhere") as other:
        other.session.append(TaskCreated, task_id, "evil", "evil/project")
        digest = hashlib.sha256(data).hexdigest()
        other.session.append(
            ArtifactUploaded, task_id, "x", "dict", digest, len(data), file_name, stored_format
        )
        other.flush()
        with Store.open(home) as store:
            store.admit(list(other.batches(other.id)))
            store.blobs.put_bytes(data)
    return Task.get_task(task_id).artifacts["x"]


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_pickle_from_another_store_is_loaded_only_if_the_caller_says_so(tmp_path: Path, home: Path) -> None:
    proof = tmp_path / "proof"
    artifact = foreign(tmp_path, home, pickle.dumps(Evil(proof)), "x.pkl", "pkl")
    with pytest.raises(InputInvalid, match="allow_pickle=True"):
        artifact.get()
    assert not proof.exists()
    artifact.get(allow_pickle=True)
    assert proof.exists()


def test_a_numpy_file_from_another_store_cannot_carry_a_pickle(tmp_path: Path, home: Path) -> None:
    proof = tmp_path / "proof"
    buffer = io.BytesIO()
    np.savez(buffer, data=np.array([Evil(proof)], dtype=object))
    artifact = foreign(tmp_path, home, buffer.getvalue(), "x.npz", "npz")
    with pytest.raises(DataCorrupt):
        artifact.get()
    assert not proof.exists()


@pytest.mark.parametrize(
    "file_name", ["../../../evil", "/etc/passwd", "..", "", "a/b", "x\0y", "\n", "y" * 5000]
)
def test_a_file_name_from_another_store_never_becomes_a_path(
    tmp_path: Path, home: Path, file_name: str
) -> None:
    artifact = foreign(tmp_path, home, b"data", file_name, "")
    copy = Path(artifact.get_local_copy())
    assert copy.parent == home / "cache" / artifact.hash
    assert copy.read_bytes() == b"data"


def test_an_archive_from_another_store_cannot_leave_its_folder(tmp_path: Path, home: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../../../evil.txt", "evil")
    artifact = foreign(tmp_path, home, buffer.getvalue(), "x.zip", "zip")
    with pytest.raises(DataCorrupt, match="would leave its folder"):
        artifact.get()
    assert not list(tmp_path.rglob("evil.txt"))


def test_what_unpacks_to_more_than_memory_holds_is_refused_before_it_is_taken(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: 1000)
    bomb = gzip.compress(b"x\n" + b"1\n" * 5_000_000)
    with pytest.raises(DataCorrupt, match="half of this machine's memory"):
        foreign(tmp_path, home, bomb, "x.csv.gz", "csv.gz").get()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, data=np.zeros(1_000_000))
    with pytest.raises(DataCorrupt, match="half of this machine's memory"):
        foreign(tmp_path / "2", home, buffer.getvalue(), "x.npz", "npz").get()


def test_a_format_of_a_later_version_can_still_be_fetched(tmp_path: Path, home: Path) -> None:
    artifact = foreign(tmp_path, home, b"data", "x.new", "hologram")
    with pytest.raises(InputInvalid, match="get_local_copy"):
        artifact.get()
    assert Path(artifact.get_local_copy()).read_bytes() == b"data"


@pytest.mark.parametrize("url", ["file:///etc/hostname", "/etc/hostname", "LOCAL:///etc/hostname"])
def test_a_file_of_another_machine_is_not_one_of_this(tmp_path: Path, home: Path, url: str) -> None:
    task_id = "ab" * 16
    with Store.open(tmp_path / "elsewhere") as other, Store.open(home) as store:
        other.session.append(TaskCreated, task_id, "evil", "evil/project")
        other.session.append(ArtifactUploaded, task_id, "x", "url", "", 0, "x", "", "", {}, url)
        other.session.append(ArtifactUploaded, task_id, "y", "file", "ab" * 32, 9, "y", "", "", {}, url)
        other.flush()
        store.admit(list(other.batches(other.id)))
    artifacts = Task.get_task(task_id).artifacts
    for read in (artifacts["x"].get, artifacts["x"].get_local_copy):
        with pytest.raises(InputInvalid, match="of the machine that it came from"):
            read()
    with pytest.raises(BlobMissing, match="pull it from a remote"):
        artifacts["y"].get()
