"""`eventlog ls`: the tasks in a table."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.cli.moments import how_long_ago, local_times
from eventlog.cli.naming import check_project, listed, prefix_length
from eventlog.cli.opening import as_json, examples, opened_views
from eventlog.cli.printing import document, drawn, line, nothing, width
from eventlog.cli.tables import Cell, Column, plain_table, progress_cell, status_cell, table
from eventlog.errors import NotFound

if TYPE_CHECKING:
    from eventlog.projections import TaskQuery, TaskRow, Views

__all__ = ["command"]

SORTS = ("changed", "created", "name", "project", "status", "type", "progress")
SHOWN_ON_A_TERMINAL = 50
WIDE = 100
ARCHIVED = "archived"


@click.command(
    "ls",
    short_help="List tasks.",
    epilog=examples(
        "eventlog ls --project digits --status completed --tag -draft",
        "eventlog ls --text 'lr=0\\.0[1-5]' --sort created --limit 10",
        "eventlog ls --json | jq -r '.[] | select(.progress == 100) | .id'",
    ),
)
@click.option("--project", "-p", help="Tasks of this project and of those under it.")
@click.option("--status", "-s", "statuses", multiple=True, help="With this status; '-failed' excludes.")
@click.option("--tag", "-t", "tags", multiple=True, help="With this tag; '-draft' excludes.")
@click.option("--archived", is_flag=True, help="Those that are archived, too.")
@click.option("--all-tags", is_flag=True, help="With all tags given, not any one of them.")
@click.option("--type", "types", multiple=True, help="Of this type, such as training; '-testing' excludes.")
@click.option("--text", "-g", help="A regular expression that occurs in id, name, project, tags or comment.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="changed", show_default=True, help="What to order by."
)
@click.option("--reverse", "-r", is_flag=True, help="The other way round.")
@click.option("--limit", "-n", type=click.IntRange(0), help="At most this many; 0 for all.")
@as_json
@click.pass_obj
def command(
    home: Path | None,
    project: str | None,
    statuses: tuple[str, ...],
    tags: tuple[str, ...],
    archived: bool,
    all_tags: bool,
    types: tuple[str, ...],
    text: str | None,
    sort: str,
    reverse: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """List tasks, the one that changed last first.

    On a terminal the first 50 are shown, elsewhere all, unless --limit says otherwise. Options that may be
    given several times widen: --status failed --status stopped. A project or a type that no task has is an
    error; where others leave nothing over, that is said on stderr.

    With --json: a list, each task with id, project, name, type, status, progress, tags, system_tags, comment,
    created, changed.
    """
    from eventlog.projections import STATUSES, TaskQuery

    for status in statuses:
        if status.removeprefix("-") not in STATUSES:
            raise click.BadParameter(f"'{status}' is none of {', '.join(STATUSES)}", param_hint="--status")
    if limit is None and drawn() and not as_json:
        shown: int | None = SHOWN_ON_A_TERMINAL
    else:
        shown = limit or None
    query = TaskQuery(
        project=project,
        project_prefix=True,
        status=statuses,
        tags=tags,
        all_tags=all_tags,
        system_tags=() if archived else (f"-{ARCHIVED}",),
        types=types,
        text=text,
        order=_order(sort, reverse),
        limit=shown + 1 if shown else None,
    )
    with opened_views(home) as views:
        rows = views.find(query)
        why = "" if rows else _why_none(views, query, project, types)
    more = bool(shown and len(rows) > shown)
    rows = rows[:shown]
    if as_json:
        from eventlog.cli.documents import row_document

        document([row_document(row) for row in rows])
        return
    if not rows:
        nothing(why)
        return
    _print_rows(rows)
    if more and limit is None:
        line()
        line((f"the first {shown}; --limit 0 shows all", "dim"))


def _why_none(views: "Views", query: "TaskQuery", project: str | None, types: Sequence[str]) -> str:
    """What to say where nothing was found.

    Raises:
        NotFound: no task has that project or type.
    """
    if archived := views.count(replace(query, system_tags=(ARCHIVED,))):
        return f"no tasks: {archived:,} {'is' if archived == 1 else 'are'} archived; --archived shows them"
    if project:
        check_project(views, project)
    known = views.types()
    unknown = [kind for kind in types if not kind.startswith("-") and kind not in known]
    if unknown:
        advice = f"there are {', '.join(known)}" if known else "there are no tasks"
        raise NotFound(f"no task of type {listed(unknown)}: {advice}")
    return "no tasks"


def _order(sort: str, reverse: bool) -> str:
    """A field for `TaskQuery`, with "-" where it falls: times fall by default, names rise."""
    falls = (sort in ("changed", "created", "progress")) != reverse
    return f"-{sort}" if falls else sort


def _columns() -> Sequence[Column]:
    return (
        Column("ID", style="yellow"),
        Column("TASK", cut=1, keep_end=True),
        Column("STATUS"),
        Column("PROGRESS", right=not drawn(), needless=16),
        Column("CHANGED", needless=24),
        Column("TAGS", cut=8, style="dim", needless=32),
    )


def _print_rows(rows: Sequence["TaskRow"]) -> None:
    length = prefix_length([row.id for row in rows])
    if not drawn():
        # There may be very many.
        plain_table(
            _columns(),
            (
                [row.id[:length] for row in rows],
                [f"{row.project}/{row.name}" if row.project else row.name for row in rows],
                [row.status for row in rows],
                [_percent(row.progress) for row in rows],
                local_times(row.changed for row in rows),
                [", ".join(_tags(row) if row.system_tags else row.tags) for row in rows],
            ),
        )
        return
    columns = width()
    bar_length = 10 if columns and columns >= WIDE else 5
    cells: list[list[Cell | str]] = [
        [
            row.id[:length],
            _name(row),
            status_cell(row.status),
            progress_cell(row.progress, bar_length),
            how_long_ago(row.changed),
            ", ".join(_tags(row)),
        ]
        for row in rows
    ]
    table(_columns(), cells)


@cache
def _percent(progress: int | None) -> str:
    return "" if progress is None else f"{progress}%"


def _tags(row: "TaskRow") -> list[str]:
    return [*row.tags, ARCHIVED] if ARCHIVED in row.system_tags else row.tags


def _name(row: "TaskRow") -> Cell:
    if not row.project:
        return Cell(row.name)
    return Cell(f"{row.project}/{row.name}", ((f"{row.project}/", "dim"), row.name))
