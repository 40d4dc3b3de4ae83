"""Readers of the log itself: events, batches, journals, segments, heads, and the views of them."""

import io
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eventlog.batch import FIRST_PREVIOUS, Batch, chain_batch, pack_events
from eventlog.check_absent import read_absent as check_absent
from eventlog.check_batch import check_batch, count_kinds
from eventlog.check_chain import Chains
from eventlog.check_journal import check_journals
from eventlog.chunk import read_chunk
from eventlog.errors import DataCorrupt, EventlogError
from eventlog.events import decode_event, decode_events, encode_event
from eventlog.kept_heads import heads_text, load_heads
from eventlog.projections import Views
from eventlog.session_record import SessionRecord
from eventlog.store import Store
from eventlog.sync.blob_lists import BlobLists, FolderPlace
from eventlog.sync.check_names import read_list
from eventlog.sync.check_segment import check_segment, last_batch
from eventlog.sync.references import named_blobs
from eventlog.sync.segment import read_batches
from torture.fuzzing import corpus
from torture.fuzzing.changes import changed_packed
from torture.fuzzing.formats import (
    batch_with,
    changed_batch,
    changed_chunk,
    changed_segment,
    chunk_of,
    segment_of,
)
from torture.fuzzing.target import MIB, Target, errors_of_the_tree
from torture.fuzzing.trees import write_below

__all__ = ["LOG_TARGETS", "batch_about"]

# The largest event that a session appends.
_LARGEST = 15 << 20
# What a frame may hold, and what is more.
_FRAMES = (31 * MIB, 250 * MIB)


# Events.


def _read_event(data: bytes, folder: Path) -> None:
    with errors_of_the_tree():
        event = decode_event(data)
        # What was read can be kept, and read again.
        encode_event(event)
        repr(event)
    with errors_of_the_tree():
        decode_events(data)
    with errors_of_the_tree():
        decode_events(b"\x92" + data + data)
    with errors_of_the_tree():
        SessionRecord.read(corpus.SESSION, data)


def _tags(size: int = _LARGEST) -> bytes:
    return b"\x94\xa9TagsAdded\x00\xa0" + _array(b"\xa0", size)


def _unknown(item: bytes, size: int = _LARGEST) -> bytes:
    return b"\x94\xa3New\x00\xa0" + _array(item, size)


def _labels() -> bytes:
    """As many different names as fit, each of four letters and a small number."""
    count = _LARGEST // 6
    entries = b"".join(b"\xa4" + _letters(number) + b"\x01" for number in range(count))
    return b"\x94\xa9LabelsSet\x01\xa0\xdf" + count.to_bytes(4, "big") + entries


def _letters(number: int) -> bytes:
    return bytes(64 + (number >> shift & 63) for shift in (18, 12, 6, 0))


def _array(item: bytes, size: int) -> bytes:
    count = size // len(item)
    return b"\xdd" + count.to_bytes(4, "big") + item * count


# Batches.


def _read_batch(data: bytes, folder: Path) -> None:
    facts = check_batch(data)
    batches: list[Batch] = []
    with errors_of_the_tree():
        batches.append(Batch.read(data))
    if not batches:
        assert facts.problems
        return
    (batch,) = batches
    repr(batch)
    for read in (batch.state_events, batch.report_events, batch.events, lambda: named_blobs(batch)):
        with errors_of_the_tree():
            read()
    if facts.problems:
        with errors_of_the_tree():
            batch.checked_states()
    else:
        # What verify finds nothing wrong with can be let in.
        batch.checked_states()
        count_kinds(data, corpus.TASK, 1 << 50)
    chains = Chains()
    chains.add(facts.store, facts.number, facts, "here")
    chains.finish()
    chains.check_sessions({})


def _many_events(size: int, count: int) -> bytes:
    """A batch of so many reports, in so many bytes, with a state event behind each of the first of them."""
    text = size // count - 6
    large = b"\x94\xa0\x00\xa0\xd9" + bytes([text & 0xFF]) + b"x" * text
    reports = _array(large if text > 0 else _SMALLEST, size)
    # Whoever inserts one by one takes for ever.
    places = b"".join(b"\xce" + (2 * number).to_bytes(4, "big") for number in range(1 << 18))
    states = b"\x92\xdd" + (1 << 18).to_bytes(4, "big") + places + _array(_SMALLEST, len(_SMALLEST) << 18)
    return batch_with(corpus.batches()[0], states, reports, {"states": 1 << 18, "reports": count})


def _one_state(make: Callable[[], bytes]) -> bytes:
    return batch_with(corpus.batches()[0], b"\x92\x91\x00\x91" + make(), fields={"states": 1})


def _one_report(make: Callable[[], bytes]) -> bytes:
    return batch_with(corpus.batches()[0], b"", b"\x91" + make(), {"states": 0, "reports": 1})


_SMALLEST = b"\x93\xa0\x00\xa0"
_EVENT_BOMBS: tuple[Callable[[], bytes], ...] = (
    _tags,
    _labels,
    *(partial(_unknown, item) for item in (b"\x90", b"\x80", b"\xc0")),
)
_BATCH_BOMBS = (
    *(partial(_many_events, size, size // 4) for size in _FRAMES),
    *(partial(_many_events, size, 3 << 18) for size in _FRAMES),
    *(partial(_one_state, partial(_unknown, b"\x90", size)) for size in _FRAMES),
    *(partial(_one_report, partial(_unknown, b"\x90", size)) for size in _FRAMES),
    *(partial(_one_state, partial(_tags, size)) for size in _FRAMES),
    *(partial(_one_report, partial(_tags, size)) for size in _FRAMES),
)


# Journals.


def _read_journal(data: bytes, folder: Path) -> None:
    journal = folder / "journals" / corpus.SESSION.hex()
    write_below(journal, {"lock": b"17\nhost\nboot", "000000": data})
    with errors_of_the_tree():
        read_chunk(journal / "000000")
    journals, _ = check_journals(folder)
    for one in journals:
        one.check_position(0, 0)


def _recover(data: bytes, folder: Path) -> None:
    with errors_of_the_tree():
        # The store's id is in the chunk; a store that came from elsewhere has both.
        journal = folder / "home" / "journals" / corpus.SESSION.hex()
        with Store.open(folder / "home") as store:
            own = store.id
        write_below(journal, {"lock": b"17\nhost\nboot", "000000": chunk_with(data, own)})
        with Store.open(folder / "home") as store:
            store.sessions()
            with Views.open(store) as views:
                views.catch_up(reports=True)


def chunk_with(data: bytes, store: bytes) -> bytes:
    """A chunk with another store's id, its CRC made anew if it held."""
    import zlib

    if len(data) < 52 or zlib.crc32(data[:48]) != int.from_bytes(data[48:52], "big"):
        return data
    head = data[:4] + store + data[20:48]
    return head + zlib.crc32(head).to_bytes(4, "big") + data[52:]


def _rest(rest: bytes, times: int) -> bytes:
    return chunk_of(corpus.chunk(), [], rest=rest[:16] + rest[16:] * times)


_CHUNK_BOMBS = (
    # Frames that might begin anywhere, and lengths that might be any other.
    partial(_rest, bytes(16) + b"\x00\x00\x7f\x00", 16_000),
    partial(_rest, b"\x00\x1f\xff\xff" + b"\x01" * 16, 1 << 20),
    partial(_rest, b"\x03\xff\xff\xff" + b"\x01" * 16, 12 << 20),
    lambda: chunk_of(corpus.chunk(), [_unknown(b"\x90")]),
)


# Segments, heads, absent lists.


def _read_segment(data: bytes, folder: Path) -> None:
    with errors_of_the_tree():
        for batch in read_batches(io.BytesIO(data), len(data), lambda _: None):
            with errors_of_the_tree():
                named_blobs(batch)
    check_segment(io.BytesIO(data), len(data), lambda _: None)
    last_batch(io.BytesIO(data), len(data))


def _read_heads(data: bytes, folder: Path) -> None:
    path = folder / "heads.txt"
    path.write_bytes(data)
    with errors_of_the_tree():
        kept, read = load_heads(path)
        assert heads_text(kept.heads).encode() == read
        chains = Chains(against=kept, since=kept)
        chains.finish()
        chains.check_against()


def _read_absent_list(data: bytes, folder: Path) -> None:
    write_below(folder / "absent", {"5e" * 16: data})
    on_a_remote: list[set[str]] = []
    with errors_of_the_tree():
        on_a_remote.append(read_list(data))
    lists = BlobLists(FolderPlace(folder))
    found = lists.digests()
    by_verify, problems = check_absent(folder / "absent")
    assert found == by_verify
    assert bool(problems) == bool(lists.problems)
    assert on_a_remote in ([], [found]) or len(data) > 1 << 22


# Views.


def batch_about(data: bytes) -> Batch | None:
    """A batch that another machine may have sent, with an event in it; None of what nobody can send."""
    try:
        event = decode_event(data)
        # What it changes is there before.
        made = [corpus.encoded_events()[place] for place in (3, 4, 39)] if event.time >= corpus.NOW else []
        states = [*range(len(made)), *([] if event.is_report else [len(made)])]
        packed = pack_events(0, [*made, data], states, corpus.NOW if made else event.time, event.time)
        return Batch.read(chain_batch(corpus.STORE, 0, FIRST_PREVIOUS, corpus.SESSION, packed))
    except (EventlogError, OverflowError, struct.error):
        # Among them a time that no header has room for.
        return None


def _fold(data: bytes, folder: Path) -> None:
    """Let an event in as another machine's, and ask the views everything about it."""
    batch = batch_about(data)
    if batch is None:
        return
    task = decode_event(data).task
    with Store.open(folder / "home") as store:
        try:
            store.admit([batch])
        except DataCorrupt:
            return
        with Views.open(store) as views:
            views.catch_up(reports=True)
            assert views.check() == []
            for found in (views.find, views.models, views.sessions, views.left_out, views.deleted_models):
                with errors_of_the_tree():
                    found()
            for about in (
                views.task,
                views.model,
                views.series,
                views.text,
                views.plots,
                views.media,
                views.resolve,
            ):
                with errors_of_the_tree():
                    about(task)
            with errors_of_the_tree():
                for one in views.series(task):
                    views.scalars(task, one.title, one.series)
            with errors_of_the_tree():
                list(views.events(task))
            with errors_of_the_tree():
                views.task_at(task, 1_800_000_000_000)


LOG_TARGETS = [
    Target("event", corpus.encoded_events, _read_event, changed_packed, _EVENT_BOMBS),
    Target("batch", corpus.batches, _read_batch, changed_batch, _BATCH_BOMBS, memory=512 * MIB, seconds=20),
    Target("segment", lambda: [segment_of(corpus.batches())], _read_segment, changed_segment),
    Target("journal", lambda: [corpus.chunk()], _read_journal, changed_chunk, _CHUNK_BOMBS),
    Target("recovery", lambda: [corpus.chunk()], _recover, changed_chunk, slow=True),
    Target("heads", lambda: [corpus.heads()], _read_heads),
    Target("absent list", lambda: [corpus.absent_list()], _read_absent_list),
    Target("views", corpus.encoded_events, _fold, changed_packed, slow=True),
]
