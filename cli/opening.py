"""Opening the store and its views for a command, and what the commands' arguments have in common."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from eventlog.cli.moments import moment
from eventlog.cli.naming import full_name
from eventlog.cli.printing import clean, counted
from eventlog.cli.progress import progress_bar
from eventlog.configuration import Configuration, home_folder
from eventlog.errors import EventlogError, InputInvalid, NotFound, StoreReadOnly
from eventlog.hosts import HOSTS, SHARED, shared_remote

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from eventlog.projections import Views
    from eventlog.projections.left_out import LeftOut
    from eventlog.store import Store

__all__ = [
    "as_json",
    "at_option",
    "catch_up",
    "examples",
    "left_out_words",
    "no_store",
    "opened_store",
    "opened_views",
    "task_argument",
    "task_option",
    "time_option",
    "views_of",
]

Command = TypeVar("Command", bound=Callable[..., Any])


@contextmanager
def opened_store(home: Path | None, *, create: bool = False, write: bool = False) -> Iterator["Store"]:
    """The store at `home`, by default the configured one, closed again at the end.

    One that cannot be written, as on a read-only file system, is opened for reading alone.

    Args:
        home: its folder.
        create: make a store where there is none.
        write: it has to be possible to write it.

    Raises:
        NotFound: there is none.
        StoreReadOnly: it cannot be written, and has to be.
    """
    from eventlog.store import Store

    # A host that nothing has run on yet has a store of its own to see what the other hosts recorded.
    remote = shared_remote(home or home_folder())
    create = create or (remote is not None and remote.exists())
    try:
        store = Store.open(home, create=create)
    except NotFound:
        raise no_store(home) from None
    except StoreReadOnly as error:
        if write:
            raise
        try:
            store = Store.open(home, read_only=True)
        except NotFound:
            # It could not be made.
            raise error from None
    try:
        yield store
    finally:
        store.close()


def no_store(home: Path | None) -> NotFound:
    """That there is no store at `home`, by default the configured one; who named the place, what to do."""
    folder = home or home_folder()
    if (shared := shared_remote(folder)) is not None:
        return NotFound(
            f"nothing has run yet on this host, nor come from another one: hosts that share {shared.parent}"
            " meet there as soon as one of them runs a script"
        )
    if (folder / HOSTS).is_dir() and (folder / SHARED).is_dir():
        return NotFound(
            f"{folder} is shared by several hosts, which is not known here: set EVENTLOG_SHARED_HOME=1, or"
            f" shared_home = true in {folder / 'config.toml'}"
        )
    remote = Configuration.load(folder).remote
    if home is not None:
        named = "as --home says"
    elif os.environ.get("EVENTLOG_HOME"):
        named = "as EVENTLOG_HOME says"
    else:
        named = "where it is by default"
    return NotFound(
        f"no store at {folder}, {named}: choose another place, run a script that makes one there, or fetch"
        f" one with `eventlog sync{'' if remote else ' REMOTE'}`"
    )


@contextmanager
def opened_views(home: Path | None, *, reports: bool = False) -> Iterator["Views"]:
    """The views of the store at `home`, caught up with its log; with the scalars and texts if `reports`."""
    with opened_store(home) as store:
        yield views_of(store, reports=reports)


def views_of(store: "Store", *, reports: bool = False) -> "Views":
    """The views of a store, caught up with its log; with the scalars and texts if `reports`."""
    from eventlog.projections import Views

    if shared_remote(store.home) is not None:
        from eventlog.sync.sharing import freshen  # most homes are one host's

        freshen(store)
    views = Views.open(store)
    catch_up(views, reports=reports)
    return views


def catch_up(views: "Views", *, reports: bool = False) -> None:
    """Fold what is new in the log, with a bar when that takes long; say so if batches had to be left out."""
    with progress_bar("reading the log") as advance:
        views.catch_up(reports=reports, progress=advance)
    context = click.get_current_context(silent=True)
    # Said once by a command, and never into a shell's completion.
    if context and not context.resilient_parsing and (left_out := views.left_out()):
        context.meta.setdefault("eventlog.left_out", False)
        if not context.meta["eventlog.left_out"]:
            context.meta["eventlog.left_out"] = True
            click.echo(f"eventlog: {left_out_words(left_out)}", err=True)


def left_out_words(left_out: list["LeftOut"]) -> str:
    """What to say of batches that the views leave out, in one line."""
    more = f", the first of {counted(len(left_out), 'batch')} left out" if left_out[1:] else ""
    return (
        f"the views are not all of the log: {clean(left_out[0].why)}{more}; run `eventlog verify`, and once"
        " the log is whole, `eventlog rebuild`"
    )


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


def _to_moment(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_to_moment(context, parameter, one) for one in value)
    try:
        return None if value is None else moment(value)
    except InputInvalid as error:
        raise click.BadParameter(str(error), context, parameter) from None


def _complete_task(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list["CompletionItem"]:
    from click.shell_completion import CompletionItem

    try:
        with opened_views(context.find_root().params.get("home")) as views:
            rows = views.find()
    except EventlogError:
        return []
    named = [(full_name(row), row) for row in rows]
    # Zsh and fish quote what they insert; to bash, a name with a space is several words.
    quoting = not os.environ.get("_EVENTLOG_COMPLETE", "").startswith("bash")
    return [
        CompletionItem(name if quoting or _is_one_word(name) else row.id, help=row.status)
        for name, row in named
        if name.startswith(incomplete)
    ] + [
        CompletionItem(row.id, help=name)
        for name, row in named
        if incomplete and row.id.startswith(incomplete)
    ]


_is_one_word = re.compile(r"[\w./:@%+,=-]+").fullmatch


def time_option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that takes a time, and gives milliseconds since 1970-01-01 UTC."""
    return click.option(*names, metavar="TIME", callback=_to_moment, **settings)


def task_argument(name: str = "task", **settings: Any) -> Callable[[Command], Command]:
    """An argument that names a task, for `Views.resolve`; shells complete it."""
    return click.argument(name, shell_complete=_complete_task, **settings)


def task_option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that names a task, for `Views.resolve`; shells complete it."""
    return click.option(*names, metavar="TASK", shell_complete=_complete_task, **settings)


at_option = time_option("--at", help="As of this moment.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
