"""What the machine is busy with is reported while a task runs, and disturbs nothing else."""

import os
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog import Task
from eventlog.errors import InputInvalid
from eventlog.sdk.automatic import gpus
from eventlog.sdk.automatic.machine import Machine
from tests.sdk.scripts import Scripts, poll

MACHINE, GPU = ":monitor:machine", ":monitor:gpu"
SERIES = {
    *("cpu_usage", "memory_used_gb", "memory_free_gb", "disk_free_percent"),
    *("network_tx_mbs", "network_rx_mbs", "io_read_mbs", "io_write_mbs"),
}
OFTEN = {"first_report_sec": 0.1, "report_frequency_sec": 0.1, "sample_frequency_per_sec": 20}
NAMES = {"project_name": "tests/monitor", "task_name": "a task"}


def begin(monitoring: Any = OFTEN, **more: Any) -> Task:
    return Task.init(**NAMES, auto_resource_monitoring=monitoring, **more)


def watched(task: Task, title: str = MACHINE) -> dict[str, dict[str, list[float]]]:
    """The curves of a title, once a second report has begun, and the first is whole therefore."""

    def curves() -> dict[str, dict[str, list[float]]] | None:
        found = task.get_reported_scalars().get(title, {})
        return found if any(len(curve["x"]) > 1 for curve in found.values()) else None

    return poll(curves)


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "eventlog-monitor"]


class FakeNvml(types.ModuleType):
    """pynvml, with two GPUs; a function that is in `missing` raises."""

    def __init__(self, *missing: str) -> None:
        super().__init__("pynvml")
        self.missing = set(missing)
        self.open = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if name in self.missing:
                raise RuntimeError(f"{name} is not supported")
            return self.answer(name, *arguments)

        if not name.startswith("nvml"):
            raise AttributeError(name)
        return call

    def answer(self, name: str, *arguments: Any) -> Any:
        own = types.SimpleNamespace(pid=os.getpid(), usedGpuMemory=1 << 30)
        other = types.SimpleNamespace(pid=1, usedGpuMemory=2 << 30)
        match name:
            case "nvmlInit":
                self.open += 1
            case "nvmlShutdown":
                self.open -= 1
            case "nvmlDeviceGetCount":
                return 2
            case "nvmlDeviceGetHandleByIndex":
                return arguments[0]
            case "nvmlDeviceGetTemperature":
                return 55
            case "nvmlDeviceGetUtilizationRates":
                return types.SimpleNamespace(gpu=37 + arguments[0], memory=12)
            case "nvmlDeviceGetMemoryInfo":
                return types.SimpleNamespace(total=16 << 30, used=4 << 30, free=12 << 30)
            case "nvmlDeviceGetPowerUsage":
                return 120_000
            case "nvmlDeviceGetComputeRunningProcesses":
                return [own, other]
            case "nvmlDeviceGetGraphicsRunningProcesses":
                return []
        return None


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """In place of pynvml, in a process that is in no container."""
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(gpus, "_is_first_namespace", lambda: True)
    return fake


# What is reported.


def test_the_machine_is_reported_under_the_names_that_clearml_has() -> None:
    task = begin()
    assert watched(task).keys() <= SERIES
    assert {"cpu_usage", "memory_used_gb", "memory_free_gb", "disk_free_percent"} <= watched(task).keys()
    used, cpu, disk = (watched(task)[name] for name in ("memory_used_gb", "cpu_usage", "disk_free_percent"))
    assert 0.01 < used["y"][0] < 100
    assert all(0 <= value <= 100 for value in cpu["y"] + disk["y"])
    assert GPU not in task.get_reported_scalars()


def test_iterations_are_seconds_and_reports_go_on() -> None:
    task = begin()
    points = poll(lambda: (x := watched(task)["cpu_usage"]["x"])[-1] >= 1 and x)
    assert points == sorted(points)
    assert points[0] == 0


def test_by_default_a_short_run_is_reported_within_some_seconds(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.delenv("EVENTLOG_MONITOR_INTERVAL_SECONDS")
    task = begin(monitoring=True)
    points = poll(lambda: task.get_reported_scalars().get(MACHINE))
    assert {seconds for curve in points.values() for seconds in curve["x"]} == {2}


def test_memory_is_that_of_the_process_and_its_children_or_all_that_is_used() -> None:
    own, every = Machine(own_memory=True), Machine(own_memory=False)
    before = own.now()["memory_used_gb"]
    kept = b"\1" * (200 << 20)
    assert own.now()["memory_used_gb"] - before > 0.15
    assert len(kept) < every.now()["memory_used_gb"] * (1 << 30)


def test_gpus_are_reported_under_the_names_that_clearml_has(nvml: FakeNvml) -> None:
    task = begin()
    curves = watched(task, GPU)
    last = {name: curve["y"][-1] for name, curve in curves.items()}
    assert last == {
        **{f"gpu_{number}_temperature": 55.0 for number in (0, 1)},
        **{f"gpu_{number}_utilization": 37.0 + number for number in (0, 1)},
        **{f"gpu_{number}_mem_used_gb": 1.0 for number in (0, 1)},
        **{f"gpu_{number}_mem_usage": 25.0 for number in (0, 1)},
        **{f"gpu_{number}_mem_free_gb": 12.0 for number in (0, 1)},
        **{f"gpu_{number}_power_draw": 120.0 for number in (0, 1)},
    }
    task.close()
    poll(lambda: nvml.open == 0)


@pytest.mark.parametrize("option", [{"report_mem_used_per_process": False}, {"report_global_mem_used": True}])
def test_all_memory_of_gpus_can_be_asked_for(nvml: FakeNvml, option: dict[str, bool]) -> None:
    task = begin({**OFTEN, **option})
    assert watched(task, GPU)["gpu_0_mem_used_gb"]["y"][0] == 4.0


def test_in_a_container_the_memory_of_a_gpu_is_that_of_all(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "_is_first_namespace", lambda: False)
    assert watched(begin(), GPU)["gpu_0_mem_used_gb"]["y"][0] == 4.0


def test_what_a_gpu_does_not_answer_is_left_out(nvml: FakeNvml) -> None:
    nvml.missing = {"nvmlDeviceGetPowerUsage", "nvmlDeviceGetTemperature"}
    names = {name.removeprefix("gpu_0_") for name in watched(begin(), GPU) if name.startswith("gpu_0")}
    assert names == {"utilization", "mem_used_gb", "mem_usage", "mem_free_gb"}


@pytest.mark.parametrize("missing", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"])
def test_a_driver_that_does_not_answer_is_as_none(
    nvml: FakeNvml, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    nvml.missing = {missing}
    task = begin()
    watched(task)
    task.close()
    assert GPU not in task.get_reported_scalars()
    assert nvml.open == 0
    assert not caplog.records


# What is chosen.


@pytest.mark.parametrize("monitoring", [False, {}, None])
def test_it_can_be_switched_off(monitoring: Any) -> None:
    begin(monitoring)
    assert not threads()


def test_a_class_of_clearml_is_as_true() -> None:
    begin(type("ResourceMonitor", (), {}))
    assert threads()


@pytest.mark.parametrize("value", [-1, "often", True, float("nan"), float("inf")])
def test_a_number_of_seconds_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(InputInvalid, match="report_frequency_sec must be a number above zero"):
        begin({"report_frequency_sec": value})
    assert Task.current_task() is None


def test_an_option_that_there_is_not_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    begin({"report_sec": 1, "wait_for_first_iteration_to_start_sec": 3})
    (record,) = caplog.records
    assert "has no option 'report_sec'" in record.getMessage()


def test_the_first_report_can_be_set_before_the_task_begins() -> None:
    try:
        assert Task.set_resource_monitor_iteration_timeout(0)
        task = begin(True)
        assert poll(lambda: task.get_reported_scalars().get(MACHINE))
        with pytest.raises(InputInvalid, match="seconds_from_start"):
            Task.set_resource_monitor_iteration_timeout("soon")  # type: ignore[arg-type]
    finally:
        Task.set_resource_monitor_iteration_timeout(None)  # type: ignore[arg-type]


# What is not disturbed.


def test_it_stops_with_the_task() -> None:
    task = begin()
    watched(task)
    task.close()
    assert not threads()
    points = task.get_reported_scalars()[MACHINE]["cpu_usage"]
    again = Task.init(project_name="tests/monitor", task_name="another", auto_resource_monitoring=OFTEN)
    watched(again)
    assert task.get_reported_scalars()[MACHINE]["cpu_usage"] == points


def test_seconds_are_no_iterations_of_the_task() -> None:
    task = begin()
    poll(lambda: watched(task)["cpu_usage"]["x"][-1] >= 1)
    assert task.get_last_iteration() == 0
    task.get_logger().report_scalar("loss", "train", value=1.0, iteration=0)
    task.close()
    again = begin(continue_last_task=True)
    assert again.id == task.id
    assert again.get_initial_iteration() == 1
    # Its own seconds go on as well.
    seconds = poll(lambda: len(x := watched(again)["cpu_usage"]["x"]) > 14 and x)
    assert seconds == sorted(seconds)
    assert seconds[-1] >= 2


def test_a_forked_child_does_not_watch(scripts: Scripts) -> None:
    script = scripts.run(
        f"""
        import os, sys, threading, time
        from eventlog import Task
        task = Task.init(project_name="tests/monitor", task_name="forks", auto_resource_monitoring={OFTEN})
        while "psutil" not in sys.modules:
            time.sleep(0.01)
        child = os.fork()
        if child == 0:
            print([one.name for one in threading.enumerate()], flush=True)
            task.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """
    )
    assert script.out == "['MainThread']\n"
    assert scripts.state().status == "completed"


def test_what_the_script_asks_psutil_is_as_without(scripts: Scripts) -> None:
    script = scripts.run(
        f"""
        import psutil, sys, time
        from eventlog import Task
        psutil.cpu_percent(); psutil.net_io_counters(); psutil.disk_io_counters()
        task = Task.init(project_name="tests/monitor", task_name="asks", auto_resource_monitoring={OFTEN})
        before = dict(psutil._last_cpu_times), dict(psutil._last_cpu_times_2)
        while "eventlog.sdk.automatic.machine" not in sys.modules or not task.get_reported_scalars():
            time.sleep(0.01)
        assert (dict(psutil._last_cpu_times), dict(psutil._last_cpu_times_2)) == before
        print("as before")
        """
    )
    assert script.out == "as before\n"


def test_a_library_that_fails_is_one_warning(scripts: Scripts) -> None:
    (scripts.folder).mkdir()
    (scripts.folder / "psutil.py").write_text("raise ImportError('broken')\n")
    script = scripts.run(
        f"""
        import threading, time
        from eventlog import Task
        task = Task.init(project_name="tests/monitor", task_name="fails", auto_resource_monitoring={OFTEN})
        while "eventlog-monitor" in [one.name for one in threading.enumerate()]:
            time.sleep(0.01)
        print("goes on")
        """
    )
    assert script.out == "goes on\n"
    warning = "eventlog: what the machine is busy with could not be recorded; the script goes on"
    assert script.err == f"{warning} (ImportError: broken)\n"
