"""What child processes of a script do is recorded to its task, however they are made and end."""

import pytest

from eventlog import Task
from eventlog.sdk.stores import current_views
from tests.sdk.scripts import Scripts

NAMES = 'project_name="tests/children", task_name="parent"'


def console(task: Task) -> set[str]:
    return {line.text for line in current_views(task._store, reports=True).text(task.id)}


WORKING = "working on {}"
# The children know of the task by the library's import alone.
POOL = f"""
import multiprocessing, os, sys
from eventlog import Logger, Task

def work(number):
    print(f"working on {{number}}", flush=True)
    Logger.current_logger().report_scalar("done", str(number), value=number, iteration=1)
    return os.getpid() != os.getppid() and Task.current_task().id

if __name__ == "__main__":
    task = Task.init({NAMES}, auto_connect_streams=STREAMS)
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(set(pool.map(work, range(4))) == {{task.id}})
        pool.close()
        pool.join()
    print(task.status)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_report_to_the_task_of_their_parent(scripts: Scripts, method: str) -> None:
    script = scripts.run(POOL.replace("STREAMS", "True"), method)
    # Two processes write to one pipe.
    assert sorted(script.out.replace("\n", "")) == sorted(
        "Truein_progress" + "".join(map(WORKING.format, range(4)))
    )
    assert script.err == ""
    (task,) = Task.get_tasks()
    assert set(task.get_reported_scalars()["done"]) == {"0", "1", "2", "3"}
    assert set(map(WORKING.format, range(4))) <= console(task)
    assert task.status == "completed"


def test_what_the_parent_does_not_log_its_children_do_not_either(scripts: Scripts) -> None:
    scripts.run(POOL.replace("STREAMS", "{'stderr': True}"), "spawn")
    (task,) = Task.get_tasks()
    assert set(task.get_reported_scalars()["done"]) == {"0", "1", "2", "3"}
    assert console(task) == set()


END = f"""
import multiprocessing, os, sys
from eventlog import Task

def work(how):
    print("half a line", end="", flush=True)
    if how == "exit":
        sys.exit(3)
    if how == "raise":
        sys.stderr = open(os.devnull, "w")
        raise ValueError(how)

if __name__ == "__main__":
    Task.init({NAMES})
    print("the parent's", end="", flush=True)
    child = multiprocessing.get_context(sys.argv[1]).Process(target=work, args=(sys.argv[2],))
    child.start()
    child.join()
    print(child.exitcode)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(("how", "code"), [("return", 0), ("exit", 3), ("raise", 1)])
def test_a_line_that_a_child_did_not_end_is_its_own(
    scripts: Scripts, method: str, how: str, code: int
) -> None:
    script = scripts.run(END, method, how)
    assert script.out == f"the parent'shalf a line{code}\n"
    (task,) = Task.get_tasks()
    assert console(task) == {"half a line", f"the parent's{code}"}
    assert task.status == "completed"


def test_a_plain_fork_reports_its_own_lines(scripts: Scripts) -> None:
    script = scripts.run(
        f"""
        import os, sys
        from eventlog import Task
        task = Task.init({NAMES})
        print("parent", end="", flush=True)
        child = os.fork()
        if child == 0:
            print("child", end="", flush=True)
            sys.exit(0)
        os.waitpid(child, 0)
        print(" goes on")
        """
    )
    assert script.out == "parentchild goes on\n"
    (task,) = Task.get_tasks()
    assert console(task) == {"child", "parent goes on"}


def test_what_a_child_reported_outlives_it(scripts: Scripts) -> None:
    scripts.run(
        f"""
        import multiprocessing, time
        from eventlog import Logger, Task

        def work(queue):
            Logger.current_logger().report_scalar("a", "b", value=1, iteration=1)
            print("a whole line")
            queue.put("reported")
            time.sleep(600)

        if __name__ == "__main__":
            Task.init({NAMES})
            for method in ("fork", "spawn"):
                context = multiprocessing.get_context(method)
                queue = context.SimpleQueue()
                child = context.Process(target=work, args=(queue,))
                child.start()
                queue.get()
                child.terminate()
                child.join()
        """
    )
    (task,) = Task.get_tasks()
    assert task.get_reported_scalars()["a"]["b"]["y"] == [1, 1]
    assert [one.text for one in current_views(task._store, reports=True).text(task.id)] == [
        "a whole line"
    ] * 2
    assert task.status == "completed"


SUBPROCESS = f"""
import subprocess, sys
from eventlog import Logger, Task
if len(sys.argv) == 1:
    task = Task.init({NAMES})
    assert subprocess.run([sys.executable, __file__, "child"]).returncode == 0
    task.close()
    assert subprocess.run([sys.executable, __file__, "after"]).returncode == 0
else:
    Task.get_tasks()
    print("before", sys.argv[1])
    task, logger = Task.current_task(), Logger.current_logger()
    print(task and task.name, sys.argv[1])
    if logger is not None:
        logger.report_scalar("a", "b", value=1, iteration=1)
    assert Task.current_task() is task
"""


def test_a_script_that_is_started_adds_to_the_task_once_it_asks_for_it(scripts: Scripts) -> None:
    script = scripts.run(SUBPROCESS)
    assert script.out == "before child\nparent child\nbefore after\nNone after\n"
    (task,) = Task.get_tasks()
    assert console(task) == {"parent child"}
    assert task.get_reported_scalars()["a"]["b"]["y"] == [1]


def test_children_of_children_add_to_the_same_task(scripts: Scripts) -> None:
    scripts.run(
        f"""
        import multiprocessing
        from eventlog import Logger, Task

        def work(depth):
            Logger.current_logger().report_scalar("depth", str(depth), value=depth, iteration=1)
            if depth < 3:
                method = "spawn" if depth % 2 else "fork"
                child = multiprocessing.get_context(method).Process(target=work, args=(depth + 1,))
                child.start()
                child.join()
                assert child.exitcode == 0

        if __name__ == "__main__":
            Task.init({NAMES})
            work(0)
        """
    )
    (task,) = Task.get_tasks()
    assert set(task.get_reported_scalars()["depth"]) == {"0", "1", "2", "3"}


def test_a_script_whose_init_is_not_guarded_adds_once_more(scripts: Scripts) -> None:
    script = scripts.run(
        f"""
        import multiprocessing
        from eventlog import Task
        task = Task.init({NAMES})

        def work(number):
            task.get_logger().report_scalar("done", str(number), value=number, iteration=1)
            return task.id

        if __name__ == "__main__":
            for method in ("spawn", "forkserver"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    print(pool.map(work, [method]) == [task.id])
        """.replace("value=number", "value=1")
    )
    assert script.out == "True\nTrue\n"
    (task,) = Task.get_tasks()
    assert set(task.get_reported_scalars()["done"]) == {"spawn", "forkserver"}
    assert task.status == "completed"


def test_without_a_task_children_are_as_ever(scripts: Scripts) -> None:
    script = scripts.run(
        """
        import multiprocessing
        from eventlog import Logger, Task

        def work(number):
            return Task.current_task() is None and Logger.current_logger() is None

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(work, [1]))
        """
    )
    assert script.out == "[True]\n"
    assert not scripts.home.exists()


def test_children_that_do_not_call_init_have_random_numbers_of_their_own(scripts: Scripts) -> None:
    script = scripts.run(
        f"""
        import multiprocessing, random
        from eventlog import Task

        def work():
            Task.current_task().set_parameter(str(random.random()), 1)

        if __name__ == "__main__":
            task = Task.init({NAMES})
            for _ in range(2):
                child = multiprocessing.get_context("spawn").Process(target=work)
                child.start()
                child.join()
            print(len(task.get_parameters()))
        """
    )
    assert script.out == "2\n"


def test_a_choice_that_there_is_not_is_warned_of_once(scripts: Scripts) -> None:
    script = scripts.run(
        POOL.replace("auto_connect_streams=STREAMS", "auto_connect_frameworks={'nothing': True}"), "spawn"
    )
    assert script.err.count("nothing that is logged") == 1
