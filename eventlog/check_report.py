"""What verify says of a copy of the log: a store, a remote or a bundle."""

from dataclasses import dataclass, field

from eventlog.check_chain import Chains
from eventlog.kept_heads import KeptHead

__all__ = ["Report"]


@dataclass(slots=True)
class Report:
    """What verify looked at, and what is wrong with it.

    Attributes:
        problems: what is wrong, a line each; empty if every byte is what was written.
        notes: what is no problem, but may be worth knowing, a line each.
        stores: how many stores have batches there.
        segments: how many segments; None for a store, which has none.
        batches: how many batches.
        events: how many events in them.
        unknown: how many of the events are of kinds that this version does not know.
        sessions: how many sessions have events in the batches.
        journals: how many journals; None for what is no store.
        blobs: how many blobs.
        absent: how many blobs that events name are not there, as absent lists say.
        heads: the last batch of each store, by store id.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stores: int = 0
    segments: int | None = None
    batches: int = 0
    events: int = 0
    unknown: int = 0
    sessions: int = 0
    journals: int | None = None
    blobs: int = 0
    absent: int = 0
    heads: dict[bytes, KeptHead] = field(default_factory=dict)

    def __repr__(self) -> str:
        names = ("stores", "segments", "batches", "events", "sessions", "journals", "blobs")
        counts = ((name, getattr(self, name)) for name in names)
        told = ", ".join(f"{count} {name}" for name, count in counts if count is not None)
        return f"<Report: {len(self.problems)} problems in {told}>"

    def count(self, chains: Chains) -> None:
        """Count what chains of batches hold."""
        self.stores = len(chains.stores)
        self.batches = chains.batches
        self.events = chains.events
        self.unknown = chains.unknown
        self.sessions = len(chains.sessions)
        self.heads = chains.heads
