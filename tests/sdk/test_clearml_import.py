"""`import clearml` gives eventlog, also in child processes; what is not here says so when it is used."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from eventlog.sdk.clearml_import import FOLDER
from eventlog.sdk.clearml_modules import MODULES, VERSION
from tests.sdk.scripts import WARNINGS, Scripts

INSTALL = "import eventlog; eventlog.install_as_clearml()\n"


def printed(scripts: Scripts, text: str, *arguments: str) -> str:
    return scripts.run(INSTALL + textwrap.dedent(text), *arguments).out.strip()


def test_a_script_written_for_clearml_records_with_eventlog(scripts: Scripts) -> None:
    scripts.run(
        INSTALL + "from clearml import Task, Logger\n"
        "task = Task.init(project_name='examples', task_name='template')\n"
        "Logger.current_logger().report_scalar('loss', 'train', value=0.5, iteration=1)\n"
    )
    state = scripts.state()
    assert (state.project, state.name, state.status) == ("examples", "template", "completed")


def test_every_name_of_the_table_can_be_imported(scripts: Scripts) -> None:
    lines = [f"from {module} import {name}" for module, names in MODULES.items() for name in names]
    lines += [f"import {module}" for module in MODULES]
    scripts.run(INSTALL + "\n".join(lines))


def test_submodules_are_attributes_before_they_are_imported(scripts: Scripts) -> None:
    out = printed(
        scripts,
        """
        import clearml, sys
        assert "eventlog.sdk.task" not in sys.modules, "nothing is loaded before it is asked for"
        print(clearml.utilities.proxy_object.flatten_dictionary({"a": {"b": 1}}))
        print(clearml.task.Task is clearml.Task, clearml.backend_interface.task.task.Task is clearml.Task)
        """,
    )
    assert out.splitlines() == ["{'a/b': 1}", "True True"]


def test_whoever_asks_whether_clearml_is_there_finds_it(scripts: Scripts) -> None:
    out = printed(
        scripts,
        """
        import importlib.metadata, importlib.util
        print(importlib.util.find_spec("clearml") is not None)
        print(importlib.metadata.version("clearml"))
        print(set(importlib.metadata.packages_distributions()["clearml"]))
        import clearml
        print(clearml.__version__, hasattr(clearml, "nothing"))
        """,
    )
    assert out.splitlines() == ["True", "2.1.0", "{'clearml'}", "2.1.0 False"]


def test_it_wins_over_an_installed_clearml(scripts: Scripts, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "clearml").mkdir(parents=True)
    (site / "clearml" / "__init__.py").write_text("raise SystemExit('the real one')\n")
    printed(scripts, f"import sys; sys.path.append({str(site)!r})\nfrom clearml import Task")


def test_after_clearml_itself_was_imported_it_is_refused(scripts: Scripts, tmp_path: Path) -> None:
    (tmp_path / "clearml.py").write_text("Task = None\n")
    script = scripts.run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import clearml\n" + INSTALL, code=1
    )
    assert (
        "InputInvalid: clearml has been imported already: call install_as_clearml() at the top" in script.err
    )


def test_an_installation_twice_changes_nothing(scripts: Scripts) -> None:
    out = printed(
        scripts,
        """
        import os, sys
        before = list(sys.path), os.environ["PYTHONPATH"]
        import clearml
        eventlog.install_as_clearml()
        print((list(sys.path), os.environ["PYTHONPATH"]) == before, sys.path[0] == os.getcwd())
        """,
    )
    assert out == "True True"


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_of_multiprocessing_have_it(scripts: Scripts, method: str) -> None:
    # Without the installation in the module that the child imports: what it inherits must do.
    scripts.folder.mkdir(parents=True)
    (scripts.folder / "work.py").write_text(
        "def work(x):\n    from clearml import Task\n    return Task.__module__\n"
    )
    script = scripts.run(
        f"""
        import multiprocessing
        if __name__ == "__main__":
            import eventlog
            eventlog.install_as_clearml()
            import work
            with multiprocessing.get_context({method!r}).Pool(1) as pool:
                print(pool.map(work.work, [1]))
                pool.close()
                pool.join()
        """
    )
    assert script.out == "['eventlog.sdk.task']\n"


def test_subprocesses_have_it_and_keep_their_own_path(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    out = printed(
        scripts,
        """
        import subprocess, sys
        child = "import sys, clearml; print(clearml.Task.__module__, sys.path.count('/somewhere'))"
        print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
        """,
    )
    assert out == "eventlog.sdk.task 1"


def test_the_stand_in_is_no_package_of_the_run(scripts: Scripts) -> None:
    scripts.run(
        INSTALL + "from clearml import Task; Task.init(project_name='examples', task_name='packages')"
    )
    execution = scripts.state().execution
    assert execution is not None
    assert execution.packages.get("clearml") != VERSION
    assert "eventlog" in execution.packages


@pytest.mark.parametrize(
    ("use", "named"),
    [
        ("from clearml import Dataset; Dataset.get(dataset_name='x')", "clearml.Dataset.get"),
        ("from clearml import Dataset; Dataset()", "clearml.Dataset"),
        (
            "from clearml import PipelineDecorator\n@PipelineDecorator.component()\ndef step(): pass",
            "component",
        ),
        (
            "from clearml import PipelineController\nclass Mine(PipelineController): pass",
            "PipelineController",
        ),
        (
            "from clearml.automation import HyperParameterOptimizer as O; O(base_task_id='x')",
            "clearml.automation.HyperParameterOptimizer",
        ),
        (
            "import clearml.automation.controller as c; c.PipelineController()",
            "clearml.automation.controller.PipelineController",
        ),
        ("import clearml; clearml.automation.UniformParameterRange('x')", "UniformParameterRange"),
        ("from clearml.backend_api.session.client import APIClient; APIClient()", "APIClient"),
        (
            "from clearml.utilities import resource_monitor; resource_monitor.ResourceMonitor()",
            "resource_monitor.ResourceMonitor",
        ),
        ("from clearml.storage.helper import StorageHelper; StorageHelper.get('x')", "StorageHelper.get"),
        ("import clearml; clearml.browser_login()", "clearml.browser_login"),
    ],
)
def test_what_is_not_here_can_be_imported_and_not_used(scripts: Scripts, use: str, named: str) -> None:
    script = scripts.run(f"{INSTALL}{use}", code=1)
    last = script.err.strip().splitlines()[-1]
    assert last.startswith("eventlog.errors.NotAvailable: ")
    assert f"{named} is not available: " in last


def test_an_unused_part_is_no_error(scripts: Scripts) -> None:
    printed(
        scripts,
        """
        import inspect, typing
        from clearml import Dataset, PipelineController, Task
        from clearml.backend_api.session.session import LoginError
        def load(data: Dataset | None, other: typing.Optional[PipelineController]) -> "list[Dataset]": ...
        typing.get_type_hints(load), inspect.signature(load), repr(Dataset), isinstance(3, Dataset)
        assert not hasattr(Dataset, "__wrapped__")
        try:
            1 / 0
        except LoginError:
            raise SystemExit("this is not what was raised")
        except ZeroDivisionError:
            pass
        """,
    )


def test_what_clearml_does_not_have_either_is_an_import_error(scripts: Scripts) -> None:
    printed(
        scripts,
        """
        for line in ("import clearml.nothing", "from clearml import nothing", "import clearml.task.nothing"):
            try:
                exec(line)
            except ImportError:
                continue
            raise SystemExit(f"imported: {line}")
        """,
    )


def test_the_import_costs_no_more_than_eventlog_itself() -> None:
    text = f"{INSTALL}import sys; import clearml; print([m for m in ('lmdb', 'msgspec') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, *WARNINGS, "-c", text],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_an_interpreter_without_eventlog_says_what_is_the_matter(tmp_path: Path) -> None:
    # Without site-packages, as another installation of Python has it.
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import clearml"],
        cwd=tmp_path,
        env={"PYTHONPATH": FOLDER, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert (
        "ImportError: clearml stands for eventlog here, as PYTHONPATH says, and this interpreter"
        in done.stderr
    )
    assert FOLDER in done.stderr
