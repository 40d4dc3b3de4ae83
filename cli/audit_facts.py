"""What an audit of a task reports: its state and history, its files, and the proof of both."""

import getpass
import hashlib
import socket
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from eventlog.check_batch import check_batch, count_kinds
from eventlog.check_report import Report
from eventlog.cli.metrics import series_of
from eventlog.cli.past import model_of, state_of
from eventlog.errors import BlobMissing, DataCorrupt
from eventlog.events import ArtifactsDeleted, ArtifactUploaded
from eventlog.verify import verify

if TYPE_CHECKING:
    from eventlog.batch import Batch, NumberedEvent
    from eventlog.blobs import Blobs
    from eventlog.projections import ModelState, SeriesSummary, SessionState, TaskState, Views
    from eventlog.store import Store

__all__ = ["AuditFacts", "File", "Proof", "gather"]

FOR_EVER = 1 << 62
PIECE_SIZE = 1 << 20

Progress = Callable[[int, int, str], None]


@dataclass(slots=True)
class File:
    """Bytes that a task's events name.

    Attributes:
        what: "artifact", "model", "uncommitted changes", "configuration", "plot", or a kind of media.
        name: what it is called.
        sha256: of its bytes; "" where it is not known.
        size: in bytes, as its event says; None where it says nothing.
        url: where a copy is, or the only one; "" for none.
        time: of the event that names it, in milliseconds since 1970-01-01 UTC.
        fate: "" where it stands; "replaced" or "deleted" where a later event says so.
        status: "matches" if its bytes are here and have this hash, "changed" if they have another, "missing",
            or "elsewhere" if the store never had them.
    """

    what: str
    name: str
    sha256: str
    size: int | None
    url: str = ""
    time: int = 0
    fate: str = ""
    status: str = ""


class Proof(NamedTuple):
    """A batch that holds events of the task.

    Attributes:
        store, number, sha256: where it lies, and its hash.
        session, first, last: whose events it holds, and which.
        events: how many of them are about the task.
    """

    store: bytes
    number: int
    sha256: str
    session: bytes
    first: int
    last: int
    events: int


@dataclass
class AuditFacts:
    """Everything that an audit of a task reports.

    Attributes:
        at: the moment that the task is shown at, in milliseconds since 1970-01-01 UTC; None for now.
        made: when this was gathered; `host` and `user` say where and by whom.
        state, series: what the task is, or was.
        models: the models that it reads or has made.
        history: its state events, in order.
        of_models: the state events of these models.
        counts: how many events of each kind there are about it, reports too.
        files: what its events name.
        proofs: the batches that hold these events, and its reports.
        report: what verify found in the whole log, its blobs left out.
        problems: what is wrong: with the log, or with a file of the task.
    """

    at: int | None
    made: int
    host: str
    user: str
    home: str
    state: "TaskState"
    series: "list[SeriesSummary]"
    models: "list[tuple[str, ModelState]]"
    history: "list[NumberedEvent]"
    of_models: "list[NumberedEvent]"
    sessions: "dict[bytes, SessionState]"
    counts: Counter[str] = field(default_factory=Counter)
    files: list[File] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    problems: list[str] = field(default_factory=list)

    def proofs_by_session(self) -> dict[bytes, list[Proof]]:
        """The batches of each session, in the order of their events."""
        found: dict[bytes, list[Proof]] = {}
        for proof in sorted(self.proofs, key=lambda proof: proof.first):
            found.setdefault(proof.session, []).append(proof)
        return found


def gather(
    store: "Store", views: "Views", task: str, at: int | None, progress: Progress | None = None
) -> AuditFacts:
    """Read a task's history, check its files, and check the log that proves both.

    Args:
        views: caught up, with reports.
        at: only what was up to this moment, in milliseconds since 1970-01-01 UTC.
        progress: gets the bytes done, about how many there are, and what is being done.

    Raises:
        NotFound: there is no such task, or there was none then.
    """
    state = state_of(views, task, at)
    history = list(views.events(task, last_time=at, reports=False))
    models = [(link.direction, model) for link in state.models if (model := model_of(views, link.model, at))]
    facts = AuditFacts(
        at,
        int(time.time() * 1000),
        socket.gethostname(),
        _user(),
        str(store.home),
        state,
        series_of(views, task, at),
        models,
        history,
        # One that it has read and made is linked twice.
        [
            event
            for model in dict.fromkeys(one.id for _, one in models)
            for event in views.events(model, last_time=at, reports=False)
        ],
        views.sessions(),
    )
    facts.files = _files(facts, views, store.blobs)
    _check_files(facts.files, store.blobs, progress)
    _prove(facts, store, views)

    def advance(done: int, total: int) -> None:
        if progress is not None:
            progress(done, total, "checking the log")

    facts.report = verify(store.home, advance, quick=True)
    facts.problems += facts.report.problems
    facts.problems += [
        f"{one.what} {one.name}: its bytes have another SHA-256 than its event says"
        for one in facts.files
        if one.status == "changed"
    ]
    return facts


# Files.


def _files(facts: AuditFacts, views: "Views", blobs: "Blobs") -> list[File]:
    state, task, until = facts.state, facts.state.id, FOR_EVER if facts.at is None else facts.at
    files = list(_artifacts(facts.history))
    for direction, model in facts.models:
        digest = model.blob or model.digest
        if digest or model.url:
            name = f"{model.name} ({direction} model {model.id})"
            # What is at a URL may have been kept here as well, by another model or an artifact.
            status = "" if model.blob or model.digest in blobs else "elsewhere"
            size = model.size or None
            files.append(File("model", name, digest, size, model.url, model.changed, status=status))
    if state.execution is not None and state.execution.diff_blob:
        digest = state.execution.diff_blob
        files.append(File("uncommitted changes", "diff", digest, None, "", state.execution.time))
    for name, configuration in sorted(state.configurations.items()):
        if configuration.blob:
            files.append(File("configuration", name, configuration.blob, None, "", configuration.time))
    if facts.at is None or state.reset_time is None or facts.at >= state.reset_time:
        for plot in views.plots(task):
            if plot.blob and plot.time <= until:
                name = _under(plot.title, plot.series, plot.iteration)
                files.append(File("plot", name, plot.blob, None, "", plot.time))
        for media in views.media(task):
            if media.time <= until:
                name = _under(media.title, media.series, media.iteration)
                size = media.size if media.blob else None
                files.append(File(media.kind, name, media.blob, size, media.url, media.time))
    return files


def _under(title: str, series: str, iteration: int) -> str:
    """What a plot or a medium is called: where it was reported."""
    return f"{title}/{series} {iteration}" if series else f"{title} {iteration}"


def _artifacts(history: "Sequence[NumberedEvent]") -> Iterable[File]:
    """Every artifact that was ever uploaded, those that were replaced or deleted since as well."""
    standing: dict[str, File] = {}
    for _, _, event in history:
        if isinstance(event, ArtifactUploaded):
            if event.name in standing:
                standing[event.name].fate = "replaced"
            size = event.size if event.blob else None
            file = File("artifact", event.name, event.blob, size, event.url, event.time)
            standing[event.name] = file
            yield file
        elif isinstance(event, ArtifactsDeleted):
            for name in event.names:
                if name in standing:
                    standing.pop(name).fate = "deleted"


def _check_files(files: list[File], blobs: "Blobs", progress: Progress | None) -> None:
    """Hash the bytes that are here."""
    total = sum(one.size or 0 for one in files)
    done = 0
    checked: dict[str, str] = {}
    for file in files:
        if file.status or not file.sha256:
            file.status = "elsewhere"
            continue
        if file.sha256 not in checked:
            hasher = hashlib.sha256()
            try:
                with blobs.path(file.sha256).open("rb", buffering=0) as opened:
                    while piece := opened.read(PIECE_SIZE):
                        hasher.update(piece)
                        done += len(piece)
                        if progress is not None:
                            progress(done, max(done, total), "checking files")
            except (BlobMissing, OSError):
                checked[file.sha256] = "missing"
            else:
                checked[file.sha256] = "matches" if hasher.hexdigest() == file.sha256 else "changed"
        file.status = checked[file.sha256]


# The proof.


def _prove(facts: AuditFacts, store: "Store", views: "Views") -> None:
    """Find the batches that hold the events of the task and of its models, and count the task's."""
    task, until = facts.state.id, FOR_EVER if facts.at is None else facts.at
    reports = {(one.store, one.number): one for one in views.report_batches(task) if one.first_time <= until}
    numbers: dict[bytes, list[int]] = {}
    for session, number, _ in (*facts.history, *facts.of_models):
        numbers.setdefault(session, []).append(number)
    for of_session in numbers.values():
        of_session.sort()
    stores = {one.store for one in reports.values()}
    stores |= {record.store for session in numbers if (record := store.record_of(session)) is not None}
    for identity in sorted(stores):
        for batch in _batches(store, identity, facts):
            of_session = numbers.get(batch.session, [])
            place = bisect_left(of_session, batch.first)
            held = place < len(of_session) and of_session[place] < batch.end
            if not held and (identity, batch.number) not in reports:
                continue
            checked = check_batch(batch.data)
            if checked.problems:
                continue
            counts = count_kinds(batch.data, task, until)
            facts.counts += counts
            proof = Proof(
                identity,
                batch.number,
                checked.hash.hex(),
                batch.session,
                batch.first,
                batch.end - 1,
                counts.total(),
            )
            facts.proofs.append(proof)


def _batches(store: "Store", identity: bytes, facts: AuditFacts) -> "Iterable[Batch]":
    """The batches of a store, as far as they can be read."""
    try:
        yield from store.batches(identity)
    except DataCorrupt as error:
        facts.problems.append(str(error))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
