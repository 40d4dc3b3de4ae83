"""`eventlog run` runs a script as Python does, and what is recorded is the script and not the runner."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventlog import events
from eventlog.events import ExecutionRecorded
from eventlog.projections import TaskState, Views
from eventlog.recovery import recover
from eventlog.store import Store
from tests.cli.running import EVENTLOG

SHOWS_ITSELF = """
import json, os, sys, __main__
json.dump({
    "arguments": sys.argv, "path": sys.path[0], "file": __file__, "name": __name__,
    "spec": __main__.__spec__ is None, "folder": os.getcwd(),
}, sys.stdout)
"""


def run(*arguments: str, folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*EVENTLOG, *arguments],
        cwd=folder,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def python(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def states(home: Path) -> dict[str, TaskState]:
    with Store.open(home) as store:
        recover(store)
        with Views.open(store) as views:
            views.catch_up()
            return {row.id: views.task(row.id) for row in views.find()}


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    """A folder with scripts and a package in it."""
    folder = tmp_path / "project"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "__init__.py").touch()
    for path in (folder / "script.py", folder / "package" / "module.py", folder / "package" / "__main__.py"):
        path.write_text(SHOWS_ITSELF)
    return folder


@pytest.mark.parametrize(
    "line",
    [
        ["script.py"],
        ["script.py", "--task", "x", "-m", "--help", "--", "a b"],
        ["package/module.py", "1"],
        ["-m", "package.module", "--epochs", "3"],
        ["-m", "package"],
        ["package"],
        ["no such script.py"],
        ["-m", "nothing.like.that"],
    ],
    ids=" ".join,
)
def test_a_script_sees_what_it_would_see_of_python(folder: Path, line: list[str]) -> None:
    ours, pythons = run("run", *line, folder=folder), python(*line, folder=folder)
    assert (ours.returncode, ours.stdout, ours.stderr) == (pythons.returncode, pythons.stdout, pythons.stderr)


@pytest.mark.parametrize(
    "text",
    [
        "raise ValueError('no data')",
        "import sys; sys.exit(7)",
        "raise SystemExit('no data')",
        "raise KeyboardInterrupt",
    ],
)
def test_it_ends_as_it_would_with_python(folder: Path, text: str) -> None:
    (folder / "script.py").write_text(text)
    ours, pythons = run("run", "script.py", folder=folder), python("script.py", folder=folder)
    assert (ours.returncode, ours.stdout, ours.stderr) == (pythons.returncode, pythons.stdout, pythons.stderr)


def test_a_signal_reaches_the_script(folder: Path, home: Path) -> None:
    (folder / "script.py").write_text(
        "from clearml import Task\nTask.init(project_name='examples', task_name='waiting')\n"
        "print('ready', flush=True)\nimport signal; signal.pause()\n"
    )
    command = [*EVENTLOG, "run", "script.py"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert error.endswith("KeyboardInterrupt\n")
    (state,) = states(home).values()
    assert (state.status, state.status_reason) == ("stopped", "KeyboardInterrupt")


def test_the_script_is_recorded_and_not_the_runner(folder: Path, home: Path) -> None:
    text = "from clearml import Task\nTask.init()\n"
    (folder / "train.py").write_text(text)
    done = run("run", "train.py", "--epochs", "3", folder=folder)
    assert done.returncode == 0, done.stderr
    (state,) = states(home).values()
    assert state.name == "train"
    execution = state.execution
    assert execution is not None
    assert (execution.entry_point, execution.working_folder) == ("train.py", str(folder))
    assert execution.command == [sys.executable, "train.py", "--epochs", "3"]
    assert execution.script == text


def test_a_module_is_recorded_as_one(folder: Path, home: Path) -> None:
    (folder / "package" / "module.py").write_text(
        "from clearml import Task\nTask.init('examples', 'a module')\n"
    )
    assert run("run", "-m", "package.module", "1", folder=folder).returncode == 0
    (state,) = states(home).values()
    assert state.execution is not None
    assert state.execution.entry_point == "-m package.module"


def test_a_home_given_to_the_command_is_the_script_s(folder: Path, tmp_path: Path) -> None:
    (folder / "train.py").write_text("from clearml import Task\nTask.init('examples', 'elsewhere')\n")
    elsewhere = tmp_path / "elsewhere"
    assert run("--home", str(elsewhere), "run", "train.py", folder=folder).returncode == 0
    assert [state.name for state in states(elsewhere).values()] == ["elsewhere"]


@pytest.mark.parametrize("line", [[], ["-m"], ["--epochs", "3"], ["-c", "1"]], ids=str)
def test_without_a_script_it_is_wrong_usage(folder: Path, line: list[str]) -> None:
    done = run("run", *line, folder=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: ")


DRAFT, ENDED, BARE = ("d" * 32, "e" * 32, "b" * 32)


@pytest.fixture
def drafts(home: Path, folder: Path) -> Path:
    """A home with a draft that ran the module, one that has ended, and a draft without a script."""
    with Store.open(home) as store:
        append = store.session.append
        for task, name in ((DRAFT, "Clone Of a"), (ENDED, "ended"), (BARE, "bare")):
            append(events.TaskCreated, task, name, "examples")
        fields = {"entry_point": "script.py", "working_folder": str(folder)}
        fields["command"] = ["/usr/bin/python3", "script.py", "--epochs", "3"]  # type: ignore[assignment]
        blank = ExecutionRecorded(0, "")
        names = ExecutionRecorded.__struct_fields__[2:]
        append(ExecutionRecorded, DRAFT, *(fields.get(name, getattr(blank, name)) for name in names))
        append(events.TaskStarted, ENDED)
        append(events.TaskCompleted, ENDED)
    return home


def test_a_draft_runs_its_script_with_its_arguments_in_its_folder(
    drafts: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "script.py").write_text(
        "import os, sys; print(os.environ['EVENTLOG_TASK_ID'], os.getcwd(), *sys.argv[1:])\n"
    )
    done = run("run", "--task", "dddd", folder=tmp_path)
    assert done.stdout.split() == [DRAFT, str(folder), "--epochs", "3"], done.stderr


def test_a_draft_runs_the_script_that_is_named_instead(drafts: Path, folder: Path) -> None:
    (folder / "other.py").write_text("import os, sys; print(os.environ['EVENTLOG_TASK_ID'], *sys.argv)\n")
    done = run("run", "--task", "examples/bare", "other.py", "1", folder=folder)
    assert done.stdout.split() == [BARE, "other.py", "1"], done.stderr


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("eeee", "is no draft, it is completed: run a copy of it, from Task.clone"),
        (
            "bbbb",
            "does not say which script it runs: name one, as in `eventlog run --task bbbbbbbb train.py`",
        ),
        ("ffff", "no task 'ffff'"),
    ],
)
def test_what_cannot_be_run_says_why(drafts: Path, folder: Path, task: str, words: str) -> None:
    done = run("run", "--task", task, folder=folder)
    assert done.returncode == 1
    assert words in done.stderr


def test_a_clone_runs_with_its_own_values_where_the_repository_is(home: Path, tmp_path: Path) -> None:
    top = tmp_path / "repository"
    (top / "src").mkdir(parents=True)
    (top / "elsewhere").mkdir()
    (top / "src" / "train.py").write_text(
        "import sys\nfrom clearml import Task\ntask = Task.init('examples', 'training')\n"
        "settings = task.connect({'epochs': 3, 'rate': 0.5})\n"
        "print(task.id, settings, Task.running_locally(), sys.argv[1:])\n"
    )
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
        subprocess.run(["git", *identity, *command], cwd=top, check=True)
    first = run("run", "train.py", "--fast", folder=top / "src")
    assert first.stdout.split(maxsplit=1)[1] == "{'epochs': 3, 'rate': 0.5} True ['--fast']\n", first.stderr
    edit = (
        "from eventlog import Task; task = Task.get_task(project_name='examples', task_name='training');"
        "clone = Task.clone(task); clone.set_parameter('General/epochs', 9); print(clone.id)"
    )
    clone = python("-c", edit, folder=tmp_path).stdout.strip()
    second = run("run", "--task", clone, folder=top / "elsewhere")
    assert second.stdout == f"{clone} {{'epochs': 9, 'rate': 0.5}} False ['--fast']\n", second.stderr
    state = states(home)[clone]
    assert (state.status, state.name) == ("completed", "Clone Of training")
    assert state.execution is not None
    assert (state.execution.entry_point, state.execution.working_folder) == ("train.py", "src")
    assert run("run", "--task", clone, folder=top).returncode == 1


def test_a_draft_whose_script_is_not_here_says_so(drafts: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "script.py").unlink()
    done = run("run", "--task", "dddd", folder=tmp_path)
    assert done.returncode == 1
    assert "script.py, which task dddddddd runs, is not here" in done.stderr
