"""The weights of models on their way to a destination."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eventlog.errors import RemoteUnreachable
from eventlog.sdk.delivery import Delivery, deliver
from eventlog.store import Store

__all__ = ["deleting", "deliver_weights", "wait_for_weights"]

log = logging.getLogger("eventlog")


def deliver_weights(
    store: Store,
    task_id: str,
    blob: str,
    url: str,
    *,
    on_completed: Callable[[], object] | None,
    in_background: bool,
) -> None:
    """Deliver weights that are in the store.

    Args:
        store: where they are.
        task_id: the task that they belong to.
        blob: SHA-256 of the bytes.
        url: of the file to be written.
        on_completed: is called once they have arrived.
        in_background: return at once.

    Raises:
        RemoteUnreachable: they were waited for, and did not arrive; the next sync tries again.
    """
    delivery = deliver(store, task_id, blob, url, on_completed=on_completed)
    _under_way[:] = [one for one in _under_way if one.status == "waiting"] + [delivery]
    if not in_background and not delivery.wait():
        raise RemoteUnreachable(
            f"the weights of a model are kept in the store and were not delivered to {delivery.url}"
            f" ({delivery.reason or 'nothing moved for a while'}): `eventlog sync` tries again"
        )


def wait_for_weights(seconds: float | None, count: int | None) -> None:
    """Wait until what this process delivers of models has arrived, or has failed.

    Args:
        seconds: how long at most.
        count: only for so many, those first that were first asked for.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    for delivery in _under_way[:count]:
        delivery.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))


def deleting(paths: Sequence[Path]) -> Callable[[], None]:
    """What deletes files, and folders with what is in them, once it is called."""
    absolute = [path.absolute() for path in paths]

    def delete() -> None:
        for path in absolute:
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("eventlog: %s was delivered and cannot be deleted: %s", path, error.strerror)

    return delete


# What this process delivers of models, in the order in which it was asked to.
_under_way: list[Delivery] = []
