"""The command line, on what another machine's events say."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

from eventlog.cli.main import main
from eventlog.errors import DataCorrupt
from eventlog.store import Store
from torture.fuzzing import corpus
from torture.fuzzing.changes import changed_packed
from torture.fuzzing.log_targets import batch_about
from torture.fuzzing.target import Target

__all__ = ["COMMAND_TARGETS"]

_COMMANDS = (
    "ls",
    "ls --json",
    f"show {corpus.TASK}",
    f"show {corpus.TASK} --json",
    f"log {corpus.TASK}",
    f"log {corpus.TASK} --json",
    f"scalars {corpus.TASK}",
    f"scalars {corpus.TASK} --json",
    f"plots {corpus.TASK}",
    f"artifacts {corpus.TASK}",
    f"console {corpus.TASK}",
    f"diff {corpus.TASK} {corpus.TASK}",
    f"audit {corpus.TASK}",
    f"replay {corpus.TASK}",
    "models",
    f"models {corpus.TASK}",
    "status",
    "replay --check",
)
_AT_ONCE = 3


def _run(data: bytes, folder: Path) -> None:
    """Let an event in, and run some commands, other ones for other bytes."""
    home = folder / "home"
    batch = batch_about(data)
    if batch is None:
        return
    with Store.open(home) as store:
        try:
            store.admit([batch])
        except DataCorrupt:
            return
    for command in Random(data).sample(_COMMANDS, _AT_ONCE):
        with _output() as (out, err):
            code = _exit_code(["--home", str(home), *command.split()])
        assert code in (0, 1), f"eventlog {command} exits with {code}: {err.getvalue()[-300:]!r}"
        if not command.startswith("console"):
            # What is shown cannot reach for the terminal.
            assert b"\x1b" not in out.getvalue(), f"eventlog {command} lets a terminal's codes through"


def _exit_code(arguments: list[str]) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@contextlib.contextmanager
def _output() -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    out, err = io.BytesIO(), io.BytesIO()
    real = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (io.TextIOWrapper(one, encoding="utf-8") for one in (out, err))
    try:
        yield out, err
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError):
                stream.flush()
                stream.detach()
        sys.stdout, sys.stderr = real


COMMAND_TARGETS = [Target("command line", corpus.encoded_events, _run, changed_packed, slow=True)]
