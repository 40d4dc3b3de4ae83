"""absl's flags, those of TensorFlow and JAX: recorded as soon as the command line was read.

ClearML calls their section TF_DEFINE.
"""

import sys
from typing import Any

from eventlog.events import Parameter
from eventlog.sdk.automatic.callers import is_own_command_line
from eventlog.sdk.automatic.command_lines import Values, inside, is_inside, is_wanted, note, stored_values
from eventlog.sdk.automatic.hooks import around
from eventlog.sdk.automatic.listening import safely, warn_once
from eventlog.sdk.connecting import stored_value
from eventlog.sdk.parameters import to_parameter

__all__ = ["bind"]

_FRAMEWORK = "tfdefines"
_SECTION = "TF_DEFINE"
# What a flag without a value would have been.
_TYPES = {"int": int, "float": float, "bool": bool}

_SCALARS = (str, int, float, bool, type(None))


def bind(module: Any) -> None:
    """Hook `absl.flags._flagvalues`."""
    around(module.FlagValues, "__call__", _parse)


def _parse(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    if is_inside() or not is_wanted(_FRAMEWORK) or not _is_global(instance):
        return wrapped(*args, **kwargs)
    stored = safely("what absl does", _stored, instance) or {}
    # A stored value is the default first, so that what is required need not be given.
    for name, value in stored.items():
        _set(instance.set_default, name, value)
    with inside():
        result = wrapped(*args, **kwargs)
    for name, value in stored.items():
        _set(instance.__setattr__, name, value)
    argv = args[0] if args else kwargs.get("argv", ())
    safely("what absl does", _note, instance, argv)
    return result


def _is_global(flags: Any) -> bool:
    """Whether these are the flags of the process, not a library's own."""
    return flags is getattr(sys.modules.get("absl.flags"), "FLAGS", None)


def _stored(flags: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    stored = stored_values(_SECTION)
    for name, flag in flags._flags().items():
        if name not in stored or _is_own(flags, name) or _text(flag.value) == stored[name].value:
            continue
        try:
            if isinstance(flag.value, _SCALARS):
                values[name] = flag.parser.parse(stored[name].value) if stored[name].value else None
            else:
                values[name] = stored_value(stored, name, flag.value)
        except ValueError as error:
            warn_once(f"the stored value of {name}", error)
    return values


def _set(set_value: Any, name: str, value: Any) -> None:
    try:
        set_value(name, value)
    except Exception as error:
        warn_once(f"the stored value of {name}", error)


def _note(flags: Any, argv: Any) -> None:
    values = Values()
    for name, flag in flags._flags().items():
        if name == flag.name:
            kind = _TYPES.get(flag.flag_type(), str) if flag.value is None else None
            values.add(f"{_SECTION}/{name}", to_parameter, flag.value, description=flag.help, value_type=kind)
    note(values, _FRAMEWORK, is_own=is_own_command_line(list(argv)[1:]))


def _is_own(flags: Any, name: str) -> bool:
    """Whether a flag is absl's own, such as the one for help."""
    return str(flags.find_module_defining_flag(name) or "").startswith("absl.")


def _text(value: Any) -> str | None:
    try:
        found: Parameter = to_parameter(value)
    except ValueError:
        return None
    return found.value
