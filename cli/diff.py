"""`eventlog diff`: what differs between two tasks, or between two moments of one."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from eventlog.cli.curve import number
from eventlog.cli.metrics import of_machine, series_of
from eventlog.cli.moments import local, size
from eventlog.cli.naming import resolve
from eventlog.cli.opening import as_json, examples, opened_views, task_argument, time_option
from eventlog.cli.past import state_of
from eventlog.cli.printing import document, line
from eventlog.cli.tables import Cell, Column, table
from eventlog.cli.task_page import changes, container_words, heading
from eventlog.events import ConfigurationSet

if TYPE_CHECKING:
    from eventlog.projections import TaskState, Views

__all__ = ["command"]

# Sections in the order in which they are shown; each maps names to what is compared, as text.
Sections = dict[str, dict[str, str]]
# Of what two values begin with in common, so many letters are drawn, where it is more than twice as long.
CONTEXT = 10


class Side(NamedTuple):
    """One of the two that are compared."""

    title: str
    state: "TaskState"
    sections: Sections


@click.command(
    "diff",
    short_help="Compare two tasks, or two moments of one.",
    epilog=examples(
        "eventlog diff digits/baseline digits/wider", "eventlog diff 3fa9 --at '14:00' --at '14:05'"
    ),
)
@task_argument("tasks", nargs=-1, required=True, metavar="TASK [TASK]")
@time_option("--at", "moments", multiple=True, help="Twice, with one TASK.")
@click.option("--all", "-a", "everything", is_flag=True, help="What is equal, too.")
@as_json
@click.pass_obj
def command(
    home: Path | None, tasks: tuple[str, ...], moments: tuple[int, ...], everything: bool, as_json: bool
) -> None:
    """Compare two tasks, or one task at two moments: parameters, metrics' last values, artifacts, code.

    With --json: left, right, and the sections task, properties, parameters, configurations, labels, metrics,
    single_values, artifacts, models, execution, packages, each of which maps a name to the pair of its
    values, null where there is none.
    """
    if (len(tasks), len(moments)) not in ((2, 0), (1, 2)):
        raise click.UsageError("give two tasks, or one task and --at twice")
    with opened_views(home, reports=True) as views:
        found = [resolve(views, task) for task in tasks]
        if moments:
            left, right = (_side(views, found[0], at) for at in moments)
        else:
            left, right = (_side(views, task, None) for task in found)
    compared = {
        section: _compare(left.sections[section], right.sections[section], everything=everything)
        for section in left.sections
    }
    if as_json:
        document({"left": left.title, "right": right.title, **compared})
        return
    if not any(compared.values()):
        line(("no differences", "dim"))
        return
    line((f"- {left.title}", "red"))
    line((f"+ {right.title}", "green"))
    for section, rows in compared.items():
        if rows:
            _print(section, rows)


def _side(views: "Views", task: str, at: int | None) -> Side:
    state = state_of(views, task, at)
    name = f"{state.project}/{state.name}" if state.project else state.name
    title = f"{task[:8]} {name}" if at is None else local(at, precise=at % 1000 != 0)
    series = [one for one in series_of(views, task, at) if not of_machine(one)]
    metrics = {f"{one.title}/{one.series}": number(one.last) for one in series}
    return Side(title, state, _sections(state, metrics))


def _sections(state: "TaskState", metrics: dict[str, str]) -> Sections:
    return {
        "task": _said(
            {
                "name": state.name,
                "project": state.project,
                "type": state.type,
                "status": state.status,
                "reason": state.status_reason,
                "message": state.status_message,
                "progress": "" if state.progress is None else f"{state.progress}%",
                "tags": ", ".join(state.tags),
                "system tags": ", ".join(state.system_tags),
                "comment": state.comment,
                "host": state.host,
                "user": state.user,
                "container": container_words(state),
                "destination": state.destination,
            }
        ),
        "properties": {name: one.value for name, one in state.properties.items()},
        "parameters": {name: parameter.value for name, parameter in state.parameters.items()},
        "configurations": {name: _configuration(one) for name, one in state.configurations.items()},
        "labels": {name: str(label) for name, label in state.labels.items()},
        "metrics": metrics,
        "single_values": {name: number(value) for name, value in state.single_values.items()},
        "artifacts": {
            name: f"{one.blob[:12]}, {size(one.size)}" if one.blob else one.url
            for name, one in state.artifacts.items()
        },
        "models": {f"{link.direction} {link.name or link.model}": link.model for link in state.models},
        "execution": _execution(state),
        "packages": dict(state.execution.packages) if state.execution else {},
    }


def _configuration(one: ConfigurationSet) -> str:
    if one.blob:
        return f"{one.blob[:12]}, more than 64 KiB"
    text = one.text.encode()
    return f"{hashlib.sha256(text).hexdigest()[:12]}, {size(len(text))}"


def _execution(state: "TaskState") -> dict[str, str]:
    execution = state.execution
    if execution is None:
        return {}
    return _said(
        {
            "repository": execution.repository,
            "branch": execution.branch,
            "commit": execution.commit,
            "changes": changes(execution),
            "script": execution.entry_point,
            "script text": hashlib.sha256(execution.script.encode()).hexdigest()[:12]
            if execution.script
            else "",
            "folder": execution.working_folder,
            "command": " ".join(execution.command),
            "python": execution.python,
            "platform": execution.platform,
            "requirements": ", ".join(execution.requirements.splitlines()),
            "binary": execution.binary,
        }
    )


def _said(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _compare(
    left: Mapping[str, str], right: Mapping[str, str], *, everything: bool
) -> dict[str, tuple[str | None, str | None]]:
    names = sorted({*left, *right})
    pairs = {name: (left.get(name), right.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if everything or pair[0] != pair[1]}


def _print(section: str, rows: Mapping[str, tuple[str | None, str | None]]) -> None:
    heading(section.replace("_", " ").capitalize())
    columns = (Column("", cut=1), Column("", cut=1), Column("", cut=1))
    cells: list[Sequence[Any]] = []
    for name, (before, after) in rows.items():
        shown = _from_where_they_differ(before or "-", after or "-")
        styles = ("red", "green") if before != after else ("dim", "dim")
        cells.append([name, *map(_cell, (before, after), shown, styles)])
    table(columns, cells, 2)


def _cell(value: str | None, shown: str, style: str) -> Cell:
    return Cell(value or "-", ((shown, style),))


def _from_where_they_differ(before: str, after: str) -> tuple[str, str]:
    """Two long values without most of what they begin with in common, so that a cut leaves the difference."""
    if before == after:
        return before, after
    pairs = enumerate(zip(before, after, strict=False))
    shared = (
        next((at for at, (left, right) in pairs if left != right), min(len(before), len(after))) - CONTEXT
    )
    if shared <= CONTEXT:
        return before, after
    return f"…{before[shared:]}", f"…{after[shared:]}"
