"""Rebuild: it mends views whatever is wrong with them, and says so when it cannot fold all of the log."""

import struct
from pathlib import Path

from eventlog.store import Store
from eventlog.verify import verify
from tests.cli.running import BASELINE, Run

PAGE = 4096
LEAF = 2


def enlarge_values(file: Path) -> None:
    """Have every value on a leaf page claim two gigabytes more, so that LMDB would read past its map."""
    data = bytearray(file.read_bytes())
    for page in range(2 * PAGE, len(data), PAGE):
        _, _, flags, lower, _ = struct.unpack_from("=QHHHH", data, page)
        if flags != LEAF or lower > PAGE:
            continue
        for (start,) in struct.iter_unpack("=H", data[page + 16 : page + lower]):
            struct.pack_into("=H", data, page + start + 2, 0x7FFF)
    file.write_bytes(data)


def test_views_that_would_crash_whoever_opens_them_are_named_and_rebuilt(eventlog: Run, tasks: Path) -> None:
    expected = eventlog("ls", "--json").out
    assert eventlog("scalars", "digits/baseline").code == 0
    assert verify(tasks).problems == []
    enlarge_values(tasks / "views" / "data.mdb")

    outcome = eventlog("verify")
    assert outcome.code == 1
    assert outcome.lines[0].startswith("views/data.mdb: page ")
    assert outcome.lines[0].endswith(": run `eventlog rebuild`")
    assert outcome.lines[1].startswith("1 problem: ")

    outcome = eventlog("rebuild")
    assert (outcome.code, outcome.err) == (0, "")
    assert eventlog("ls", "--json").out == expected
    assert eventlog("verify").code == 0
    assert list((tasks / "temporary").iterdir()) == []


def test_views_without_all_of_the_log_are_said_to_be_until_the_log_is_mended(
    eventlog: Run, tasks: Path
) -> None:
    expected = eventlog("ls", "--json")
    assert (expected.code, expected.err) == (0, "")
    with Store.open(tasks) as store:
        (batch,) = store.batches(store.id, 0, 0)
        key = store.id + bytes(8)

        def put(data: bytes) -> None:
            database = store.environment["batches"]
            store.environment.write(lambda transaction: transaction.put(key, data, db=database))

        put(batch.data[:-1] + bytes([batch.data[-1] ^ 1]))
        outcome = eventlog("rebuild")
        assert outcome.code == 1
        said = outcome.err.splitlines()[-1]
        assert f"batch 0 of store {store.id.hex()}" in said
        assert "`eventlog verify`" in said
        for command in (["ls"], ["ls", "--json"], ["show", BASELINE], ["log", BASELINE, "--reports"]):
            outcome = eventlog(*command)
            # The first batch may have been all there was of a task.
            assert outcome.err.splitlines()[0] == said, command
        put(batch.data)
    outcome = eventlog("rebuild")
    assert (outcome.code, outcome.err) == (0, "")
    assert eventlog("ls", "--json") == expected
