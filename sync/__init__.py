"""Copies of the log: push and pull.

A remote is any fsspec URL that holds copies of stores. Its objects are written once and never changed,
so that any number of machines may push and pull at once; what it holds is read off their names.
"""

from eventlog.sync.fork_resolution import Fork, ForkResult, resolve_forks, side_here
from eventlog.sync.fork_sides import Side
from eventlog.sync.meeting import planned, pull, push, synchronise, unpushed
from eventlog.sync.planning import Plan, Planned
from eventlog.sync.remote import Remote
from eventlog.sync.results import Progress, PullResult, PushResult, SyncResult, Unpushed

__all__ = [
    "Fork",
    "ForkResult",
    "Plan",
    "Planned",
    "Progress",
    "PullResult",
    "PushResult",
    "Remote",
    "Side",
    "SyncResult",
    "Unpushed",
    "planned",
    "pull",
    "push",
    "resolve_forks",
    "side_here",
    "synchronise",
    "unpushed",
]
