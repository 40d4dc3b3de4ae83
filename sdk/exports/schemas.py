"""The columns of the datasets. A column is only ever added at the end."""

import pyarrow

__all__ = ["EVENTS", "FORMAT", "PARAMETERS", "ROW_GROUP", "SCALARS", "TASKS"]

# Of the whole export: raised when a reader of an earlier one could not read it.
FORMAT = 1
# Rows; what readers skip by its smallest and largest values.
ROW_GROUP = 1 << 17

_TEXT = pyarrow.string()
_TIME = pyarrow.timestamp("ms", tz="UTC")

TASKS = pyarrow.schema(
    {
        "task": _TEXT,
        "name": _TEXT,
        "project": _TEXT,
        "type": _TEXT,
        "status": _TEXT,
        "status_reason": _TEXT,
        "status_message": _TEXT,
        "progress": pyarrow.int64(),
        "created": _TIME,
        "started": _TIME,
        "ended": _TIME,
        "published": _TIME,
        "changed": _TIME,
        "reset": _TIME,
        "comment": _TEXT,
        "parent": _TEXT,
        "tags": pyarrow.list_(_TEXT),
        "system_tags": pyarrow.list_(_TEXT),
        "host": _TEXT,
        "user": _TEXT,
        "repository": _TEXT,
        "branch": _TEXT,
        "commit": _TEXT,
        "entry_point": _TEXT,
        "python": _TEXT,
        "single_values": pyarrow.map_(_TEXT, pyarrow.float64()),
        "properties": pyarrow.map_(_TEXT, _TEXT),
        "artifacts": pyarrow.list_(
            pyarrow.struct(
                {"name": _TEXT, "kind": _TEXT, "sha256": _TEXT, "size": pyarrow.int64(), "url": _TEXT}
            )
        ),
        "models": pyarrow.list_(pyarrow.struct({"model": _TEXT, "direction": _TEXT, "name": _TEXT})),
        "dropped_reports": pyarrow.int64(),
    }
)
PARAMETERS = pyarrow.schema(
    {
        "task": _TEXT,
        "name": _TEXT,
        "value": _TEXT,
        "type": _TEXT,
        "number": pyarrow.float64(),
        "description": _TEXT,
    }
)
SCALARS = pyarrow.schema(
    {
        "task": _TEXT,
        "title": _TEXT,
        "series": _TEXT,
        "iteration": pyarrow.int64(),
        "time": _TIME,
        "value": pyarrow.float64(),
    }
)
EVENTS = pyarrow.schema(
    {
        "store": _TEXT,
        "batch": pyarrow.int64(),
        "session": _TEXT,
        "number": pyarrow.int64(),
        "time": _TIME,
        "kind": _TEXT,
        "task": _TEXT,
        "host": _TEXT,
        "user": _TEXT,
        "fields": _TEXT,
    }
)
