"""`eventlog import`: bring home what was recorded offline."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eventlog.cli.opening import as_json, examples, opened_store, views_of
from eventlog.cli.printing import counted, document, first_problems, line
from eventlog.cli.progress import progress_bar
from eventlog.cli.tables import Cell, Column, status_cell, table
from eventlog.errors import EventlogError, InputInvalid, NotFound, StoreFull, StoreReadOnly

if TYPE_CHECKING:
    from eventlog.projections import TaskState
    from eventlog.sdk.importing import Imported
    from eventlog.store import Store

__all__ = ["command"]

_COLUMNS = (
    Column("ID", style="yellow"),
    Column("TASK", cut=1),
    Column("STATUS"),
    Column("CAME IN"),
    Column("FROM", cut=2, keep_end=True),
)


@click.command(
    "import",
    short_help="Bring home what was recorded offline.",
    epilog=examples("eventlog import session.zip", "eventlog import /media/stick/offline/*.zip"),
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--into", metavar="TASK", help="A task: go on with it, instead of making another.")
@click.option(
    "--iteration-offset", metavar="N", type=int, default=0, help="Add N to the iterations of all reports."
)
@as_json
@click.pass_context
def command(
    context: click.Context, paths: tuple[Path, ...], into: str | None, iteration_offset: int, as_json: bool
) -> None:
    """Let offline sessions into the store, each with all that belongs to it.

    PATH is the folder or the zip file of a session, of eventlog's offline mode or of ClearML's; or another
    store, such as ~/.eventlog of another user, or a bundle. What was imported before is not imported again.
    What cannot be read is named, the rest goes on, and the exit code is then 1.

    With --json: imported (path, kind, tasks, new, events, blobs), problems.
    """
    found: list[Imported] = []
    problems: list[str] = []
    if not any(path.exists() for path in paths):
        # A store is not begun by a slip in a name.
        raise InputInvalid(f"{paths[0]} is not there: name the folder or the zip file of a session")
    with opened_store(context.obj, create=True) as store:
        task = views_of(store).resolve(into) if into else ""
        for path in paths:
            try:
                found.append(_imported(store, path, task, iteration_offset))
            except (StoreFull, StoreReadOnly):
                raise
            except EventlogError as error:
                problems.append(str(error))
        _push_by_itself(store)
        problems += [problem for one in found for problem in one.problems]
        if as_json:
            document({"imported": [_document(one) for one in found], "problems": problems})
        elif found:
            _show(store, found)
    if not as_json:
        for problem in first_problems(problems):
            line((problem, "red"))
    context.exit(1 if problems else 0)


def _imported(store: "Store", path: Path, into: str, offset: int) -> "Imported":
    from eventlog.sdk.importing import import_session

    with progress_bar(f"importing {path.name}", sized=True) as advance:
        return import_session(store, path, previous_task_id=into, iteration_offset=offset, progress=advance)


def _push_by_itself(store: "Store") -> None:
    from eventlog.sdk.stores import is_pushed_by_itself

    if is_pushed_by_itself(store):
        from eventlog.sdk.auto_sync import push_soon

        push_soon(store)


def _show(store: "Store", found: list["Imported"]) -> None:
    from eventlog.projections import Views

    with Views.open(store) as views:
        views.catch_up()
        rows = []
        for one in found:
            # Of all that one path brought, so once.
            came, path = _came(one), str(one.path)
            for task in one.tasks or [""]:
                try:
                    state: TaskState | None = views.task(task)
                except NotFound:
                    state = None
                rows.append(
                    (
                        Cell(task[:8]),
                        Cell(f"{state.project}/{state.name}" if state else ""),
                        status_cell(state.status) if state else Cell("no task"),
                        Cell(came),
                        Cell(path),
                    )
                )
                came = path = ""
    table(_COLUMNS, rows)


def _came(one: "Imported") -> str:
    if not one.is_new:
        return "nothing new"
    files = f", {counted(one.blobs, 'file')}" if one.blobs else ""
    return f"{counted(one.events, 'event')}{files}"


def _document(one: "Imported") -> dict[str, Any]:
    return {
        "path": str(one.path),
        "kind": one.kind,
        "tasks": one.tasks,
        "new": one.is_new,
        "events": one.events,
        "blobs": one.blobs,
    }
