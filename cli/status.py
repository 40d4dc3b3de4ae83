"""`eventlog status`: where the store is, what it holds, and what has not left it yet."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from eventlog.cli.moments import how_long_ago, iso, local, moment, size
from eventlog.cli.opening import as_json, examples, opened_store
from eventlog.cli.printing import counted, document, first_problems, line
from eventlog.cli.progress import progress_bar
from eventlog.cli.tables import Cell, Column, fields, table
from eventlog.cli.task_page import heading
from eventlog.errors import EventlogError
from eventlog.hosts import HOSTS, home_around, shared_remote
from eventlog.journal import JournalLock

if TYPE_CHECKING:
    from eventlog.projections import SessionState, Views
    from eventlog.store import Store

__all__ = ["command"]

PARTS = ("log", "journals", "blobs", "views")


class _Remote(NamedTuple):
    """How the configured remote stands; `batches` is None where that could not be found out."""

    url: str
    batches: int | None
    problems: list[str]


@click.command(
    "status",
    short_help="Show where the store is, what it holds, what is not pushed.",
    epilog=examples("eventlog status", "eventlog status --json | jq .unpushed_batches"),
)
@as_json
@click.pass_obj
def command(home: Path | None, as_json: bool) -> None:
    """Show where the store is, its size on disk, the stores and sessions in it, and what the configured
    remote does not have yet; with auto_sync, how pushing by itself gets on.

    With --json: home, store, bytes (log, journals, blobs, views), batches, events, views_behind_batches
    (before this command folded them), stores (a list with id, own, batches, head), sessions (alive, a list
    with id, host, user, process, started, tasks; and the numbers of those that ended, died, which is without
    closing, or are elsewhere), remote, unpushed_batches (null if not known), remote_problems, waiting (of
    hosts that share the home, by host, the number of dead sessions whose last events are not committed),
    watchers (a list with remote, alive, last_push, unpushed_batches of this store, failing_since, problem),
    last_met (null, or remote and time: the last that was pushed to or pulled from).
    """
    with opened_store(home) as store:
        views, behind = _catch_up(store)
        sessions = views.sessions()
        alive = store.live_sessions()
        facts = _facts(store, sessions, alive, behind, _look_at_remote(store))
    if as_json:
        document(facts)
    else:
        _print(facts)


def _catch_up(store: "Store") -> tuple["Views", int]:
    """The views, and how many batches they were behind the log."""
    from eventlog.projections import Views

    views = Views.open(store)
    behind = 0
    with progress_bar("reading the log") as advance:

        def note(done: int, total: int, what: str = "", /) -> None:
            nonlocal behind
            behind = max(behind, total)
            if advance is not None:
                advance(done, total)

        # One after the other, as each counts the same batches.
        views.catch_up(progress=note)
        views.catch_up(reports=True, progress=note)
    return views, behind


def _facts(
    store: "Store",
    sessions: Mapping[bytes, "SessionState"],
    alive: set[bytes],
    behind: int,
    remote: _Remote | None,
) -> dict[str, Any]:
    records = store.sessions()
    open_tasks = {record.session: record.open_tasks for record in records}
    heads = store.heads()
    return {
        "home": str(store.home),
        "store": store.id.hex(),
        "bytes": {part: disk_usage(store.home / part) for part in PARTS},
        "batches": sum(head.number + 1 for head in heads.values()),
        "events": sum(record.next for record in records),
        "views_behind_batches": behind,
        "stores": [
            {"id": name.hex(), "own": name == store.id, "batches": head.number + 1, "head": head.hash.hex()}
            for name, head in sorted(heads.items(), key=lambda item: (item[0] != store.id, item[0]))
        ],
        "sessions": {
            "alive": [
                {
                    "id": session.hex(),
                    "host": state.host,
                    "user": state.user,
                    "process": state.process,
                    "started": iso(state.started),
                    "tasks": open_tasks.get(session, []),
                }
                for session, state in _chosen(sessions, alive)
            ],
            "ended": sum(state.ended is not None and state.reason == "closed" for state in sessions.values()),
            "died": sum(state.ended is not None and state.reason != "closed" for state in sessions.values()),
            "elsewhere": sum(
                state.ended is None and session not in alive for session, state in sessions.items()
            ),
        },
        "remote": remote.url if remote else None,
        "unpushed_batches": remote.batches if remote else None,
        "remote_problems": remote.problems if remote else [],
        "waiting": _waiting(store.home),
        "watchers": _watchers(store),
        "last_met": _last_met(store),
    }


def _chosen(
    sessions: Mapping[bytes, "SessionState"], ids: set[bytes]
) -> Iterable[tuple[bytes, "SessionState"]]:
    found = ((session, state) for session, state in sessions.items() if session in ids)
    return sorted(found, key=lambda item: item[1].started or 0)


def _look_at_remote(store: "Store") -> _Remote | None:
    # Hosts that share a home meet beside their stores.
    url = store.configuration.remote or str(shared_remote(store.home) or "")
    if not url:
        return None
    from eventlog.sync import unpushed

    try:
        missing = unpushed(store, url)
    except EventlogError as error:
        return _Remote(url, None, [str(error)])
    return _Remote(url, missing.batches, missing.problems)


def _last_met(store: "Store") -> dict[str, Any] | None:
    from eventlog.sync.remembered import last_met

    met = last_met(store.home)
    return None if met is None else {"remote": met[0], "time": iso(met[1])}


def _waiting(home: Path) -> dict[str, int]:
    """On the other hosts that share a home, the dead sessions that left journals, as on a node that died.

    Nobody but that host may commit them.
    """
    around = home_around(home)
    found: dict[str, int] = {}
    if around is not home:
        for journal in sorted((around / HOSTS).glob("*/journals/*")):
            folder = journal.parent.parent
            with contextlib.suppress(OSError):
                if folder != home and not JournalLock.is_taken(journal):
                    found[folder.name] = found.get(folder.name, 0) + 1
    return found


def _watchers(store: "Store") -> list[dict[str, Any]]:
    """How pushing by itself stands, for each remote that has been tried, or that is being tried."""
    from eventlog.sdk.auto_sync import targets_of
    from eventlog.sdk.watcher_folder import WatcherFolder
    from eventlog.sync.file_systems import shown

    found = []
    head = store.heads().get(store.id)
    for target in targets_of(store):
        folder = WatcherFolder(store.home, target.url)
        last, alive = folder.last(), folder.is_taken()
        if last.began or alive:
            found.append(
                {
                    "remote": last.remote or shown(target.url),
                    "alive": alive,
                    "last_push": iso(last.succeeded // 1_000_000) if last.succeeded else None,
                    "unpushed_batches": 0 if head is None else max(0, head.number - last.pushed),
                    "failing_since": iso(last.failing // 1_000_000) if last.failing else None,
                    "problem": last.problem or None,
                }
            )
    return found


def disk_usage(folder: Path) -> int:
    """Bytes that a folder's files take on the disk, holes not counted."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                # A journal's chunk goes as soon as it is committed.
                continue
    return total


def _print(facts: Mapping[str, Any]) -> None:
    parts: Mapping[str, int] = facts["bytes"]
    line((facts["home"], "bold"))
    line()
    fields(
        [
            ("store", Cell(facts["store"], ((facts["store"], "yellow"),))),
            (
                "size",
                f"{size(sum(parts.values()))}: "
                + ", ".join(f"{part} {size(n)}" for part, n in parts.items()),
            ),
            ("log", f"{counted(facts['events'], 'event')} in {counted(facts['batches'], 'batch')}"),
            ("views", _views(facts["views_behind_batches"])),
            ("remote", _remote(facts)),
        ],
        2,
    )
    heading("Sessions")
    sessions = facts["sessions"]
    elsewhere = sessions["elsewhere"]
    fields(
        [
            ("alive", str(len(sessions["alive"]))),
            ("ended", _ended(sessions["ended"], sessions["died"])),
            ("elsewhere", str(elsewhere) if elsewhere else ""),
        ],
        2,
    )
    if facts["waiting"]:
        heading("Waiting on other hosts, to be committed there by whatever runs next")
        fields([(host, counted(count, "dead session")) for host, count in facts["waiting"].items()], 2)
    if facts["watchers"]:
        heading("Pushed by itself")
        fields([(one["remote"], _watcher(one)) for one in facts["watchers"]], 2)
    if sessions["alive"]:
        heading("Alive")
        _print_alive(sessions["alive"])
    if len(facts["stores"]) > 1:
        heading("Stores")
        rows = [
            [one["id"], "this one" if one["own"] else "", counted(one["batches"], "batch"), one["head"][:12]]
            for one in facts["stores"]
        ]
        table(
            [Column("", style="yellow"), Column(""), Column("", right=True), Column("", style="dim")], rows, 2
        )


def _views(behind: int) -> Cell:
    folded = f"; {counted(behind, 'batch')} folded just now" if behind else ""
    return Cell(f"up to date{folded}", (("up to date", "green"), folded))


def _ended(closed: int, not_closed: int) -> str:
    """Not closed is not yet a failure: a worker of multiprocessing ends so, whatever it has done."""
    if not not_closed:
        return str(closed) if closed else ""
    return f"{closed + not_closed}, {not_closed} of them without closing (killed, or a forked worker)"


def _remote(facts: Mapping[str, Any]) -> Cell:
    url = facts["remote"]
    if url is None and (met := facts["last_met"]):
        return Cell(f"none configured; last met {met['remote']}, {how_long_ago(moment(met['time']))}")
    if url is None:
        return Cell("none configured")
    if facts["remote_problems"]:
        words = "; ".join(first_problems(facts["remote_problems"]))
        return Cell(f"{url}: {words}", (f"{url}  ", (words, "red")))
    missing = facts["unpushed_batches"]
    words, style = (
        (f"{counted(missing, 'batch')} not pushed", "yellow") if missing else ("all pushed", "green")
    )
    return Cell(f"{url}: {words}", (f"{url}  ", (words, style)))


def _watcher(facts: Mapping[str, Any]) -> Cell:
    last, since = facts["last_push"], facts["failing_since"]
    pushed = f"last push {local(moment(last))}" if last else "nothing pushed so far"
    missing = facts["unpushed_batches"]
    waits = f"{counted(missing, 'batch')} of this store not pushed" if missing else "all pushed"
    if since is None:
        words = f"{waits}; {pushed}"
        return Cell(words, ((words, "yellow" if missing else "green"),))
    goes_on = (
        "it is tried again" if facts["alive"] else "nobody tries until a script runs, or `eventlog sync`"
    )
    words = f"{waits}; {pushed}; fails since {local(moment(since))}: {facts['problem']}; {goes_on}"
    return Cell(words, ((words, "red"),))


def _print_alive(sessions: Iterable[Mapping[str, Any]]) -> None:
    rows: list[list[Cell | str]] = [
        [
            one["id"][:8],
            one["host"],
            one["user"],
            str(one["process"]),
            local(moment(one["started"])) if one["started"] else "",
            ", ".join(task[:8] for task in one["tasks"]),
        ]
        for one in sessions
    ]
    columns = (
        Column("SESSION", style="yellow"),
        Column("HOST", cut=1),
        Column("USER", cut=1),
        Column("PROCESS", right=True),
        Column("SINCE"),
        Column("TASKS", cut=1),
    )
    table(columns, rows, 2)
