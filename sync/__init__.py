"""Copies of the log: push and pull.

A remote is any fsspec URL that holds copies of stores. Its objects are written once and never changed,
so that any number of machines may push and pull at once; what it holds is read off their names.
"""

from eventlog.sync.meeting import pull, push, synchronise, unpushed
from eventlog.sync.remote import Remote
from eventlog.sync.results import Progress, PullResult, PushResult, SyncResult, Unpushed

__all__ = [
    "Progress",
    "PullResult",
    "PushResult",
    "Remote",
    "SyncResult",
    "Unpushed",
    "pull",
    "push",
    "synchronise",
    "unpushed",
]
