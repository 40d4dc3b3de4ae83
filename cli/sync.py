"""`eventlog sync`: make copies of the log meet."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from eventlog.cli.moments import size
from eventlog.cli.opening import as_json, examples, opened_store
from eventlog.cli.printing import counted, document, line
from eventlog.cli.progress import progress_bar
from eventlog.configuration import Configuration
from eventlog.errors import InputInvalid, NotFound

if TYPE_CHECKING:
    from eventlog.store import Store
    from eventlog.sync import PullResult, PushResult
    from eventlog.sync.results import Progress

__all__ = ["command"]


@click.command(
    "sync",
    short_help="Push to a remote and pull from it.",
    epilog=examples("eventlog sync /media/stick/runs", "eventlog sync s3://bucket/runs --push"),
)
@click.argument("remote", required=False)
@click.option("--push", "only_push", is_flag=True, help="Only push.")
@click.option("--pull", "only_pull", is_flag=True, help="Only pull.")
@as_json
@click.pass_context
def command(
    context: click.Context, remote: str | None, only_push: bool, only_pull: bool, as_json: bool
) -> None:
    """Pull what REMOTE has and this store has not, and push the other way round.

    REMOTE is a folder or any URL that fsspec knows; without it, the remote of the configuration
    (EVENTLOG_REMOTE, or remote in config.toml). What cannot go through is named, the rest goes on, and
    the exit code is then 1.

    With --json: remote, pulled and pushed (null, or batches, segments, blobs, bytes), problems.
    """
    from eventlog.sync import Remote

    if only_push and only_pull:
        raise click.UsageError("--push and --pull are two halves: without either, both are done")
    url = remote or Configuration.load(context.obj).remote
    if not url:
        raise InputInvalid("no remote: name one, set EVENTLOG_REMOTE, or remote in config.toml")
    with ExitStack() as stack:
        try:
            store = stack.enter_context(opened_store(context.obj, write=not only_push))
        except NotFound:
            if only_push:
                raise
            # A store is begun with what a remote holds, not by a slip in the remote's name.
            Remote(url).require()
            store = stack.enter_context(opened_store(context.obj, create=True))
        pulled, pushed = _transfer(store, url, pull=not only_push, push=not only_pull)
    problems = list(dict.fromkeys(line for one in (pulled, pushed) if one for line in one.problems))
    if as_json:
        document(
            {
                "remote": url,
                "pulled": _document(pulled),
                "pushed": _document(pushed),
                "problems": problems,
            }
        )
    else:
        for verb, result in (("pulled", pulled), ("pushed", pushed)):
            if result is not None:
                line(f"{verb} {_words(result)}")
        for problem in problems:
            line((problem, "red"))
    context.exit(1 if problems else 0)


def _transfer(
    store: "Store", url: str, *, pull: bool, push: bool
) -> tuple["PullResult | None", "PushResult | None"]:
    from eventlog import sync

    with progress_bar("", sized=True) as advance:

        def tell(progress: "Progress") -> None:
            if advance is not None:
                advance(progress.bytes, progress.bytes_total, f"{progress.direction}ing")

        if pull and push:
            both = sync.synchronise(store, url, progress=tell)
            return both.pull, both.push
        if pull:
            return sync.pull(store, url, progress=tell), None
        return None, sync.push(store, url, progress=tell)


def _words(result: "PullResult | PushResult") -> str:
    if not result.batches and not result.blobs:
        return "nothing new"
    return f"{counted(result.batches, 'batch')} and {counted(result.blobs, 'blob')} ({size(result.bytes)})"


def _document(result: "PullResult | PushResult | None") -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "batches": result.batches,
        "segments": result.segments,
        "blobs": result.blobs,
        "bytes": result.bytes,
    }
