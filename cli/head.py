"""`eventlog head`: how far the log has got, in a few lines to be kept elsewhere."""

import sys
from pathlib import Path
from typing import Any

import click

from eventlog.cli.copies import Copy, Head
from eventlog.cli.moments import iso, local
from eventlog.cli.opening import as_json, examples
from eventlog.cli.printing import counted, document, drawn, line
from eventlog.cli.signatures import (
    NAMESPACE,
    refuse_taken_signed,
    sign_option,
    signature_path,
    write_signed,
)
from eventlog.cli.written_files import force_option
from eventlog.kept_heads import heads_text

__all__ = ["command"]


@click.command(
    "head",
    short_help="Print the heads, to prove later that nothing was changed.",
    epilog=examples(
        "eventlog head",
        "eventlog head s3://bucket/runs -o heads.txt --sign ~/.ssh/id_ed25519",
        "eventlog verify --against heads.txt --signers allowed_signers",
    ),
)
@click.argument("copy", required=False)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write them to FILE instead."
)
@sign_option
@force_option
@as_json
@click.pass_obj
def command(
    home: Path | None, copy: str | None, output: Path | None, key: Path | None, force: bool, as_json: bool
) -> None:
    """Print the head of every store in a copy of the log: its id, the number of its last batch, and that
    batch's SHA-256, which covers all that came before.

    COPY is a remote (a folder or a URL), a bundle (a zip file), or the folder of another store; without it,
    this store's heads are printed.

    Keep the lines where nobody who can write the log can write: in a mail, a notebook, a repository, on
    paper. `eventlog verify --against FILE` proves later that the log still holds all that it held.

    With --json: a list, each with store, number, sha256, time (of its last event), host.
    """
    if key and not output:
        raise click.UsageError("--sign writes a signature beside the heads: add -o FILE")
    if output:
        refuse_taken_signed(output, force=force)
    heads = Copy.named(copy, home).heads(described=as_json or drawn())
    content = heads_text({store: (head.number, head.hash) for store, head in heads.items()})
    if output:
        write_signed(output, content.encode(), key, NAMESPACE, force=force)
    if as_json:
        document([_document(store, head) for store, head in sorted(heads.items())])
    elif output:
        line(f"wrote {counted(len(heads), 'head')} to {output}")
        if key:
            line(f"signed with {key}: {signature_path(output)}")
    elif drawn():
        first, *lines = content.splitlines()
        line(first)
        for text, (_, head) in zip(lines, sorted(heads.items()), strict=True):
            line(text, (f"  {head.host} {local(head.time)}".rstrip(), "dim"))
    else:
        sys.stdout.write(content)


def _document(store: bytes, head: Head) -> dict[str, Any]:
    return {
        "store": store.hex(),
        "number": head.number,
        "sha256": head.hash.hex(),
        "time": iso(head.time),
        "host": head.host,
    }
