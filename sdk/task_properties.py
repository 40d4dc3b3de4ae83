"""The user properties of a task: what a person notes about it, at any time."""

from collections.abc import Mapping
from typing import Any

from eventlog.events import ParametersDeleted, PropertiesDeleted, PropertiesSet
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskProperties"]


class TaskProperties(TaskBase):
    """The methods of `Task` about its user properties."""

    def set_user_properties(self, *iterables: Any, **properties: Any) -> bool:
        """Set properties and keep the others, of a published task too; returns True.

        Args:
            iterables: each a dictionary of name to value, or to details ("value", "description", "type");
                the details of one property, "name" among them; or several of these.
            properties: name to value, or to details.

        Raises:
            InputInvalid: a property has no name or no value, or one that cannot be kept.
        """
        from eventlog.sdk.user_properties import to_properties

        wanted = to_properties(iterables, properties)
        if wanted:
            self._append_always(PropertiesSet, wanted)
        return True

    def get_user_properties(self, value_only: bool = False) -> Mapping[str, Any]:
        """All properties by name.

        Args:
            value_only: the value alone, as text, in place of the details: section, name, value, type and
                description.
        """
        from eventlog.sdk.user_properties import property_details

        kept = self._state().properties
        return {name: one.value if value_only else property_details(name, one) for name, one in kept.items()}

    def delete_user_properties(self, *iterables: Any) -> bool:
        """Have these properties no more; returns True, also where there were none of these names.

        Args:
            iterables: each the name of a property; a dictionary with "section" and "name"; a pair of section
                and name; or several of these. The section of properties is "properties"; another one means a
                parameter.

        Raises:
            InputInvalid: one is none of these.
        """
        from eventlog.sdk.user_properties import to_names

        names, parameters = to_names(iterables)
        if names:
            self._append_always(PropertiesDeleted, names)
        if parameters:
            self._append(ParametersDeleted, parameters)
        return True
