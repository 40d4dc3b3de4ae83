"""argparse: its parsers are listened to once `Task` is imported.

Many libraries import argparse, so it is hooked without wrapt, which takes longer to import than argparse, and
nothing else is imported for it before the first parser parses.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["bind"]

# The second of them goes through the first one up to Python 3.12 only.
_METHODS = ("parse_known_args", "parse_known_intermixed_args")


def bind(_: object) -> None:
    """Listen to all parsers from here on; calling it again changes nothing."""
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
