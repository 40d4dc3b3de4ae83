"""A read transaction held open by a process of its own, so that a store keeps still while it is verified.

LMDB may crash on a damaged file, and a process may not open an environment twice: so it is never opened
here, but in a child that does nothing else.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from eventlog.errors import StoreInvalid

__all__ = ["HeldTransaction"]

# Holds the newest transaction, and with every line that comes in lets it go for a newer one.
PROGRAM = """
import json, os, sys
sys.path[:] = json.loads(sys.argv[2])
import lmdb
try:
    environment = lmdb.open(
        os.fsencode(sys.argv[1]), readonly=True, create=False, max_readers=1024, map_size=int(sys.argv[3])
    )
    while True:
        with environment.begin() as transaction:
            print(transaction.id(), flush=True)
            if not sys.stdin.readline():
                break
except lmdb.Error as error:
    print(error, flush=True)
"""
PATIENCE_SECONDS = 60


class HeldTransaction:
    """A context manager; within it, `number` is that of a transaction whose pages nobody will overwrite.

    Args:
        folder: the environment's folder.

    Attributes:
        number: the transaction's number.

    Raises:
        StoreInvalid: LMDB cannot open the environment, or dies of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0

    def __repr__(self) -> str:
        return f"<HeldTransaction {self.number} of {self.folder}>"

    def __enter__(self) -> "HeldTransaction":
        map_size = 2 * (self.folder / "data.mdb").stat().st_size + (1 << 30)
        # Where modules are is told, so that it need not look for itself, which takes half its time.
        program = [sys.executable, "-I", "-S", "-c", PROGRAM]
        self._child = subprocess.Popen(
            [*program, str(self.folder), json.dumps(_module_folders()), str(map_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        try:
            self._await()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def renew(self) -> None:
        """Let go of the transaction, and hold the newest.

        Raises:
            StoreInvalid: as when it was opened.
        """
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(b"\n")
        self._await()

    def _await(self) -> None:
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], PATIENCE_SECONDS)
        answer = (
            os.read(self._child.stdout.fileno(), 4096).decode("utf-8", "replace").strip() if ready else ""
        )
        if answer.isdigit():
            self.number = int(answer)
        elif answer:
            raise StoreInvalid(f"LMDB cannot open {self.folder}: {answer}")
        elif not ready:
            raise StoreInvalid(f"LMDB cannot open {self.folder}: it hangs")
        else:
            raise StoreInvalid(f"LMDB cannot open {self.folder}: it ended with {self._child.wait()}")

    def _end(self) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()


def _module_folders() -> list[str]:
    # Whatever a program has put there: what is not text, Python passes over.
    folders: list[object] = [*sys.path]
    return [folder for folder in folders if isinstance(folder, str)]
