"""User properties: from the forms in which a script gives them to what an event keeps."""

from collections.abc import Iterable, Mapping
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.events import Parameter
from eventlog.sdk.parameters import full_name, to_parameter
from eventlog.sdk.plain_text import check_text

__all__ = ["SECTION", "property_details", "to_names", "to_properties"]

# ClearML keeps properties as a section of the parameters.
SECTION = "properties"
_DETAILS = {"name", "value", "description", "type", "section"}


def to_properties(iterables: Iterable[Any], more: Mapping[str, Any]) -> dict[str, Parameter]:
    """The properties that a script gives, in any of ClearML's forms.

    Args:
        iterables: each a dictionary of name to value or to details; the details of one property, "name" and
            "value" among them; a pair of name and value; or several of these.
        more: name to value, or to details.

    Raises:
        InputInvalid: a property has no name or no value, or one that cannot be kept.
    """
    found: dict[str, Parameter] = {}
    for given in iterables:
        for name, value in _pairs(given):
            found[_checked(name)] = _to_property(name, value)
    for name, value in more.items():
        found[_checked(name)] = _to_property(name, value)
    return found


def to_names(iterables: Iterable[Any]) -> tuple[list[str], list[str]]:
    """The names of the properties, and the full names of the parameters, that are to be deleted.

    Args:
        iterables: each the name of a property; a dictionary with "section" and "name"; a pair of section and
            name; or several of these.

    Raises:
        InputInvalid: one is none of these.
    """
    names: dict[str, None] = {}
    parameters: dict[str, None] = {}
    for given in iterables:
        for section, name in _places(given):
            if section == SECTION:
                names[_checked(name)] = None
            else:
                parameters[full_name(f"{check_text('a section', section)}/{_checked(name)}")] = None
    return list(names), list(parameters)


def property_details(name: str, kept: Parameter) -> dict[str, str]:
    """What is known of a property, by ClearML's names."""
    return {
        "section": SECTION,
        "name": name,
        "value": kept.value,
        "type": kept.type,
        "description": kept.description,
    }


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    if isinstance(given, Mapping):
        if "name" in given and "value" in given and _DETAILS.issuperset(given):
            return [(given["name"], given)]
        if "value" in given and _DETAILS.issuperset(given):
            raise InputInvalid("a property that is given by its details must have a 'name'")
        return list(given.items())
    if isinstance(given, (tuple, list)) and len(given) == 2 and isinstance(given[0], str):
        return [(given[0], given[1])]
    pairs: list[tuple[Any, Any]] = []
    for one in _items(given):
        if not isinstance(one, (Mapping, tuple, list)):
            raise _unusable(given)
        if isinstance(one, Mapping) and "name" in one and "value" not in one and _DETAILS.issuperset(one):
            raise InputInvalid(f"property {one['name']!r} must have a 'value'")
        pairs += _pairs(one)
    return pairs


def _to_property(name: Any, value: Any) -> Parameter:
    description = kind = None
    if isinstance(value, Mapping) and "value" in value and _DETAILS.issuperset(value):
        description, kind, value = value.get("description"), value.get("type"), value["value"]
    try:
        parameter = to_parameter(value, description=description, value_type=kind or None)
    except InputInvalid as error:
        raise InputInvalid(f"property {name!r}: {error}") from None
    return Parameter("None", "NoneType", parameter.description) if value is None else parameter


def _places(given: Any) -> list[tuple[Any, Any]]:
    if isinstance(given, str):
        return [(SECTION, given)]
    if isinstance(given, Mapping):
        if "name" not in given:
            raise InputInvalid("a property to be deleted is given as {'section': 'properties', 'name': NAME}")
        return [(given.get("section", SECTION), given["name"])]
    items = _items(given)
    if len(items) == 2 and all(isinstance(item, str) for item in items):
        return [(items[0], items[1])]
    places: list[tuple[Any, Any]] = []
    for item in items:
        places += _places(item)
    return places


def _items(given: Any) -> list[Any]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise _unusable(given)
    return list(given)


def _checked(name: Any) -> str:
    text = check_text("the name of a property", name)
    if not text:
        raise InputInvalid("a property must have a name")
    return text


def _unusable(given: Any) -> InputInvalid:
    return InputInvalid(
        "properties are given as name=value, as a dictionary of names to values or as dictionaries with"
        f" 'name' and 'value', not as {type(given).__name__}"
    )
