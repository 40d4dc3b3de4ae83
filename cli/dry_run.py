"""`eventlog sync --dry-run`: what would be moved."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlog.cli.choosing import Choice, Chosen
from eventlog.cli.moments import size
from eventlog.cli.printing import counted, document, first_problems, line
from eventlog.cli.progress import progress_bar
from eventlog.cli.sync import read_only_words
from eventlog.errors import NotFound

if TYPE_CHECKING:
    from eventlog.store import Store
    from eventlog.sync import Plan, Planned
    from eventlog.sync.results import Progress

__all__ = ["tell_plan"]


def tell_plan(
    home: Path | None,
    url: str,
    chosen: Chosen | None,
    *,
    pull: bool,
    push: bool,
    anew: bool,
    as_json: bool,
) -> bool:
    """Print what a sync would move; returns whether all of it would go through.

    Args:
        home: of the store; where there is none yet, all of the remote is new.
        chosen: says which blobs travel.
        anew: the remote would be begun anew where it is gone.

    Raises:
        RemoteUnreachable, RemoteInvalid: the sync would be refused.
        NotFound, InputInvalid: a task or a project that was named is not here, and would not come.
    """
    from eventlog.sync import planned

    with _looked_at(home, push=push and not pull) as store, progress_bar("looking") as advance:

        def tell(progress: "Progress") -> None:
            if advance is not None:
                advance(progress.batches, progress.batches_total)

        choice = Choice(store, *chosen) if chosen else None
        *plans, unpushed = planned(store, url, tell, choose=choice, pull=pull, push=push, anew=anew)
        # Where more of the log would come, what was named may come with it.
        if choice and not (plans[0] and plans[0].total.batches):
            choice.check()
    problems = [problem for plan in plans if plan for problem in plan.problems]
    if as_json:
        pulled, pushed = map(_document, plans)
        told = {"remote": url, "pull": pulled, "push": pushed, "problems": list(dict.fromkeys(problems))}
        document({**told, "unpushed_batches": unpushed.batches} if unpushed else told)
        return not problems
    for verb, plan in zip(("pull", "push"), plans, strict=True):
        if plan is not None:
            _print(verb, plan, at_most=verb == "pull" and chosen is not None)
    if unpushed and unpushed.batches:
        line(read_only_words(url, unpushed.batches))
    return not problems


@contextmanager
def _looked_at(home: Path | None, *, push: bool) -> Iterator["Store"]:
    """The store, opened so that nothing in it changes; an empty one for a while where there is none."""
    from eventlog.store import Store

    with tempfile.TemporaryDirectory(prefix="eventlog_") as folder:
        try:
            store = Store.open(home, create=False, read_only=True)
        except NotFound:
            if push:
                raise
            store = Store.open(Path(folder))
        with store:
            yield store


def _print(verb: str, plan: "Plan", *, at_most: bool) -> None:
    total = plan.total
    if not total.batches and not total.blobs:
        line(f"would {verb} nothing")
    else:
        line(f"would {verb} {'at most ' if at_most else ''}{_words(total)}")
        for store, part in sorted(plan.stores.items()):
            line(f"  {_words(part)} of store ", (store.hex(), "yellow"))
        if plan.absent.blobs:
            what = "not here so far" if verb == "pull" else "not there so far"
            line(f"  {counted(plan.absent.blobs, 'blob')} ({size(plan.absent.bytes)}) {what}")
    for problem in first_problems(plan.problems):
        line((problem, "red"))


def _words(part: "Planned") -> str:
    return f"{counted(part.batches, 'batch')} and {counted(part.blobs, 'blob')} ({size(part.bytes)})"


def _document(plan: "Plan | None") -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        **_counts(plan.total),
        "stores": [{"id": store.hex(), **_counts(part)} for store, part in sorted(plan.stores.items())],
    }


def _counts(part: "Planned") -> dict[str, int]:
    return {"batches": part.batches, "blobs": part.blobs, "bytes": part.bytes}
