"""`eventlog export`: replay the log into others, as Parquet or into MLflow."""

import re
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from eventlog.cli.moments import size
from eventlog.cli.naming import check_project, resolve
from eventlog.cli.opening import as_json, examples, opened_store, time_option, views_of
from eventlog.cli.printing import counted, document, first_problems, line
from eventlog.cli.progress import progress_bar
from eventlog.errors import InputInvalid

if TYPE_CHECKING:
    from eventlog.projections import Views
    from eventlog.sdk.exports.selection import Selection
    from eventlog.store import Store

__all__ = ["command"]

# What a person who names such a file expects in it is not what is written. A folder of Parquet is often named
# as one file of it would be.
_OTHER_FORMAT = re.compile(
    r"\.(arrow|csv|db|duckdb|feather|html|jsonl?|md|ndjson|pdf|sqlite|tar|tsv|txt|xlsx|xml|zip)",
    re.IGNORECASE,
)


@click.command(
    "export",
    short_help="Write the log as Parquet, or into MLflow.",
    epilog=examples(
        "eventlog export s3://bucket/runs-parquet",
        "eventlog export digits.parquet --project digits",
        "eventlog export --mlflow http://host:5000 --project digits",
    ),
)
@click.argument("url", required=False)
@click.option("--mlflow", metavar="URI", help="An MLflow tracking server: replay tasks into it.")
@click.option("--project", "-p", "projects", multiple=True, help="Tasks of this project, and under it.")
@click.option("--task", "-t", "tasks", metavar="TASK", multiple=True, help="This task.")
@time_option("--since", help="Only what happened from this moment on.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    url: str | None,
    mlflow: str | None,
    projects: tuple[str, ...],
    tasks: tuple[str, ...],
    since: int | None,
    as_json: bool,
) -> None:
    """Write tasks, parameters, scalars and events as Parquet to URL, a folder or any URL that fsspec knows.

    With --mlflow, each task becomes a run of a tracking server instead, in the experiment of its project,
    with parameters, metrics, tags and artifacts. Neither writes anything twice, however often it is done.

    Exporting there again writes only what is new. What was chosen the first time (--project, --task, --since)
    is what goes on being exported; docs/export.md has the columns. What cannot be read is named, the rest
    goes on, and the exit code is then 1.

    With --json: url, tasks, parameters, scalars, events (rows written), files, bytes, problems; with
    --mlflow: uri, created, updated, unchanged (runs), points, files, problems.
    """
    if (url is None) == (mlflow is None):
        raise click.UsageError("name a folder or URL for Parquet files, or an MLflow server with --mlflow")
    if url is not None:
        _check_name(url)
    with opened_store(context.obj) as store:
        with views_of(store, reports=url is None) as views:
            selection = _selection(views, projects, tasks, since)
        if url is not None:
            problems = _to_parquet(store, url, selection, as_json=as_json)
        else:
            assert mlflow is not None
            problems = _to_mlflow(store, mlflow, selection, as_json=as_json)
    context.exit(1 if problems else 0)


def _check_name(url: str) -> None:
    """Refuse a name of a file that is not what would be written, unless a folder of that name is there."""
    ending = PurePosixPath(url).suffix
    if _OTHER_FORMAT.fullmatch(ending) and ("://" in url or not Path(url).expanduser().exists()):
        raise InputInvalid(
            f"{url} would be a folder of Parquet files, and no {ending} file: name it otherwise; what reads"
            " Parquet makes a file of another format from it"
        )


def _selection(
    views: "Views", projects: tuple[str, ...], tasks: tuple[str, ...], since: int | None
) -> "Selection | None":
    """What was chosen; None where nothing was."""
    from eventlog.sdk.exports.selection import Selection

    if not projects and not tasks and since is None:
        return None
    for project in projects:
        check_project(views, project)
    ids = sorted({resolve(views, task) for task in tasks})
    return Selection(tuple(sorted({*projects})), tuple(ids), since)


def _to_parquet(store: "Store", url: str, selection: "Selection | None", *, as_json: bool) -> tuple[str, ...]:
    from eventlog.sdk.exports.parquet import export

    with progress_bar("exporting") as advance:
        done = export(store, url, selection, advance)
    if as_json:
        document(asdict(done))
        return done.problems
    if done.files:
        rows = (
            counted(done.tasks, "task"),
            counted(done.parameters, "parameter"),
            counted(done.scalars, "scalar"),
            counted(done.events, "event"),
        )
        line(f"exported {', '.join(rows)} in {counted(done.files, 'file')} ({size(done.bytes)})")
    else:
        line("exported nothing new")
    _tell(done.problems)
    return done.problems


def _to_mlflow(store: "Store", uri: str, selection: "Selection | None", *, as_json: bool) -> tuple[str, ...]:
    from eventlog.sdk.exports.mlflow import replay

    with progress_bar("replaying") as advance:
        done = replay(store, uri, selection, advance)
    if as_json:
        document(asdict(done))
        return done.problems
    runs = f"{counted(done.created, 'new run')}, {done.updated:,} updated, {done.unchanged:,} as they were"
    line(f"replayed into {runs}: {counted(done.points, 'point')} and {counted(done.files, 'file')}")
    _tell(done.problems)
    return done.problems


def _tell(problems: tuple[str, ...]) -> None:
    for problem in first_problems(problems):
        line((problem, "red"))
