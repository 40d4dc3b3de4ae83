"""`eventlog rebuild`: throw the views away and fold them again."""

import time
from pathlib import Path

import click

from eventlog.cli.moments import duration
from eventlog.cli.opening import examples, left_out_words, opened_store
from eventlog.cli.printing import counted, line
from eventlog.cli.progress import progress_bar
from eventlog.errors import DataCorrupt

__all__ = ["command"]


@click.command(
    "rebuild", short_help="Throw the views away and fold them again.", epilog=examples("eventlog rebuild")
)
@click.pass_obj
def command(home: Path | None) -> None:
    """Throw all views away and fold the whole log again. The log itself is only read.

    If batches had to be left out, as they are damaged, the exit code is 1.
    """
    from eventlog.projections import Views

    started = time.monotonic()
    with opened_store(home, write=True) as store:
        # Before the views go: where not even this can be read, there would be nothing in their place.
        heads = store.heads()
        views = Views.open(store, anew=True)
        with progress_bar("folding the log") as advance:
            views.catch_up(reports=True, progress=advance)
        left_out = views.left_out()
    batches = sum(head.number + 1 for head in heads.values()) - len(left_out)
    took = duration(round((time.monotonic() - started) * 1000))
    line(f"folded {counted(batches, 'batch')} of {counted(len(heads), 'store')} in {took}")
    if left_out:
        raise DataCorrupt(left_out_words(left_out))
