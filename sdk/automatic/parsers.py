"""argparse: its parsers are listened to from the moment that `Task` is imported.

argparse is a part of Python and quick to import, so it is hooked at once and without wrapt, which is not; and
nothing else is imported for it before the first parser parses.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["hook"]

# The second of them goes through the first one up to Python 3.12 only.
_METHODS = ("parse_known_args", "parse_known_intermixed_args")


def hook() -> None:
    """From here on parsers are listened to; calling it again changes nothing."""
    for name in _METHODS:
        method = vars(argparse.ArgumentParser).get(name)
        if method is not None and not hasattr(method, "_eventlog_wraps"):
            setattr(argparse.ArgumentParser, name, _listening(method))


def _listening(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def parse_known_args(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
        try:
            from eventlog.sdk.automatic import parsing
        except Exception:
            # Such as where the interpreter is ending.
            return method(self, *args, **kwargs)
        return parsing.parse(method, self, args, kwargs, sys._getframe(1))

    parse_known_args._eventlog_wraps = method  # type: ignore[attr-defined]
    return parse_known_args
