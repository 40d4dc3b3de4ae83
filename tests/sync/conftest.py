"""Machines for the tests of sync."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
def remote(tmp_path: Path) -> Path:
    """The path of a remote that is not there yet."""
    return tmp_path / "remote"
