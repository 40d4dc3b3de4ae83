"""The random numbers of a script that seeds none itself are the same in every run, as with ClearML.

`Task.init` seeds Python's generator, and those of NumPy, PyTorch and TensorFlow where they are loaded.
"""

import sys
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.sdk.names import shown

__all__ = ["apply_seed", "random_seed", "set_seed"]

_DEFAULT = 1337


def set_seed(seed: Any) -> None:
    """Seed with this number from the next `Task.init` on.

    Args:
        seed: a whole number; True for 1337; None or False to leave the generators alone.

    Raises:
        InputInvalid: it is no whole number.
    """
    global _seed
    if seed is None or seed is False:
        _seed = None
    elif seed is True:
        _seed = _DEFAULT
    elif isinstance(seed, int) and 0 <= seed < 1 << 32:
        _seed = int(seed)
    else:
        raise InputInvalid(f"a seed must be a whole number from 0 to 2**32 - 1, or None, not {shown(seed)}")


def random_seed() -> int | None:
    """The number that the next `Task.init` seeds with, or None."""
    return _seed


def apply_seed() -> None:
    """Seed the generators."""
    if _seed is None:
        return
    import random

    random.seed(_seed)
    for name, function in (
        ("numpy", "random.seed"),
        ("torch", "manual_seed"),
        ("tensorflow", "random.set_seed"),
    ):
        seed: Any = sys.modules.get(name)
        try:
            for part in function.split("."):
                seed = getattr(seed, part, None)
        except Exception:
            # Such as one that imports its parts when they are asked for, and cannot.
            continue
        # A module that is half imported has no such function yet.
        if callable(seed):
            seed(_seed)


_seed: int | None = _DEFAULT
