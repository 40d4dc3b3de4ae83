"""`eventlog rebuild`: throw the views away and fold them again."""

import time
from pathlib import Path

import click

from eventlog.cli.moments import duration
from eventlog.cli.opening import examples, opened_store
from eventlog.cli.printing import counted, line
from eventlog.cli.progress import progress_bar

__all__ = ["command"]


@click.command(
    "rebuild", short_help="Throw the views away and fold them again.", epilog=examples("eventlog rebuild")
)
@click.pass_obj
def command(home: Path | None) -> None:
    """Throw all views away and fold the whole log again. The log itself is only read."""
    from eventlog.projections import Views

    started = time.monotonic()
    with opened_store(home, write=True) as store:
        with progress_bar("folding the log") as advance:
            Views.open(store, anew=True).catch_up(reports=True, progress=advance)
        heads = store.heads()
    batches = sum(head.number + 1 for head in heads.values())
    took = duration(round((time.monotonic() - started) * 1000))
    line(f"folded {counted(batches, 'batch')} of {counted(len(heads), 'store')} in {took}")
