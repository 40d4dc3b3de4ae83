"""Files that a command writes: whole, or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from eventlog.errors import EventlogError, InputInvalid

__all__ = ["refuse_special", "write_whole", "written_whole"]


def refuse_special(path: Path) -> None:
    """Make sure that no pipe, device or folder is replaced by a file.

    Raises:
        InputInvalid: there is one.
    """
    if path.exists() and not path.is_file():
        raise InputInvalid(f"{path} is no plain file, and is not replaced: name another one")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; one that is there is replaced once all of the new one is on the disk.

    Raises:
        InputInvalid: it cannot be written, and what was there is still there; or that is no plain file.
    """
    with written_whole(path) as temporary, temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A block that writes a file under another name beside it, which takes its place at the end.

    Raises:
        InputInvalid: it cannot be written, and what was there is still there; or that is no plain file.
    """
    refuse_special(path)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputInvalid(
            f"{path} cannot be written, as there is no folder {folder}: make it, or name another file"
        )
    temporary = folder / f".eventlog-{secrets.token_hex(8)}"
    try:
        yield temporary
        temporary.replace(path)
    except EventlogError:
        raise
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            # Of a file that was read.
            raise
        why = os.strerror(error.errno) if error.errno else str(error)
        raise InputInvalid(
            f"{path} cannot be written ({why}): check the rights and the room there, or name another file"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
