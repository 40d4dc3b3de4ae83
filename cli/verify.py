"""`eventlog verify`: is every byte of a copy of the log what was written?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eventlog.cli.copies import Copy
from eventlog.cli.opening import as_json, examples
from eventlog.cli.printing import Part, counted, document, first_problems, line
from eventlog.cli.progress import progress_bar

if TYPE_CHECKING:
    from eventlog.check_report import Report
    from eventlog.cli.signatures import Signature
    from eventlog.kept_heads import KeptHeads

__all__ = ["command"]

COUNTS = ("stores", "segments", "batches", "events", "unknown", "sessions", "journals", "blobs", "absent")


@click.command(
    "verify",
    short_help="Check every byte: chains, journals, blobs.",
    epilog=examples(
        "eventlog verify",
        "eventlog verify s3://bucket/runs --jobs 16",
        "eventlog verify runs.zip --against heads.txt --signers allowed_signers",
    ),
)
@click.argument("copy", required=False)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Heads that `eventlog head` wrote: prove that the log extends them.",
)
@click.option(
    "--signers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may sign, as ssh-keygen's allowed signers: check FILE.sig of --against first.",
)
@click.option("--signer", metavar="NAME", help="Who has to have signed, by the name in --signers.")
@click.option("--quick", is_flag=True, help="Leave out the bytes of blobs; that they are there is checked.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), help="How much to read at once.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    copy: str | None,
    against: Path | None,
    signers: Path | None,
    signer: str | None,
    quick: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Check from the bytes up that a copy of the log is what was written: every batch, hash, chain, count,
    journal and blob.

    COPY is a remote (a folder or a URL), a bundle (a zip file), or the folder of another store; without it,
    this store is checked.

    Nothing is changed, and others may go on writing. What is wrong is named, and the exit code is then 1.

    A log that was rewritten, with every hash computed anew, is sound by itself. Only heads that were kept out
    of reach show it: keep what `eventlog head -o FILE` writes, and check with --against FILE.

    With --json: home, remote or bundle; sound, stores, segments, batches, events, unknown_events, sessions,
    journals, blobs, absent_blobs, blobs_read, problems, notes; with --against: against (file, stores),
    signed_by.
    """
    if (signers or signer) and not against:
        raise click.UsageError("--signers and --signer say who signed the heads: add --against FILE")
    if signer and not signers:
        raise click.UsageError("--signer is one of those that may sign: add --signers FILE")
    kept, signature = _kept(against, signers, signer) if against else (None, None)
    what = Copy.named(copy, context.obj)
    with progress_bar("checking", sized=True) as advance:
        report = what.verify(advance, against=kept, quick=quick, jobs=jobs)
    if as_json:
        document(_document(what, report, kept, signature, quick=quick))
    else:
        _print(report, kept, signature, quick=quick)
    context.exit(1 if report.problems else 0)


def _kept(against: Path, signers: Path | None, signer: str | None) -> tuple["KeptHeads", "Signature | None"]:
    """The heads to hold the log against, once it is known who signed them."""
    from eventlog.kept_heads import load_heads

    kept, data = load_heads(against)
    if signers is None:
        return kept, None
    from eventlog.cli.signatures import check_signature

    return kept, check_signature(data, against, signers, signer)


def _document(
    what: Copy,
    report: "Report",
    kept: "KeptHeads | None",
    signature: "Signature | None",
    *,
    quick: bool,
) -> dict[str, Any]:
    names = {"store": "home", "unknown": "unknown_events", "absent": "absent_blobs"}
    counts = [(name, getattr(report, name)) for name in COUNTS]
    told: dict[str, Any] = {
        names.get(what.kind, what.kind): what.shown,
        "sound": not report.problems,
        **{names.get(name, name): count for name, count in counts if count is not None},
        "blobs_read": not quick,
        "problems": report.problems,
        "notes": report.notes,
    }
    if kept is not None:
        told["against"] = {"file": kept.name, "stores": len(kept.heads)}
        told["signed_by"] = signature.signer if signature else None
    return told


def _print(report: "Report", kept: "KeptHeads | None", signature: "Signature | None", *, quick: bool) -> None:
    if signature is not None:
        line("signed: ", (f"{kept.name if kept else ''} by {signature.signer} with {signature.key}", ""))
    for problem in first_problems(report.problems):
        line((problem, "red"))
    for note in report.notes:
        line((f"note: {note}", "dim"))
    if kept is not None and not report.problems:
        line(("unchanged: ", "green"), f"extends {counted(len(kept.heads), 'head')} of {kept.name}")
    first: Part = ("sound: ", "green")
    if report.problems:
        first = (f"{counted(len(report.problems), 'problem')}: ", "bold red")
    line(first, ", ".join(_counts(report, quick=quick)))


def _counts(report: "Report", *, quick: bool) -> list[str]:
    held = "" if report.segments is None else f" in {counted(report.segments, 'segment')}"
    words = [
        f"{counted(report.batches, 'batch')} of {counted(report.stores, 'store')}{held}",
        f"{counted(report.events, 'event')} of {counted(report.sessions, 'session')}",
    ]
    if report.journals is not None:
        words.append(counted(report.journals, "journal"))
    words.append(counted(report.blobs, "blob") + " (not read)" * quick)
    if report.absent:
        words.append(f"{counted(report.absent, 'blob')} absent (known not to be here)")
    return words
