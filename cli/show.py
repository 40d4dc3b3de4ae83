"""`eventlog show`: a task on one page."""

from pathlib import Path

import click

from eventlog.cli.documents import task_document
from eventlog.cli.metrics import series_of
from eventlog.cli.naming import resolve
from eventlog.cli.opening import as_json, at_option, examples, opened_views, task_argument
from eventlog.cli.past import state_of
from eventlog.cli.printing import document
from eventlog.cli.task_page import print_task

__all__ = ["command"]


@click.command(
    "show",
    short_help="Show a task, now or as of a moment.",
    epilog=examples("eventlog show digits/baseline", "eventlog show 3fa9 --at '10 minutes ago'"),
)
@task_argument()
@at_option
@as_json
@click.pass_obj
def command(home: Path | None, task: str, at: int | None, as_json: bool) -> None:
    """Show a task: status, parameters, metrics, artifacts, where its code came from.

    With --json: id, project, name, type, status, status_reason, traceback, progress, tags, comment, parent,
    created, started, ended, changed, reset, host, user, sessions; parameters (by name: value, type,
    description); metrics (a list as of `eventlog scalars`); single_values; artifacts (a list as of
    `eventlog artifacts`); execution (null, or repository, branch, commit, diff, diff_blob, entry_point,
    working_folder, command, python, platform, packages, script); unknown_events, dropped_reports.
    """
    with opened_views(home, reports=True) as views:
        found = resolve(views, task)
        state = state_of(views, found, at)
        series = series_of(views, found, at)
    if as_json:
        document(task_document(state, series))
    else:
        print_task(state, series, at)
