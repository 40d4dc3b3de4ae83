"""What verify makes of segments that overlap: two copies of the same batches, which have to be the same."""

from eventlog.check_batch import BatchFacts
from eventlog.check_chain import Chains
from eventlog.sync.check_names import SegmentName
from eventlog.sync.check_segment import SegmentFacts

__all__ = ["Overlaps"]


class Overlaps:
    """The segments of one store as one chain. Where they overlap, their batches should be the same.

    Of two that are not, the one is taken that lies in a segment which holds together by itself.

    Args:
        store: id of the store.
        chains: gets each batch once.
    """

    def __init__(self, store: bytes, chains: Chains) -> None:
        self.store = store
        self._chains = chains
        # Of each batch that may still be met again: what it says, where it lies, and whether it is trusted.
        self._held: dict[int, tuple[BatchFacts, str, bool]] = {}

    def add(self, segment: SegmentName, facts: SegmentFacts) -> None:
        """Take in a segment; they come in the order of their first batches."""
        problems = self._chains.problems
        self._release(segment.first)
        problems += [f"{segment.name} {problem}" for problem in facts.problems]
        whole = not facts.problems
        count = segment.last - segment.first + 1
        if whole and len(facts.batches) != count:
            problems.append(f"{segment.name} holds {len(facts.batches)} batches, its name says {count}")
            whole = False
        if whole and facts.mark != segment.mark:
            problems.append(
                f"{segment.name} was changed or renamed: its last batch has the SHA-256"
                f" {facts.batches[-1][1].hash.hex()}"
            )
            whole = False
        trusted = whole and facts.linked
        for number, (start, batch) in enumerate(facts.batches[:count], segment.first):
            place = f"({segment.name}, byte {start})"
            before = self._held.get(number)
            if before is not None and before[0].hash != batch.hash:
                problems.append(
                    f"batch {number} of store {self.store.hex()} {place} differs from the one in {before[1]}"
                )
            if before is None or (trusted and not before[2]):
                self._held[number] = (batch, place, trusted)

    def finish(self) -> None:
        """Hand over what is left."""
        self._release(None)

    def _release(self, before: int | None) -> None:
        """Hand over the batches that no later segment can hold."""
        for number in sorted(number for number in self._held if before is None or number < before):
            batch, place, _ = self._held.pop(number)
            self._chains.add(self.store, number, batch, place)
