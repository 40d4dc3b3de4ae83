"""Whatever is a number can be reported, from anywhere, and comes back as it was."""

import io
import logging
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from eventlog import Logger, Task
from eventlog.errors import InputInvalid
from eventlog.events import TaskPublished
from eventlog.sdk.stores import current_views
from tests.sdk.scripts import Scripts


def curve(task: Task, title: str = "loss", series: str = "train") -> dict[str, list[Any]]:
    return task.get_reported_scalars()[title][series]


class Tensor:
    """What PyTorch's tensors are like: a number inside, and dimensions."""

    def __init__(self, value: float, *shape: int) -> None:
        self.value, self.shape, self.ndim = value, shape, len(shape)

    def __float__(self) -> float:
        return self.value


def test_scalars_come_back_in_order(task: Task) -> None:
    logger = task.get_logger()
    for step in range(1000):
        logger.report_scalar("loss", "train", value=1 / (step + 1), iteration=step)
    logger.report_scalar(title="loss", series="validation", value=0.5, iteration=7)
    assert curve(task) == {"x": list(range(1000)), "y": [1 / (step + 1) for step in range(1000)]}
    assert curve(task, series="validation") == {"x": [7], "y": [0.5]}
    assert task.get_last_iteration() == 999
    assert task.get_last_scalar_metrics()["loss"]["train"] == {"last": 1 / 1000, "min": 1 / 1000, "max": 1.0}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3.0),
        (np.array(2.0), 2.0),
        (Tensor(0.25), 0.25),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (1e308, 1e308),
        (5e-324, 5e-324),
        ("0.99", 0.99),
    ],
)
def test_every_number_is_taken(task: Task, value: Any, kept: float) -> None:
    task.get_logger().report_scalar("loss", "train", value=value, iteration=1)
    task.get_logger().report_single_value("final", value)
    assert curve(task)["y"] == [kept]
    assert task.get_reported_single_values() == {"final": kept}
    assert task.get_reported_single_value("final") == kept


def test_not_a_number_is_a_legal_value(task: Task) -> None:
    task.get_logger().report_scalar("loss", "train", value=math.nan, iteration=1)
    task.get_logger().report_single_value("final", math.nan)
    assert math.isnan(curve(task)["y"][0])
    assert math.isnan(task.get_reported_single_value("final") or 0)


@pytest.mark.parametrize(
    "value",
    [
        "x",
        b"x",
        None,
        [],
        [1],
        {},
        object(),
        1j,
        10**400,
        np.array([1.0]),
        np.array([1, 2]),
        Tensor(1, 1),
    ],
)
def test_what_is_no_number_is_refused_in_one_line(task: Task, value: Any) -> None:
    with pytest.raises(InputInvalid) as caught:
        task.get_logger().report_scalar("loss", "train", value=value, iteration=1)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputInvalid, match="'final'"):
        task.get_logger().report_single_value("final", value)
    task.get_logger().report_scalar("loss", "train", value=1, iteration=2)
    assert curve(task) == {"x": [2], "y": [1.0]}
    assert task.get_reported_single_values() == {}


@pytest.mark.parametrize("iteration", [0, -5, 2**63 - 1, -(2**63), np.int32(7), True, 3.0, np.float32(3)])
def test_every_whole_number_of_64_bits_is_an_iteration(task: Task, iteration: int) -> None:
    task.get_logger().report_scalar("loss", "train", value=1, iteration=iteration)
    assert curve(task)["x"] == [int(iteration)]


def test_no_iteration_is_the_first_one(task: Task) -> None:
    task.get_logger().report_scalar("loss", "train", value=1, iteration=None)
    assert curve(task)["x"] == [0]


@pytest.mark.parametrize(
    "iteration", [1.5, math.inf, math.nan, 1e30, "1", 2**63, -(2**63) - 1, 1 << 20_000], ids=range(8)
)
def test_what_is_no_such_number_is_refused(task: Task, iteration: Any) -> None:
    with pytest.raises(InputInvalid, match="iteration") as caught:
        task.get_logger().report_scalar("loss", "train", value=1, iteration=iteration)
    assert len(str(caught.value)) < 200
    assert task.get_reported_scalars() == {}


@pytest.mark.parametrize("name", [7, None, b"loss", "x\ud800", "x" * 100_000, ["loss"]])
def test_a_name_of_a_curve_that_is_no_text_is_refused_every_time(task: Task, name: Any) -> None:
    logger = task.get_logger()
    for _ in range(2):
        with pytest.raises(InputInvalid):
            logger.report_scalar(name, "train", value=1, iteration=1)
        with pytest.raises(InputInvalid):
            logger.report_scalar("loss", name, value=1, iteration=1)
    assert task.get_reported_scalars() == {}


def test_numpys_text_is_text(task: Task) -> None:
    task.get_logger().report_scalar("loss", "train", value=1, iteration=1)
    task.get_logger().report_scalar(np.str_("loss"), np.str_("train"), value=2, iteration=2)
    assert curve(task)["y"] == [1.0, 2.0]


def test_threads_report_at_once_and_nothing_is_missing(task: Task) -> None:
    def report(number: int) -> None:
        for step in range(2000):
            Logger.current_logger().report_scalar("threads", str(number), value=step, iteration=step)  # type: ignore[union-attr]

    threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert curve(task, "threads", str(number))["x"] == list(range(2000))


def test_many_points_are_read_as_few_that_keep_the_extremes(task: Task) -> None:
    logger = task.get_logger()
    for step in range(20_000):
        logger.report_scalar("loss", "train", value=1000.0 if step == 12_345 else 0.0, iteration=step)
    read = curve(task)
    assert len(read["x"]) <= 5000
    assert 12_345 in read["x"]
    few = task.get_reported_scalars(max_samples=100)["loss"]["train"]
    assert len(few["x"]) <= 100
    assert max(few["y"]) == 1000.0


def test_the_axis_may_be_time(task: Task) -> None:
    task.get_logger().report_scalar("loss", "train", value=1, iteration=1)
    (time,) = task.get_reported_scalars(x_axis="timestamp")["loss"]["train"]["x"]
    (iso,) = task.get_reported_scalars(x_axis="iso_time")["loss"]["train"]["x"]
    assert time > 1_600_000_000_000
    assert iso.endswith("+00:00")
    with pytest.raises(InputInvalid, match="iso_time"):
        task.get_reported_scalars(x_axis="nonsense")


def test_text_is_printed_and_kept(task: Task, capsys: pytest.CaptureFixture[str]) -> None:
    logger = task.get_logger()
    logger.report_text("hello")
    logger.report_text("quiet", level=logging.WARNING, print_console=False)
    logger.report_text({"a": 1})  # type: ignore[arg-type]
    logger.report_text("half \ud800 pair", print_console=False)
    assert capsys.readouterr().out == "hello\n{'a': 1}\n"
    lines = current_views(task._store, reports=True).text(task.id)
    assert [(line.text, line.level) for line in lines] == [
        ("hello", logging.INFO),
        ("quiet", logging.WARNING),
        ("{'a': 1}", logging.INFO),
        ("half ? pair", logging.INFO),
    ]


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "hälf \\ud800"), ("ascii", "h\\xe4lf \\ud800")])
def test_what_the_console_cannot_show_is_printed_as_escapes(
    task: Task, monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    written = io.BytesIO()
    console = io.TextIOWrapper(written, encoding=encoding, write_through=True)
    monkeypatch.setattr("sys.stdout", console)
    task.get_logger().report_text("hälf \ud800")
    assert written.getvalue().decode(encoding) == f"{shown}\n"
    (line,) = current_views(task._store, reports=True).text(task.id)
    assert line.text == "hälf ?"


def test_an_object_without_a_text_is_refused(task: Task) -> None:
    class Speechless:
        def __str__(self) -> str:
            raise RuntimeError("half made")

    for arguments in ((Speechless(),), ("hello", Speechless())):
        with pytest.raises(InputInvalid, match="Speechless cannot be written as text"):
            task.get_logger().report_text(*arguments)


def test_a_level_that_is_no_number_is_refused(task: Task) -> None:
    for level in ("INFO", None, -1, 1.5):
        with pytest.raises(InputInvalid, match="level"):
            task.get_logger().report_text("hello", level=level)  # type: ignore[arg-type]


@pytest.mark.parametrize("letter", ["a", "é", "漢", "🙂"])
def test_text_of_more_than_64_kib_is_kept_whole_as_a_blob(task: Task, letter: str) -> None:
    size = len(letter.encode())
    fits = letter * ((64 << 10) // size)
    whole = fits + letter
    task.get_logger().report_text(fits, print_console=False)
    task.get_logger().report_text(whole, print_console=False)
    first, second = current_views(task._store, reports=True).text(task.id)
    assert (first.text, first.blob) == (fits, "")
    assert task._store.blobs.path(second.blob).read_text() == whole
    assert second.text == fits


def test_a_logger_of_another_task_reports_there(task: Task) -> None:
    task.close()
    other = Task.init(project_name="tests/sdk", task_name="another")
    Task.get_task(task.id).get_logger().report_scalar("loss", "train", value=1, iteration=1)
    assert curve(task)["x"] == [1]
    assert other.get_reported_scalars() == {}


def test_flush_commits(task: Task) -> None:
    task.get_logger().report_scalar("loss", "train", value=1, iteration=1)
    assert task.get_logger().flush()
    assert task.flush(wait_for_uploads=True)
    record = task._store.record_of(task._store.session.id or b"")
    assert record is not None
    assert record.next >= 4


def test_arguments_are_put_into_the_text_as_logging_does(task: Task) -> None:
    logger = task.get_logger()
    logger.report_text("epoch %d of %s", logging.INFO, False, 3, "ten", unknown=1)
    logger.report_text("100 %", print_console=False)
    assert task.get_reported_console_output(2) == ["epoch 3 of ten", "100 %"]
    with pytest.raises(InputInvalid, match="arguments"):
        logger.report_text("%d", logging.INFO, False, "x")


def test_the_last_lines_of_the_console_are_read(task: Task) -> None:
    for number in range(5):
        task.get_logger().report_text(str(number), print_console=False)
    task.get_logger().report_text("x" * 100_000, print_console=False)
    assert task.get_reported_console_output() == ["x" * 100_000]
    assert task.get_reported_console_output(number_of_reports=3)[:2] == ["3", "4"]
    assert len(task.get_reported_console_output(number_of_reports=100)) == 6
    for wrong in (0, -1, "2", 1.5):
        with pytest.raises(InputInvalid, match="number_of_reports"):
            task.get_reported_console_output(wrong)  # type: ignore[arg-type]


def test_what_is_logged_in_a_context_goes_to_the_console_at_its_level(task: Task) -> None:
    other = logging.getLogger("tests.of.logging")
    logger = task.get_logger()
    before = list(logging.getLogger().handlers)
    other.warning("before")
    with logger.capture_logging():
        other.warning("number %d", 7)
        other.debug("too quiet to be handled")
        # What reporting itself logs does not come back.
        logging.getLogger("eventlog").warning("our own")
        try:
            raise ValueError("reason")
        except ValueError:
            other.exception("failed")
    other.error("after")
    lines = current_views(task._store, reports=True).text(task.id)
    assert [(line.text.splitlines()[0], line.level) for line in lines] == [
        ("number 7", logging.WARNING),
        ("our own", logging.WARNING),
        ("failed", logging.ERROR),
    ]
    assert lines[-1].text.endswith("ValueError: reason")
    assert logging.getLogger().handlers == before


def test_a_record_that_cannot_be_written_breaks_no_captured_script(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with task.get_logger().capture_logging():
        logging.getLogger("tests.of.logging").warning("%d", "x")
    assert task.get_reported_console_output() == []


@pytest.fixture
def own_numbers() -> Iterator[None]:
    """What is set for NaN and infinity is set for the whole process."""
    yield
    Logger.set_reporting_nan_value(math.nan)
    Logger.set_reporting_inf_value(math.inf)


@pytest.mark.usefixtures("own_numbers")
def test_numbers_may_stand_in_for_nan_and_infinity(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    logger = task.get_logger()
    Logger.set_reporting_nan_value(-1, warn_period=2)
    Logger.set_reporting_inf_value(9)
    with caplog.at_level(logging.WARNING, "eventlog"):
        for step, value in enumerate((math.nan, math.inf, -math.inf, 0.5, math.nan, np.float32("nan"))):
            logger.report_scalar("loss", "train", value, step)
        logger.report_single_value("final", math.nan)
    assert curve(task)["y"] == [-1, 9, 9, 0.5, -1, -1]
    assert task.get_reported_single_value("final") == -1
    assert len(caplog.records) == 3
    with pytest.raises(InputInvalid):
        logger.report_scalar("loss", "train", "x", 1)  # type: ignore[arg-type]
    Logger.set_reporting_nan_value(math.nan)
    Logger.set_reporting_inf_value(math.inf)
    logger.report_scalar("loss", "after", math.inf, 1)
    assert curve(task, series="after")["y"] == [math.inf]
    for wrong in ("x", None):
        with pytest.raises(InputInvalid):
            Logger.set_reporting_nan_value(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="warn_period"):
        Logger.set_reporting_inf_value(0, warn_period=0)


def test_the_flush_period_is_how_long_a_report_waits(task: Task) -> None:
    logger = task.get_logger()
    assert logger.get_flush_period() == 0.2
    logger.set_flush_period(None)
    assert logger.get_flush_period() is None
    logger.report_scalar("loss", "train", 1, 1)
    logger.flush()
    logger.set_flush_period(0.05)
    assert logger.get_flush_period() == 0.05
    committed = committed_count(task)
    logger.report_scalar("loss", "train", 1, 2)
    deadline = time.monotonic() + 30
    while committed_count(task) == committed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert committed_count(task) > committed
    for wrong in (-1, math.nan, math.inf, "x"):
        with pytest.raises(InputInvalid):
            logger.set_flush_period(wrong)  # type: ignore[arg-type]


def committed_count(task: Task) -> int:
    record = task._store.record_of(task._store.session.id or b"")
    return 0 if record is None else record.next


def test_every_point_of_a_curve_is_read_where_asked_for(task: Task) -> None:
    for step in range(6000):
        task.get_logger().report_scalar("loss", "train", step, step)
    assert len(curve(task)["x"]) <= 5000
    assert task.get_all_reported_scalars()["loss"]["train"]["x"] == list(range(6000))
    with pytest.raises(InputInvalid, match="iso_time"):
        task.get_all_reported_scalars(x_axis="nonsense")


def test_nothing_is_reported_to_a_task_that_was_published(task: Task) -> None:
    task.close()
    task._store.session.append(TaskPublished, task.id)
    logger = Task.get_task(task.id).get_logger()
    for _ in range(2):
        with pytest.raises(InputInvalid, match="published"):
            logger.report_scalar("loss", "train", 1, 1)
        with pytest.raises(InputInvalid, match="published"):
            logger.report_scatter2d("plot", "s", [(1, 2)])
        with pytest.raises(InputInvalid, match="published"):
            logger.report_text("hello", print_console=False)
        with pytest.raises(InputInvalid, match="published"):
            logger.report_image("image", "s", image=np.zeros((2, 2)))
    assert task.get_reported_scalars() == {}
    assert task.get_reported_plots() == []


def test_a_logger_may_be_told_to_look_again(task: Task) -> None:
    task.close()
    logger = Task.get_task(task.id).get_logger()
    logger.report_scalar("loss", "train", 1, 1)
    task._store.session.append(TaskPublished, task.id)
    logger._check_again()
    with pytest.raises(InputInvalid, match="published"):
        logger.report_scalar("loss", "train", 1, 2)
    assert curve(task)["x"] == [1]


def test_what_tensorboard_is_drawn_by_is_kept() -> None:
    for setter, name in (
        (Logger.tensorboard_auto_group_scalars, "_tensorboard_group_scalars"),
        (Logger.tensorboard_single_series_per_graph, "_tensorboard_single_series"),
    ):
        assert getattr(Logger, name) is False
        setter(True)
        assert getattr(Logger, name) is True
        setter()
        assert getattr(Logger, name) is False


def test_nothing_heavy_is_imported_for_lists(scripts: Scripts) -> None:
    text = """
    import sys
    from eventlog import Task
    logger = Task.init("tests/sdk", "a task").get_logger()
    logger.report_histogram("t", "s", [1, 2])
    logger.report_scatter3d("t", "s", [(1, 2, 3)])
    logger.report_confusion_matrix("t", "s", [[1, 2]])
    logger.report_table("t", "s", table_plot=[["a"], [1]])
    logger.report_plotly("t", "s", {"data": []})
    print([name for name in ("numpy", "pandas", "PIL", "plotly", "matplotlib") if name in sys.modules])
    """
    assert scripts.run(text).out == "[]\n"


def test_the_logger_of_a_task_that_ended_sees_that_it_was_published(task: Task) -> None:
    logger = task.get_logger()
    logger.report_scalar("loss", "train", 1, 1)
    task.close()
    logger.report_scalar("loss", "train", 1, 2)
    task.close()
    task._store.session.append(TaskPublished, task.id)
    with pytest.raises(InputInvalid, match="published"):
        logger.report_scalar("loss", "train", 1, 3)
    assert curve(task)["x"] == [1, 2]
