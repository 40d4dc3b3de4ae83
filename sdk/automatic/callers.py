"""Whose code it is that reads a command line: the script's, or that of a library or a tool for its own ends.

The script's are those that its own code makes or calls a library to make for it; so is what a program that
is installed reads from the command line of its process.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["is_of_script", "is_own_command_line"]

_STANDARD = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# Their command lines are not those of what they run.
_TOOLS = frozenset(
    {
        *("_pytest", "pytest", "xdist", "coverage", "pip", "setuptools", "distutils", "debugpy", "pydevd"),
        *("IPython", "ipykernel", "jupyter_client", "jupyter_core", "traitlets", "notebook"),
        *("accelerate", "deepspeed", "horovod", "torch", "torchrun", "ray", "eventlog"),
    }
)
_PARSING = frozenset({"argparse", "eventlog.sdk.automatic.parsers"})


def is_of_script(frame: "FrameType | None", given: Any, parser: object) -> bool:
    """Whether what is parsed is the script's.

    Args:
        frame: what calls the parser.
        given: the arguments that it is given; None for those of the process.
        parser: whose own methods, and those of its class, are passed over.
    """
    while frame is not None and (_module(frame) in _PARSING or _is_method_of(frame, parser)):
        frame = frame.f_back
    if frame is None or not _is_of_library(frame):
        return True
    if not _is_installed(frame) or _module(frame).partition(".")[0] in _TOOLS:
        return False
    return is_own_command_line(given) and not _is_imported(frame)


def is_own_command_line(given: Any) -> bool:
    """Whether arguments are those of this process; None stands for them."""
    try:
        return given is None or list(given) == sys.argv[1:]
    except TypeError:
        return False


def _module(frame: "FrameType") -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_method_of(frame: "FrameType", parser: object) -> bool:
    """Whether this is a method of the parser's own kind, such as a library's that parses in another way."""
    code = frame.f_code
    return code.co_argcount > 0 and frame.f_locals.get(code.co_varnames[0]) is parser


def _is_of_library(frame: "FrameType") -> bool:
    file = frame.f_code.co_filename
    return file.startswith((_STANDARD, "<frozen ")) or _is_installed(frame)


def _is_installed(frame: "FrameType") -> bool:
    return any(folder in frame.f_code.co_filename for folder in _INSTALLED)


def _is_imported(frame: "FrameType | None") -> bool:
    """Whether this is done because the script imports the library."""
    while frame is not None and _is_of_library(frame):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
