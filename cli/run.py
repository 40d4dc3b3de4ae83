"""`eventlog run`: a script as Python runs it, with eventlog standing in for ClearML.

The interpreter takes the place of this process, so nothing of the runner is left: arguments, `__main__`, the
exit status, tracebacks, signals and the recorded command are those of ``python script.py ARGS``.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.cli.naming import resolve
from eventlog.cli.opening import examples, opened_views
from eventlog.errors import InputInvalid, NotFound

if TYPE_CHECKING:
    from eventlog.events import ExecutionRecorded

__all__ = ["command"]


@click.command(
    "run",
    short_help="Run a script that was written for ClearML.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples(
        "eventlog run train.py --epochs 3",
        "eventlog run -m package.train --epochs 3",
        "eventlog run --task 3fa9",
    ),
)
@click.option("--task", metavar="TASK", help="Run this draft, such as Task.clone makes, in place.")
@click.option("-m", "module", is_flag=True, help="The first argument is a module, as of python -m.")
@click.argument("arguments", metavar="[SCRIPT [ARGS]...]", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(home: Path | None, task: str | None, module: bool, arguments: tuple[str, ...]) -> None:
    """Run SCRIPT with its ARGS, as python would, with `import clearml` giving eventlog.

    With --task, Task.init in the script takes that task, and what its parameters and configurations say wins
    over what the code says. Without SCRIPT, what the task recorded is run again: its script, with its
    arguments, in its folder of the repository here.
    """
    from eventlog.sdk.clearml_import import install_as_clearml

    if home is not None:
        os.environ["EVENTLOG_HOME"] = str(home)
    line = ["-m", *arguments] if module else list(arguments)
    if module and not arguments:
        raise click.UsageError("-m needs the name of a module.")
    if task is not None:
        line = _prepare(home, task, line)
    elif not line:
        raise click.UsageError("name a script, or a draft with --task.")
    if not module and line[0].startswith("-"):
        # The interpreter would take it for an option of its own.
        raise click.UsageError(f"name the script before its arguments: {line[0]} is no option of run.")
    install_as_clearml()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *line])


def _prepare(home: Path | None, text: str, line: list[str]) -> list[str]:
    """What to run for a task; the environment says which task it is, and the folder is the task's."""
    with opened_views(home) as views:
        state = views.task(resolve(views, text))
    if state.status != "created":
        raise InputInvalid(
            f"task {state.id[:8]} '{state.name}' is no draft, it is {state.status}: run a copy of it,"
            " from Task.clone, or reset it first"
        )
    os.environ["EVENTLOG_TASK_ID"] = state.id
    if line:
        return line
    execution = state.execution
    if execution is None or not execution.entry_point:
        raise InputInvalid(
            f"task {state.id[:8]} '{state.name}' does not say which script it runs: name one, as in"
            f" `eventlog run --task {state.id[:8]} train.py`"
        )
    folder = _folder(execution)
    entry = ["-m", execution.entry_point[3:].strip()] if _is_module(execution) else [execution.entry_point]
    if entry[0] != "-m" and not (folder / entry[0]).is_file():
        raise NotFound(
            f"{folder / entry[0]}, which task {state.id[:8]} runs, is not here: go to a clone of"
            f" {execution.repository or 'its folder'}, or name the script after --task {state.id[:8]}"
        )
    os.chdir(folder)
    return [*entry, *_arguments(execution)]


def _folder(execution: "ExecutionRecorded") -> Path:
    """Where it ran: its own folder, or the one of that name in the repository around this one."""
    folder = Path(execution.working_folder)
    if folder.is_absolute():
        return folder if folder.is_dir() else Path.cwd()
    for top in (Path.cwd(), *Path.cwd().parents):
        if (top / ".git").exists():
            return top / folder
    return Path.cwd() / folder


def _is_module(execution: "ExecutionRecorded") -> bool:
    return execution.entry_point.startswith("-m ")


def _arguments(execution: "ExecutionRecorded") -> list[str]:
    """The arguments that the script was started with, behind the script or the module on the command line."""
    line = execution.command
    script = Path(execution.entry_point)
    for place, word in enumerate(line[1:], 1):
        if _is_module(execution):
            if word == "-m":
                return line[place + 2 :]
        elif word == str(script) or Path(word).name == script.name:
            return line[place + 1 :]
    return []
