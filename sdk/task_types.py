"""The names that ClearML gives to sorts of tasks and to their statuses."""

from enum import StrEnum

from eventlog.errors import InputInvalid
from eventlog.sdk.names import shown

__all__ = ["TaskStatusEnum", "TaskTypes", "known_type", "type_name"]


class TaskTypes(StrEnum):
    """What a task is for."""

    training = "training"
    testing = "testing"
    inference = "inference"
    data_processing = "data_processing"
    application = "application"
    monitor = "monitor"
    controller = "controller"
    optimizer = "optimizer"
    service = "service"
    qc = "qc"
    custom = "custom"


class TaskStatusEnum(StrEnum):
    """How far a task has got. Here none is ever queued, publishing, closed or unknown."""

    created = "created"
    queued = "queued"
    in_progress = "in_progress"
    stopped = "stopped"
    published = "published"
    publishing = "publishing"
    closed = "closed"
    failed = "failed"
    completed = "completed"
    unknown = "unknown"


def type_name(task_type: TaskTypes | str) -> str:
    """The text that a task type is recorded as.

    Raises:
        InputInvalid: there is no such type.
    """
    try:
        return str(TaskTypes(task_type))
    except ValueError:
        raise InputInvalid(
            f"there is no task type {shown(task_type)}: choose from {', '.join(TaskTypes)}"
        ) from None


def known_type(text: str) -> str:
    """The member of `TaskTypes` that a text is; the text itself if a newer version wrote it."""
    try:
        return TaskTypes(text)
    except ValueError:
        return text
