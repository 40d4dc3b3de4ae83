"""A recorded run survives cuts of the power; and had it left out a sync, that would be found."""

import shutil
from pathlib import Path
from random import Random

import pytest

from torture import power_cuts
from torture.disk import Disk
from torture.fault import Outcome, Round
from torture.recording import Entry, Operation, missing

CUTS = 2
# The first of them finds it nearly always.
MOST_CUTS = 30

pytestmark = [
    pytest.mark.skipif(missing() != "", reason=missing()),
    # From Python 3.12 on a fork beside threads is warned of, whoever's they are.
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Entry]]:
    """A folder in which a run was recorded, and the record."""
    folder = tmp_path_factory.mktemp("recorded").resolve()
    outcome = Outcome()
    entries = power_cuts.record(Round(Random(1), folder), outcome, 300)
    assert outcome.broken == []
    return folder, entries


def test_the_record_is_all_that_was_done(made: tuple[Path, list[Entry]], tmp_path: Path) -> None:
    folder, entries = made
    disk = Disk(folder / power_cuts.ROOT)
    for entry in entries:
        disk.apply(entry)
    disk.write_seen(tmp_path / "seen")
    recorded, real = contents(tmp_path / "seen"), contents(folder / power_cuts.ROOT)
    assert recorded.keys() == real.keys()
    # What a process last stored in memory before it was killed is not in the record: it could be lost anyway.
    mapped = {name for name in real if "/journals/" in name or name.endswith("/lock.mdb")}
    assert {name for name in real if recorded[name] != real[name]} <= mapped
    assert len(real) > len(mapped) + 3
    stores = {entry.operation for entry in entries}
    assert stores >= {Operation.STORE, Operation.WRITE_SYNCED, Operation.SYNC_FOLDER, Operation.NOTE}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_lost_by_a_cut(made: tuple[Path, list[Entry]]) -> None:
    folder, entries = made
    outcome = Outcome()
    power_cuts.cut(Round(Random(2), folder), outcome, entries, CUTS, first=len(entries) // 2)
    assert outcome.broken == []
    assert outcome.faults == CUTS
    assert outcome.acknowledged > 0
    assert outcome.lost == 0


@pytest.mark.parametrize("left_out", [Operation.SYNC, Operation.SYNC_FOLDER])
def test_a_program_that_leaves_out_syncs_is_found_out(
    made: tuple[Path, list[Entry]], left_out: Operation
) -> None:
    folder, entries = made
    kept = [entry for entry in entries if entry.operation is not left_out]
    outcome = Outcome()
    for chance in range(MOST_CUTS):
        power_cuts.cut(Round(Random(chance), folder), outcome, kept, 1, first=len(kept) * 3 // 4)
        for left in folder.glob("cut-*"):
            shutil.rmtree(left)
        if outcome.lost:
            break
    assert outcome.broken
    assert outcome.lost > 0


def test_a_run_of_which_nothing_was_recorded_is_told(made: tuple[Path, list[Entry]]) -> None:
    folder, entries = made
    outcome = Outcome()
    power_cuts.cut(Round(Random(1), folder), outcome, entries[:1], CUTS)
    assert outcome.faults == 0
    assert outcome.broken == ["of the run only 1 operations were recorded"]
