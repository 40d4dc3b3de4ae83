"""TensorFlow's summaries: what `tf.summary` writes outside of graphs, and Keras's callback by means of it.

The operations that write are functions of one module of TensorFlow, looked up at each call, and that is where
they are heard. What a `tf.function` writes is not there to be seen: it never comes back to Python.
"""

import sys
from typing import Any

from eventlog.sdk.automatic.hooks import Call, after, around
from eventlog.sdk.automatic.listening import choices, safely
from eventlog.sdk.automatic.tensorboard import summaries_of

__all__ = ["bind_summary_ops"]

_FRAMEWORK = "tensorboard"


def bind_summary_ops(module: Any) -> None:
    """Hook the module `gen_summary_ops`."""
    around(module, "create_summary_file_writer", _create_writer)
    after(module, "write_summary", _FRAMEWORK, _record_summary)
    after(module, "write_raw_proto_summary", _FRAMEWORK, _record_message)


def _create_writer(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    # Whether or not a task is open: the writer may be used by one that comes later.
    result = wrapped(*args, **kwargs)
    safely("the folder of a writer of TensorFlow", _keep_folder, Call(instance, args, kwargs, result))
    return result


def _keep_folder(call: Call) -> None:
    if _is_eager():
        _folders[id(call.argument(0, "writer"))] = _text(_plain(call.argument(1, "logdir")))


def _record_summary(task: Any, call: Call) -> None:
    if not _is_heard():
        return
    step, values = _plain(call.argument(1, "step")), _plain(call.argument(2, "tensor"))
    tag = _plain(call.argument(3, "tag"))
    plugin = _plugin(call.argument(4, "summary_metadata", b""))
    if isinstance(values, bytes):
        values = [values]
    elif getattr(getattr(values, "dtype", None), "kind", "") == "O":
        values = values.ravel().tolist()
    summaries_of(task).add_tensor(_text(tag), _folder(call), int(step), plugin, values)


def _record_message(task: Any, call: Call) -> None:
    if not _is_heard():
        return
    step, data = _plain(call.argument(1, "step")), _plain(call.argument(2, "tensor"))
    messages = sys.modules["tensorflow.core.framework.summary_pb2"]
    summary = messages.Summary.FromString(bytes(data))
    summaries_of(task).add(summary.value, _folder(call), int(step))


def _is_heard() -> bool:
    return _is_eager() and choices().wants("tensorflow")


def _is_eager() -> bool:
    """Whether values are known now, and not only once a graph runs."""
    return bool(sys.modules["tensorflow.python.eager.context"].executing_eagerly())


def _plain(value: Any) -> Any:
    """A value as Python or NumPy has it: of a tensor, a variable, or what stands for one in Keras."""
    if isinstance(value, (int, float, str, bytes)):
        return value
    read = getattr(value, "numpy", None)
    return value if read is None else read()


def _plugin(metadata: Any) -> str:
    """Which plugin of TensorBoard a summary is for."""
    data = _plain(metadata)
    name = _plugins.get(data)
    if name is None:
        messages = sys.modules["tensorflow.core.framework.summary_pb2"]
        name = str(messages.SummaryMetadata.FromString(bytes(data)).plugin_data.plugin_name)
        _plugins[data] = name
    return name


def _folder(call: Call) -> str:
    return _folders.get(id(call.argument(0, "writer")), "")


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


# By the identity of a writer's resource: a new one of the same identity is made by a call that is heard, too.
_folders: dict[int, str] = {}
# By what is said of a summary, which is the same for all of a kind.
_plugins: dict[bytes, str] = {}
