"""`eventlog replay`: fold the log again, to see a task as it was or to check the views."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eventlog.cli.documents import task_document
from eventlog.cli.metrics import fold_series
from eventlog.cli.moments import iso, local
from eventlog.cli.naming import resolve
from eventlog.cli.opening import as_json, at_option, catch_up, examples, opened_store, task_argument, views_of
from eventlog.cli.past import check_moment
from eventlog.cli.printing import counted, document, line
from eventlog.cli.progress import progress_bar
from eventlog.cli.task_page import print_task

if TYPE_CHECKING:
    from eventlog.batch import NumberedEvent

__all__ = ["command"]


@click.command(
    "replay",
    short_help="Fold the log again, up to a moment; or check the views by it.",
    epilog=examples("eventlog replay digits/baseline --at '2026-11-20 14:00'", "eventlog replay --check"),
)
@task_argument(required=False)
@at_option
@click.option("--check", is_flag=True, help="Fold the whole log again and compare it with the views.")
@as_json
@click.pass_context
def command(context: click.Context, task: str | None, at: int | None, check: bool, as_json: bool) -> None:
    """Rebuild a task from its events up to a moment, and show it; without --at, from all of them.

    With --check, everything is folded again beside the views; what differs is listed, and the exit code
    is then 1.

    With --json: replayed (events, state_events, reports, sessions, first, last) and task (as of `eventlog
    show`); of --check: same, batches, stores, differences.
    """
    if check == (task is not None):
        raise click.UsageError("give a TASK (and --at TIME), or --check")
    if check and at is not None:
        raise click.UsageError("--check folds the whole log: leave out --at")
    if task is None:
        context.exit(_check(context.obj, as_json=as_json))
    _replay(context.obj, task, at, as_json=as_json)


def _replay(home: Path | None, task: str, at: int | None, *, as_json: bool) -> None:
    from eventlog.projections.task import TaskState, fold_task

    with opened_store(home) as store:
        views = views_of(store)
        found = resolve(views, task)
        catch_up(views, reports=True)
        if at is not None:
            check_moment(views, found, at)
        folded = _Folded()
        series = fold_series(folded.passing(views.events(found, last_time=at)))
        sessions = views.sessions()
    state = fold_task(TaskState(found), folded.states)
    if state.sessions and state.sessions[-1] in sessions:
        state.host, state.user = sessions[state.sessions[-1]].host, sessions[state.sessions[-1]].user
    state.dropped = sum(sessions[session].dropped for session in state.sessions if session in sessions)
    if as_json:
        document({"replayed": folded.document(), "task": task_document(state, series)})
        return
    line((folded.words(), "dim"))
    line()
    print_task(state, series, at)


class _Folded:
    """What passed through a fold."""

    def __init__(self) -> None:
        self.states: list[NumberedEvent] = []
        self.count = 0
        self.first = self.last = 0
        self.sessions: set[bytes] = set()

    def passing(self, history: Iterable["NumberedEvent"]) -> Iterator["NumberedEvent"]:
        for one in history:
            self.count += 1
            self.first = self.first or one.event.time
            self.last = one.event.time
            self.sessions.add(one.session)
            if not one.event.is_report:
                self.states.append(one)
            yield one

    def words(self) -> str:
        reports = self.count - len(self.states)
        sessions = counted(len(self.sessions), "session")
        return (
            f"folded {self.count} events ({len(self.states)} of state, {reports} reports) of {sessions},"
            f" {local(self.first, precise=True)} to {local(self.last, precise=True)}"
        )

    def document(self) -> dict[str, Any]:
        return {
            "events": self.count,
            "state_events": len(self.states),
            "reports": self.count - len(self.states),
            "sessions": sorted(session.hex() for session in self.sessions),
            "first": iso(self.first),
            "last": iso(self.last),
        }


def _check(home: Path | None, *, as_json: bool) -> int:
    with opened_store(home) as store:
        views = views_of(store, reports=True)
        with progress_bar("folding the log again") as advance:
            differences = views.check(progress=advance)
        heads = store.heads()
    batches = sum(head.number + 1 for head in heads.values())
    if as_json:
        document(
            {"same": not differences, "batches": batches, "stores": len(heads), "differences": differences}
        )
    elif not differences:
        line(
            ("the views are right: ", "green"),
            f"{counted(batches, 'batch')} of {counted(len(heads), 'store')} folded again, no difference",
        )
    else:
        for difference in differences:
            line((difference, "red"))
        line(f"{counted(len(differences), 'difference')}: `eventlog rebuild` folds the views again")
    return 1 if differences else 0
