"""`eventlog show`: a task, or a model, on one page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.cli.documents import model_document, series_document, task_document
from eventlog.cli.metrics import fold_series, series_of
from eventlog.cli.model_page import print_model
from eventlog.cli.naming import resolve_any
from eventlog.cli.opening import as_json, at_option, examples, opened_views, task_argument
from eventlog.cli.past import model_of, state_of
from eventlog.cli.printing import counted, document
from eventlog.cli.task_page import print_task

if TYPE_CHECKING:
    from eventlog.projections import Views

__all__ = ["command"]


@click.command(
    "show",
    short_help="Show a task or a model, now or as of a moment.",
    epilog=examples("eventlog show digits/baseline", "eventlog show 3fa9 --at '10 minutes ago'"),
)
@task_argument()
@at_option
@as_json
@click.pass_obj
def command(home: Path | None, task: str, at: int | None, as_json: bool) -> None:
    """Show a task: status, parameters, metrics, artifacts, where its code came from.

    TASK may also be the beginning of a model's id.

    With --json: id, project, name, type, status, status_reason, status_message, traceback, progress, tags,
    system_tags, comment, parent, created, started, ended, published, changed, reset, host, user, sessions;
    parameters and properties (by name: value, type, description); configurations (by name: type, description,
    text, sha256 of the whole where that is larger than 64 KiB); labels; container (null, or image, arguments,
    setup_script); metrics and machine (lists as of `eventlog scalars`); single_values; artifacts (a list as
    of `eventlog artifacts`); models (a list: id, direction, name); destination; deliveries (a list: url,
    sha256, status, reason); execution (null, or repository, branch, commit, diff, diff_blob, entry_point,
    working_folder, command, python, platform, packages, script, requirements, binary, imported);
    unknown_events, dropped_reports.
    Of a model: what `eventlog models` has, and metrics.
    """
    with opened_views(home, reports=True) as views:
        found = resolve_any(views, task)
        model = model_of(views, found, at)
        if model is not None:
            series = views.series(found) if at is None else fold_series(views.events(found, last_time=at))
            if as_json:
                document({**model_document(model), "metrics": [series_document(one) for one in series]})
            else:
                print_model(model, series, at)
            return
        state = state_of(views, found, at)
        series = series_of(views, found, at)
        if as_json:
            document(task_document(state, series))
            return
        models = {link.model: _name_of(views, link.model) for link in state.models}
        pictures = _pictures(views, found) if at is None else ""
    print_task(state, series, at, pictures=pictures, models=models)


def _name_of(views: "Views", model: str) -> str:
    """The name of a model, or "" where the log has the link to it alone."""
    found = model_of(views, model, None)
    return "" if found is None else found.name


def _pictures(views: "Views", task: str) -> str:
    plots, media = views.count_plots_and_media(task)
    words = [counted(plots, "plot")] if plots else []
    words += [f"{media:,} {'medium' if media == 1 else 'media'}"] if media else []
    return f"{' and '.join(words)}: `eventlog plots {task[:8]}` lists them" if words else ""
