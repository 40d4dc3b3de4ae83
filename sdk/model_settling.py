"""Waiting for what is being found out about a task's models in the background, where anything is."""

import sys

__all__ = ["settle_models"]


def settle_models() -> None:
    """Wait until what libraries have saved and loaded so far is wholly recorded, as long as it moves."""
    background = sys.modules.get("eventlog.sdk.automatic.background")
    if background is not None:
        background.settle()
