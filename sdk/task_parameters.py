"""The parameters of a task."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from eventlog.events import ParametersSet
from eventlog.sdk import parameters
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskParameters"]


class TaskParameters(TaskBase):
    """The methods of `Task` about its parameters."""

    def set_parameters(self, *args: Mapping[str, Any], **kwargs: Any) -> None:
        """Have these parameters and no others.

        Args:
            args, kwargs: values by name or "section/name"; without a section they are in "General".

        Raises:
            InputInvalid: a name is empty, or a value longer than 64 KiB.
        """
        self._append(ParametersSet, parameters.to_parameters(args, kwargs), True)

    def update_parameters(self, *args: Mapping[str, Any], **kwargs: Any) -> None:
        """Set these parameters and keep the others; the arguments are those of `set_parameters`."""
        self._append(ParametersSet, parameters.to_parameters(args, kwargs))

    def set_parameters_as_dict(self, dictionary: Mapping[str, Any]) -> None:
        """Set the parameters of a nested dictionary and keep the others: ``{"a": {"b": 1}}`` is "a/b"."""
        self.update_parameters(parameters.flatten_parameters(dictionary))

    def set_parameter(
        self, name: str, value: Any, description: str | None = None, value_type: Any = None
    ) -> None:
        """Set one parameter and keep the others.

        Args:
            name: "name" or "section/name".
            value: anything that has a text.
            description: for a person.
            value_type: the type to cast to, where it is not the value's own.
        """
        parameter = parameters.to_parameter(value, description=description, value_type=value_type)
        self._append(ParametersSet, {parameters.full_name(name): parameter})

    def get_parameters(self, *, cast: bool = False) -> dict[str, Any]:
        """All parameters by "section/name", as text or, with `cast`, as the values they were."""
        read = parameters.cast_parameter if cast else attrgetter("value")
        return {name: read(parameter) for name, parameter in self._state().parameters.items()}

    def get_parameters_as_dict(self, cast: bool = False) -> dict[str, Any]:
        """All parameters as a nested dictionary: "a/b" is in ``{"a": {"b": …}}``."""
        return parameters.nest_parameters(self.get_parameters(cast=cast))

    def get_parameter(self, name: str, default: Any = None, cast: bool = False) -> Any:
        """One parameter, as text or, with `cast`, as the value it was; `default` if there is none."""
        parameter = self._state().parameters.get(parameters.full_name(name))
        if parameter is None:
            return default
        return parameters.cast_parameter(parameter) if cast else parameter.value
