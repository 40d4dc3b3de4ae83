"""What scripts and libraries put in the way of models that are recorded by themselves, as with ClearML.

A callback sees each file before a model is made of it, may say what to call it or refuse it, and sees the
model afterwards. It is a script's own code: it is called in the thread that saves or loads.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from eventlog.sdk.automatic.listening import safely

if TYPE_CHECKING:
    pass

__all__ = ["AFTER", "BEFORE", "CallbackType", "Callbacks", "ModelInfo"]


class CallbackType(StrEnum):
    """What is about to be done, or was, when a callback is called."""

    save = "save"
    load = "load"


@dataclass
class ModelInfo:
    """What a callback sees and may change.

    Attributes:
        model: the model, once there is one.
        upload_filename: what to call the file there; None of one that is loaded.
        local_model_path: the file.
        local_model_id: files of one id are versions of one model.
        framework: what wrote it.
        task: whose it is.
        weights_object: what is saved.
    """

    model: Any
    upload_filename: str | None
    local_model_path: str
    local_model_id: str
    framework: str | None
    task: Any
    weights_object: Any = None

    @property
    def weights_filename(self) -> str:
        """The file."""
        return self.local_model_path


class Callbacks:
    """Functions to be called, by their handles."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._functions: dict[int, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"<Callbacks: {len(self._functions)}>"

    def __bool__(self) -> bool:
        return bool(self._functions)

    def add(self, function: Callable[..., Any]) -> int:
        """Call this one, too; returns its handle."""
        global _last_handle
        with self._lock:
            _last_handle += 1
            self._functions[_last_handle] = function
            return _last_handle

    def remove(self, handle: int) -> bool:
        """Call it no more; returns whether there was one of this handle."""
        with self._lock:
            return self._functions.pop(handle, None) is not None

    def call(self, action: CallbackType, info: ModelInfo) -> ModelInfo | None:
        """What is left of a model once all have seen it; None where one refuses it."""
        for function in list(self._functions.values()):
            answer: list[Any] = []
            safely("what a callback says of a model", lambda: answer.append(function(action, info)))  # noqa: B023
            # One that fails refuses nothing.
            if answer and answer[0] is None:
                return None
            info = answer[0] if answer else info
        return info


BEFORE = Callbacks()
AFTER = Callbacks()
_last_handle = 0
