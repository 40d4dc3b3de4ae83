"""Scripts that train small models with a library, and the models that their tasks have then."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventlog import Task

__all__ = ["Done", "Trained", "needs"]


@dataclass(frozen=True)
class Done:
    """What a script has left behind: what it printed, its task, and the folder it ran in."""

    out: str
    task: Task
    folder: Path

    def models(self, direction: str) -> list[str]:
        """What the task calls its models."""
        return list(self.task.models[direction].keys())


Trained = Callable[..., Done]


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skips a test, or those of a module, where a package is missing; none is imported for it."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
