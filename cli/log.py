"""`eventlog log`: the history of a task or a model, event by event."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.cli.documents import event_document
from eventlog.cli.following import Following
from eventlog.cli.moments import local
from eventlog.cli.naming import resolve_any
from eventlog.cli.opening import (
    as_json,
    catch_up,
    examples,
    opened_store,
    task_argument,
    time_option,
    views_of,
)
from eventlog.cli.printing import Part, clean, cut_line, document, drawn, line, nothing
from eventlog.cli.wording import kind_of, wording
from eventlog.errors import NotFound
from eventlog.events import EVENT_KINDS, REPORTS, TaskCompleted, TaskFailed, TaskStarted, TaskStopped

if TYPE_CHECKING:
    from eventlog.batch import NumberedEvent
    from eventlog.projections import Views
    from eventlog.store import Store

__all__ = ["command", "until_the_end"]

BEFORE_FOLLOWING = 10
KIND_WIDTH = max(len(kind) for kind in EVENT_KINDS)
KIND_STYLES = {
    "TaskFailed": "red",
    "TaskStopped": "yellow",
    "TaskCompleted": "green",
    "ScalarReported": "blue",
    "TextReported": "blue",
    "PlotReported": "blue",
    "MediaReported": "blue",
    "TaskPublished": "magenta",
    "TaskDeleted": "red",
    "ModelDeleted": "red",
    "DeliveryFailed": "red",
}
ENDS = (TaskCompleted, TaskFailed, TaskStopped)


@click.command(
    "log",
    short_help="Show a task's history, event by event.",
    epilog=examples(
        "eventlog log digits/baseline",
        "eventlog log 3fa9 --reports --since '5 minutes ago'",
        "eventlog log 3fa9 --follow --kind ProgressSet",
    ),
)
@task_argument()
@click.option("--follow", "-f", is_flag=True, help="Go on with new events until the task ends.")
@click.option("--reports/--no-reports", help="With scalars, text, plots and media; without them by default.")
@click.option("--kind", "-k", "kinds", multiple=True, help="Only events of this kind, such as ParametersSet.")
@time_option("--since", help="Only from this moment on.")
@time_option("--until", help="Only up to this moment.")
@click.option("--limit", "-n", type=click.IntRange(1), help="Only the last so many; 10 with --follow.")
@click.option("--reverse", "-r", is_flag=True, help="Oldest first.")
@as_json
@click.pass_obj
def command(
    home: Path | None,
    task: str,
    follow: bool,
    reports: bool,
    kinds: tuple[str, ...],
    since: int | None,
    until: int | None,
    limit: int | None,
    reverse: bool,
    as_json: bool,
) -> None:
    """Show the events of a task, the newest first: time, host, session and number in it, kind, what it says.

    TASK may also be the whole id of a model, or of a task that is deleted.

    With --follow the order is oldest first.

    With --json: a list (with --follow a document a line), each event with time, kind, task, session, number,
    host, user, and fields (by name, as docs/FORMAT.md has them).
    """
    if follow and until is not None:
        raise click.UsageError("--follow goes on into the future: leave out --until")
    chosen = [_known_kind(kind) for kind in kinds]
    reports = reports or any(EVENT_KINDS[kind] in REPORTS for kind in chosen)

    def wanted(one: "NumberedEvent") -> bool:
        return not chosen or kind_of(one.event) in chosen

    with opened_store(home) as store:
        views = views_of(store)
        found = resolve_any(views, task)
        following = Following(store, found, reports=reports)
        catch_up(views, reports=reports)
        sessions, ended = _standing(views, found)
        printer = _Printer(store, views, sessions, as_json=as_json, one_a_line=follow)
        history: Iterator[NumberedEvent] = filter(
            wanted, following.passing(views.events(found, first_time=since, last_time=until, reports=reports))
        )
        if follow:
            for one in deque(history, limit or BEFORE_FOLLOWING):
                printer.show(one)
            for one in until_the_end(following, ended=ended):
                if wanted(one):
                    printer.show(one)
            return
        if limit:
            history = iter(deque(history, limit))
        printer.show_all(history if reverse else reversed(list(history)))


def _standing(views: "Views", found: str) -> tuple[Sequence[bytes], bool]:
    """The sessions that events are expected of, and whether no more are, of a task or of anything else."""
    try:
        state = views.task(found)
    except NotFound:
        return sorted({one.session for one in views.events(found, reports=False)}), True
    return state.sessions, state.ended is not None


def until_the_end(following: Following, *, ended: bool) -> Iterator["NumberedEvent"]:
    while True:
        for one in following.new():
            yield one
            ended = isinstance(one.event, ENDS) or (ended and not isinstance(one.event, TaskStarted))
        if ended:
            return
        following.wait()


def _known_kind(kind: str) -> str:
    known = {name.lower(): name for name in EVENT_KINDS}
    if kind.lower() not in known:
        raise click.BadParameter(f"'{kind}' is none of {', '.join(EVENT_KINDS)}", param_hint="--kind")
    return known[kind.lower()]


class _Printer:
    """Prints events: a line each, or JSON."""

    def __init__(
        self, store: "Store", views: "Views", sessions: Sequence[bytes], *, as_json: bool, one_a_line: bool
    ) -> None:
        self.views = views
        self.sessions = views.sessions()
        self.as_json = as_json
        self.one_a_line = one_a_line
        self.day = ""
        self.digits = _digits_apart([session.hex() for session in sessions])
        self.host_width = max((len(self._host(session)) for session in sessions), default=0)
        largest = max((record.next for record in store.sessions() if record.session in sessions), default=0)
        self.number_width = max(4, len(str(largest)))

    def show_all(self, events: Iterable["NumberedEvent"]) -> None:
        if self.as_json:
            document([event_document(one, self.sessions) for one in events])
            return
        one = None
        for one in events:
            self.show(one)
        if one is None:
            nothing("no events")

    def show(self, one: "NumberedEvent") -> None:
        if one.session not in self.sessions:
            self.views.catch_up()
            self.sessions = self.views.sessions()
        if self.as_json:
            document(event_document(one, self.sessions), one_line=True)
        elif drawn():
            self._draw(one)
        else:
            place = f"{one.session.hex()[:8]}:{one.number}"
            fields = (local(one.event.time, precise=True), self._host(one.session), place)
            widths = (23, self.host_width, 9 + self.number_width)
            padded = (clean(field).ljust(wide) for field, wide in zip(fields, widths, strict=True))
            line("  ".join((*padded, kind_of(one.event).ljust(KIND_WIDTH), wording(one.event))).rstrip())
        if self.one_a_line:
            sys.stdout.flush()

    def _draw(self, one: "NumberedEvent") -> None:
        day, _, clock = local(one.event.time, precise=True).partition(" ")
        if day != self.day:
            self.day = day
            line((day, "bold"))
        kind = kind_of(one.event)
        place = f"{one.session.hex()[: self.digits]}:{one.number}"
        columns: list[Part] = [
            (f"{clock}  ", "dim"),
            f"{self._host(one.session):<{self.host_width}}  ",
            (f"{place:<{self.digits + 1 + self.number_width}}  ", "yellow"),
            (f"{kind:<{KIND_WIDTH}}  ", KIND_STYLES.get(kind, "cyan")),
            wording(one.event),
        ]
        cut_line(*columns)

    def _host(self, session: bytes) -> str:
        known = self.sessions.get(session)
        return clean(known.host) if known else ""


def _digits_apart(ids: Sequence[str]) -> int:
    """How many digits tell these sessions apart; four at least."""
    return next((digits for digits in range(4, 32) if len({one[:digits] for one in ids}) == len(ids)), 32)
