"""Every reader of bytes from elsewhere. Whoever adds one to eventlog adds an entry to one of these lists."""

from torture.fuzzing.command_targets import COMMAND_TARGETS
from torture.fuzzing.log_targets import LOG_TARGETS
from torture.fuzzing.remote_targets import REMOTE_TARGETS
from torture.fuzzing.sdk_targets import SDK_TARGETS
from torture.fuzzing.target import Target

__all__ = ["TARGETS", "target_named"]

TARGETS: list[Target] = [*LOG_TARGETS, *COMMAND_TARGETS, *REMOTE_TARGETS, *SDK_TARGETS]


def target_named(name: str) -> Target:
    """A target by its name.

    Raises:
        KeyError: there is none.
    """
    return {target.name: target for target in TARGETS}[name]
