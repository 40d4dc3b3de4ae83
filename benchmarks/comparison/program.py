"""A program that is measured: its adapter, and the interpreter that it runs in."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.driver import load_adapter

__all__ = ["ADAPTERS", "LIMITS", "OURS", "PEERS", "Program"]

ADAPTERS = Path(__file__).parents[1] / "peers"
OURS = "eventlog"
PEERS = (
    "trackio",
    "swanlab",
    "tensorboardx",
    "aim",
    "wandb",
    "neptune_scale",
    "clearml",
    "mlflow",
    "dvclive",
)
LIMITS = ("write_2", "lmdb_alone", "cp", "rclone", "memory")


@dataclass
class Program:
    """What an adapter says of itself, and how it is run.

    Attributes:
        path: its adapter.
        name: what a person calls it.
        requirements: what is installed for it; none where it runs in this interpreter's environment.
        is_limit: it is no peer, but what the machine can do at best.
        cannot: what it has no way to do, and why.
        python: the interpreter that it runs in.
        version: of what is installed; empty for what has none.
        missing: why it cannot be measured at all.
    """

    path: Path
    name: str
    requirements: tuple[str, ...]
    is_limit: bool
    cannot: dict[str, str] = field(repr=False)
    python: Path = Path(sys.executable)
    version: str = ""
    missing: str | None = None

    @classmethod
    def of_adapter(cls, path: Path) -> "Program":
        """The program of the adapter at a path; nothing of the program itself is imported."""
        adapter: Any = load_adapter(path)
        return cls(
            path,
            adapter.NAME,
            tuple(adapter.REQUIREMENTS),
            getattr(adapter, "LIMIT", False),
            dict(adapter.CANNOT),
        )

    def reason(self, needs: tuple[str, ...]) -> str | None:
        """Why it cannot do what needs all of these; None if it can."""
        if self.missing:
            return self.missing
        return next((self.cannot[need] for need in needs if need in self.cannot), None)
