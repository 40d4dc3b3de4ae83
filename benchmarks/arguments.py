"""What arguments of command lines may be; anything else is wrong usage, said before work begins."""

import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from math import isfinite
from pathlib import Path

__all__ = [
    "add_scratch",
    "existing_file",
    "existing_folder",
    "natural_number",
    "new_file",
    "positive_amount",
    "positive_number",
]


def add_scratch(parser: ArgumentParser, what: str) -> None:
    """Let a command line say in which folder, `what` tells of it, its stores are made."""
    parser.add_argument(
        "--scratch",
        type=existing_folder,
        metavar="FOLDER",
        default=Path(tempfile.gettempdir()),
        help=f"{what} (default: %(default)s)",
    )


def existing_folder(text: str) -> Path:
    """The path of a folder that is there."""
    path = Path(text)
    if not path.is_dir():
        raise ArgumentTypeError(f"there is no folder {text}")
    return path


def existing_file(text: str) -> Path:
    """The path of a file that is there."""
    path = Path(text)
    if not path.is_file():
        raise ArgumentTypeError(f"there is no file {text}")
    return path


def new_file(text: str) -> Path:
    """The path of a file that can be written: its folder is there."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise ArgumentTypeError(f"no file can be written at {text}")
    return path


def positive_number(text: str) -> int:
    """A whole number from 1 on."""
    number = _whole(text)
    if number < 1:
        raise ArgumentTypeError(f"{text} is less than 1")
    return number


def natural_number(text: str) -> int:
    """A whole number from 0 on."""
    number = _whole(text)
    if number < 0:
        raise ArgumentTypeError(f"{text} is less than 0")
    return number


def positive_amount(text: str) -> float:
    """A number, whole or not, that is more than 0."""
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a number") from None
    if not isfinite(number) or number <= 0:
        raise ArgumentTypeError(f"{text} is not more than 0")
    return number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a whole number") from None
