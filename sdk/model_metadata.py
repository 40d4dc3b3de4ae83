"""Facts about a model, by name: values as text beside the type that they had."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import Event, ModelMetadataSet, Parameter
from eventlog.sdk.parameters import cast_parameter, to_parameter
from eventlog.sdk.plain_text import check_text, plain_text

if TYPE_CHECKING:
    from eventlog.projections import ModelState

__all__ = ["ModelMetadata"]


class ModelMetadata:
    """The methods of a model about its metadata, which may be set when it is published, too."""

    def set_metadata(self, key: str, value: Any, v_type: str | None = None) -> bool:
        """Set one fact and keep the others; returns True.

        Args:
            key: its name.
            value: text, or anything that has one.
            v_type: the name of the type to cast to, where it is not the value's own.

        Raises:
            InputInvalid: the key or the value has no text, or is longer than 64 KiB.
        """
        return self._set_metadata({_key(key): to_parameter(value, value_type=v_type)})

    def set_all_metadata(self, metadata: Mapping[str, Mapping[str, Any]], replace: bool = True) -> bool:
        """Set facts, each as ``{"value": …, "type": …}``; returns True.

        Args:
            metadata: by name; a type may be left out.
            replace: have these and no others.

        Raises:
            InputInvalid: it has another form, or something in it has no text.
        """
        if not isinstance(metadata, Mapping):
            raise InputInvalid(f"metadata must be a dictionary, not {type(metadata).__name__}")
        return self._set_metadata({_key(key): _entry(key, entry) for key, entry in metadata.items()}, replace)

    def get_metadata(self, key: str) -> str | None:
        """One fact as text, or None if there is none of that name."""
        parameter = self._state().metadata.get(key)
        return None if parameter is None else parameter.value

    def get_metadata_casted(self, key: str) -> Any:
        """One fact as the value that it was, or as text where its type is not built in; None for none."""
        parameter = self._state().metadata.get(key)
        return None if parameter is None else cast_parameter(parameter)

    def get_all_metadata(self) -> dict[str, dict[str, str]]:
        """All facts by name, each as ``{"value": …, "type": …}``, both text."""
        return {
            key: {"value": parameter.value, "type": parameter.type}
            for key, parameter in self._state().metadata.items()
        }

    def get_all_metadata_casted(self) -> dict[str, dict[str, Any]]:
        """All facts by name, each as ``{"value": …, "type": …}``, the values as they were."""
        return {
            key: {"value": cast_parameter(parameter), "type": parameter.type}
            for key, parameter in self._state().metadata.items()
        }

    def _set_metadata(self, metadata: dict[str, Parameter], replace: bool = False) -> bool:
        self._append(ModelMetadataSet, metadata, replace)
        return True

    def _state(self) -> "ModelState":
        raise NotImplementedError

    def _append(self, kind: type[Event], *fields: Any) -> None:
        raise NotImplementedError


def _key(key: Any) -> str:
    return check_text("a key of metadata", plain_text(key))


def _entry(key: Any, entry: Any) -> Parameter:
    if not isinstance(entry, Mapping) or "value" not in entry:
        raise InputInvalid(
            f"the metadata {plain_text(key)[:50]!r} must be given as {{'value': …, 'type': …}}, not as"
            f" {type(entry).__name__}"
        )
    return to_parameter(entry["value"], value_type=entry.get("type"))
