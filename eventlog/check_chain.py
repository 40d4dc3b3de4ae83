"""What verify finds across batches: each store's chain, each session's numbering, and the records of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from eventlog.check_batch import UNDECODABLE, BatchFacts
from eventlog.kept_heads import KeptHead, KeptHeads

__all__ = ["Chains"]

FIRST_PREVIOUS = bytes(32)
HEAD_SIZE = 40


@dataclass(slots=True)
class _Link:
    """A batch, as far as the one after it is concerned."""

    number: int
    hash: bytes
    where: str


@dataclass(slots=True)
class _Chain:
    last: _Link | None = None
    # The batch before the last, if the last does not name its hash. Which of the two was changed is known
    # once the last one's own hash has been named.
    unconfirmed: _Link | None = None


@dataclass(slots=True)
class _Session:
    store: bytes
    next: int = 0
    # Their order is that of a dictionary's keys.
    open_tasks: dict[str, None] = field(default_factory=dict)
    ended: bool = False
    last_time: int = 0
    whole: bool = True


class Chains:
    """The chains of batches of all stores in one copy of the log; each store's are added in their order.

    Args:
        prefix: what every problem begins with.
        against: heads that the chains should hold, to be compared by `check_against`.
        since: heads that the copy goes on from: what came before them is elsewhere.

    Attributes:
        problems: what is wrong, a line each.
        notes: what else there is to say of a comparison with heads.
        batches, events, unknown: how many were added; `unknown` is of kinds that are not known.
        blobs: by digest, where it was first named.
    """

    def __init__(
        self, prefix: str = "", against: KeptHeads | None = None, since: KeptHeads | None = None
    ) -> None:
        self._prefix = prefix
        self._against = against
        self._since = since.heads if since is not None else {}
        # Of the batches that the kept heads name, the hashes that they have.
        self._compared: dict[bytes, bytes] = {}
        if against is not None:
            for store, kept in against.heads.items():
                base = self._since.get(store)
                if base is not None and base.number == kept.number:
                    self._compared[store] = base.hash
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.batches = 0
        self.events = 0
        self.unknown = 0
        self.blobs: dict[str, str] = {}
        self._chains: dict[bytes, _Chain] = {}
        self._sessions: dict[bytes, _Session] = {}
        # Stores with a batch whose header cannot be read: what its sessions held is not known.
        self._damaged: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<Chains of {len(self._chains)} stores: {self.batches} batches, {self.events} events>"

    @property
    def stores(self) -> set[bytes]:
        """Ids of the stores that have batches."""
        return set(self._chains)

    @property
    def sessions(self) -> set[bytes]:
        """Ids of the sessions that have events."""
        return set(self._sessions)

    @property
    def heads(self) -> dict[bytes, KeptHead]:
        """The last batch of each store: its number and its hash."""
        return {
            store: KeptHead(chain.last.number, chain.last.hash)
            for store, chain in self._chains.items()
            if chain.last is not None
        }

    def position(self, session: bytes) -> tuple[int, int]:
        """The number of a session's next event, and the time of its last."""
        found = self._sessions.get(session)
        return (found.next, found.last_time) if found else (0, 0)

    def add(self, store: bytes, number: int, facts: BatchFacts, place: str) -> None:
        """Take in a batch.

        Args:
            store, number: the id and the number under which it lies there.
            place: where it lies, such as "(page 7)".
        """
        self.batches += 1
        where = f"batch {number} of store {store.hex()} {place}"
        self.problems += [f"{self._prefix}{where} {problem}" for problem in facts.problems]
        if facts.legible and (facts.store, facts.number) != (store, number):
            self.problems.append(
                f"{self._prefix}{where} says that it is batch {facts.number} of store {facts.store.hex()}"
            )
        kept = self._against.heads.get(store) if self._against is not None else None
        if kept is not None and kept.number == number:
            self._compared[store] = facts.hash
        self._link(store, _Link(number, facts.hash, where), facts)
        if not facts.legible:
            self._damaged.add(store)
            return
        self.events += facts.states + facts.reports
        self.unknown += facts.unknown
        for digest in facts.blobs:
            self.blobs.setdefault(digest, where)
        self._continue_session(store, where, facts)

    def finish(self) -> None:
        """Say what is still to be said once all batches are added, where the copy keeps no heads."""
        for chain in self._chains.values():
            self._settle(chain, changed=False)

    def check_against(self) -> None:
        """Compare the chains with the heads that were kept: each should be a link of its store's chain.

        What is found stands before all other problems: it is what was asked for.
        """
        if self._against is None:
            return
        if not self._against.heads:
            self.notes.append(f"{self._against.name} holds no heads: nothing was compared with it")
        found: list[str] = []
        for store, kept in sorted(self._against.heads.items()):
            chain = self._chains.get(store)
            name = f"store {store.hex()}"
            said = f"{self._against.name} says"
            base = self._since.get(store)
            last = chain.last.number if chain and chain.last else base.number if base else None
            if last is None:
                found.append(f"{name} is not here, though {said} that it had batch {kept.number}")
            elif last < kept.number:
                found.append(
                    f"{name} ends with batch {last}, though {said} that it had batch"
                    f" {kept.number}: it was cut, or this is an older copy"
                )
            elif base and base.number > kept.number:
                found.append(
                    f"{name} cannot be compared: what is here of it follows batch {base.number}, and {said}"
                    f" what batch {kept.number} was; verify a copy that has taken this one in"
                )
            elif store not in self._compared:
                found.append(f"{name} cannot be compared: its batch {kept.number} is missing")
            elif self._compared[store] != kept.hash:
                found.append(
                    f"{name} was rewritten: its batch {kept.number} has the SHA-256"
                    f" {self._compared[store].hex()}, {said} {kept.hash.hex()}"
                )
            elif chain is None:
                self.notes.append(
                    f"{name} has nothing new here: batch {kept.number} is what this copy goes on from, and is"
                    " not in it"
                )
        self.problems[:0] = found

    def check_heads(self, heads: Mapping[bytes, bytes]) -> None:
        """Compare the last batch of each store with the heads that the log keeps."""
        for store in sorted(self._chains.keys() | heads.keys()):
            name = f"{self._prefix}the head of store {store.hex()}"
            chain, head = self._chains.get(store, _Chain()), heads.get(store)
            last = chain.last
            if head is None or len(head) != HEAD_SIZE:
                self.problems.append(f"{name} is missing" if head is None else f"{name} is not a head")
                self._settle(chain, changed=False)
                continue
            number, digest = int.from_bytes(head[:8], "big"), head[8:]
            if last is None:
                self.problems.append(f"{name} says batch {number}, and there is none")
            elif last.number != number:
                self.problems.append(f"{name} says batch {number}, but the last is {last.where}")
                self._settle(chain, changed=False)
            else:
                self._settle(chain, changed=last.hash != digest)
                if last.hash != digest:
                    self.problems.append(
                        f"{name} has the hash {digest.hex()}, but {last.where} has {last.hash.hex()}: one of"
                        " them was changed"
                    )

    def check_sessions(self, records: Mapping[bytes, bytes]) -> None:
        """Compare how far each session has got with the records that the log keeps."""
        for session in sorted(self._sessions.keys() | records.keys()):
            name = f"{self._prefix}the record of session {session.hex()}"
            found, record = self._sessions.get(session), records.get(session)
            if record is None:
                self.problems.append(f"{name} is missing")
                continue
            try:
                store, end, open_tasks, ended, last_time = _record_decoder.decode(record)
            except UNDECODABLE as error:
                self.problems.append(f"{name} cannot be decoded: {error}")
                continue
            if found is None:
                if store not in self._damaged:
                    self.problems.append(f"{name} is of a session without events")
                continue
            if found.store in self._damaged and store == found.store:
                continue
            if (store, end, last_time) != (found.store, found.next, found.last_time) or (
                found.whole and (open_tasks, ended) != (list(found.open_tasks), found.ended)
            ):
                self.problems.append(f"{name} does not say what its events say")

    def _link(self, store: bytes, link: _Link, facts: BatchFacts) -> None:
        chain = self._chains.get(store)
        if chain is None:
            base = self._since.get(store)
            before = (
                _Link(*base, f"batch {base.number} of store {store.hex()}, as 'since' has it,")
                if base
                else None
            )
            chain = self._chains[store] = _Chain(before)
        last = chain.last
        expected = last.number + 1 if last else 0
        if link.number != expected:
            gone = (
                f"batch {expected}"
                if link.number == expected + 1
                else f"batches {expected} to {link.number - 1}"
            )
            self.problems.append(f"{self._prefix}missing {gone} of store {store.hex()}")
            self._settle(chain, changed=False)
        elif not facts.legible:
            self._settle(chain, changed=False)
        elif last is None:
            if facts.previous != FIRST_PREVIOUS:
                self.problems.append(f"{self._prefix}{link.where} names a batch before the first")
        else:
            changed = last.hash != facts.previous
            self._settle(chain, changed=changed)
            if changed:
                chain.unconfirmed = last
        chain.last = link

    def _settle(self, chain: _Chain, *, changed: bool) -> None:
        """Say what a broken link is due to, now that it is known whether its later batch was changed."""
        suspect, chain.unconfirmed = chain.unconfirmed, None
        if suspect is None:
            return
        if changed:
            self.problems.append(
                f"{self._prefix}{suspect.where} cannot be confirmed: the batch after it was changed"
            )
        else:
            self.problems.append(
                f"{self._prefix}{suspect.where} was changed: the batch after it does not name its SHA-256,"
                f" {suspect.hash.hex()}"
            )

    def _continue_session(self, store: bytes, where: str, facts: BatchFacts) -> None:
        session = self._sessions.get(facts.session)
        if session is None:
            session = self._sessions[facts.session] = _Session(store)
            if store in self._since:
                session.next, session.whole = facts.first, False
        name = f"session {facts.session.hex()}"
        if session.store != store:
            self.problems.append(
                f"{self._prefix}{where} holds events of {name}, which is store {session.store.hex()}'s"
            )
            return
        if facts.first != session.next and store not in self._damaged:
            self.problems.append(
                f"{self._prefix}{where} goes on with event {facts.first} of {name}, not {session.next}"
            )
        if facts.first_time < session.last_time:
            self.problems.append(f"{self._prefix}{where} holds times of {name} that go back")
        session.next = facts.end
        session.last_time = max(session.last_time, facts.last_time)
        session.whole &= facts.whole
        for kind, task in facts.changes:
            if kind == "SessionEnded":
                session.ended = True
                continue
            session.open_tasks.pop(task, None)
            if kind == "TaskStarted":
                session.open_tasks[task] = None


_record_decoder = msgspec.msgpack.Decoder(tuple[bytes, int, list[str], bool, int])
