"""The dictionary that `Task.connect` gives back: one that says when it changes."""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["ConnectedDict"]

Path = tuple[Any, ...]


class ConnectedDict(dict[Any, Any]):
    """A dictionary, and those within it, whose changes are told.

    Copied or pickled, it is a plain dictionary. What is taken out of it is not told: it was a parameter.

    Args:
        values: what it holds; dictionaries in it become connected too.
        written: told the keys that lead to a dictionary, and what was just written into it.
        fixed: asked for what is to stand under some keys instead of a value that is written there; it returns
            the value itself where nothing else is to.
    """

    __slots__ = ("__weakref__", "_fixed", "_path", "_written")

    def __init__(
        self,
        values: Mapping[Any, Any],
        written: Callable[[Path, Mapping[Any, Any]], None],
        fixed: Callable[[Path, Any], Any],
        path: Path = (),
    ) -> None:
        self._written = written
        self._fixed = fixed
        self._path = path
        super().__init__({key: self._connected(key, value) for key, value in values.items()})

    def __setitem__(self, key: Any, value: Any) -> None:
        self._write({key: value})

    def update(self, *others: Any, **more: Any) -> None:
        """As of any dictionary; one change in all."""
        self._write(dict(*others, **more))

    def __ior__(self, other: Any) -> "ConnectedDict":  # type: ignore[misc]
        self._write(dict(other))
        return self

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """As of any dictionary."""
        if key not in self:
            self._write({key: default})
        return self[key]

    def copy(self) -> dict[Any, Any]:
        """A plain dictionary of the same items."""
        return dict(self)

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memory: dict[int, Any]) -> dict[Any, Any]:
        from copy import deepcopy

        return {deepcopy(key, memory): deepcopy(value, memory) for key, value in self.items()}

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (dict(self),)

    def _write(self, values: dict[Any, Any]) -> None:
        wanted = {key: self._fixed((*self._path, key), value) for key, value in values.items()}
        super().update({key: self._connected(key, value) for key, value in wanted.items()})
        self._written(self._path, wanted)

    def _connected(self, key: Any, value: Any) -> Any:
        if type(value) is dict or isinstance(value, ConnectedDict):
            return ConnectedDict(value, self._written, self._fixed, (*self._path, key))
        return value
