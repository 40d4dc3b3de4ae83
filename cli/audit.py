"""`eventlog audit`: a report of a task to hand in, with the proof of what it says."""

import sys
from pathlib import Path
from typing import Any

import click

from eventlog.cli.audit_facts import AuditFacts, File, gather
from eventlog.cli.documents import event_document, task_document
from eventlog.cli.moments import iso
from eventlog.cli.naming import resolve
from eventlog.cli.opening import at_option, examples, opened_store, task_argument, views_of
from eventlog.cli.printing import counted, document_text, first_problems, line
from eventlog.cli.progress import progress_bar
from eventlog.cli.signatures import (
    FILE,
    refuse_taken_signed,
    sign_option,
    signature_path,
    write_signed,
)
from eventlog.cli.written_files import force_option

__all__ = ["command"]

FORMATS = {".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".json": "json"}


@click.command(
    "audit",
    short_help="Write a report of a task to hand in, with its proof.",
    epilog=examples(
        "eventlog audit digits/baseline",
        "eventlog audit digits/baseline -o baseline.html --sign ~/.ssh/id_ed25519",
        "eventlog audit 3fa9 --at '2026-11-20 14:00' --format json",
    ),
)
@task_argument()
@at_option
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to FILE; what its name ends in says how: .md, .html or .json.",
)
@click.option("--format", "kind", type=click.Choice(["md", "html", "json"]), help="How to write it.")
@sign_option
@force_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def command(
    context: click.Context,
    task: str,
    at: int | None,
    output: Path | None,
    kind: str | None,
    key: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Report what happened in a task, and prove it: its history (who did what, where and when), code,
    parameters and their changes, results, every file with its SHA-256, the batches that hold its events and
    their hashes, the heads of their stores, and how to check all of it with public tools.

    The whole log is checked from the bytes up for it, but for blobs that are not the task's. If anything is
    wrong it is in the report, and the exit code is then 1.

    With --json: made, host, user, home, at, sound, problems; task (as of `eventlog show`); history (a list as
    of `eventlog log`); events (how many of each kind); files (a list: what, name, size, sha256, url, time,
    fate, status); batches (a list: store, number, sha256, session, first, last, events); heads (a list:
    store, number, sha256).
    """
    if as_json and kind not in (None, "json"):
        raise click.UsageError("--json and --format say different things: give one of them")
    if key and not output:
        raise click.UsageError("--sign writes a signature beside the report: add -o FILE")
    kind = "json" if as_json else kind or _kind_of(output)
    if output:
        refuse_taken_signed(output, force=force)
    with opened_store(context.obj) as store:
        views = views_of(store, reports=True)
        found = resolve(views, task)
        with progress_bar("", sized=True) as advance:
            facts = gather(store, views, found, at, advance)
    text = _written(facts, kind)
    if output is None:
        sys.stdout.write(text)
    else:
        write_signed(output, text.encode("utf-8", "replace"), key, FILE, force=force)
        files = counted(len(facts.files), "file")
        line(f"wrote {output}: {counted(facts.counts.total(), 'event')}, {files}")
        if key:
            line(f"signed with {key}: {signature_path(output)}")
        for problem in first_problems(facts.problems):
            line((problem, "red"))
    context.exit(1 if facts.problems else 0)


def _kind_of(output: Path | None) -> str:
    if output is None:
        return "md"
    kind = FORMATS.get(output.suffix.lower())
    if kind is None:
        raise click.UsageError(f"{output} does not end in .md, .html or .json: add --format")
    return kind


def _written(facts: AuditFacts, kind: str) -> str:
    if kind == "json":
        return document_text(_document(facts))
    from eventlog.cli.audit_report import audit_page
    from eventlog.cli.report_page import as_html, as_markdown

    page = audit_page(facts)
    return as_html(page) if kind == "html" else as_markdown(page)


def _document(facts: AuditFacts) -> dict[str, Any]:
    stores = {proof.store for proof in facts.proofs}
    return {
        "made": iso(facts.made),
        "host": facts.host,
        "user": facts.user,
        "home": facts.home,
        "at": iso(facts.at),
        "sound": not facts.problems,
        "problems": facts.problems,
        "task": task_document(facts.state, facts.series),
        "history": [event_document(one, facts.sessions) for one in facts.history],
        "events": dict(sorted(facts.counts.items())),
        "files": [_file(one) for one in facts.files],
        "batches": [
            {
                "store": one.store.hex(),
                "number": one.number,
                "sha256": one.sha256,
                "session": one.session.hex(),
                "first": one.first,
                "last": one.last,
                "events": one.events,
            }
            for one in facts.proofs
        ],
        "heads": [
            {"store": store.hex(), "number": head.number, "sha256": head.hash.hex()}
            for store, head in sorted(facts.report.heads.items())
            if store in stores
        ],
    }


def _file(file: File) -> dict[str, Any]:
    return {
        "what": file.what,
        "name": file.name,
        "size": file.size,
        "sha256": file.sha256 or None,
        "url": file.url,
        "time": iso(file.time),
        "fate": file.fate,
        "status": file.status,
    }
