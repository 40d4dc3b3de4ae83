"""`eventlog fork`: give what this copy of a store committed by itself an id of its own."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from eventlog.cli.moments import iso, local
from eventlog.cli.opening import as_json, catch_up, examples, opened_store
from eventlog.cli.printing import counted, document, first_problems, line
from eventlog.configuration import Configuration
from eventlog.errors import EventlogError, InputInvalid

if TYPE_CHECKING:
    from eventlog.store import Store
    from eventlog.sync import Fork, ForkResult, Side

__all__ = ["command"]


@click.command(
    "fork",
    short_help="Give a copy of a store that went on by itself an id of its own.",
    epilog=examples("eventlog fork --dry-run", "eventlog fork s3://bucket/runs", "eventlog fork --at 41"),
)
@click.argument("remote", required=False)
@click.option(
    "--at",
    type=click.IntRange(0),
    metavar="BATCH",
    help="Without a remote: the last batch that both copies have.",
)
@click.option("--store", "named", metavar="ID", help="Do so for another machine's store, if it is no more.")
@click.option("--dry-run", is_flag=True, help="Say what is found, and change nothing.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    remote: str | None,
    at: int | None,
    named: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Resolve a fork: two copies of a store, such as a cloned disk, that both went on.

    Run it on one of the two copies, with the REMOTE on which sync has found the fork; without it, the remote
    of the configuration. What this copy committed since they parted becomes a store of its own, whose id is
    this machine's from then on, and what REMOTE has of it under the old id goes. All else is pulled and
    pushed, as by a sync, so that then both show everywhere.

    Other machines that hold that side do the same when they are told of the fork, as the new store has come
    to them by then. Exit code 1: something could not be resolved.

    Of both sides it says where they are, how much they recorded since they parted, when last, on which host
    and of which task. With --dry-run it says what would be pulled, pushed and deleted, as far as that is
    known before a side has its new id.

    With --json: forks (a list with store, common, here, there, parted; of a side where, batches, events,
    last, host, task, name, becomes), pulled and pushed (batches, blobs), deleted, problems.
    """
    url = remote or (None if at is not None else Configuration.load(context.obj).remote)
    if at is not None and url:
        raise click.UsageError("--at says what a remote would: give one of the two")
    if at is not None and named:
        raise click.UsageError("--at is about this machine's own store: leave out --store")
    if at is None and not url:
        raise InputInvalid("no remote: name the one on which the fork was found, or with --at the last batch")
    identity = None if named is None else _identity(named)
    with opened_store(context.obj, write=not dry_run) as store:
        if at is not None:
            _part_at(store, at, dry_run=dry_run, as_json=as_json)
            return
        from eventlog.sync import resolve_forks

        assert url is not None
        result = resolve_forks(store, url, named=identity, dry_run=dry_run)
        told = [_Told.of(store, fork) for fork in result.forks]
    if as_json:
        document(
            {
                "forks": [_document(one) for one in told],
                "pulled": result.pulled._asdict(),
                "pushed": result.pushed._asdict(),
                "deleted": result.deleted,
                "problems": result.problems,
            }
        )
    else:
        _print(result, told, url, dry_run=dry_run)
    context.exit(1 if result.problems else 0)


def _part_at(store: "Store", common: int, *, dry_run: bool, as_json: bool) -> None:
    from eventlog.fork import part
    from eventlog.sync import side_here

    old = store.id.hex()
    head = store.heads().get(store.id)
    if head is None or common >= head.number:
        last = "no batch" if head is None else f"batch {head.number} as its last"
        raise InputInvalid(f"store {old} has {last}: name an earlier one with --at")
    side = side_here(store, store.id, common)
    words = f"{_words(side, _names(store, [side]))} of store {old}"
    becomes = None if dry_run else part(store, store.id, common).store.hex()
    if as_json:
        document({"store": old, "common": common, "batches": side.batches, "becomes": becomes})
    elif becomes is None:
        line(f"{words} would get an id of their own")
    else:
        line(f"{words} are store {becomes} now, as is this machine")


def _identity(text: str) -> bytes:
    try:
        identity = bytes.fromhex(text)
    except ValueError:
        identity = b""
    if len(identity) != 16:
        raise click.BadParameter("it is not the id of a store: 32 hexadecimal digits", param_hint="--store")
    return identity


class _Told(NamedTuple):
    """A fork, the place of the side that is here, and names of tasks by id."""

    fork: "Fork"
    home: str
    names: Mapping[str, str]

    @classmethod
    def of(cls, store: "Store", fork: "Fork") -> "_Told":
        sides = [fork.here] if fork.there is None else [fork.here, fork.there]
        return cls(fork, str(store.home), _names(store, sides))


def _names(store: "Store", sides: Iterable["Side"]) -> dict[str, str]:
    """The names of the tasks that sides last recorded something of; what they do not say, the views do."""
    names = {side.task: side.task_name for side in sides if side.task}
    unknown = [task for task, name in names.items() if not name]
    if unknown:
        from eventlog.projections import Views

        with Views.open(store) as views:
            catch_up(views)
            for task in unknown:
                with suppress(EventlogError):
                    names[task] = views.task(task).name
    return names


def _print(result: "ForkResult", told: Iterable[_Told], url: str, *, dry_run: bool) -> None:
    for fork, home, names in told:
        after = f"after batch {fork.common}" if fork.common >= 0 else "from its first batch on"
        line(f"store {fork.store.hex()} has two histories {after}")
        line(f"  here, in {home}: {_words(fork.here, names)}")
        if fork.there is not None:
            line(f"  there, on {fork.remote}: {_words(fork.there, names)}")
        if fork.parted is not None:
            line(f"  what is here is store {fork.parted.store.hex()} now")
    # What a side that gets a new id adds to it is known afterwards.
    least = "at least " if dry_run and result.forks else ""
    for verb, moved in (("pull", result.pulled), ("push", result.pushed)):
        if any(moved):
            done = f"would {verb} {least}" if dry_run else f"{verb}ed "
            line(f"{done}{counted(moved.batches, 'batch')} and {counted(moved.blobs, 'blob')}")
    if result.deleted:
        segments = counted(result.deleted, "segment")
        if dry_run:
            line(f"would delete {least}{segments} on {url}, of a side that is there under its old id")
        else:
            line(f"deleted {segments} on {url}, whose batches are there under a new id")
    if not result.forks and not result.deleted and not result.problems:
        line(f"no fork between this store and {url}")
    for problem in first_problems(result.problems):
        line((problem, "red"))


def _words(side: "Side", names: Mapping[str, str]) -> str:
    words = f"{counted(side.batches, 'batch')} of {counted(side.events, 'event')}"
    words += f", the last of {local(side.last_time)}"
    if side.host:
        words += f" on {side.host}"
    if side.task:
        words += f", of task {names[side.task] or side.task}"
    return words


def _document(told: _Told) -> dict[str, Any]:
    fork = told.fork
    return {
        "store": fork.store.hex(),
        "common": fork.common,
        "here": _side(fork.here, told.home, told.names),
        "there": fork.there and _side(fork.there, fork.remote, told.names),
        "parted": None if fork.parted is None else fork.parted.store.hex(),
    }


def _side(side: "Side", where: str, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "where": where,
        "batches": side.batches,
        "events": side.events,
        "last": iso(side.last_time),
        "host": side.host,
        "task": side.task or None,
        "name": names.get(side.task),
        "becomes": side.becomes.hex(),
    }
