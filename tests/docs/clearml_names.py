"""Printed as JSON by a child process with ClearML itself: the public names of its classes.

``{class: {name: [kind, [[parameter, is_keyword_only, has_default], …]]}}``, the kind "call", "property" or
"constant".
"""

import inspect
import json

from clearml import InputModel, Logger, Model, OutputModel, StorageManager, Task  # type: ignore[import-untyped]

TAKES_ANY = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def described(owner: type, name: str) -> list[object]:
    member = inspect.getattr_static(owner, name)
    value = None if isinstance(member, property) else getattr(owner, name)
    if isinstance(member, property):
        return ["property", []]
    if not callable(value) or isinstance(value, type):
        return ["constant", []]
    parameters = list(inspect.signature(value).parameters.values())
    if not isinstance(member, (classmethod, staticmethod)):
        parameters = parameters[1:]
    return [
        "call",
        [
            [one.name, one.kind is inspect.Parameter.KEYWORD_ONLY, one.default is not one.empty]
            for one in parameters
            if one.kind not in TAKES_ANY
        ],
    ]


if __name__ == "__main__":
    print(
        json.dumps(
            {
                owner.__name__: {
                    name: described(owner, name) for name in dir(owner) if not name.startswith("_")
                }
                for owner in (Task, Logger, OutputModel, InputModel, Model, StorageManager)
            }
        )
    )
