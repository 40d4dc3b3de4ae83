"""The parameters of a task."""

from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from eventlog.events import Parameter, ParametersDeleted, ParametersSet
from eventlog.sdk import parameters
from eventlog.sdk.task_base import TaskBase

if TYPE_CHECKING:
    from eventlog.sdk.watching import Watch, Watches

__all__ = ["TaskParameters"]


class TaskParameters(TaskBase):
    """The methods of `Task` about its parameters."""

    # What this process knows of the parameters of its own task, and what was stored before it set any.
    _known: dict[str, Parameter] | None = None
    _stored: dict[str, Parameter] | None = None
    _watches: "Watches | None" = None

    def connect(self, mutable: Any, name: str | None = None, ignore_remote_overrides: bool = False) -> Any:
        """Record the parameters in something that the script works with, and what becomes of them.

        In a process that runs a task handed to it (``EVENTLOG_TASK_ID``), the values stored in the task are
        first written into it, cast to the types that it has.

        Args:
            mutable: a dictionary, nested or not; an argparse parser, whose arguments are in the section
                "Args"; an object or a class, for its attributes without those that begin with "_"; a
                `TaskParameters` or a model.
            name: the section, "General" by default.
            ignore_remote_overrides: keep the script's values, whatever is stored.

        Returns:
            `mutable` itself; for a dictionary one of the same items, which records what is written into it.

        Raises:
            InputInvalid: it is nothing that has parameters, or a dictionary that contains itself. A single
                value that cannot be recorded is left out, with a warning.
        """
        from eventlog.sdk.connecting import connect

        return connect(self, mutable, name, ignores_stored=ignore_remote_overrides)

    def set_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Have these parameters and no others.

        Args:
            args, kwargs: dictionaries, or pairs of name and value, by "name" or "section/name"; without a
                section they are in "General".

        Raises:
            InputInvalid: a name is empty, or a value longer than 64 KiB.
        """
        given = parameters.to_parameters(args, kwargs)
        # Else what has changed by now would be noticed afterwards.
        self._settle_parameters()
        self._record(given, replace=True)

    def update_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Set these parameters and keep the others; the arguments are those of `set_parameters`.

        A parameter that is set again keeps its description, and its type where the value can be of it.
        """
        self._record(parameters.to_parameters(args, kwargs))

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
            value_type: the type to cast to, or its name, where it is not the value's own.

        Raises:
            InputInvalid: the name is empty, or the value has no text or one longer than 64 KiB.
        """
        parameter = parameters.to_parameter(value, description=description, value_type=value_type)
        self._record({parameters.full_name(name): parameter}, has_type=value_type is not None)

    def get_parameters(self, backwards_compatibility: bool = True, cast: bool = False) -> dict[str, Any]:
        """All parameters by "section/name".

        Args:
            backwards_compatibility: for ClearML's sake; every parameter here has a section.
            cast: as the values they were, not as text.
        """
        self._settle_parameters()
        read = parameters.cast_parameter if cast else attrgetter("value")
        return {name: read(parameter) for name, parameter in self._state().parameters.items()}

    def get_parameters_as_dict(self, cast: bool = False) -> dict[str, Any]:
        """All parameters as a nested dictionary: "a/b" is in ``{"a": {"b": …}}``."""
        return parameters.nest_parameters(self.get_parameters(cast=cast))

    def get_parameter(self, name: str, default: Any = None, cast: bool = False) -> Any:
        """One parameter, as text or, with `cast`, as the value it was; `default` if there is none."""
        self._settle_parameters()
        parameter = self._state().parameters.get(parameters.full_name(name))
        if parameter is None:
            return default
        return parameters.cast_parameter(parameter) if cast else parameter.value

    def delete_parameter(self, name: str, force: bool = False) -> bool:
        """Have one parameter no more; returns whether there was such a one.

        Args:
            name: "name" or "section/name".
            force: for ClearML's sake; whatever can be set can be deleted.
        """
        full_name = parameters.full_name(name)
        if full_name not in self._state().parameters:
            return False
        self._append(ParametersDeleted, [full_name])
        if self._known is not None:
            self._known.pop(full_name, None)
        return True

    def _record(
        self,
        values: dict[str, Parameter],
        *,
        replace: bool = False,
        has_type: bool = False,
        only_changes: bool = False,
    ) -> None:
        """Append parameters, under the types and descriptions that they had.

        Args:
            replace: those not named are gone.
            has_type: the types were said, and count.
            only_changes: not those that are there already, just so.
        """
        known = self._known_parameters()
        merge = parameters.merge_parameter
        merged = {
            name: merge(parameter, known.get(name), has_type=has_type) for name, parameter in values.items()
        }
        if only_changes:
            merged = {name: parameter for name, parameter in merged.items() if known.get(name) != parameter}
        if not merged and not replace:
            return
        self._append(ParametersSet, merged, replace)
        if self._known is not None:
            if replace:
                self._known.clear()
            self._known.update(merged)

    def _known_parameters(self) -> dict[str, Parameter]:
        """The parameters as far as this process knows, without asking the store for those of a new task."""
        if self._run is None or not self._run.is_open:
            self._known = None
            return self._state().parameters
        if self._known is None:
            goes_on = self._run.start.goes_on
            self._known = dict(self._state().parameters) if goes_on else {}
            self._stored = dict(self._known)
        return self._known

    def _overriding_parameters(self) -> dict[str, Parameter]:
        """The stored parameters that win over those in the code; none in most processes."""
        from eventlog.sdk.overrides import overridden

        if self._run is None or not overridden():
            return {}
        self._known_parameters()
        return self._stored or {}

    def _watch(self, watch: "Watch") -> None:
        if self._watches is None:
            from eventlog.sdk.watching import Watches

            self._watches = Watches()
            if self._run is not None:
                self._run.at_end.append(lambda is_hurried: None if is_hurried else self._settle_parameters())
        self._watches.add(watch)

    def _settle_parameters(self) -> None:
        """Record what has changed unnoticed of what is connected."""
        if self._watches is not None:
            self._watches.settle()
