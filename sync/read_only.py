"""Remote objects that can only be read."""

from collections.abc import Iterable
from pathlib import Path

from eventlog.errors import RemoteInvalid
from eventlog.sync.copying import OnBytes
from eventlog.sync.objects import Objects

__all__ = ["ReadOnlyObjects"]


class ReadOnlyObjects(Objects):
    """Objects that nothing is written to: whoever tries is told what to do instead.

    Attributes:
        advice_on_writing: that.
    """

    is_read_only = True
    advice_on_writing = "pull from it, and push elsewhere"

    def check_writable(self) -> None:
        """Say that it cannot be written.

        Raises:
            RemoteInvalid: always.
        """
        raise self._refusal()

    def make_root(self) -> None:
        """Say that it cannot be written.

        Raises:
            RemoteInvalid: always.
        """
        raise self._refusal()

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Say that it cannot be written.

        Raises:
            RemoteInvalid: always.
        """
        raise self._refusal()

    def put_file(self, name: str, source: Path, digest: str, progress: OnBytes) -> None:
        """Say that it cannot be written.

        Raises:
            RemoteInvalid: always.
        """
        raise self._refusal()

    def sweep(self) -> None:
        """Nothing: it cannot be written."""

    def _refusal(self) -> RemoteInvalid:
        return RemoteInvalid(f"{self.shown} can only be read: {self.advice_on_writing}")
