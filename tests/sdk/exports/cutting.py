"""Exports in processes that are killed on the way: `python -m tests.sdk.exports.cutting HOME OUT`.

For each line of its standard input, a number, it forks a child that exports, and that is killed before its
operation on a file of that number, as Python's audit hooks count them. It prints how many there were, or -1
if the child was killed.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

OPERATIONS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.scandir", "os.listdir"})


def _child(home: Path, out: Path, operation: int, report: int) -> None:
    from eventlog.sdk.exports import parts
    from eventlog.sdk.exports.parquet import export
    from eventlog.store import Store

    parts.PART_EVENTS = 40
    count = 0

    def hook(event: str, _: Any) -> None:
        nonlocal count
        if event in OPERATIONS:
            count += 1
            if count == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    with Store.open(home) as store:
        sys.addaudithook(hook)
        assert export(store, out).problems == ()
    os.write(report, b"%d\n" % count)


def _serve(home: Path, out: Path) -> None:
    import eventlog.sdk.exports.parquet  # imported once, here
    import eventlog.sync.urls

    eventlog.sync.urls.objects_at("/nowhere")
    for line in sys.stdin:
        reading, report = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _child(home, out, int(line), report)
                code = 0
            finally:
                os._exit(code)
        os.close(report)
        with os.fdopen(reading) as said:
            operations = int(said.readline() or -1)
        _, status = os.waitpid(child, 0)
        assert operations >= 0 or os.WIFSIGNALED(status), status
        print(operations, flush=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]))
