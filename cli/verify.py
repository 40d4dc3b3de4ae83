"""`eventlog verify`: is every byte of the store what was written?"""

from pathlib import Path

import click

from eventlog.cli.opening import as_json, examples, no_store
from eventlog.cli.printing import counted, document, line
from eventlog.cli.progress import progress_bar
from eventlog.configuration import home_folder
from eventlog.errors import NotFound

__all__ = ["command"]


@click.command(
    "verify",
    short_help="Check every byte: chains, journals, blobs.",
    epilog=examples("eventlog verify", "eventlog --home /mnt/backup/eventlog verify"),
)
@as_json
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Check from the bytes up that the store is what was written: every batch, hash, chain, count, journal
    and blob.

    Nothing is changed, and others may go on writing. What is wrong is named, and the exit code is then 1.

    With --json: home, sound, stores, batches, events, unknown_events, sessions, journals, blobs,
    blobs_elsewhere (named by events, and known not to be here), problems.
    """
    from eventlog.verify import verify

    home: Path = context.obj or home_folder()
    try:
        with progress_bar("checking", sized=True) as advance:
            report = verify(home, advance)
    except NotFound:
        raise no_store(context.obj) from None
    if as_json:
        document(
            {
                "home": str(home),
                "sound": not report.problems,
                "stores": report.stores,
                "batches": report.batches,
                "events": report.events,
                "unknown_events": report.unknown,
                "sessions": report.sessions,
                "journals": report.journals,
                "blobs": report.blobs,
                "blobs_elsewhere": report.elsewhere,
                "problems": report.problems,
            }
        )
    else:
        for problem in report.problems:
            line((problem, "red"))
        line(
            (f"{counted(len(report.problems), 'problem')}: ", "bold red")
            if report.problems
            else ("sound: ", "green"),
            f"{counted(report.batches, 'batch')} of {counted(report.stores, 'store')},"
            f" {counted(report.events, 'event')} of {counted(report.sessions, 'session')},"
            f" {counted(report.journals, 'journal')}, {counted(report.blobs, 'blob')}"
            + (f" ({counted(report.elsewhere, 'blob')} more elsewhere)" if report.elsewhere else ""),
        )
    context.exit(1 if report.problems else 0)
