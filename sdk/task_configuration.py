"""The configurations of a task, and its labels."""

from collections.abc import Mapping
from typing import Any, TypeVar

from eventlog.errors import InputInvalid
from eventlog.events import ConfigurationSet, LabelsSet
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskConfiguration"]

C = TypeVar("C")


class TaskConfiguration(TaskBase):
    """The methods of `Task` about configurations, which are kept as they were written, and about labels."""

    # What was stored before this process set any, where that wins over what the code has.
    _stored_configurations: dict[str, ConfigurationSet] | None = None

    def connect_configuration(
        self,
        configuration: C,
        name: str | None = None,
        description: str | None = None,
        ignore_remote_overrides: bool = False,
    ) -> C:
        """Record a configuration, and give back the one to work with.

        In a process that runs a task handed to it (``EVENTLOG_TASK_ID``), that is the one stored in the task.

        Args:
            configuration: a dictionary or a list, or the path of a file of text: JSON, YAML, HOCON, any.
            name: of the configuration, "General" by default.
            description: for a person.
            ignore_remote_overrides: keep the script's configuration, whatever is stored.

        Returns:
            For a dictionary one of the same items, which records what is written into it; a list; for a path
            the path of the file to read, of the type that was given.

        Raises:
            InputInvalid: it is none of these, or a file that cannot be read as text, or contains itself.
        """
        from eventlog.sdk.connected_configurations import connect_configuration

        stored = {} if ignore_remote_overrides else self._overriding_configurations()
        connected: C = connect_configuration(self, configuration, name, description, stored)
        return connected

    def set_configuration_object(
        self,
        name: str,
        config_text: str | None = None,
        description: str | None = None,
        config_type: str | None = None,
        config_dict: Mapping[str, Any] | list[Any] | None = None,
    ) -> None:
        """Set a configuration, as text or as a dictionary or list.

        Args:
            name: of the configuration.
            config_text: the text, kept as it is.
            description: for a person.
            config_type: what the text is, such as "yaml".
            config_dict: a dictionary or list, kept as HOCON.

        Raises:
            InputInvalid: not one of the two is given, or the dictionary contains itself.
        """
        from eventlog.sdk.configurations import given_text

        self._set_configuration(name, given_text(config_text, config_dict), description, config_type)

    def get_configuration_object(self, name: str) -> str | None:
        """The text of a configuration, as it was written; None if there is none of that name.

        Raises:
            BlobMissing, DataCorrupt: it is a large one, and not here or damaged.
        """
        from eventlog.sdk.configurations import full_text

        found = self._state().configurations.get(name)
        return None if found is None else full_text(self._store, found)

    def get_configuration_objects(self) -> dict[str, str]:
        """The texts of all configurations, by name; errors are those of `get_configuration_object`."""
        from eventlog.sdk.configurations import full_text

        return {name: full_text(self._store, one) for name, one in self._state().configurations.items()}

    def get_configuration_object_as_dict(self, name: str) -> Any:
        """The dictionary or list that a configuration says, read as its type or as JSON or HOCON.

        Returns:
            None if there is none of that name, or its text is empty.

        Raises:
            InputInvalid: it is text of another kind.
            NotAvailable: it is HOCON with a substitution, which needs pyhocon.
        """
        from eventlog.sdk.configurations import full_text, parse_text

        found = self._state().configurations.get(name)
        return None if found is None else parse_text(full_text(self._store, found), found.type)

    def set_model_config(
        self, config_text: str | None = None, config_dict: Mapping[str, Any] | None = None
    ) -> None:
        """Set the design of the model: the configuration "General". Without arguments, do nothing.

        Raises:
            InputInvalid: both are given, or it is no text or no dictionary.
        """
        from eventlog.sdk.configurations import DESIGN, given_text

        if config_text is not None or config_dict is not None:
            self._set_configuration(DESIGN, given_text(config_text, config_dict, takes_lists=False))

    def get_model_config_text(self) -> str:
        """The design of the model, as text; empty if there is none."""
        from eventlog.sdk.configurations import DESIGN

        return self.get_configuration_object(DESIGN) or ""

    def get_model_design(self) -> str:
        """As `get_model_config_text`."""
        return self.get_model_config_text()

    def get_model_config_dict(self) -> dict[str, Any]:
        """The design of the model, as a dictionary; empty if there is none.

        Raises:
            InputInvalid: it is text of another kind.
        """
        from eventlog.sdk.configurations import DESIGN

        return self.get_configuration_object_as_dict(DESIGN) or {}

    def update_model_desc(self, new_model_desc_file: str | None = None) -> None:
        """Have the text of a file as the design of the model.

        Raises:
            InputInvalid: there is no such file, or it cannot be read.
        """
        from eventlog.regular_file import read_regular

        if new_model_desc_file is None:
            return
        try:
            text = read_regular(new_model_desc_file).decode().replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputInvalid(f"{new_model_desc_file} cannot be read as text: {error}") from None
        self.set_model_config(config_text=text)

    def save_exec_model_design_file(self, filename: str = "model_design.txt", use_cache: bool = False) -> str:
        """Write the design of the model into a file of the task's `cache_dir`, and return its path.

        Args:
            filename: what to call it; a name, or a path.
            use_cache: leave a file that is there as it is.
        """
        path = self._store.home / "cache" / self._id / filename
        if not (use_cache and path.exists()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.get_model_design(), encoding="utf-8")
        return str(path)

    def connect_label_enumeration(
        self, enumeration: dict[str, int], ignore_remote_overrides: bool = False
    ) -> dict[str, int]:
        """Record the number of each label; returns the same dictionary.

        In a process that runs a task handed to it (``EVENTLOG_TASK_ID``), it comes to hold what is stored.

        Raises:
            InputInvalid: it is no dictionary of text to whole numbers.
        """
        from eventlog.sdk.model_designs import check_labels
        from eventlog.sdk.overrides import overridden

        if not isinstance(enumeration, dict):
            raise InputInvalid(
                f"labels must be a dictionary of text to number, not {type(enumeration).__name__}"
            )
        checked = check_labels(enumeration)
        if overridden() and self._run is not None and not ignore_remote_overrides:
            stored = self._state().labels
            if stored:
                enumeration.clear()
                enumeration.update(stored)
                return enumeration
        self._append(LabelsSet, checked)
        return enumeration

    def set_model_label_enumeration(self, enumeration: Mapping[str, int] | None = None) -> None:
        """Have these labels, with their numbers, and no others; None for no labels.

        Raises:
            InputInvalid: it is no dictionary of text to whole numbers.
        """
        from eventlog.sdk.model_designs import check_labels

        self._append(LabelsSet, check_labels(enumeration))

    def get_labels_enumeration(self) -> dict[str, int]:
        """The number of each label."""
        return dict(self._state().labels)

    def get_label_num_description(self) -> dict[int, str]:
        """The labels of each number, joined by commas where there are several."""
        described: dict[int, str] = {}
        for label, number in self._state().labels.items():
            described[number] = f"{described[number]}, {label}" if number in described else label
        return described

    def get_num_of_classes(self) -> int:
        """How many classes the labels number: one more than the highest number; 0 without labels."""
        return max(self._state().labels.values(), default=-1) + 1

    def _set_configuration(
        self, name: str, text: str, description: str | None = None, kind: str | None = None
    ) -> None:
        from eventlog.sdk.configurations import check_name, kept_text
        from eventlog.sdk.plain_text import plain_text

        checked = check_name(name)
        self._overriding_configurations()
        kept, blob = kept_text(self._store, text)
        self._append(
            ConfigurationSet, checked, kept, blob, plain_text(kind or ""), plain_text(description or "")
        )

    def _overriding_configurations(self) -> dict[str, ConfigurationSet]:
        """The stored configurations that win over those in the code; none in most processes."""
        from eventlog.sdk.overrides import overridden

        if self._run is None or not overridden():
            return {}
        if self._stored_configurations is None:
            self._stored_configurations = dict(self._state().configurations)
        return self._stored_configurations
