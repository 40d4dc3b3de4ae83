"""`eventlog sync`: make copies of the log meet."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from eventlog.cli.choosing import Choice, Chosen
from eventlog.cli.moments import size
from eventlog.cli.opening import as_json, examples, opened_store, task_option, time_option
from eventlog.cli.printing import counted, document, first_problems, line
from eventlog.cli.progress import progress_bar
from eventlog.cli.watching import Told, await_remote, watch_sync
from eventlog.configuration import Configuration, home_folder
from eventlog.errors import EventlogError, InputInvalid, NotFound, RemoteInvalid, RemoteUnreachable
from eventlog.hosts import shared_remote

if TYPE_CHECKING:
    from eventlog.sdk.delivery import Resumed
    from eventlog.store import Store
    from eventlog.sync import PullResult, PushResult
    from eventlog.sync.results import Progress

__all__ = ["command", "read_only_words"]

# Of blobs that stay behind.
_NOT_HERE, _NOT_THERE = "not here", "not on it"
# After everything was asked for.
_NOT_THERE_YET = "not on it yet"


@click.command(
    "sync",
    short_help="Push to a remote and pull from it.",
    epilog=examples(
        "eventlog sync /media/stick/runs",
        "eventlog sync s3://bucket/runs --push",
        "eventlog sync --project digits --since '2 days ago'",
        "eventlog sync s3://bucket/runs --watch 30",
    ),
)
@click.argument("remote", required=False)
@click.option("--push", "only_push", is_flag=True, help="Only push.")
@click.option("--pull", "only_pull", is_flag=True, help="Only pull.")
@click.option("--project", "-p", help="Artifacts of the tasks of this project and of those under it alone.")
@task_option("--task", "-t", "tasks", multiple=True, help="Artifacts of this task alone; can be repeated.")
@time_option("--since", help="Artifacts of the tasks that were active since alone.")
@click.option("--dry-run", is_flag=True, help="Say what would be moved, and move nothing.")
@click.option(
    "--new", "anew", is_flag=True, help="Begin REMOTE anew, though it was there before and is gone."
)
@click.option("--repair", is_flag=True, help="See to every blob that the log names, here and there.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), help="How many transfers at once.")
@click.option(
    "--watch",
    "seconds",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    help="Sync again and again, until Ctrl-C.",
)
@as_json
@click.pass_context
def command(
    context: click.Context,
    remote: str | None,
    only_push: bool,
    only_pull: bool,
    project: str | None,
    tasks: tuple[str, ...],
    since: int | None,
    dry_run: bool,
    anew: bool,
    repair: bool,
    jobs: int | None,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Pull what REMOTE has and this store has not, and push the other way round.

    REMOTE is a folder, any URL that fsspec knows, or the file of a bundle, which is taken in; without it, the
    remote of the configuration (EVENTLOG_REMOTE, or remote in config.toml). What cannot go through is named,
    the rest goes on, and the exit code is then 1.

    A sync looks at what is new. --repair reads the whole log, and brings every artifact that was lost here or
    there and is still on the other side.

    The log always travels whole. --project, --task and --since choose the tasks whose artifacts, models,
    plots and media travel now: those of --task, and those of which both others hold. The rest goes with a
    later sync without them, or is fetched when it is asked for.

    Unless only pulling, what waits to be copied to a task's destination (output_uri) goes there first;
    without a remote, that is all that is done.

    With --watch, a round that did something prints one line. A remote that cannot be reached, or from which
    there is nothing to pull yet, is told once, and tried again, ever less often. With --push, a round with
    nothing new asks nothing of the remote.

    With --json: remote, pulled and pushed (null, or batches, segments, blobs, bytes, absent: blobs that stay
    behind), problems; delivered (files, bytes) where something waited; unpushed_batches of a remote that can
    only be read. With --dry-run: remote, pull and push (null, or batches, blobs, bytes, stores: a list with
    id, batches, blobs, bytes), problems. With --watch, one document in a line for each round, with its time.
    """
    if only_push and only_pull:
        raise click.UsageError("--push and --pull are two halves: without either, both are done")
    shared = shared_remote(context.obj or home_folder())
    url = remote or Configuration.load(context.obj).remote or (str(shared) if shared else "")
    chosen = (tasks, project, since) if tasks or project is not None or since is not None else None
    if dry_run and seconds is not None:
        raise click.UsageError("--dry-run says what one sync would do: leave out --watch")
    if dry_run:
        from eventlog.cli.dry_run import tell_plan

        if not url:
            raise _no_remote()
        pull, push = not only_push, not only_pull
        is_whole = tell_plan(context.obj, url, chosen, pull=pull, push=push, anew=anew, as_json=as_json)
        context.exit(0 if is_whole else 1)
    if not url:
        delivered = None if only_pull else _deliver_alone(context)
        if delivered is None or seconds is not None:
            raise _no_remote()
        _tell(context, url, _Met(delivered), as_json=as_json)
    pull, push = not only_push, not only_pull
    try:
        wait = None if seconds is None else partial(await_remote, url, seconds, as_json=as_json)
        if wait is not None and only_pull:
            wait()
        with _opened(context.obj, url, pull=pull, wait=wait) as store:
            if seconds is not None:

                def once() -> Told:
                    met = _meet(store, url, chosen, jobs, pull=pull, push=push, anew=anew, repair=repair)
                    told = _told(url, met)
                    if met.not_found is not None and not told.words:
                        raise met.not_found
                    return told

                watch_sync(store, once, seconds, pulls=pull, as_json=as_json)
            met = _meet(store, url, chosen, jobs, pull=pull, push=push, anew=anew, repair=repair)
    except KeyboardInterrupt:
        if seconds is None:
            click.echo("eventlog: interrupted; the next sync goes on from here", err=True)
        sys.stdout.flush()
        # Threads of file systems may wait for a server that is gone, and an orderly exit would wait for them.
        os._exit(130)
    _tell(context, url, met, chosen=chosen is not None, as_json=as_json)


class _Met(NamedTuple):
    """What was done; None for what was not.

    Attributes:
        unpushed: batches that a remote lacks which can only be read; not of a bundle, which is made once.
        not_found: what was chosen by, and is not here though all was pulled.
    """

    delivered: "Resumed | None" = None
    pulled: "PullResult | None" = None
    pushed: "PushResult | None" = None
    unpushed: int | None = None
    not_found: EventlogError | None = None


@contextmanager
def _opened(home: Path | None, url: str, *, pull: bool, wait: Callable[[], None] | None) -> Iterator["Store"]:
    """The store; one is made where there is none, if that can be begun with what a remote holds.

    Args:
        wait: returns once there is a remote to pull from; None where it has to be there.
    """
    from eventlog.sync import Remote

    with ExitStack() as stack:
        try:
            store = stack.enter_context(opened_store(home, write=pull))
        except NotFound:
            if not pull:
                raise
            # Not by a slip in the remote's name.
            if wait is None:
                Remote(url).require()
            else:
                wait()
            store = stack.enter_context(opened_store(home, create=True))
        yield store


def _meet(
    store: "Store",
    url: str,
    chosen: Chosen | None,
    jobs: int | None,
    *,
    pull: bool,
    push: bool,
    anew: bool,
    repair: bool,
) -> _Met:
    """Deliver, pull and push; what was done of each."""
    choice = Choice(store, *chosen) if chosen else None
    first = None
    if choice and (not_here := _not_found(choice)):
        if not pull:
            raise not_here
        # It may be on the remote: before that is known, nothing is delivered or pushed.
        try:
            first, _, _ = _transfer(store, url, choice, jobs, pull=True, push=False, anew=anew, repair=repair)
        except (RemoteInvalid, RemoteUnreachable) as error:
            raise type(not_here)(f"{not_here}; and nothing can be pulled, as {error}") from None
        not_there = _not_found(choice)
        if not_there or not push:
            return _Met(None, first, not_found=not_there)
    delivered = _deliver(store) if push else None
    pulled, pushed, unpushed = _transfer(
        store, url, choice, jobs, pull=pull, push=push, anew=anew, repair=repair
    )
    return _Met(delivered, _both(first, pulled) if first and pulled else pulled, pushed, unpushed)


def _both(first: "PullResult", then: "PullResult") -> "PullResult":
    """What two pulls came to, the second right after the first."""
    return replace(
        then,
        batches=first.batches + then.batches,
        segments=first.segments + then.segments,
        blobs=first.blobs + then.blobs,
        bytes=first.bytes + then.bytes,
    )


def _not_found(choice: Choice) -> InputInvalid | NotFound | None:
    """What is wrong with a choice: a task or a project that is not here."""
    try:
        choice.check()
    except (InputInvalid, NotFound) as error:
        return error
    return None


def _no_remote() -> InputInvalid:
    return InputInvalid("no remote: name one, set EVENTLOG_REMOTE, or remote in config.toml")


def _tell(
    context: click.Context,
    url: str,
    met: _Met,
    *,
    chosen: bool = False,
    as_json: bool,
) -> NoReturn:
    """Print what was done, and exit.

    Raises:
        NotFound, InputInvalid: what was chosen by is not here.
    """
    delivered, pulled, pushed, unpushed, not_found = met
    told = _told(url, met)
    if as_json:
        document({**told.document, "problems": told.problems})
    else:
        if delivered is not None and delivered.completed:
            line(_delivered_words(delivered))
        # What is there and damaged is more than not yet there.
        is_told = pulled is not None and bool(pulled.problems)
        not_here = _NOT_HERE if chosen or is_told else _NOT_THERE_YET
        for verb, result, where in (("pulled", pulled, not_here), ("pushed", pushed, _NOT_THERE)):
            if result is not None:
                line(f"{verb} {_words(result, where)}")
        if unpushed:
            line(read_only_words(url, unpushed))
        for problem in first_problems(told.problems):
            if not_found is None or problem != str(not_found):
                line((problem, "red"))
    if not_found is not None:
        sys.stdout.flush()
        raise not_found
    context.exit(1 if told.problems else 0)


def _told(url: str, met: _Met) -> Told:
    delivered, pulled, pushed, unpushed, not_found = met
    results = (delivered, pulled, pushed)
    problems = list(dict.fromkeys(line for one in results if one for line in one.problems))
    if not_found is not None:
        problems.append(str(not_found))
    told: dict[str, Any] = {"remote": url or None, "pulled": _document(pulled), "pushed": _document(pushed)}
    words = []
    if delivered is not None:
        told["delivered"] = {"files": delivered.completed, "bytes": delivered.bytes}
        if delivered.completed:
            words.append(_delivered_words(delivered))
    for verb, result, where in (("pulled", pulled, _NOT_HERE), ("pushed", pushed, _NOT_THERE)):
        if result is not None and (result.batches or result.blobs):
            words.append(f"{verb} {_words(result, where)}")
    if unpushed is not None:
        told["unpushed_batches"] = unpushed
    if unpushed and words:
        words.append(read_only_words(url, unpushed))
    return Told("; ".join(words), told, problems)


def _deliver_alone(context: click.Context) -> "Resumed | None":
    try:
        with opened_store(context.obj, write=True) as store:
            return _deliver(store)
    except NotFound:
        return None


def _deliver(store: "Store") -> "Resumed | None":
    """Copy what waits for it to its destination; None where nothing does."""
    from eventlog.sdk.delivery import Resumed, resume
    from eventlog.sdk.stores import release_views

    if store.read_only:
        return None
    try:
        with progress_bar("delivering", sized=True) as advance:
            delivered = resume(store, advance)
    except EventlogError as error:
        # The log goes on to meet others' all the same.
        return Resumed(problems=(f"what waits to be delivered still does: {error}",))
    finally:
        release_views(store)
    return delivered if delivered.completed or delivered.problems else None


def _transfer(
    store: "Store",
    url: str,
    choice: Choice | None,
    jobs: int | None,
    *,
    pull: bool,
    push: bool,
    anew: bool,
    repair: bool,
) -> tuple["PullResult | None", "PushResult | None", int | None]:
    from eventlog import sync

    with progress_bar("", sized=True) as advance:

        def tell(progress: "Progress") -> None:
            if advance is not None:
                advance(progress.bytes, progress.bytes_total, f"{progress.direction}ing")

        if pull and push:
            both = sync.synchronise(store, url, tell, choose=choice, jobs=jobs, anew=anew, repair=repair)
            return both.pull, both.push, both.unpushed.batches if both.unpushed else None
        if pull:
            return sync.pull(store, url, tell, choose=choice, jobs=jobs, repair=repair), None, None
        return None, sync.push(store, url, tell, choose=choice, jobs=jobs, anew=anew, repair=repair), None


def read_only_words(url: str, unpushed: int) -> str:
    """What is said of a remote that can only be read, and lacks batches that are here."""
    from eventlog.sync.file_systems import shown

    are = "is" if unpushed == 1 else "are"
    return f"{shown(url)} can only be read: {counted(unpushed, 'batch')} here {are} not on it"


def _delivered_words(delivered: "Resumed") -> str:
    return f"delivered {counted(delivered.completed, 'file')} ({size(delivered.bytes)})"


def _words(result: "PullResult | PushResult", where: str) -> str:
    words = "nothing" if result.problems else "nothing new"
    if result.batches or result.blobs:
        words = (
            f"{counted(result.batches, 'batch')} and {counted(result.blobs, 'blob')} ({size(result.bytes)})"
        )
    if not result.absent:
        return words
    return f"{words}; {counted(result.absent, 'blob')} {'is' if result.absent == 1 else 'are'} {where}"


def _document(result: "PullResult | PushResult | None") -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "batches": result.batches,
        "segments": result.segments,
        "blobs": result.blobs,
        "bytes": result.bytes,
        "absent": result.absent,
    }
