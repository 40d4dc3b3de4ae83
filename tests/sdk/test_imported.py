"""What a script has imported is recorded, beside all that is installed; git is asked unless it shall not."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from eventlog.events import ExecutionRecorded
from eventlog.sdk.imported_packages import ImportedPackages
from eventlog.sdk.script_edits import requirements_of
from eventlog.sdk.stores import current_views
from eventlog.sdk.task import Task
from tests.sdk.scripts import Scripts

INIT = "from eventlog import Task\ntask = Task.init(project_name='tests/imported', task_name='a task')\n"


def execution(scripts: Scripts) -> ExecutionRecorded:
    found = scripts.state().execution
    assert found is not None
    return found


def recorded(task: Task) -> int:
    """How many times the execution was recorded."""
    history = current_views(task._store).events(task.id, reports=False)
    return sum(isinstance(numbered.event, ExecutionRecorded) for numbered in history)


def test_what_was_imported_before_and_after_the_start_is_recorded_with_its_version(scripts: Scripts) -> None:
    scripts.run("import numpy, joblib\n" + INIT + "import sklearn\n")
    found = execution(scripts)
    expected = {name: version(name) for name in ("numpy", "joblib", "scikit-learn")}
    assert found.imported.items() >= expected.items()
    assert found.packages.items() >= found.imported.items()
    assert "pytest" not in found.imported
    assert "hypothesis" in found.packages
    pip = requirements_of(found)["pip"].splitlines()
    assert f"numpy=={version('numpy')}" in pip
    assert not [line for line in pip if line.startswith("hypothesis")]


def test_what_is_only_eventlogs_own_is_left_out(scripts: Scripts) -> None:
    scripts.run(INIT)
    own = {"lmdb", "msgspec", "zstandard", "pyyaml", "wrapt"}
    # msgspec imports typing_extensions where it is installed.
    assert execution(scripts).imported.keys() - {"typing-extensions"} == {"eventlog"}
    scripts.run("import yaml\nfrom msgspec import Struct\n" + INIT)
    assert execution(scripts).imported.keys() & own == {"pyyaml", "msgspec"}


def test_it_is_recorded_once_where_nothing_more_is_imported(scripts: Scripts) -> None:
    wait = "import time\nwhile not task.data.script: time.sleep(0.01)\n"
    scripts.run(INIT + wait)
    (task,) = Task.get_tasks()
    assert recorded(task) == 1
    # The task is run again, and its history goes on.
    scripts.run(INIT + wait + "import joblib\n")
    assert recorded(task) == 1 + 2


def test_a_module_that_calls_itself_a_package_is_found(scripts: Scripts) -> None:
    scripts.run("import six\nassert six.__path__ == []\n" + INIT)
    assert execution(scripts).imported["six"] == version("six")


def test_a_module_that_only_has_the_name_of_a_package_is_none(scripts: Scripts) -> None:
    scripts.folder.mkdir()
    (scripts.folder / "joblib.py").write_text("")
    scripts.run("import joblib\n" + INIT)
    assert "joblib" not in execution(scripts).imported


def test_packages_are_found_by_what_the_installer_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, modules, record in (
        ("Top_Level", "oneof_top\n", ""),
        ("recorded", "", "oneof_record/__init__.py,sha256=x,3\n../../../bin/tool,,\n"),
        ("single", "", "oneof_single.cpython-311-x86_64-linux-gnu.so,,\noneof_file.py,,\n"),
        ("shared_one", "", "oneof_space/one/__init__.py,,\n"),
        ("shared_two", "", "oneof_space/two/__init__.py,,\n"),
    ):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "top_level.txt").write_text(modules)
        (folder / "RECORD").write_text(record)
    for path in (
        "oneof_top/__init__.py",
        "oneof_record/__init__.py",
        "oneof_file.py",
        "oneof_space/two/__init__.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("oneof_top", "oneof_record", "oneof_file", "oneof_space.two")
    packages = ImportedPackages([str(tmp_path)])
    assert packages.now() == {}
    for name in names:
        __import__(name)
    try:
        assert packages.now() == dict.fromkeys(("recorded", "shared-two", "single", "top-level"), "1.0")
        assert packages.now() == packages.now()
    finally:
        for name in (*names, "oneof_space"):
            sys.modules.pop(name, None)


def test_a_later_task_of_the_process_knows_what_was_installed_since(scripts: Scripts) -> None:
    """What an earlier one has learnt is kept only for folders in which nothing has changed."""
    scripts.run(
        """
        import sys
        from pathlib import Path
        from eventlog import Task

        folder = Path("site").resolve()
        folder.mkdir()
        sys.path.insert(0, str(folder))
        for version in ("1.0", "2.0", "3.0"):
            (folder / f"oneof_later-{version}.dist-info").mkdir()
            (folder / "oneof_later.py").write_text("")
            import joblib, oneof_later
            task = Task.init("tests/imported", version, reuse_last_task_id=False)
            task.close()
            (folder / f"oneof_later-{version}.dist-info").rmdir()
        """
    )
    found = {state.name: state.execution for state in scripts.states()}
    for name, execution in found.items():
        assert execution is not None
        expected = {"joblib": version("joblib"), "oneof-later": name}
        assert expected.items() <= execution.imported.items()
    assert found.keys() == {"1.0", "2.0", "3.0"}


@pytest.mark.parametrize(
    ("ask", "kept", "gone"),
    [
        ("Task.add_requirements('rich', '>=13')", {"rich>=13", "joblib"}, {"hypothesis"}),
        ("Task.ignore_requirements('joblib')", {"numpy"}, {"joblib", "hypothesis"}),
        ("Task.force_requirements_env_freeze()", {"joblib", "hypothesis"}, set()),
        ("Task.force_requirements_env_freeze(False)", {"joblib"}, {"hypothesis"}),
    ],
)
def test_what_is_asked_for_changes_what_was_imported(
    scripts: Scripts, ask: str, kept: set[str], gone: set[str]
) -> None:
    scripts.run(f"from eventlog import Task\nimport numpy\n{ask}\n" + INIT + "import joblib\n")
    lines = requirements_of(execution(scripts))["pip"].splitlines()
    names = {line.split("==")[0] for line in lines}
    assert kept <= names
    assert not gone & names


def test_what_is_set_by_hand_stays_when_more_is_imported(scripts: Scripts) -> None:
    wait = "import time\nwhile not task.data.script: time.sleep(0.01)\n"
    edit = "task.set_script(branch='mine'); task.set_packages(['tqdm==2.1'])\n"
    scripts.run(INIT + wait + edit + "import joblib\n")
    found = execution(scripts)
    assert found.branch == "mine"
    assert requirements_of(found) == {"pip": "tqdm==2.1"}


@pytest.mark.parametrize(
    ("frameworks", "asked"),
    [("True", True), ("False", True), ("{'pytorch': False}", True), ("{'detect_repository': False}", False)],
)
def test_git_is_asked_unless_it_shall_not(scripts: Scripts, frameworks: str, asked: bool) -> None:
    scripts.folder.mkdir()
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=scripts.folder, check=True)
    text = INIT.replace("'a task'", f"'a task', auto_connect_frameworks={frameworks}")
    scripts.run(text)
    found = execution(scripts)
    assert bool(found.commit) is asked
    assert bool(found.branch) is asked
    assert found.script == text
