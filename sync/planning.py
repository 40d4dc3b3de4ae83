"""What a push or a pull would move, found out without writing anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eventlog.store import Store
from eventlog.sync.fetcher import Fetcher
from eventlog.sync.layout import Holdings, chain_after
from eventlog.sync.puller import BEFORE_FIRST, Puller
from eventlog.sync.pusher import Pusher
from eventlog.sync.references import Choose, NamedBlobs
from eventlog.sync.remote import Remote
from eventlog.sync.results import ProgressCallback, Tally
from eventlog.sync.segment import segment_size
from eventlog.sync.sender import Sender

__all__ = ["Plan", "Planned", "plan_pull", "plan_push"]

# Of so many batches at once it is asked which blobs are there.
MANY = 1000


@dataclass
class Planned:
    """What would go of one store's log.

    Attributes:
        batches: how many.
        blobs: those that they name, and that no batch before them names.
        bytes: of both.
    """

    batches: int = 0
    blobs: int = 0
    bytes: int = 0

    def add(self, batches: int, sizes: Mapping[str, int]) -> None:
        """Add batches, and blobs by their bytes."""
        self.batches += batches
        self.blobs += len(sizes)
        self.bytes += sum(sizes.values())


@dataclass
class Plan:
    """What a transfer would move.

    Attributes:
        stores: by id; those of which something would go.
        absent: blobs that are listed as absent where they would go, and would be supplied.
        problems: what would not go through: one line each.
    """

    stores: dict[bytes, Planned] = field(default_factory=dict)
    absent: Planned = field(default_factory=Planned)
    problems: list[str] = field(default_factory=list)

    @property
    def total(self) -> Planned:
        """All of it."""
        parts = [*self.stores.values(), self.absent]
        return Planned(
            sum(part.batches for part in parts),
            sum(part.blobs for part in parts),
            sum(part.bytes for part in parts),
        )

    def of(self, store: bytes) -> Planned:
        """What would go of a store, to be added to."""
        return self.stores.setdefault(store, Planned())


def plan_push(
    store: Store,
    remote: Remote,
    holdings: Holdings,
    choose: Choose | None = None,
    progress: ProgressCallback | None = None,
    *,
    pulled: bool = False,
) -> Plan:
    """What a push would put on a remote of what is committed here; arguments and errors as of a `Pusher`."""
    tally = Tally("push", progress)
    sender = Sender(store, remote, tally, choose, None)
    plan = Plan()
    for run in Pusher(store, remote, holdings, tally, pulled=pulled).leaving():
        planned = plan.of(run[0].batch.store)
        planned.add(len(run), sender.measure_named(one.named for one in run))
        planned.bytes += segment_size([one.batch for one in run])
        tally.add(batches=len(run))
    plan.absent.add(0, sender.measure_supply())
    plan.problems = tally.problems + remote.absent.problems
    return plan


def plan_pull(
    store: Store,
    remote: Remote,
    holdings: Holdings,
    choose: Choose | None = None,
    progress: ProgressCallback | None = None,
) -> Plan:
    """What a pull would let in; arguments and errors as of a `Puller`.

    The log is read for it, since it is the log that names blobs. With a choice, all blobs that new batches
    name are counted, for whose they are is known only once they are let in.
    """
    tally = Tally("pull", progress)
    fetcher = Fetcher(store, remote, tally, choose, None)
    plan = Plan()

    def measure(copy_of: bytes, named: list[NamedBlobs]) -> None:
        if named:
            plan.of(copy_of).add(len(named), fetcher.measure_named(named))

    heads = store.heads()
    reading, named = b"", list[NamedBlobs]()
    for arrived in Puller(store, remote, holdings, tally).arriving(heads):
        copy_of = arrived.batch.store
        if copy_of != reading or len(named) == MANY:
            measure(reading, named)
            reading, named = copy_of, []
        named.append(arrived.named)
        tally.add(batches=1)
    measure(reading, named)
    for copy_of, planned in plan.stores.items():
        chain = chain_after(holdings[copy_of], heads.get(copy_of, BEFORE_FIRST).number)
        planned.bytes += sum(segment.size for segment in chain)
    plan.absent.add(0, fetcher.measure_absent())
    plan.problems = tally.problems + remote.absent.problems
    return plan
