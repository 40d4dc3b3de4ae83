"""Files put at URLs, and fetched from them, by whatever fsspec knows: each whole or not at all."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eventlog.errors import (
    DataCorrupt,
    EventlogError,
    InputInvalid,
    NotFound,
    RemoteInvalid,
    RemoteUnreachable,
    StoreFull,
    StoreReadOnly,
)
from eventlog.group_sync import sync_folders
from eventlog.kernel_copy import reflink
from eventlog.regular_file import open_regular
from eventlog.sdk.destinations import reveal
from eventlog.sdk.secrets import mask_text
from eventlog.sdk.whole_import import import_whole

__all__ = ["delete_file", "fetch_file", "file_system", "local_path", "prepare", "put_file"]

Advance = Callable[[int], object]

_PIECE = 1 << 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_RIGHT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_WEB_SECONDS = 60.0
_WEB = frozenset({"http", "https"})


def prepare(url: str) -> None:
    """Import what a transfer to or from a URL takes.

    For a transfer in another thread: a process that is forked in the middle of an import never ends it.
    """
    import_whole("eventlog.sync.urls")
    if local_path(url) is None:
        import_whole("fsspec.callbacks")
        import fsspec

        # Whatever is wrong with it is said when it is used.
        with contextlib.suppress(Exception):
            fsspec.get_filesystem_class(url.partition("://")[0].lower())


def put_file(path: Path, url: str, progress: Advance) -> None:
    """Copy a file to a URL. Under that URL there is never a part of it, where the file system can do so.

    A folder on a local disk is made where it is missing; the file is written beside its place, synced, and
    then moved into it.

    Args:
        url: of the file to be written; secrets that were masked in this process are put in again.
        progress: gets the number of bytes done so far.

    Raises:
        RemoteUnreachable: it cannot be written now; trying again may help.
        RemoteInvalid, NotAvailable, InputInvalid: trying again will not help.
    """
    with _errors(url, "written"):
        local = local_path(url)
        if local is not None:
            _put_here(path, local, progress)
            return
        system, place = file_system(url)
        if _protocols(system) & _WEB:
            system.put_file(str(path), place, method="put", callback=_callback(progress))
        elif _protocols(system) & _whole_puts():
            system.put_file(str(path), place, callback=_callback(progress))
            _check_size(system, place, path, url)
        else:
            _put_beside(system, path, place, url, progress)
    progress(path.stat().st_size)


def fetch_file(url: str, path: Path, progress: Advance | None = None) -> None:
    """Copy what is at a URL to a file, which is there afterwards as a whole, or not at all.

    Args:
        url: of a file; secrets that were masked in this process are put in again.
        path: in a folder that is there.
        progress: gets the number of bytes done so far.

    Raises:
        NotFound: nothing is there.
        RemoteUnreachable, RemoteInvalid, NotAvailable, InputInvalid: it cannot be read.
        StoreFull, StoreReadOnly: the file cannot be written.
    """
    partial = path.with_name(f".{path.name[:80]}.{os.urandom(6).hex()}.partial")
    try:
        with _errors(url, "read"), _opened(url) as source:
            _write_here(source, partial, progress)
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def delete_file(url: str) -> None:
    """Delete what is at a URL.

    Raises:
        NotFound: nothing is there.
        RemoteUnreachable, RemoteInvalid, NotAvailable, InputInvalid: it cannot be deleted.
    """
    with _errors(url, "deleted"):
        local = local_path(url)
        if local is not None:
            local.unlink()
        else:
            system, place = file_system(url)
            system.rm_file(place)


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path on it.

    Raises:
        NotAvailable: it needs a package that is not installed.
        InputInvalid: an option in the URL is none.
        RemoteInvalid: fsspec knows no such protocol.
    """
    if "::" in url:
        raise RemoteInvalid(f"{url[:200]} chains several file systems: give the URL of one")
    from eventlog.sync import file_systems

    return file_systems.file_system(reveal(url))


def local_path(url: str) -> Path | None:
    """The path that a URL of the scheme "file", or a plain path, stands for; None for another scheme."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return Path(url).expanduser().absolute()
    return Path("/" + rest.lstrip("/")) if scheme.lower() in {"file", "local"} else None


def _put_here(path: Path, place: Path, progress: Advance) -> None:
    from eventlog.sync.copying import copy_hashing

    place.parent.mkdir(parents=True, exist_ok=True)
    # One name for one content, so that what a killed process left is taken away by the next.
    partial = place.with_name(f".{place.name[:80]}.{path.name[:16]}.partial")
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(done)

    def write(piece: memoryview) -> None:
        while piece:
            piece = piece[os.write(target, piece) :]

    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        partial.unlink(missing_ok=True)
        target = os.open(partial, flags, 0o666)
        try:
            if not reflink(source, target):
                copy_hashing(source, write, advance)
            os.fsync(target)
        finally:
            os.close(target)
        partial.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(source)
    sync_folders([place.parent])


def _put_beside(system: Any, path: Path, place: str, url: str, progress: Advance) -> None:
    folder, _, name = place.rpartition("/")
    partial = f"{folder}/.{name[:80]}.{path.name[:16]}.partial"
    system.makedirs(folder, exist_ok=True)
    try:
        system.put_file(str(path), partial, callback=_callback(progress))
        _check_size(system, partial, path, url)
        if system.exists(place):
            # Not every protocol moves onto a file that is there.
            system.rm_file(place)
        system.mv(partial, place)
    except BaseException:
        with contextlib.suppress(Exception):
            system.rm_file(partial)
        raise


def _check_size(system: Any, place: str, path: Path, url: str) -> None:
    system.invalidate_cache()
    found, size = system.info(place).get("size"), path.stat().st_size
    if found is not None and int(found) != size:
        raise RemoteUnreachable(f"{url} holds {found} bytes of {size} after it was written: write it again")


@contextlib.contextmanager
def _opened(url: str) -> Iterator[Any]:
    local = local_path(url)
    if local is not None:
        with open_regular(local) as file:
            yield file
    elif url.partition("://")[0].lower() in _WEB:
        # What most scripts fetch needs no further package.
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        request = Request(reveal(url), headers={"User-Agent": "eventlog"})
        try:
            answer = urlopen(request, timeout=_WEB_SECONDS)
        except HTTPError as error:
            error.close()
            raise
        with answer:
            yield answer
    else:
        system, place = file_system(url)
        with system.open(place, "rb") as file:
            yield file


def _write_here(source: Any, partial: Path, progress: Advance | None) -> None:
    done = 0
    try:
        target = partial.open("xb")
    except OSError as error:
        raise _unwritable(partial, error) from None
    with target:
        expected = getattr(source, "length", None)
        while piece := source.read(_PIECE):
            try:
                target.write(piece)
            except OSError as error:
                raise _unwritable(partial, error) from None
            done += len(piece)
            if progress is not None:
                progress(done)
        if isinstance(expected, int) and done != expected:
            raise DataCorrupt(f"the connection ended after {done} of {expected} bytes")


def _callback(progress: Advance) -> Any:
    from fsspec.callbacks import Callback

    callback = Callback()
    callback.hooks["progress"] = lambda size, value, **_: progress(value)
    return callback


def _protocols(system: Any) -> frozenset[str]:
    return frozenset(system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))


def _whole_puts() -> frozenset[str]:
    from eventlog.sync.urls import PUT_PROTOCOLS

    return PUT_PROTOCOLS


@contextlib.contextmanager
def _errors(url: str, doing: str) -> Iterator[None]:
    """Says in one line what an error means for the file at a URL, and what to do."""
    try:
        yield
    except EventlogError:
        raise
    except FileNotFoundError as error:
        if doing != "written":
            raise NotFound(f"{url} is not there") from None
        raise RemoteUnreachable(f"{url} cannot be written ({_line(error)}): check that it is there") from None
    except (NotADirectoryError, FileExistsError, IsADirectoryError):
        raise RemoteInvalid(
            f"{url} cannot be {doing}: there is a file where a folder should be, or the other way round"
        ) from None
    except PermissionError as error:
        raise RemoteInvalid(f"{url} cannot be {doing} ({_line(error)}): check its owner and rights") from None
    except (ValueError, TypeError) as error:
        raise RemoteInvalid(f"{url} cannot be {doing} ({_line(error)}): check the URL") from None
    except Exception as error:
        # The packages behind fsspec raise whatever theirs raise.
        number = getattr(error, "errno", None)
        code = getattr(error, "code", None)
        if code in {404, 410} and doing != "written":
            raise NotFound(f"{url} is not there (HTTP {code})") from None
        if number in _NO_RIGHT or code in {401, 403, 405}:
            raise RemoteInvalid(
                f"{url} cannot be {doing} ({_line(error)}): check its owner, its rights and the credentials"
            ) from None
        advice = "make room there" if number in _NO_ROOM else "check that it can be reached"
        raise RemoteUnreachable(
            f"{url} cannot be {doing} ({type(error).__name__}: {_line(error)}): {advice}"
        ) from None


def _unwritable(path: Path, error: OSError) -> EventlogError:
    if error.errno in _NO_ROOM:
        return StoreFull(f"no room for {path} ({error.strerror}): free some disk space")
    if error.errno in _NO_RIGHT:
        return StoreReadOnly(f"{path} cannot be written ({error.strerror}): make its folder writable")
    return InputInvalid(f"{path} cannot be written ({error.strerror}): give another path")


def _line(error: BaseException) -> str:
    """What an error says, in one line and without secrets."""
    text = getattr(error, "strerror", None) or (str(error).strip().splitlines() or [type(error).__name__])[0]
    return mask_text(str(text))[:300]
