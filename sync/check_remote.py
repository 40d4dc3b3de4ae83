"""Verify, for a remote and a bundle: is every byte of them what was written?

Everything is read from the bytes up, as `docs/FORMAT.md` describes them: names (`check_names`), segments
(`check_segment`), batches (`check_batch`), chains and sessions (`check_chain`), blobs, lists of blobs that
are known not to be there, and what holds a bundle together (`check_zip`). Of what writes and reads a remote
nothing is shared but the way to its bytes. What is found is named exactly, a line each. Nothing is changed,
and others may go on writing, and merging segments.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from eventlog.check_batch import BatchFacts
from eventlog.check_chain import Chains
from eventlog.check_report import Report
from eventlog.errors import (
    DataCorrupt,
    EventlogError,
    InputInvalid,
    NotFound,
    RemoteInvalid,
    RemoteUnreachable,
    StoreNewer,
    in_one_line,
)
from eventlog.kept_heads import KeptHeads, read_heads
from eventlog.sync.archive import Archive
from eventlog.sync.check_names import Names, SegmentName, format_of, read_list
from eventlog.sync.check_overlaps import Overlaps
from eventlog.sync.check_segment import SegmentFacts, check_segment, last_batch
from eventlog.sync.check_zip import check_zip
from eventlog.sync.objects import Objects
from eventlog.sync.zip_objects import ZipObjects

__all__ = ["heads_of", "verify_bundle", "verify_remote"]

MARKER = "eventlog-remote"
MARKER_TEXT = b"eventlog remote 1\n"
PIECE_SIZE = 1 << 20
MOST_LIST_BYTES = 65 << 16
SINCE = "since"
MOST_SINCE_BYTES = 64 << 20
WORKERS = min(8, os.cpu_count() or 1)
HEAD_WORKERS = 16
# What is listed and gone has been merged into something larger; what is listed again and gone is missing.
ATTEMPTS = 5
# So many objects in a row that cannot be reached, and the remote is taken to be gone.
PATIENCE = 20


def verify_remote(
    objects: Objects,
    progress: Callable[[int, int], None] | None = None,
    *,
    against: KeptHeads | None = None,
    since: KeptHeads | None = None,
    is_bundle: bool = False,
    quick: bool = False,
    jobs: int | None = None,
) -> Report:
    """Check every byte of a remote, or of a bundle.

    Args:
        objects: what lies under its URL.
        progress: gets the bytes done so far, and about how many there are.
        against: heads kept elsewhere, which its chains should extend.
        since: heads that a bundle goes on from, as it says itself.
        is_bundle: it may leave out blobs that the side that it is for has, and list them.
        quick: do not read the blobs; that they are there is checked.
        jobs: how many objects to read at once; by default as many as there are processors, up to 8.

    Raises:
        RemoteInvalid: there is something else.
        RemoteUnreachable: nothing is there, or it cannot be read.
        StoreNewer: a newer version of eventlog wrote it.
    """
    for attempt in range(ATTEMPTS):
        run = _Verification(
            objects, progress, against, since, is_bundle=is_bundle, quick=quick, jobs=jobs or WORKERS
        )
        with contextlib.suppress(_Moved):
            return run.run(again=attempt < ATTEMPTS - 1)
    raise AssertionError("the last attempt takes what it finds")


def verify_bundle(
    path: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    against: KeptHeads | None = None,
    quick: bool = False,
    jobs: int | None = None,
) -> Report:
    """Check every byte of a bundle; the arguments are those of `verify_remote`.

    Raises:
        InputInvalid: there is no such file.
        DataCorrupt: it is no whole zip file.
        RemoteInvalid: it holds something else.
        StoreNewer: a newer version of eventlog wrote it.
    """
    with Archive(path) as archive:
        objects = ZipObjects(archive)
        since, problems = _read_since(objects)
        report = verify_remote(
            objects, progress, against=against, since=since, is_bundle=True, quick=quick, jobs=jobs
        )
    report.problems[:0] = check_zip(path, quick=quick) + problems
    return report


def _read_since(objects: ZipObjects) -> tuple[KeptHeads | None, list[str]]:
    """The heads that a bundle goes on from, and what is wrong with them."""
    size = objects.size(SINCE)
    if size is None:
        return None, []
    try:
        if size > MOST_SINCE_BYTES:
            raise DataCorrupt(f"has {size} bytes, more than heads ever have")
        with objects.errors(SINCE), objects.open(SINCE) as file:
            return read_heads(file.read(size + 1), SINCE), []
    except (DataCorrupt, InputInvalid) as error:
        return None, [f"{SINCE} cannot be read: {error}"]


def _counted(digests: Collection[str]) -> str:
    """How many blobs, and which the first of them are."""
    some = ", ".join(digest[:12] for digest in sorted(digests)[:3])
    return f"{len(digests)} ({some}{' …' * (len(digests) > 3)})"


def _words_of_since(since: KeptHeads) -> str:
    some = ", ".join(
        f"batch {head.number} of {store.hex()[:8]}" for store, head in sorted(since.heads.items())[:3]
    )
    return f"goes on from what was sent before: {some}{' …' * bool(len(since.heads) > 3)}"


def heads_of(objects: Objects) -> dict[bytes, BatchFacts]:
    """The last batch that a remote holds of each store, by store id; nothing before it is checked.

    Raises:
        DataCorrupt: a segment does not end with the batch that its name says.
        RemoteInvalid, RemoteUnreachable, StoreNewer: as of `verify_remote`.
    """
    names = _names(objects)
    _read_marker(objects, names)
    last = [
        max(of_store, key=lambda one: (one.last, one.first))
        for _, of_store in groupby(names.segments, key=lambda segment: segment.store)
    ]
    # Most of the time goes into waiting for each of them.
    with ThreadPoolExecutor(HEAD_WORKERS, "eventlog-heads") as pool:
        heads = pool.map(lambda segment: _head_of(objects, segment), last)
        return {segment.store: head for segment, head in zip(last, heads, strict=True)}


def _head_of(objects: Objects, segment: SegmentName) -> BatchFacts:
    with objects.errors(segment.name), objects.open(segment.name) as file:
        facts = last_batch(file, segment.size)
    if (
        facts is None
        or (facts.store, facts.number) != (segment.store, segment.last)
        or not facts.hash.hex().startswith(segment.mark)
    ):
        raise DataCorrupt(
            f"{objects.shown}/{segment.name} does not end with the batch that its name says: run"
            " `eventlog verify` on it"
        )
    return facts


def _names(objects: Objects, *, is_bundle: bool = False) -> Names:
    try:
        return Names.of(objects.everything(), is_bundle=is_bundle)
    except NotFound:
        raise RemoteUnreachable(
            f"{objects.shown} is not there: check the name, or push to it first"
        ) from None


def _read_marker(objects: Objects, names: Names) -> list[str]:
    """What is wrong with the marker."""
    if not names.marker:
        if names.segments:
            return [f"{MARKER} is missing"]
        raise RemoteInvalid(
            f"{objects.shown} is not a remote, as it has no {MARKER}: check the name, or push to it first"
        )
    with objects.errors(MARKER), objects.open(MARKER) as file:
        text = file.read(64)
    if text == MARKER_TEXT:
        return []
    if (number := format_of(text)) is not None:
        raise StoreNewer(
            f"{objects.shown}/{MARKER} states format {number}, unless it was changed: upgrade eventlog to"
            " verify it"
        )
    return [f"{MARKER} was changed: it holds {text!r}, not {MARKER_TEXT!r}"]


class _Moved(Exception):
    """A segment that was listed is gone: a larger one holds its batches now."""


class _Verification:
    """One run of verify on a remote."""

    def __init__(
        self,
        objects: Objects,
        progress: Callable[[int, int], None] | None,
        against: KeptHeads | None,
        since: KeptHeads | None,
        *,
        is_bundle: bool,
        quick: bool,
        jobs: int,
    ) -> None:
        self._objects = objects
        self._progress = progress
        self._quick = quick
        self._jobs = jobs
        self._chains = Chains(against=against, since=since)
        self._since = since
        self._is_bundle = is_bundle
        self._report = Report()
        self._done = self._total = 0
        self._unreachable = 0
        self._again = False
        self._lock = threading.Lock()

    def run(self, *, again: bool) -> Report:
        """Check everything.

        Raises:
            _Moved: a segment is gone since it was listed, and `again` says that there is another attempt.
        """
        self._again = again
        report = self._report
        names = _names(self._objects, is_bundle=self._is_bundle)
        report.problems += _read_marker(self._objects, names)
        report.problems += [f"{name} is not an object of a remote" for name in names.foreign]
        blobs = {} if self._quick else names.blobs
        self._total = sum(one.size for one in names.segments) + sum(blobs.values())
        with ThreadPoolExecutor(self._jobs, "eventlog-verify") as pool:
            try:
                self._check_segments(pool, names.segments)
                report.problems += self._chains.problems
                report.problems += self._check_blobs(pool, blobs)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._compare_blobs(names)
        if self._since is not None:
            names.beside.remove(SINCE)
            report.notes.append(_words_of_since(self._since))
        report.notes += self._chains.notes
        if names.beside:
            some = ", ".join(names.beside[:3])
            report.notes.append(f"passed over, as no part of a remote: {some}{' …' * bool(names.beside[3:])}")
        report.count(self._chains)
        report.segments = len(names.segments)
        report.blobs = len(names.blobs)
        # Names of objects are in it, which may hold anything.
        report.problems = list(map(in_one_line, report.problems))
        return report

    # Segments.

    def _check_segments(self, pool: ThreadPoolExecutor, segments: list[SegmentName]) -> None:
        merging: Overlaps | None = None
        for segment, facts in self._read_ahead(pool, segments):
            if merging is None or merging.store != segment.store:
                if merging is not None:
                    merging.finish()
                merging = Overlaps(segment.store, self._chains)
            merging.add(segment, facts)
        if merging is not None:
            merging.finish()
        self._chains.finish()
        self._chains.check_against()

    def _read_ahead(
        self, pool: ThreadPoolExecutor, segments: list[SegmentName]
    ) -> Iterator[tuple[SegmentName, SegmentFacts]]:
        """Segments in their order, several of them read at once, and no more than are soon needed."""
        waiting: deque[tuple[SegmentName, Future[SegmentFacts]]] = deque()
        for segment in segments:
            waiting.append((segment, pool.submit(self._read_segment, segment)))
            if len(waiting) > 2 * self._jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()

    def _read_segment(self, segment: SegmentName) -> SegmentFacts:
        try:
            with self._objects.errors(segment.name), self._objects.open(segment.name) as file:
                facts = check_segment(file, segment.size, self._count)
        except EventlogError as error:
            if self._again and isinstance(error, NotFound):
                raise _Moved from None
            return SegmentFacts(problems=[self._unreadable(error)])
        self._unreachable = 0
        return facts

    # Blobs.

    def _check_blobs(self, pool: ThreadPoolExecutor, blobs: dict[str, int]) -> list[str]:
        return [problem for problem in pool.map(self._check_blob, sorted(blobs)) if problem]

    def _check_blob(self, digest: str) -> str:
        name = f"blobs/{digest[:2]}/{digest}"
        hasher = sha256()
        try:
            with self._objects.errors(name), self._objects.open(name) as file:
                while piece := file.read(PIECE_SIZE):
                    hasher.update(piece)
                    self._count(len(piece))
        except EventlogError as error:
            return f"{name} {self._unreadable(error)}"
        self._unreachable = 0
        found = hasher.hexdigest()
        return "" if found == digest else f"{name} was changed: its SHA-256 is {found}"

    def _compare_blobs(self, names: Names) -> None:
        """Hold the blobs that there are against those that the log names."""
        report = self._report
        lists = dict(names.absent)
        lacking = {digest for digest in self._chains.blobs if digest not in names.blobs}
        absent = self._listed(lists, lacking)
        report.absent = len(absent)
        missing = {f"blobs/{digest[:2]}/{digest}": digest for digest in lacking - absent}
        for _ in range(ATTEMPTS if missing else 0):
            # Meanwhile blobs may have been pushed, and lists replaced by others.
            for name in self._objects.sizes(sorted(missing)):
                del missing[name]
            again = Names.of({f"absent/{name}": size for name, size in self._objects.files("absent").items()})
            new = {name: size for name, size in again.absent.items() if name not in lists}
            if not new or not missing:
                break
            lists |= new
            absent = self._listed(new, set(missing.values()))
            report.absent += len(absent)
            missing = {name: digest for name, digest in missing.items() if digest not in absent}
        left_out = self._listed(names.had, set(missing.values()))
        if left_out:
            report.notes.append(
                f"blobs that were left out, since the side that it is for has them: {_counted(left_out)}"
            )
        for name, digest in sorted(missing.items()):
            if digest not in left_out:
                report.problems.append(f"{name}, which {self._chains.blobs[digest]} names, is missing")
        if unnamed := names.blobs.keys() - self._chains.blobs.keys():
            report.notes.append(f"blobs that no event names: {_counted(unnamed)}")

    def _listed(self, lists: Mapping[str, int], digests: Set[str]) -> set[str]:
        """Which of these blobs the lists name; more of them may be listed than memory holds."""
        listed: set[str] = set()
        for name, size in lists.items():
            try:
                if size > MOST_LIST_BYTES:
                    raise DataCorrupt(f"has {size} bytes, more than such a list ever has")
                with self._objects.errors(name), self._objects.open(name) as file:
                    listed |= read_list(file.read(size + 1)) & digests
            except NotFound:
                # By now it was replaced by others.
                continue
            except EventlogError as error:
                self._report.problems.append(f"{name} {error}")
        return listed

    def _count(self, size: int) -> None:
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(self._done, max(self._done, self._total))

    def _unreadable(self, error: EventlogError) -> str:
        """What to say of an object that cannot be read, unless none can be any more."""
        if isinstance(error, RemoteUnreachable):
            with self._lock:
                self._unreachable += 1
                if self._unreachable > PATIENCE:
                    raise error
        return f"cannot be read: {error}"
