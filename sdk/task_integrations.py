"""What scripts and libraries take from inside ClearML's Task, besides what it documents."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from eventlog.errors import EventlogError
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskIntegrations"]

# What git does is bounded by less.
_LONGEST_SECONDS = 300.0


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

    @property
    def _project_name(self) -> tuple[str, str]:
        # By the tests of MONAI and ParlAI: a project's id and its name.
        return self._project, self._project

    def _get_last_update(self) -> datetime:
        # By scripts that name a model after when it was trained.
        data: Any = self.data  # type: ignore[attr-defined]
        return data.last_update  # type: ignore[no-any-return]

    def _wait_for_repo_detection(self, timeout: float | None = None) -> None:
        # By scripts that edit or clone the task right after `Task.init`.
        if self._run is not None and self._run.execution is not None:
            self._run.execution.wait(_LONGEST_SECONDS if timeout is None else timeout)

    def _update_requirements(self, requirements: Any) -> None:
        # By scripts that know better; as ClearML, also {"pip": lines or a list of them}.
        packages = requirements.get("pip", "") if isinstance(requirements, Mapping) else requirements
        lines = packages.splitlines() if isinstance(packages, str) else packages
        self.set_packages(lines)  # type: ignore[attr-defined]


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
