"""Images, sounds and films are kept whole, whatever they are given as, and come back."""

import io
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image

from eventlog import Task
from eventlog.errors import InputInvalid
from eventlog.projections import Media
from eventlog.sdk.stores import current_views
from eventlog.sdk.task_base import TaskBase
from tests.sdk.scripts import Scripts

RANDOM = np.random.default_rng(0)


def media(task: TaskBase) -> list[Media]:
    return current_views(task._store, reports=True).media(task.id)


def data(task: TaskBase, one: Media) -> bytes:
    return task._store.blobs.path(one.blob).read_bytes()


def picture(task: TaskBase) -> Image.Image:
    (one,) = media(task)
    return Image.open(io.BytesIO(data(task, one)))


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((8, 6), "L"),
        ((8, 6, 1), "L"),
        ((8, 6, 2), "LA"),
        ((8, 6, 3), "RGB"),
        ((8, 6, 4), "RGBA"),
        ((1, 1), "L"),
    ],
)
def test_bytes_of_every_shape_are_kept_as_they_are(task: Task, shape: tuple[int, ...], mode: str) -> None:
    array = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    task.get_logger().report_image("t", "s", iteration=3, image=array)
    (one,) = media(task)
    assert (one.iteration, one.kind, one.file_name) == (3, "image", "t_s_00000000.png")
    assert one.size == len(data(task, one))
    assert picture(task).mode == mode
    assert np.array_equal(np.asarray(picture(task)).reshape(shape), array)


@pytest.mark.parametrize(
    ("array", "levels"),
    [
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float16), [0, 128, 255]),
        (np.array([[0.0, 128.0, 300.0]]), [0, 128, 255]),
        (np.array([[-1.0, np.nan, 1.0]]), [0, 0, 255]),
        (np.array([[-np.inf, 7.0, np.inf]]), [0, 7, 255]),
        (np.array([[True, False, True]]), [255, 0, 255]),
        (np.array([[-5, 7, 2000]]), [0, 7, 255]),
        (np.array([[0, 7, 255]], dtype=np.uint16), [0, 7, 255]),
        (np.array([[0, 256, 65535]], dtype=np.uint16), [0, 256, 65535]),
        (np.array([[1, 2, 3]], dtype=np.uint8).T.T, [1, 2, 3]),
        (np.array([1, 2, 3], dtype=np.uint8), [1, 2, 3]),
    ],
)
def test_numbers_of_every_type_are_levels(task: Task, array: Any, levels: list[int]) -> None:
    task.get_logger().report_image("t", "s", image=array)
    assert np.asarray(picture(task)).flatten().tolist() == levels


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "F", "I", "I;16"]
)
def test_images_of_pillow_are_taken_in_every_mode(task: Task, mode: str) -> None:
    task.get_logger().report_image("t", "s", image=Image.new(mode, (5, 4)))
    assert picture(task).size == (5, 4)


def test_what_turns_into_an_array_is_an_image(task: Task) -> None:
    class Tensor:
        """What PyTorch's tensors are like on a device."""

        def detach(self) -> "Tensor":
            return self

        def cpu(self) -> Any:
            return np.full((2, 2, 3), 7, np.uint8)

    task.get_logger().report_image("t", "s", image=Tensor())
    assert np.asarray(picture(task)).max() == 7


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 8, 6), np.uint8),
        np.zeros((1, 8, 6, 3), np.uint8),
        np.zeros((8, 6, 5), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((4, 4), complex),
        np.array([["a"]]),
        np.array(7),
        [[1, 2]],
        "image.png",
        7,
        np.ndarray,
        Image.new("RGB", (0, 4)),
    ],
)
def test_what_is_no_image_is_refused(task: Task, image: Any) -> None:
    with pytest.raises(InputInvalid) as caught:
        task.get_logger().report_image("t", "s", image=image)
    assert "\n" not in str(caught.value)
    assert media(task) == []


def test_an_image_in_a_file_is_kept_byte_for_byte(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "photo.JPG"
    Image.new("RGB", (4, 4)).save(path, "JPEG")
    whole = path.read_bytes()
    task.get_logger().report_image("t", "s", 1, local_path=str(path))
    task.get_logger().report_image_and_upload("t", "old", 1, path=str(path), delete_after_upload=True)
    assert not path.exists()
    old, new = media(task)
    assert (data(task, old), data(task, new)) == (whole, whole)
    assert (old.file_name, old.kind) == ("t_old_00000000.JPG", "image")


def test_an_image_elsewhere_is_a_url_without_its_secrets(task: Task) -> None:
    task.get_logger().report_image("t", "s", url="https://me:secret@example.com/a.png?x=1")
    (one,) = media(task)
    assert (one.kind, one.blob, one.size) == ("image", "", 0)
    assert "secret" not in one.url
    assert task.get_debug_samples("t", "s")[0]["url"] == one.url


@pytest.mark.parametrize(
    ("extension", "kind"),
    [
        ("mp4", "video"),
        (".wav", "audio"),
        ("png", "image"),
        ("html", "html"),
        ("dat", "file"),
        (".tar.gz", "file"),
    ],
)
def test_a_stream_is_what_its_extension_says(task: Task, extension: str, kind: str) -> None:
    stream = io.BytesIO()
    stream.write(b"all of it")
    task.get_logger().report_media("t", "s", 2, stream=stream, file_extension=extension)
    (one,) = media(task)
    assert (one.kind, one.iteration, data(task, one)) == (kind, 2, b"all of it")
    assert one.file_name.endswith("." + extension.lstrip("."))


def test_streams_of_text_and_open_files_are_taken(task: Task, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    task.get_logger().report_media("t", "text", stream=io.StringIO("<p>é"), file_extension="html")
    with (tmp_path / "f").open("rb") as file:
        task.get_logger().report_media("t", "open", stream=file, file_extension="bin")
    assert [data(task, one) for one in media(task)] == [b"abc", "<p>é".encode()]


def test_media_that_are_none_are_refused_and_nothing_is_kept(task: Task, tmp_path: Path) -> None:
    logger = task.get_logger()
    closed = io.BytesIO(b"x")
    closed.close()
    path = tmp_path / "f"
    path.write_bytes(b"x")
    calls: list[dict[str, Any]] = [
        {},
        {"local_path": "there/is/none"},
        {"local_path": str(tmp_path)},
        {"local_path": 7},
        {"local_path": "a\0b"},
        {"local_path": str(path), "url": "https://example.com/a"},
        {"stream": io.BytesIO(b"x")},
        {"stream": io.BytesIO(b"x"), "file_extension": "."},
        {"stream": io.BytesIO(b"x"), "file_extension": 7},
        {"stream": b"x", "file_extension": "mp4"},
        {"stream": closed, "file_extension": "mp4"},
        {"url": ""},
        {"url": "http://[broken"},
        {"local_path": str(path), "iteration": "x"},
        {"local_path": str(path), "max_history": 0, "delete_after_upload": True},
        {"local_path": str(path), "max_history": "x"},
    ]
    for arguments in calls:
        with pytest.raises(InputInvalid) as caught:
            logger.report_media("t", "s", **arguments)
        assert "\n" not in str(caught.value)
    for title in ("", None, 7, "x" * 10_000):
        with pytest.raises(InputInvalid):
            logger.report_media(title, "s", local_path=str(path))  # type: ignore[arg-type]
    for given in ({}, {"image": np.zeros((2, 2)), "url": "https://example.com/a"}):
        with pytest.raises(InputInvalid, match="exactly one"):
            logger.report_image("t", "s", **given)  # type: ignore[arg-type]
    assert media(task) == []
    assert path.exists()


def test_no_extension_leads_out_of_a_folder(task: Task) -> None:
    task.get_logger().report_media("../a/b", "..", stream=io.BytesIO(b"x"), file_extension="/../../x")
    (one,) = media(task)
    assert "/" not in one.file_name


def test_every_image_stays_and_the_last_ones_are_read_where_asked_for(task: Task) -> None:
    for iteration in range(8):
        image = np.full((2, 2), iteration, np.uint8)
        task.get_logger().report_image("t", "s", iteration, image=image, max_image_history=3)
    assert len(media(task)) == 8
    last = task.get_debug_samples("t", "s", n_last_iterations=2)
    assert [(sample["iter"], sample["key"]) for sample in last] == [
        (7, "t_s_00000001.png"),
        (6, "t_s_00000000.png"),
    ]
    with Image.open(urlparse(last[0]["url"]).path) as opened:
        assert np.asarray(opened).max() == 7
    assert len(task.get_debug_samples("t", "s")) == 8
    assert task.get_debug_samples("t", "another") == []
    assert task.get_last_iteration() == 7
    with pytest.raises(InputInvalid, match="n_last_iterations"):
        task.get_debug_samples("t", "s", n_last_iterations=0)


def test_a_destination_gets_a_copy_of_each_up_to_the_history(task: Task, tmp_path: Path) -> None:
    logger = task.get_logger()
    assert logger.get_default_upload_destination() == ""
    assert logger.set_default_upload_destination(str(tmp_path / "up"))
    assert logger.get_default_upload_destination() == f"file://{tmp_path}/up"
    logger.set_default_debug_sample_history(2)
    assert logger.get_default_debug_sample_history() == 2
    for iteration in range(3):
        logger.report_image("a/b", "s", iteration, image=np.full((2, 2), iteration, np.uint8))
        assert logger.flush(wait=True)
    folder = tmp_path / "up" / "tests" / "sdk" / f"a task.{task.id}" / "metrics" / "a.slash.b" / "s"
    found = {path.name: np.asarray(Image.open(path)).max() for path in folder.iterdir()}
    assert found == {"a.slash.b_s_00000000.png": 2, "a.slash.b_s_00000001.png": 1}
    assert media(task)[0].url == f"file://{folder}/a.slash.b_s_00000000.png"


def test_what_is_no_destination_and_no_history_is_refused(task: Task) -> None:
    with pytest.raises(InputInvalid):
        task.get_logger().set_default_upload_destination(7)  # type: ignore[arg-type]
    for wrong in (0, 1.5, "3", None):
        with pytest.raises(InputInvalid):
            task.get_logger().set_default_debug_sample_history(wrong)  # type: ignore[arg-type]


def test_media_for_which_there_is_no_room_are_counted_and_break_no_loop(scripts: Scripts) -> None:
    text = """
    import json, resource
    import numpy as np
    from eventlog import Task
    task = Task.init("tests/sdk", "a task")
    random = np.random.default_rng(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, resource.RLIM_INFINITY))
    for step in range(3):
        image = random.integers(0, 256, (300, 300, 3), dtype=np.uint8)
        task.get_logger().report_image("large", "image", step, image=image)
    task.get_logger().report_image("small", "image", image=image[:9])
    task.get_logger().report_scatter2d("large", "plot", random.random((5000, 2)))
    task.get_logger().report_scatter2d("too large", "plot", random.random((100_000, 2)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (plot,) = task.get_reported_plots()
    print(len(json.loads(plot["plot_str"])["data"][0]["x"]))
    print(len(task.get_debug_samples("large", "image")), len(task.get_debug_samples("small", "image")))
    """
    ran = scripts.run(text)
    assert ran.out == "5000\n0 1\n"
    assert ran.err.count("could not be kept") == 1
    state = scripts.state()
    assert (state.status, state.dropped) == ("completed", 4)


def test_threads_and_children_report_at_once_and_nothing_is_missing(scripts: Scripts) -> None:
    text = """
    import os, threading
    import numpy as np
    from eventlog import Logger, Task
    task = Task.init("tests/sdk", "a task")

    def report(name):
        for step in range(20):
            image = np.full((2, 2), step, np.uint8)
            Logger.current_logger().report_image("image", name, step, image=image)
            Logger.current_logger().report_scatter2d("plot", name, [(step, 1)], iteration=step)

    threads = [threading.Thread(target=report, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    child = os.fork()
    if child == 0:
        report("child")
        task.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(len(task.get_reported_plots()))
    for name in ("0", "3", "child"):
        samples = task.get_debug_samples("image", name)
        print([sample["iter"] for sample in samples] == list(range(19, -1, -1)))
    """
    assert scripts.run(text).out == "100\nTrue\nTrue\nTrue\n"
