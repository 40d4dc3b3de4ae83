"""`eventlog bundle`: a remote in one file, for a stick, an attachment, or a machine without a network."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.cli.choosing import Choice
from eventlog.cli.moments import size
from eventlog.cli.opening import as_json, examples, opened_store, task_option, time_option
from eventlog.cli.printing import counted, document, first_problems, line
from eventlog.cli.progress import progress_bar
from eventlog.cli.written_files import force_option, refuse_taken
from eventlog.errors import InputInvalid, RemoteUnreachable

if TYPE_CHECKING:
    from eventlog.sync.results import Progress

__all__ = ["command"]


@click.group(
    "bundle", short_help="Make a remote in a single file.", epilog=examples("eventlog bundle create runs.zip")
)
def command() -> None:
    """Make bundles: a remote in one zip file, which `eventlog sync FILE` takes in on another machine.

    A bundle is written once. `eventlog verify FILE` and `eventlog head FILE` read it as well.
    """


@command.command(
    epilog=examples(
        "eventlog bundle create monday.zip",
        "eventlog bundle create tuesday.zip --since monday.zip",
        "eventlog bundle create reply.zip --since heads-of-the-cluster.txt",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--since",
    metavar="OTHER",
    help="Leave out what the other side has: a bundle, a remote, or a file of `eventlog head -o`.",
)
@click.option("--project", "-p", help="Artifacts of the tasks of this project and of those under it alone.")
@task_option("--task", "-t", "tasks", multiple=True, help="Artifacts of this task alone; can be repeated.")
@time_option("--active-since", help="Artifacts of the tasks that were active since alone.")
@force_option
@as_json
@click.pass_context
def create(
    context: click.Context,
    file: Path,
    since: str | None,
    project: str | None,
    tasks: tuple[str, ...],
    active_since: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write all that the store holds, of this machine and of others, into FILE.

    With --since, what the other side is known to have is left out: what is in a bundle that it was given or
    that it gave, on a remote that it syncs with, or before the heads that it printed. The log always travels
    whole from there on; --project, --task and --active-since choose whose artifacts, models, plots and media
    go along. Heads do not tell which of these the other side has: all before them are left out, or with a
    choice all that are chosen go along.

    What cannot be put into it is named, the rest is there, and the exit code is then 1.

    With --json: bundle, batches, blobs, bytes (of the file), absent (blobs that stay behind), problems.
    """
    from eventlog.sync.bundle import NOTHING, export_bundle, known_to

    refuse_taken(file, force=force)
    try:
        known = known_to(since) if since is not None else NOTHING
    except RemoteUnreachable:
        if since is None or "://" in since or Path(since).exists():
            raise
        raise InputInvalid(
            f"{since} is not there: --since takes a bundle, a remote or heads; --active-since takes a time"
        ) from None
    with opened_store(context.obj) as store:
        choosing = tasks or project is not None or active_since is not None
        choice = Choice(store, tasks, project, active_since) if choosing else None
        if choice:
            choice.check()
        with progress_bar("writing", sized=True) as advance:

            def tell(progress: "Progress") -> None:
                if advance is not None:
                    advance(progress.bytes, progress.bytes_total, "writing")

            # It may have appeared meanwhile.
            place = partial(refuse_taken, file, force=force)
            written = export_bundle(store, file.absolute(), tell, known=known, choose=choice, may_place=place)
    length = file.stat().st_size
    if as_json:
        document(
            {
                "bundle": str(file),
                "batches": written.batches,
                "blobs": written.blobs,
                "bytes": length,
                "absent": written.absent,
                "problems": written.problems,
            }
        )
    else:
        what = f"{counted(written.batches, 'batch')} and {counted(written.blobs, 'blob')}"
        behind = f"; {counted(written.absent, 'blob')} stay behind" if written.absent else ""
        new = "nothing new" if not written.batches and not written.blobs else what
        line(f"wrote {file}: {new} ({size(length)}){behind}")
        for problem in first_problems(written.problems):
            line((problem, "red"))
    context.exit(1 if written.problems else 0)
