"""A task on one page: what `show` and `replay` print."""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eventlog.cli.curve import number
from eventlog.cli.metrics import of_machine
from eventlog.cli.moments import duration, how_long_ago, local, size
from eventlog.cli.printing import Part, counted, drawn, line
from eventlog.cli.tables import Cell, Column, fields, progress_cell, status_cell, table
from eventlog.events import ExecutionRecorded, Parameter

if TYPE_CHECKING:
    from eventlog.projections import SeriesSummary, TaskState

__all__ = [
    "changes",
    "container_words",
    "figures",
    "heading",
    "print_metrics",
    "print_parameters",
    "print_task",
]

INDENT = 2
BAR_LENGTH = 20
# Of a configuration, so many letters are shown.
BEGINNING = 60


def print_task(
    state: "TaskState",
    series: Sequence["SeriesSummary"],
    at: int | None = None,
    *,
    pictures: str = "",
    models: Mapping[str, str] | None = None,
) -> None:
    """Print everything that a task is, or was at the moment `at`.

    Args:
        pictures: how many plots and media it has, in words.
        models: names of models by id, as far as they are known.
    """
    _print_top(state, at)
    print_parameters("Properties", state.properties)
    print_parameters("Parameters", state.parameters)
    _print_configurations(state)
    if state.labels:
        heading("Labels")
        fields([(name, str(label)) for name, label in sorted(state.labels.items())], INDENT)
    if own := [one for one in series if not of_machine(one)]:
        heading("Metrics")
        print_metrics(own, INDENT)
    if machine := Counter(one.title for one in series if of_machine(one)):
        # They would hide what the script reports; `eventlog scalars` has them.
        heading("Machine")
        fields([(title, f"{count} series") for title, count in sorted(machine.items())], INDENT)
    if state.single_values:
        heading("Single values")
        fields([(name, number(value)) for name, value in sorted(state.single_values.items())], INDENT)
    if pictures:
        heading("Plots and media")
        line(" " * INDENT, pictures)
    _print_artifacts(state)
    _print_models(state, models or {})
    _print_deliveries(state)
    if state.execution is not None:
        heading("Execution")
        _print_execution(state.execution)
    if state.traceback:
        heading("Traceback")
        for words in state.traceback.rstrip().splitlines():
            line("  ", (words, "red"))


def heading(words: str) -> None:
    """Print the title of a section, with room above it."""
    line()
    line((words, "bold"))


def print_metrics(series: Sequence["SeriesSummary"], indent: int = 0) -> None:
    """Print a row for each series, `indent` columns from the left."""
    names = [(one.title, one.series) for one in series]
    columns, cells = figures(series)
    rows: list[list[Cell | str]] = [[*name, *row] for name, row in zip(names, cells, strict=True)]
    table((Column("TITLE", cut=1), Column("SERIES", cut=1), *columns), rows, indent)


def figures(series: Sequence["SeriesSummary"]) -> tuple[list[Column], list[list[Cell | str]]]:
    """The columns that say what series amount to, and a row of cells for each."""
    titles = ["LAST", "MIN", "MAX", "POINTS", "ITERATIONS"]
    rows: list[list[Cell | str]] = [
        [
            Cell(number(one.last), ((number(one.last), "bold"),)),
            number(one.minimum),
            number(one.maximum),
            str(one.count),
            _span(one.first_iteration, one.last_iteration),
        ]
        for one in series
    ]
    if any(one.not_finite for one in series):
        titles.append("NOT FINITE")
        for row, count in zip(rows, (one.not_finite for one in series), strict=True):
            row.append(Cell(str(count), ((str(count), "red"),)) if count else "")
    return [Column(title, right=True) for title in titles], rows


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _print_top(state: "TaskState", at: int | None) -> None:
    status = status_cell(state.status)
    name: list[Part] = [(f"{state.project}/", "dim")] if state.project else []
    line(*name, (state.name, "bold"), "  ", *(status.parts if drawn() else (status.plain,)))
    line((state.id, "yellow"), (f"  as of {local(at, precise=True)}" if at is not None else "", "dim"))
    line()
    fields(
        [
            ("reason", state.status_reason),
            ("message", state.status_message),
            ("progress", progress_cell(state.progress, BAR_LENGTH)),
            ("type", state.type),
            ("tags", ", ".join(state.tags)),
            ("system tags", ", ".join(state.system_tags)),
            ("comment", state.comment),
            ("parent", state.parent),
            ("created", _when(state.created, at)),
            ("ran", _ran(state, at)),
            ("published", _when(state.published, at)),
            ("changed", _when(state.changed, at)),
            ("on", " by ".join(part for part in (state.host, state.user) if part)),
            ("sessions", str(len(state.sessions)) if len(state.sessions) > 1 else ""),
            ("container", container_words(state)),
            ("destination", state.destination),
            ("reset", local(state.reset_time)),
            ("dropped", f"{state.dropped} reports had no room" if state.dropped else ""),
            ("unknown", f"{state.unknown} events of a newer eventlog" if state.unknown else ""),
        ],
        INDENT,
    )


def _when(milliseconds: int | None, at: int | None) -> str:
    if not milliseconds:
        return ""
    return local(milliseconds) + (f", {how_long_ago(milliseconds)}" if drawn() and at is None else "")


def _ran(state: "TaskState", at: int | None) -> str:
    if not state.started:
        return ""
    if state.ended:
        return f"{duration(state.ended - state.started)}, until {local(state.ended)}"
    now = int(time.time() * 1000) if at is None else at
    return f"for {duration(max(0, now - state.started))} so far"


def container_words(state: "TaskState") -> str:
    """What a task is meant to run in, on one line; "" if nothing."""
    if state.container is None:
        return ""
    script = "with a setup script" if state.container.setup_script else ""
    command = f"{state.container.image} {state.container.arguments}".strip()
    return ", ".join(part for part in (command, script) if part)


def print_parameters(title: str, parameters: Mapping[str, Parameter]) -> None:
    """Print a section of values by name, with their types and descriptions; nothing if there are none."""
    if not parameters:
        return
    heading(title)
    rows: list[list[Cell | str]] = [
        [Cell(name, _sectioned(name)), parameter.value, parameter.type, parameter.description]
        for name, parameter in sorted(parameters.items())
    ]
    table(
        [Column("", cut=1), Column("", cut=1, style="bold"), Column("", style="dim"), Column("", cut=2)],
        rows,
        INDENT,
    )


def _sectioned(name: str) -> tuple[Part, ...]:
    section, slash, rest = name.partition("/")
    return ((section + slash, "dim"), rest) if slash else (name,)


def _print_configurations(state: "TaskState") -> None:
    if not state.configurations:
        return
    heading("Configurations")
    rows: list[list[Cell | str]] = [
        [
            name,
            one.type,
            counted(len(one.text.splitlines()), "line")
            if not one.blob
            else f"more than 64 KiB ({one.blob[:12]})",
            one.description or _beginning(one.text),
        ]
        for name, one in sorted(state.configurations.items())
    ]
    columns = [Column("", cut=1), Column("", style="dim"), Column("", style="dim"), Column("", cut=2)]
    table(columns, rows, INDENT)


def _beginning(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= BEGINNING else f"{words[:BEGINNING]} …"


def _print_models(state: "TaskState", names: Mapping[str, str]) -> None:
    if not state.models:
        return
    heading("Models")
    rows: list[list[Cell | str]] = [
        [one.direction, one.name, one.model, names.get(one.model, "")] for one in state.models
    ]
    columns = [Column(""), Column("", cut=1, style="bold"), Column("", style="yellow"), Column("", cut=1)]
    table(columns, rows, INDENT)


def _print_deliveries(state: "TaskState") -> None:
    if not state.deliveries:
        return
    heading("Deliveries")
    rows: list[list[Cell | str]] = [
        # A reason begins with the URL, which stands beside it.
        [status_cell(one.status), url, one.reason.removeprefix(url).lstrip()]
        for url, one in sorted(state.deliveries.items())
    ]
    table([Column(""), Column("", cut=1, keep_end=True), Column("", cut=1, folds=True)], rows, INDENT)


def _print_artifacts(state: "TaskState") -> None:
    if not state.artifacts:
        return
    heading("Artifacts")
    rows: list[list[Cell | str]] = [
        [
            artifact.name,
            artifact.kind,
            size(artifact.size) if artifact.blob else "",
            artifact.file_name,
            artifact.blob[:12] or artifact.url,
        ]
        for _, artifact in sorted(state.artifacts.items())
    ]
    table(
        [
            Column("NAME", cut=1),
            Column("KIND"),
            Column("SIZE", right=True),
            Column("FILE", cut=1),
            Column("SHA-256", style="dim"),
        ],
        rows,
        INDENT,
    )


def _print_execution(execution: ExecutionRecorded) -> None:
    packages = [f"{name} {version}" for name, version in sorted(execution.packages.items())]
    fields(
        [
            ("repository", execution.repository),
            ("branch", execution.branch),
            ("commit", execution.commit),
            ("changes", changes(execution)),
            ("script", _script(execution)),
            ("folder", execution.working_folder),
            ("command", " ".join(execution.command)),
            ("python", execution.python),
            ("platform", execution.platform),
            ("packages", f"{len(packages)} installed" if packages else ""),
            ("imported", ", ".join(f"{name} {version}" for name, version in execution.imported.items())),
            ("requirements", _requirements(execution)),
            ("binary", execution.binary),
        ],
        INDENT,
    )


def _requirements(execution: ExecutionRecorded) -> str:
    count = len(execution.requirements.splitlines())
    return f"{counted(count, 'line')} asked for" if count else ""


def _script(execution: ExecutionRecorded) -> str:
    if not execution.script:
        return execution.entry_point
    where = "not in the repository; " if execution.commit or execution.repository else ""
    return f"{execution.entry_point} ({where}its text is recorded)"


def changes(execution: ExecutionRecorded) -> str:
    """Uncommitted changes in a few words, and the beginning of their SHA-256; "" if there were none."""
    if execution.diff_blob:
        return f"more than 64 KiB, not committed ({execution.diff_blob[:12]})"
    if not execution.diff:
        return ""
    rows = execution.diff.splitlines()
    added = sum(row.startswith("+") and not row.startswith("+++") for row in rows)
    removed = sum(row.startswith("-") and not row.startswith("---") for row in rows)
    files = sum(row.startswith("diff --git ") for row in rows)
    digest = hashlib.sha256(execution.diff.encode()).hexdigest()
    return f"{files} {'file' if files == 1 else 'files'}, +{added} -{removed}, not committed ({digest[:12]})"
