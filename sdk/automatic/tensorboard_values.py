"""What is in TensorBoard's messages: numbers, texts and hyperparameters.

Read by the names of their fields, since each writer has message classes of its own. What the fields mean is
in https://github.com/tensorflow/tensorboard: tensorboard/compat/proto/summary.proto, tensor.proto and
types.proto, and tensorboard/plugins/hparams/plugin_data.proto.
"""

import struct
import sys
from typing import Any

__all__ = ["array_of", "hyperparameters", "shortest", "texts_of"]

# Of types.proto: the name of NumPy, and the field that holds values of the type where they are not packed.
_TYPES = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    4: ("u1", "int_val"),
    5: ("<i2", "int_val"),
    6: ("i1", "int_val"),
    9: ("<i8", "int64_val"),
    10: ("?", "bool_val"),
    17: ("<u2", "int_val"),
    22: ("<u4", "uint32_val"),
    23: ("<u8", "uint64_val"),
}
_HALF = 19
_PLUGIN_MODULES = ("tensorboard.plugins.hparams.plugin_data_pb2", "tensorboardX.proto.plugin_hparams_pb2")

_single = struct.Struct("<f")


def shortest(value: float) -> float:
    """A number of single precision as it was written in the script: 0.1 rather than 0.10000000149011612."""
    try:
        packed = _single.pack(value)
        for digits in (7, 8):
            number = float(f"{value:.{digits}g}")
            if _single.pack(number) == packed:
                return number
    except OverflowError:
        pass
    return value


def array_of(tensor: Any) -> Any:
    """The array that a `TensorProto` of numbers is.

    Raises:
        ValueError: it holds something else, or not as much as its shape says.
    """
    import numpy as np

    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.dtype == _HALF:
        flat = (
            np.frombuffer(tensor.tensor_content, "<f2")
            if tensor.tensor_content
            else np.array(tensor.half_val, "<u2").view("<f2")
        )
    elif tensor.dtype in _TYPES:
        kind, field = _TYPES[tensor.dtype]
        if tensor.tensor_content:
            flat = np.frombuffer(tensor.tensor_content, kind)
        else:
            flat = np.array(list(getattr(tensor, field)), kind)
    else:
        raise ValueError(f"a tensor of type {tensor.dtype} holds no numbers")
    if flat.size == 1 and shape:
        # One value may stand for all.
        return np.full(shape, flat[0])
    return flat.reshape(shape)


def texts_of(tensor: Any) -> list[bytes]:
    """The texts, or other bytes, that a `TensorProto` of strings holds."""
    return list(tensor.string_val)


def hyperparameters(content: bytes) -> dict[str, Any]:
    """The hyperparameters in what the plugin of that name has written, if these are the ones of a run.

    Raises:
        LookupError: no library is imported that can read them.
    """
    modules = [sys.modules[name] for name in _PLUGIN_MODULES if name in sys.modules]
    if not modules:
        raise LookupError("no library that reads hyperparameters is imported")
    data = modules[0].HParamsPluginData.FromString(content)
    if data.WhichOneof("data") != "session_start_info":
        return {}
    values = {}
    for name, value in data.session_start_info.hparams.items():
        kind = value.WhichOneof("kind")
        values[name] = getattr(value, kind) if kind in {"number_value", "string_value", "bool_value"} else ""
    return values
