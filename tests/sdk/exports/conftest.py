"""Stores to export, in parts that are small."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlog.sdk.exports import parts
from tests.sync.machines import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    """Gives a machine by name, with a store of its own, closed after the test."""
    made: dict[str, Machine] = {}

    def named(name: str) -> Machine:
        if name not in made:
            made[name] = Machine(tmp_path / name)
        return made[name]

    yield named
    for one in made.values():
        one.close()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of some tens of events."""
    monkeypatch.setattr(parts, "PART_EVENTS", 40)
