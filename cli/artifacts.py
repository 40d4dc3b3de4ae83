"""`eventlog artifacts`: what a task has uploaded, and copies of it."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from eventlog.cli.documents import artifact_document
from eventlog.cli.moments import local, size
from eventlog.cli.naming import resolve
from eventlog.cli.opening import as_json, examples, opened_store, task_argument, views_of
from eventlog.cli.printing import document, drawn, line, nothing
from eventlog.cli.progress import Advance, progress_bar
from eventlog.cli.tables import Column, table
from eventlog.cli.written_files import force_option, refuse_taken, written_whole
from eventlog.errors import NotFound
from eventlog.events import ArtifactUploaded

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["command"]

CHUNK = 1 << 20
# What goes to stdout is checked before the first byte of it is written, up to this size.
IN_MEMORY = 64 << 20


@click.command(
    "artifacts",
    short_help="List a task's artifacts, or fetch one.",
    epilog=examples(
        "eventlog artifacts digits/baseline", "eventlog artifacts digits/baseline model --output model.joblib"
    ),
)
@task_argument()
@click.argument("name", required=False)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="PATH",
    help="A file or a folder to fetch it to, - for stdout; by default the current folder.",
)
@force_option
@as_json
@click.pass_obj
def command(
    home: Path | None, task: str, name: str | None, output: Path | None, force: bool, as_json: bool
) -> None:
    """List the artifacts of a task, or with NAME fetch one; its SHA-256 is checked on the way.

    With --json: a list, each artifact with name, kind, format, file_name, size, sha256, uploaded, url,
    content_type, preview, metadata; with NAME that one alone, and the path that it was fetched to.
    """
    if name is None and (output is not None or force):
        raise click.UsageError("say which artifact to fetch: eventlog artifacts TASK NAME --output PATH")
    with opened_store(home) as store:
        views = views_of(store)
        artifacts = views.task(resolve(views, task)).artifacts
        if name is None:
            _list([artifact for _, artifact in sorted(artifacts.items())], as_json=as_json)
            return
        if name not in artifacts:
            known = ", ".join(sorted(artifacts)) or "none"
            raise NotFound(f"the task has no artifact '{name}'; it has {known}")
        artifact = artifacts[name]
        if not artifact.blob:
            raise NotFound(
                f"artifact '{name}' is not in the store, but at {artifact.url}: fetch it from there"
            )
        if output == Path("-"):
            _write(store, artifact, sys.stdout.buffer)
            return
        path = _fetch(store, artifact, output, force=force)
    if as_json:
        document({**artifact_document(artifact), "path": str(path)})
    else:
        kind = ", a zip archive" if artifact.format == "zip" else ""
        line(f"wrote {path} ({size(artifact.size)}{kind})")


def _list(artifacts: Sequence[ArtifactUploaded], *, as_json: bool) -> None:
    if as_json:
        document([artifact_document(artifact) for artifact in artifacts])
        return
    if not artifacts:
        nothing("no artifacts")
        return
    columns = (
        Column("NAME", cut=1, style="bold"),
        Column("KIND"),
        Column("SIZE", right=True),
        Column("FILE", cut=1),
        Column("UPLOADED"),
        Column("SHA-256", style="dim"),
    )
    rows = [
        [
            one.name,
            one.kind,
            size(one.size) if one.blob else "",
            one.file_name,
            local(one.time),
            (one.blob[:12] if drawn() else one.blob) or one.url,
        ]
        for one in artifacts
    ]
    table(columns, rows)


def _write(store: "Store", artifact: ArtifactUploaded, to: BinaryIO) -> None:
    """Write it; of a damaged one nothing, or where it is large, all of it before the error."""
    from eventlog.sdk.remote_blobs import found_blob
    from eventlog.sdk.sound_blobs import copy_blob, read_blob

    what = f"artifact '{artifact.name}'"
    if found_blob(store.blobs, artifact.blob, what).stat().st_size <= IN_MEMORY:
        to.write(read_blob(store.blobs, artifact.blob, what))
    else:
        copy_blob(store.blobs, artifact.blob, what, to)
    to.flush()


def _fetch(store: "Store", artifact: ArtifactUploaded, output: Path | None, *, force: bool) -> Path:
    from eventlog.sdk.remote_blobs import found_blob

    path = output or Path()
    if path.is_dir():
        path = path / _file_name(artifact)
    # Before anything is fetched from a remote.
    refuse_taken(path, force=force)
    what = f"artifact '{artifact.name}'"
    blob = found_blob(store.blobs, artifact.blob, what)
    with written_whole(path, force=force) as temporary:
        with (
            blob.open("rb") as source,
            temporary.open("xb") as target,
            progress_bar(f"fetching {artifact.name}", sized=True) as advance,
        ):
            digest = _copy(source, target, artifact.size, advance)
        if digest != artifact.blob:
            from eventlog.sdk.sound_blobs import damaged

            raise damaged(blob, artifact.blob, what)
    return path


def _copy(source: BinaryIO, target: BinaryIO, total: int, advance: Advance | None) -> str:
    hashed = hashlib.sha256()
    done = 0
    while chunk := source.read(CHUNK):
        hashed.update(chunk)
        target.write(chunk)
        done += len(chunk)
        if advance is not None:
            advance(done, total)
    return hashed.hexdigest()


def _file_name(artifact: ArtifactUploaded) -> str:
    """A name in the target folder. What an event says may come from another machine and is not trusted."""
    name = artifact.file_name
    if not name or name.startswith(".") or set(name) & set("/\\\0") or not name.isprintable():
        return artifact.blob
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return artifact.blob
    return name
