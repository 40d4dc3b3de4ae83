"""What a model was built from: its design, as text or as a dictionary, and its labels."""

from collections.abc import Mapping
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.sdk.plain_text import check_text, plain_text

__all__ = ["LARGEST_DESIGN", "check_labels", "design_dict", "design_text"]

# Bytes; an event holds the design itself.
LARGEST_DESIGN = 4 << 20


def design_text(config_text: str | None, config_dict: Mapping[str, Any] | None) -> str | None:
    """The design that was given as text or as a dictionary, which is written as HOCON; None for neither.

    Raises:
        InputInvalid: both were given, it is neither, it contains itself, or it is larger than 4 MiB.
    """
    if config_text is not None and config_dict is not None:
        raise InputInvalid(
            "a model's design is given as config_text or as config_dict: leave one of them out"
        )
    if config_dict is not None:
        if not isinstance(config_dict, Mapping):
            raise InputInvalid(f"config_dict must be a dictionary, not {type(config_dict).__name__}")
        from eventlog.sdk.hocon import to_hocon

        text = to_hocon(config_dict)
    elif config_text is not None:
        if not isinstance(config_text, str):
            raise InputInvalid(f"config_text must be text, not {type(config_text).__name__}")
        text = config_text
    else:
        return None
    text = plain_text(text)
    if len(text.encode()) > LARGEST_DESIGN:
        raise InputInvalid("a model's design is larger than 4 MiB: upload it as an artifact of the task")
    return text


def design_dict(text: str) -> dict[str, Any]:
    """The dictionary that a design is, as JSON or HOCON; an empty one for no design.

    Raises:
        InputInvalid: it is neither, such as Python code or a prototxt file: it is read as text then.
        NotAvailable: it has a substitution, and pyhocon is not installed.
    """
    if not text.strip():
        return {}
    from eventlog.sdk.hocon import parse_hocon

    value = parse_hocon(text)
    if not isinstance(value, dict):
        raise InputInvalid("the model's design is not a dictionary: read it as config_text")
    return value


def check_labels(labels: Mapping[str, int] | None) -> dict[str, int]:
    """An enumeration of labels, as an event holds it.

    Raises:
        InputInvalid: it is no dictionary, a label is no text, or a number is not a whole one of 64 bits.
    """
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise InputInvalid(f"labels must be a dictionary of text to number, not {type(labels).__name__}")
    checked: dict[str, int] = {}
    for label, given in labels.items():
        name = check_text("a label", label)
        # NumPy's numbers are whole ones too.
        number: Any = given.item() if hasattr(given, "dtype") and hasattr(given, "item") else given
        if not isinstance(number, int) or isinstance(number, bool) or not -(1 << 63) <= number < 1 << 63:
            raise InputInvalid(
                f"the label {name[:50]!r} must have a whole number of 64 bits, not"
                f" {plain_text(number)[:50]!r}"
            )
        # A subclass, such as an enumeration's numbers, is not encoded as one.
        checked[name] = int(number)
    return checked
