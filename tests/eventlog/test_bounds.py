"""Few bytes that stand for very many take no more memory, and no more time, than what they may stand for."""

import struct
import time
from pathlib import Path

import msgspec
import pytest

from eventlog import events
from eventlog.batch import FIRST_PREVIOUS, MAX_BATCH_EVENTS, Batch, chain_batch, pack_events
from eventlog.check_batch import check_batch
from eventlog.check_chain import Chains
from eventlog.check_journal import check_journals
from eventlog.chunk import MAX_CHUNK_SIZE, Chunk, read_chunk
from eventlog.clock import MAX_TIME
from eventlog.configuration import Configuration
from eventlog.errors import ConfigurationInvalid, DataCorrupt
from eventlog.kept_heads import heads_text, load_heads
from eventlog.session_record import SessionRecord
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog.memory import MIB, at_most
from tests.eventlog.processes import TASK

STORE, SESSION = bytes(range(16)), bytes(range(16, 32))


def batch_of(encoded: list[bytes], states: list[int]) -> bytes:
    return chain_batch(STORE, 0, FIRST_PREVIOUS, SESSION, pack_events(0, encoded, states, 0, 0))


def filled(start: bytes, item: bytes, size: int) -> bytes:
    """An event whose last field is an array of so many bytes of items."""
    count = size // len(item)
    return start + b"\xdd" + struct.pack(">I", count) + item * count


def test_what_an_event_of_an_unknown_kind_holds_is_not_made_into_objects() -> None:
    large = filled(b"\x94\xa3New\x00\xa0", b"\x90", 8 * MIB)
    with at_most(20 * MIB):
        assert events.decode_event(large) == events.Unknown(0, "", "New", large)
    for places in ([0], []):
        data = batch_of([large], places)
        # Its content, and a copy of that, but not 64 bytes for each of its own.
        with at_most(40 * MIB):
            assert check_batch(data).unknown == 1


def test_the_blob_that_a_large_event_names_is_found() -> None:
    digest = "ab" * 32
    event = events.ConfigurationSet(0, TASK, "x" * (2 * MIB), "text", digest)
    unnamed = events.ConfigurationSet(0, TASK, "x" * (2 * MIB), "text")
    assert check_batch(batch_of([events.encode_event(event)], [0])).blobs == {digest}
    assert check_batch(batch_of([events.encode_event(unnamed)], [0])).blobs == set()


def test_a_time_that_is_no_number_makes_no_event() -> None:
    with pytest.raises(DataCorrupt, match="does not begin with kind, time and task"):
        events.decode_event(msgspec.msgpack.encode(["New", True, TASK]))


def test_a_batch_of_more_events_than_one_ever_has_is_refused_by_its_header() -> None:
    header = bytearray(batch_of([b"\x93\xa3New\x00\xa0"], []))
    header[88:92] = struct.pack(">I", MAX_BATCH_EVENTS + 1)
    with pytest.raises(DataCorrupt, match="claims 1048577 events"):
        Batch.read(bytes(header))
    assert "claims 1048577 events" in check_batch(bytes(header)).problems[0]


def test_states_between_reports_are_checked_in_time_that_grows_with_their_number_alone() -> None:
    small = b"\x93\xa1N\x00\xa0"
    count = 60_000
    data = batch_of([small] * (6 * count), list(range(0, 2 * count, 2)))
    start = time.process_time()
    facts = check_batch(data)
    assert time.process_time() - start < 2
    assert (facts.states, facts.unknown) == (count, 6 * count)


def test_any_number_of_open_tasks_is_followed_in_time_that_grows_with_it_alone() -> None:
    started = [events.TaskStarted(0, f"{number:x}") for number in range(30_000)]
    record = SessionRecord(STORE, session=SESSION)
    start = time.process_time()
    record.advance(30_000, 0, [*started, events.TaskCompleted(0, "7"), started[5]])
    assert record.open_tasks[-2:] == [started[-1].task, "5"]
    assert len(record.open_tasks) == 30_000 - 1
    chains = Chains()
    facts = check_batch(batch_of([*map(events.encode_event, started)], list(range(30_000))))
    chains.add(STORE, 0, facts, "here")
    assert time.process_time() - start < 3


def test_a_frame_whose_length_was_changed_is_found_in_one_pass(tmp_path: Path) -> None:
    journal = tmp_path / "journals" / SESSION.hex()
    journal.mkdir(parents=True)
    chunk = Chunk.allocate(journal / "000000", 12 * MIB, mapped=False)
    chunk.begin(STORE, SESSION, 0)
    with (journal / "000000").open("r+b") as file:
        file.seek(52)
        file.write(b"\x00\x7f\xff\xff" + b"\x01" * (11 * MIB))
    start = time.process_time()
    ((facts,), _) = check_journals(tmp_path)
    assert "does not hold" in facts.problems[0]
    assert time.process_time() - start < 2


def test_a_file_larger_than_any_chunk_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "000000"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(MAX_CHUNK_SIZE + 1)
    with at_most(MIB), pytest.raises(DataCorrupt, match="more than a journal's chunk ever has"):
        read_chunk(path)


def journal_of(home: Path, payloads: list[bytes], size: int) -> None:
    """The journal of a session of the store at home whose process has died."""
    with Store.open(home) as store:
        journal = home / "journals" / SESSION.hex()
        journal.mkdir(parents=True)
        chunk = Chunk.allocate(journal / "000000", size, mapped=False)
        chunk.begin(store.id, SESSION, 0)
        for payload in payloads:
            chunk.put(payload)


STARTED = events.encode_event(events.SessionStarted(5, "", "host", "me", 17))


def test_a_journal_with_more_than_a_batch_can_hold_is_recovered_in_several(home: Path) -> None:
    # As where all that waited for a full disk was written behind one another when there was room again.
    long = events.encode_event(events.TextReported(6, TASK, "x" * (7 * MIB)))
    journal_of(home, [STARTED, *[long] * 5], 40 * MIB)
    with Store.open(home) as store:
        assert [batch.end - batch.first for batch in store.batches(store.id)] == [3, 2, 1, 1]
        assert store.sessions()[0].ended
    assert verify(home).problems == []


@pytest.mark.parametrize("impossible", [-1, 4, MAX_TIME + 1, (1 << 64) - 1])
def test_a_journal_whose_times_cannot_be_is_recovered_up_to_there(
    home: Path, impossible: int, caplog: pytest.LogCaptureFixture
) -> None:
    event = events.encode_event(events.ProgressSet(impossible, TASK, 5))
    journal_of(home, [STARTED, event], 4096)
    with Store.open(home) as store:
        (record,) = store.sessions()
        assert (record.next, record.ended) == (2, True)
    assert f"has the time {impossible}" in caplog.text
    assert verify(home).problems == []


def test_heads_take_as_much_memory_as_they_have_bytes(tmp_path: Path) -> None:
    path = tmp_path / "heads.txt"
    path.write_text(heads_text({STORE: (7, bytes(32))}))
    with at_most(3 * MIB):
        assert load_heads(path)[0].heads.keys() == {STORE}


@pytest.mark.parametrize("record", [b"\x95\xc4\x00\x00\x91\xa1\xff\xc2\x00", b"\x91" * 5000])
def test_a_session_record_that_cannot_be_decoded_is_damage(record: bytes) -> None:
    with pytest.raises(DataCorrupt, match="cannot be read"):
        SessionRecord.read(SESSION, record)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("commit_interval_seconds = " + "[" * 2000, "cannot be read as TOML"),
        ("commit_interval_seconds = 1" + "0" * 400, "a number that is too large"),
        ("shared_home = 0x" + "f" * 4000, "a number that is too large"),
    ],
    ids=["nested", "long", "hexadecimal"],
)
def test_settings_that_cannot_be_are_named_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigurationInvalid, match=words):
        Configuration.load(tmp_path)
