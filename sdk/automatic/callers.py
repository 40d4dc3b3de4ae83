"""Whose code it is that reads a command line: the script's, or that of a library or a tool for its own ends.

The script's are those that its own code makes or calls a library to make for it; so is what a program that
is installed reads from the command line of its process.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["is_function_of_script", "is_of_script", "is_own_command_line"]

_STANDARD = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# Their command lines are not those of what they run.
_TOOLS = frozenset(
    {
        *("_pytest", "pytest", "xdist", "coverage", "pip", "setuptools", "distutils", "debugpy", "pydevd"),
        *("IPython", "ipykernel", "jupyter_client", "jupyter_core", "traitlets", "notebook"),
        *("accelerate", "deepspeed", "horovod", "torch", "torchrun", "ray", "eventlog", "celery", "dask"),
        *("distributed", "flask", "gunicorn", "hydra", "streamlit", "uvicorn"),
    }
)
_PARSING = frozenset({"argparse", "eventlog.sdk.automatic.parsers", "eventlog.sdk.automatic.parsing"})


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


def is_function_of_script(function: Any, given: Any) -> bool:
    """Whether a function that a command line calls is the script's.

    Args:
        function: None where there is none.
        given: the command line; None for that of the process.
    """
    import inspect

    function = inspect.unwrap(function) if callable(function) else None
    code = getattr(function, "__code__", None)
    file = "" if code is None else code.co_filename
    if not _is_file_of_library(file):
        return True
    package = str(getattr(function, "__module__", "")).partition(".")[0]
    return _is_file_installed(file) and package not in _TOOLS and is_own_command_line(given)


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
    return _is_file_of_library(frame.f_code.co_filename)


def _is_installed(frame: "FrameType") -> bool:
    return _is_file_installed(frame.f_code.co_filename)


def _is_file_of_library(file: str) -> bool:
    return file.startswith((_STANDARD, "<frozen ")) or _is_file_installed(file)


def _is_file_installed(file: str) -> bool:
    return any(folder in file for folder in _INSTALLED)


def _is_imported(frame: "FrameType | None") -> bool:
    """Whether this is done because the script imports the library."""
    while frame is not None and _is_of_library(frame):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
