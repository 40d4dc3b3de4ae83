"""Functions of libraries that are listened to.

Imported with the first library that has hooks, not before: wrapt takes longer to import than `Task.init` to
return. A hook changes neither what the function does nor what it returns or raises.
"""

import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import wrapt

from eventlog.sdk.automatic.listening import hears, muted, safely

__all__ = ["Call", "after", "around"]


@dataclass(frozen=True)
class Call:
    """A call that has returned.

    Attributes:
        instance: what the method was called on; the class, for a class method; None for a function.
        args, kwargs: what it was given.
        result: what it returned.
    """

    instance: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument, by its place (without `self`) or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)


_PASSED_OVER = "<frozen eventlog hook, passed over like importlib._bootstrap>"

Record = Callable[[Any, Call], None]


def after(owner: Any, name: str, framework: str, record: Record, *, group: str = "") -> None:
    """Call ``record(task, call)`` whenever a function has returned and a task hears the framework.

    Args:
        owner: the module or class that has the function; nothing happens where it has none of that name.
        framework: one of `FRAMEWORKS`.
        group: calls that it makes itself, or that are made inside, of functions of the same group are not
            heard; by default the framework's own.
    """
    own_group = group or framework

    def call_and_record(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        task = hears(framework, own_group)
        if task is None:
            return wrapped(*args, **kwargs)
        with muted(own_group):
            result = wrapped(*args, **kwargs)
        safely(f"what {framework} does", record, task, Call(instance, args, kwargs, result))
        return result

    around(owner, name, call_and_record)


def around(owner: Any, name: str, hook: Callable[[Any, Any, Any, Any], Any]) -> None:
    """Call ``hook(wrapped, instance, args, kwargs)`` in place of a function, if it is there and not hooked.

    The hook is to call ``wrapped(*args, **kwargs)`` and to return what it returns.
    """
    # Of a class, what it has itself: a static method stays one.
    function = vars(owner).get(name)
    if function is None or isinstance(function, _Hooked):
        return
    # What a library warns of belongs to the place where the script calls it, and is shown or not for that
    # reason. Python looks for it past the frames of its import machinery, which it knows by their file.
    hook.__code__ = hook.__code__.replace(co_filename=_PASSED_OVER)
    hooked = _known.get(id(function))
    if hooked is None:
        hooked = _known[id(function)] = _Hooked(function, hook)
        hooked._self_place = _place(owner, name)
    setattr(owner, name, hooked)
    # One that has several names stays one: it is pickled by the name that it says it has.
    home = sys.modules.get(str(getattr(function, "__module__", "")))
    own_name = getattr(function, "__name__", name)
    if home is not None and vars(home).get(own_name) is function:
        setattr(home, own_name, hooked)


def _place(owner: Any, name: str) -> str:
    """Where a function is found, as `pkgutil.resolve_name` has it."""
    if isinstance(owner, type):
        return f"{owner.__module__}:{owner.__qualname__}.{name}"
    return f"{owner.__name__}:{name}"


class _BoundHooked(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]
    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._self_instance is None:
            return pkgutil.resolve_name, (self._self_parent._self_place,)
        return getattr, (self._self_instance, self.__name__)


class _Hooked(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """A function that is hooked: never copied, as functions are not, and pickled by where it was hooked.

    Whoever unpickles it gets what is there: this, or the function itself where eventlog is not.
    """

    __bound_function_wrapper__ = _BoundHooked
    _self_place: str

    def __reduce_ex__(self, protocol: Any) -> Any:
        return pkgutil.resolve_name, (self._self_place,)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memory: Any) -> Any:
        return self


# By the identity of what is hooked, which each keeps alive.
_known: dict[int, _Hooked] = {}
