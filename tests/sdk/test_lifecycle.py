"""A task's status follows its process, and the process does not notice."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from eventlog import Task
from eventlog.projections import Views
from eventlog.store import Store
from tests.sdk.scripts import Scripts, poll

INIT = """
import os, signal, sys, threading, time
from eventlog import Task
task = Task.init(project_name="tests/lifecycle", task_name="a task")
"""


def script(text: str) -> str:
    from textwrap import dedent

    return INIT + dedent(text)


def test_the_exit_can_be_handed_to_a_new_process(scripts: Scripts) -> None:
    text = """
    import multiprocessing
    if __name__ == "__main__":
        process = multiprocessing.get_context("spawn").Process(target=sys.exit, args=(7,))
        process.start()
        process.join()
        print(process.exitcode)
    """
    assert scripts.run(script(text)).out == "7\n"


def test_a_script_that_ends_leaves_a_completed_task(scripts: Scripts) -> None:
    ran = scripts.run(script("task.get_logger().report_scalar('a', 'b', value=1, iteration=1)"))
    state = scripts.state()
    assert (state.status, state.status_reason, state.traceback) == ("completed", "", "")
    assert state.execution is not None
    assert ran.out == ran.err == ""


def test_an_uncaught_exception_fails_the_task_with_its_traceback(scripts: Scripts) -> None:
    ran = scripts.run(script("def train():\n    raise ValueError('the loss is gone')\ntrain()"), code=1)
    state = scripts.state()
    assert (state.status, state.status_reason) == ("failed", "ValueError: the loss is gone")
    assert "in train" in state.traceback
    assert state.traceback == ran.err


def test_a_secret_in_a_traceback_is_masked(scripts: Scripts) -> None:
    scripts.run(script("raise OSError('https://bob:hunter2@host/x refused')"), code=1)
    state = scripts.state()
    assert "hunter2" not in state.traceback + state.status_reason
    assert "refused" in state.status_reason


def test_a_hook_for_exceptions_that_was_there_before_is_still_called(scripts: Scripts) -> None:
    before = "import sys\nsys.excepthook = lambda *error: print('mine:', error[1])\n"
    ran = scripts.run(before + script("raise ValueError('x')"), code=1)
    assert (ran.out, ran.err) == ("mine: x\n", "")
    assert scripts.state().status == "failed"


def test_an_exception_that_was_only_shown_by_the_hook_does_not_fail_the_task(scripts: Scripts) -> None:
    scripts.run(script("try:\n    1 / 0\nexcept Exception:\n    sys.excepthook(*sys.exc_info())"))
    assert scripts.state().status == "completed"


def test_an_exception_in_a_thread_does_not_fail_the_task(scripts: Scripts) -> None:
    scripts.run(script("t = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()"))
    assert scripts.state().status == "completed"


@pytest.mark.parametrize(
    ("call", "code", "status", "reason"),
    [
        ("sys.exit()", 0, "completed", ""),
        ("sys.exit(0)", 0, "completed", ""),
        ("sys.exit(256)", 0, "completed", ""),
        ("sys.exit(3)", 3, "failed", "the script exited with status 3"),
        ("sys.exit('no data')", 1, "failed", "no data"),
        ("exit(3)", 3, "failed", "the script exited with status 3"),
        ("raise SystemExit", 0, "completed", ""),
    ],
)
def test_the_exit_status_decides(scripts: Scripts, call: str, code: int, status: str, reason: str) -> None:
    scripts.run(script(call), code=code)
    state = scripts.state()
    assert (state.status, state.status_reason) == (status, reason)


def test_an_exit_with_an_object_that_has_no_text_is_still_an_exit(scripts: Scripts) -> None:
    text = "class Speechless:\n    def __str__(self):\n        return 1 / 0\nsys.exit(Speechless())"
    scripts.run(script(text), code=1)
    assert scripts.state().status_reason == "Speechless"


def test_an_exit_that_is_caught_is_no_end(scripts: Scripts) -> None:
    scripts.run(script("try:\n    sys.exit(3)\nexcept SystemExit:\n    pass\nx = 1"))
    assert scripts.state().status == "completed"


def test_an_exit_in_a_thread_is_the_threads_alone(scripts: Scripts) -> None:
    ran = scripts.run(script("t = threading.Thread(target=lambda: sys.exit(3))\nt.start()\nt.join()"))
    assert ran.err == ""
    assert scripts.state().status == "completed"


def test_a_module_that_is_run_ends_like_a_script(scripts: Scripts) -> None:
    scripts.folder.mkdir(parents=True)
    (scripts.folder / "train.py").write_text(script("sys.exit(3)"))
    scripts.run("import runpy\nrunpy.run_module('train', run_name='__main__')", code=3)
    assert scripts.state().status == "failed"


def test_ctrl_c_stops_the_task_and_the_process_ends_as_it_always_does(scripts: Scripts) -> None:
    ran = scripts.start(script("print('go', flush=True)\nwhile True:\n    time.sleep(0.01)"))
    assert ran.line() == "go"
    ran.send(signal.SIGINT)
    assert ran.wait() == -signal.SIGINT
    assert "KeyboardInterrupt" in ran.err
    state = scripts.state()
    assert (state.status, state.status_reason) == ("stopped", "KeyboardInterrupt")


@pytest.mark.parametrize(
    ("end", "code", "status"),
    [
        ("task.close()", -signal.SIGINT, "completed"),
        ("", 0, "completed"),
        ("sys.exit(3)", 3, "failed"),
        ("signal.signal(signal.SIGINT, lambda *_: sys.exit(5))\ntask.close()", 5, "completed"),
    ],
)
def test_ctrl_c_while_the_task_ends_does_not_leave_it_running(
    scripts: Scripts, tmp_path: Path, end: str, code: int, status: str
) -> None:
    """Its end waits for git; the interrupt comes then."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\necho git >&2\nexec sleep 60\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    interrupt = """
    def interrupt():
        from eventlog.sdk.execution import ExecutionRecorder
        while not any(frame.f_code is ExecutionRecorder.finish.__code__ for frame in main_frames()):
            time.sleep(0.001)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.02)
    def main_frames():
        frame = sys._current_frames()[threading.main_thread().ident]
        while frame is not None:
            yield frame
            frame = frame.f_back
    threading.Thread(target=interrupt, daemon=True).start()
    """
    path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    ran = scripts.start(script(interrupt) + end, environment=path)
    assert ran.wait() == code, ran.err
    state = scripts.state()
    assert state.status == status
    assert state.execution is not None


def test_a_task_ends_at_whichever_line_its_end_is_interrupted() -> None:
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if Path(frame.f_code.co_filename).name in {"run.py", "execution.py"} and event == "line":
            lines += 1
            if lines == last:
                raise KeyboardInterrupt
        return trace

    for last in itertools.count(1):
        task = Task.init(project_name="tests/lifecycle", task_name="a task", reuse_last_task_id=False)
        lines = 0
        sys.settrace(trace)
        try:
            task.close()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        # As at the interpreter's exit.
        task.close()
        assert Task.current_task() is None
        assert task.status == "completed", f"interrupted at line event {last}"
        if lines < last:
            break
    assert last > 20


def test_a_ctrl_c_that_the_script_handles_is_no_stop(scripts: Scripts) -> None:
    text = """
    try:
        print("go", flush=True)
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        pass
    """
    ran = scripts.start(script(text))
    assert ran.line() == "go"
    ran.send(signal.SIGINT)
    assert ran.wait() == 0
    assert scripts.state().status == "completed"


def test_sigterm_stops_the_task_and_kills_the_process(scripts: Scripts) -> None:
    ran = scripts.start(script("print('go', flush=True)\nwhile True:\n    time.sleep(0.01)"))
    assert ran.line() == "go"
    ran.send(signal.SIGTERM)
    assert ran.wait() == -signal.SIGTERM
    assert ran.err == ""
    state = scripts.state()
    assert (state.status, state.status_reason) == ("stopped", "SIGTERM")
    assert state.execution is not None


def test_sigterm_in_the_middle_of_reporting_stops_the_task_and_keeps_what_was_reported(
    scripts: Scripts,
) -> None:
    text = """
    report = task.get_logger().report_scalar
    print("go", flush=True)
    step = 0
    while True:
        step += 1
        report("a", "b", value=1.0, iteration=step)
        if step % 100 == 0:
            os.write(1, b"%d\\n" % step)
    """
    for _ in range(3):
        ran = scripts.start(script(text))
        assert ran.line() == "go"
        for _ in range(20):
            acknowledged = int(ran.line())
        ran.send(signal.SIGTERM)
        assert ran.wait() == -signal.SIGTERM
        acknowledged = max([acknowledged, *map(int, ran.out.splitlines())])
        state = scripts.states()[-1]
        assert state.status == "stopped"
        found = Task.get_task(state.id).get_last_iteration()
        assert found >= acknowledged


def test_a_handler_of_sigterm_that_was_there_before_decides_what_happens(scripts: Scripts) -> None:
    before = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    ran = scripts.start(before + script("print('go', flush=True)\nwhile True:\n    time.sleep(0.01)"))
    assert ran.line() == "go"
    ran.send(signal.SIGTERM)
    assert ran.wait() == 7
    assert scripts.state().status == "stopped"


def test_a_sigterm_that_is_ignored_stays_ignored(scripts: Scripts) -> None:
    before = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    ran = scripts.start(before + script("print('go', flush=True)\ninput_ = sys.stdin\ntime.sleep(0.3)"))
    assert ran.line() == "go"
    ran.send(signal.SIGTERM)
    assert ran.wait() == 0
    assert scripts.state().status == "completed"


def test_a_killed_process_leaves_a_failed_task_that_says_so(scripts: Scripts) -> None:
    ran = scripts.start(script("print('go', flush=True)\ntime.sleep(60)"))
    assert ran.line() == "go"
    ran.send(signal.SIGKILL)
    ran.wait()
    state = scripts.state()
    assert state.status == "failed"
    assert "was killed" in state.status_reason


def test_a_task_that_is_killed_is_seen_as_failed_by_a_process_that_has_watched_it(scripts: Scripts) -> None:
    ran = scripts.start(script("print(task.id, flush=True)\ntime.sleep(60)"))
    task_id = ran.line()
    watched = poll(lambda: next(iter(Task.get_tasks(task_ids=[task_id])), None))
    assert watched.status == "in_progress"
    ran.send(signal.SIGKILL)
    ran.wait()
    assert watched.status == "failed"


def test_the_end_of_a_fork_is_not_the_end_of_the_task(scripts: Scripts) -> None:
    text = """
    children = []
    kill = "os.kill(os.getpid(), signal.SIGTERM)"
    for ending in ("os._exit(0)", "sys.exit(5)", "1 / 0", kill, "task.close()"):
        child = os.fork()
        if child == 0:
            os.close(2)
            assert Task.current_task() is task
            task.get_logger().report_scalar("forks", ending, value=1, iteration=1)
            exec(ending)
            os._exit(Task.current_task() is None)
        children.append(os.waitpid(child, 0)[1])
    print(children)
    print(task.status, len(task.get_last_scalar_metrics()["forks"]))
    """
    ran = scripts.run(script(text))
    statuses, seen = ran.out.splitlines()
    assert statuses == str([0, 5 << 8, 1 << 8, int(signal.SIGTERM), 1 << 8])
    assert seen == "in_progress 5"
    assert scripts.state().status == "completed"


@pytest.mark.parametrize("ends", [False, True], ids=["goes on", "ends"])
def test_a_fork_sees_what_its_parent_has_done_a_moment_ago(scripts: Scripts, ends: bool) -> None:
    """Here the parent is stopped before it has committed anything."""
    text = """
    import os, signal, sys, time
    from eventlog import Task
    parent = os.getpid()
    task = Task.init("tests", "forks at once", reuse_last_task_id=False)
    task.set_progress(30)
    if os.fork() == 0:
        os.kill(parent, signal.SIGSTOP)
        print(parent, flush=True)
        task.upload_artifact("of the child", {"a": 1})
        print(task.get_progress(), flush=True)
        os._exit(0)
    time.sleep(0.1)
    task.flush()
    os.wait()
    """
    ran = scripts.start(text, environment={"EVENTLOG_COMMIT_INTERVAL_SECONDS": "60"})
    parent = int(ran.line())
    # As long as the child needs to look, if it did not wait.
    time.sleep(0.5)
    os.kill(parent, signal.SIGKILL if ends else signal.SIGCONT)
    assert ran.line() == "30"
    ran.wait()
    poll(lambda: "of the child" in scripts.state().artifacts)


def test_a_pool_of_processes_reports_to_the_task_and_leaves_it_alone(scripts: Scripts) -> None:
    text = """
    from multiprocessing import get_context
    def work(step):
        Task.current_task().get_logger().report_scalar("pool", "value", value=step, iteration=step)
        return step
    pool = get_context("fork").Pool(3)
    print(sum(pool.map(work, range(100))))
    pool.close()
    pool.join()
    print(len(task.get_reported_scalars()["pool"]["value"]["x"]), task.status)
    """
    assert scripts.run(script(text)).out == "4950\n100 in_progress\n"
    assert scripts.state().status == "completed"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_task_of_a_child_of_multiprocessing_ends_as_the_child_does(scripts: Scripts, method: str) -> None:
    text = f"""
    import multiprocessing, sys
    def work(name):
        from eventlog import Task
        task = Task.init(project_name="tests/lifecycle", task_name=name)
        task.set_progress(50)
        if name == "closed":
            task.close()
        if name == "raised":
            raise ValueError("the loss is gone")
        if name.startswith("exited"):
            sys.exit(int(name[-1]))
        if name == "interrupted":
            raise KeyboardInterrupt
    if __name__ == "__main__":
        sys.stderr.close()
        names = ("returned", "closed", "raised", "exited 0", "exited 3", "interrupted")
        make = multiprocessing.get_context("{method}").Process
        children = [make(target=work, args=(name,)) for name in names]
        for child in children:
            child.start()
        for child in children:
            child.join()
        print([child.exitcode for child in children])
    """
    ran = scripts.run(text)
    assert ran.out == "[0, 0, 1, 0, 3, 1]\n"
    states = {state.name: state for state in scripts.states()}
    assert {name: (state.status, state.status_reason) for name, state in states.items()} == {
        "returned": ("completed", ""),
        "closed": ("completed", ""),
        "raised": ("failed", "ValueError: the loss is gone"),
        "exited 0": ("completed", ""),
        "exited 3": ("failed", "the script exited with status 3"),
        "interrupted": ("stopped", "KeyboardInterrupt"),
    }
    assert "in work" in states["raised"].traceback
    with Store.open(scripts.home) as store, Views.open(store) as views:
        views.catch_up()
        assert {session.reason for session in views.sessions().values()} == {"closed"}


def test_a_pool_whose_workers_begin_tasks_leaves_them_completed(scripts: Scripts) -> None:
    text = """
    import concurrent.futures, multiprocessing
    def work(step):
        from eventlog import Task
        return Task.init(project_name="tests/lifecycle", task_name="a worker", reuse_last_task_id=False).id
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
        print(len(set(pool.map(work, range(20)))))
    """
    made = int(scripts.run(text).out)
    assert [state.status for state in scripts.states()] == ["completed"] * made


def test_the_task_outlives_the_parent_in_no_fork_of_it(scripts: Scripts) -> None:
    """A child that goes on after its parent's end changes nothing of how that ended."""
    text = """
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(0.5)
        task.get_logger().report_text("still here", print_console=False)
        sys.exit(3)
    """
    ran = scripts.start(script(text))
    child = int(ran.line())
    ran.wait()
    poll(lambda: not Path(f"/proc/{child}").exists())
    assert scripts.state().status == "completed"


def test_tasks_follow_one_another_in_one_process(scripts: Scripts) -> None:
    text = """
    import os, sys
    from eventlog import Task
    hooks = sys.excepthook, sys.exit
    for name in ("one", "two", "three"):
        task = Task.init(project_name="tests/lifecycle", task_name=name)
        task.set_parameter("name", name)
        if name != "three":
            task.close()
            assert Task.current_task() is None
            assert (sys.excepthook, sys.exit) == hooks
    raise ValueError("the third")
    """
    scripts.run(text, code=1)
    assert [(state.name, state.status) for state in scripts.states()] == [
        ("one", "completed"),
        ("two", "completed"),
        ("three", "failed"),
    ]
    assert [state.parameters["General/name"].value for state in scripts.states()] == ["one", "two", "three"]


def test_what_stood_in_the_hooks_is_put_back_on_close() -> None:
    hooks = sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM)
    task = Task.init(project_name="tests/lifecycle", task_name="a task")
    assert sys.excepthook is not hooks[0]
    task.close()
    assert (sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM)) == hooks
    task.close()


def test_a_hook_that_came_later_stays_on_close() -> None:
    before = sys.excepthook
    task = Task.init(project_name="tests/lifecycle", task_name="a task")

    def later(*_: object) -> None: ...

    sys.excepthook = later
    try:
        task.close()
        assert sys.excepthook is later
    finally:
        sys.excepthook = before


def test_a_task_may_begin_in_a_thread() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    begun: list[Task] = []
    thread = threading.Thread(
        target=lambda: begun.append(Task.init(project_name="tests/lifecycle", task_name="a task"))
    )
    thread.start()
    thread.join()
    assert Task.current_task() is begun[0]
    assert signal.getsignal(signal.SIGTERM) == handler
    begun[0].close()
    assert begun[0].status == "completed"


def test_a_process_group_that_is_killed_leaves_failed_tasks(scripts: Scripts) -> None:
    ran = scripts.start(script("os.fork()\nos.write(1, b'go\\n')\ntime.sleep(60)"), new_group=True)
    assert [ran.line(), ran.line()] == ["go", "go"]
    os.killpg(ran.process.pid, signal.SIGKILL)
    ran.wait()
    assert poll(lambda: scripts.state().status == "failed")


def test_an_exception_at_a_prompt_does_not_fail_the_task(scripts: Scripts, home: Path) -> None:
    typed = INIT + "1 / 0\n\nprint('still here')\nexit()\n"
    command = [sys.executable, "-i", "-q"]
    ran = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60)
    assert "ZeroDivisionError" in ran.stderr
    assert "still here" in ran.stdout
    assert scripts.state().status == "completed"


def test_a_full_disk_never_raises_into_reporting_and_upload_says_what_to_do(scripts: Scripts) -> None:
    text = """
    import resource
    from eventlog.errors import StoreFull
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, resource.RLIM_INFINITY))
    try:
        task.upload_artifact("large", {"a": "x" * (1 << 20)})
    except StoreFull as error:
        print("full", "\\n" in str(error))
    for step in range(100_000):
        task.get_logger().report_scalar("a", "b", value=step, iteration=step)
    task.get_logger().report_text("x" * 200_000, print_console=False)
    task.set_progress(50)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    task.close()
    from eventlog.sdk.stores import current_views
    print(len(current_views(task._store, reports=True).scalars(task.id, "a", "b")))
    """
    ran = scripts.run(script(text))
    assert ran.out == "full False\n100000\n"
    state = scripts.state()
    assert (state.status, state.progress, state.dropped) == ("completed", 50, 0)


@pytest.mark.parametrize("end", ["", "raise ValueError", "task.close()", "print('half a line', end='')"])
def test_a_run_is_one_session_to_its_end(scripts: Scripts, end: str) -> None:
    scripts.start(f"{INIT}\n{end}\n").wait()
    with Store.open(scripts.home) as store, Views.open(store) as views:
        views.catch_up()
        (row,) = views.find()
        assert len({numbered.session for numbered in views.events(row.id)}) == 1
