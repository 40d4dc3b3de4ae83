"""What scripts and libraries take from inside ClearML's Task, besides what it documents."""

from collections.abc import Mapping
from typing import Any, ClassVar

from eventlog.errors import EventlogError
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskIntegrations"]


class TaskIntegrations(TaskBase):
    """Attributes of `Task` that are the inside of ClearML's, and are used all the same."""

    # What `Task.delete` raises.
    DeleteError: ClassVar = EventlogError
    # The default of arguments for which None means something.
    NotSet: ClassVar = object()

    @property
    def _arguments(self) -> "_Arguments":
        # By the trainer of Hugging Face's transformers.
        return _Arguments(self)

    def _get_default_report_storage_uri(self) -> str | None:
        # By NeMo, for where to put weights.
        return getattr(self, "output_uri", None) or None


class _Arguments:
    def __init__(self, task: Any) -> None:
        self._task = task

    def copy_from_dict(
        self,
        dictionary: Mapping[str, Any],
        prefix: str | None = None,
        descriptions: Mapping[str, str] | None = None,
        param_types: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Set the parameters of a section and keep the others; returns `dictionary`."""
        section = (prefix or "General").rstrip("/")
        self._task.update_parameters({f"{section}/{name}": value for name, value in dictionary.items()})
        return dictionary
