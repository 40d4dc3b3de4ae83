"""click: the options and arguments of the commands that a script runs, recorded before the command runs.

The parameters of a single command, be it in a group, are named as they are; those of the commands and groups
of a group after the command, ``train/rate``, and each command says whether it is the one that runs, as with
ClearML. typer has a copy of click of its own, which is hooked in the same way.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from eventlog.sdk.automatic.callers import is_function_of_script, is_own_command_line
from eventlog.sdk.automatic.command_lines import (
    ARGUMENTS,
    MASK,
    Values,
    is_inside,
    is_wanted,
    note,
    stored_values,
)
from eventlog.sdk.automatic.hooks import around
from eventlog.sdk.automatic.listening import safely, warn_once
from eventlog.sdk.parameters import cast_parameter, to_parameter

if TYPE_CHECKING:
    from eventlog.events import Parameter

__all__ = ["bind"]

# What an option without a value would have been.
_TYPES = {"integer": int, "integer range": int, "float": float, "float range": float, "boolean": bool}


def bind(module: Any) -> None:
    """Hook `click.core`, or a copy of it."""
    around(module.Command, "invoke", _invoke)
    around(module.Parameter, "handle_parse_result", _handle)
    # The second of each is the one that has it before click 8.2.
    for name, method, hook in (
        ("Command", "main", _main),
        ("BaseCommand", "main", _main),
        ("Group", "resolve_command", _resolve),
        ("MultiCommand", "resolve_command", _resolve),
    ):
        if name in vars(module):
            around(vars(module)[name], method, hook)


def _main(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    token = _given.set((args[0] if args else kwargs.get("args"),))
    try:
        return wrapped(*args, **kwargs)
    finally:
        _given.reset(token)


def _invoke(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    context = args[0] if args else kwargs.get("ctx")
    if _counts(instance):
        safely("the command line", _note, instance, context)
    return wrapped(*args, **kwargs)


def _handle(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Parse one parameter; where another value is stored than the command line gives, parse that instead."""
    parameter = None
    if len(args) == 3 and _counts(args[0].command):
        parameter = safely("the command line", _stored, instance, args[0])
    if parameter is None:
        return wrapped(*args, **kwargs)
    context, given, rest = args
    name = instance.name
    # What is asked for or required need not be given.
    if _is_given(given, name) or not (instance.required or getattr(instance, "prompt", None)):
        result = wrapped(context, given, rest)
        if safely("the command line", _is_same, context.params.get(name), parameter):
            return result
    before = dict(context.params)
    context.params.pop(name, None)
    try:
        return wrapped(context, {**given, name: _value(instance, parameter)}, rest)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        warn_once(f"the stored value of {name}", error)
        context.params.clear()
        context.params.update(before)
        return wrapped(context, given, rest)


def _resolve(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Find the command that is named; where another one is stored, that one."""
    name, command, rest = wrapped(*args, **kwargs)
    other = safely("the command line", _stored_command, instance, name)
    return (name, command, rest) if other is None else (other, instance.commands[other], [])


def _counts(command: Any) -> bool:
    if is_inside() or not is_wanted():
        return False
    given = _given.get()
    return bool(
        safely(
            "the command line",
            is_function_of_script,
            getattr(command, "callback", None),
            None if given is None else given[0],
        )
    )


def _note(command: Any, context: Any) -> None:
    values, prefix = Values(), _prefix(context)
    parent = context.parent
    if parent is not None and not _is_group(command) and not _is_alone(context):
        for name, other in getattr(parent.command, "commands", {}).items():
            if not _is_group(other):
                values.parameters[f"{ARGUMENTS}/{name}"] = to_parameter(other is command)
    options = {option.name: option for option in command.params}
    for name, value in list(context.params.items()):
        values.add(f"{ARGUMENTS}/{prefix}{name}", _parameter, value, options.get(name))
    given = _given.get()
    note(values, is_own=given is not None and is_own_command_line(given[0]))


def _parameter(value: Any, option: Any) -> "Parameter":
    kind = _TYPES.get(getattr(getattr(option, "type", None), "name", ""), str) if value is None else None
    if getattr(option, "hide_input", False) and value is not None:
        value = MASK
    return to_parameter(value, description=getattr(option, "help", None), value_type=kind)


def _prefix(context: Any) -> str:
    if _is_alone(context):
        return ""
    return f"{context.command.name or context.info_name}/"


def _is_alone(context: Any) -> bool:
    """Whether the script has but this command, be it in a group that has no options of its own."""
    if _is_group(context.command):
        return False
    group = None if context.parent is None else context.parent.command
    return group is None or (
        context.parent.parent is None and not group.params and len(getattr(group, "commands", ())) == 1
    )


def _is_group(command: Any) -> bool:
    return hasattr(command, "resolve_command")


def _stored(option: Any, context: Any) -> "Parameter | None":
    if context.resilient_parsing:
        return None
    parameter = stored_values().get(f"{_prefix(context)}{option.name}")
    # Such as an open file, which no text makes again; and what had no value.
    if parameter is None or not parameter.value or parameter.value.startswith("<"):
        return None
    return parameter


def _stored_command(group: Any, given: str | None) -> str | None:
    stored = stored_values()
    if not stored or given is None or _is_group(group.commands.get(given)):
        return None
    chosen = [
        name
        for name, command in group.commands.items()
        if name in stored and stored[name].value.lower() == "true" and not _is_group(command)
    ]
    return chosen[0] if len(chosen) == 1 and chosen[0] != given else None


def _is_given(given: Any, name: str) -> bool:
    """Whether an option is on the command line; since click 8.3 there is a value for those that are not."""
    return name in given and given[name] is not None and getattr(given[name], "name", "") != "UNSET"


def _is_same(value: Any, parameter: "Parameter") -> bool:
    return to_parameter(value).value == parameter.value


def _value(option: Any, parameter: "Parameter") -> Any:
    if option.nargs == 1 and not getattr(option, "multiple", False):
        return parameter.value
    value = cast_parameter(parameter)
    return value if isinstance(value, (list, tuple)) else [value]


# What `main` was given, in a tuple.
_given: ContextVar[tuple[Any] | None] = ContextVar("eventlog_click", default=None)
