"""What `Task.init` was asked to log by itself."""

import logging
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from eventlog.errors import InputInvalid
from eventlog.sdk.automatic.monitor_options import MonitorOptions
from eventlog.sdk.names import shown

__all__ = ["FRAMEWORKS", "Choices"]

log = logging.getLogger("eventlog")

# ClearML's names.
FRAMEWORKS = frozenset(
    {
        *("tensorboard", "tensorflow", "matplotlib", "pytorch", "xgboost", "lightgbm", "catboost", "scikit"),
        *("joblib", "fastai", "megengine", "hydra", "jsonargparse", "tfdefines", "detect_repository"),
        *("gradio", "keras", "lightning"),
    }
)
_STREAMS = ("stdout", "stderr", "logging")
# As examples of ClearML's call it.
_OTHER_NAMES = {"pytorch_lightning": "lightning", "pytorch-lightning": "lightning"}
# Those that are part of another one for ClearML.
_PART_OF = {"joblib": "scikit", "keras": "tensorflow", "lightning": "pytorch"}


class Choices(NamedTuple):
    """What is logged without being asked for, each as `Task.init` takes it.

    Attributes:
        frameworks: True or False for all, or by name of the framework: True, False, a pattern or patterns
            of the file names that count, or options by name.
        arguments: True or False for all, or by name of the argument; "*" stands for the others.
        streams: which of "stdout", "stderr" and "logging" are captured.
        monitoring: how the machine is watched; None if it is not.
    """

    frameworks: bool | Mapping[str, Any] = True
    arguments: bool | Mapping[str, bool] = True
    streams: frozenset[str] = frozenset(_STREAMS)
    monitoring: MonitorOptions | None = None

    @classmethod
    def of(cls, frameworks: Any, arguments: Any, streams: Any, monitoring: Any) -> "Choices":
        """Check what was given to `Task.init`.

        Raises:
            InputInvalid: one is neither True, False nor a dictionary, or an option has no use.
        """
        if isinstance(monitoring, type):
            # A class of ClearML's that watches: it is watched here as ever.
            monitoring = True
        given = {
            "auto_connect_frameworks": frameworks,
            "auto_connect_arg_parser": arguments,
            "auto_connect_streams": streams,
            "auto_resource_monitoring": monitoring,
        }
        for name, value in given.items():
            if value is not None and not isinstance(value, (bool, int, Mapping)):
                raise InputInvalid(f"{name} must be True, False or a dictionary, not {shown(value)}")
        if isinstance(frameworks, Mapping):
            frameworks = {_OTHER_NAMES.get(name, name): choice for name, choice in frameworks.items()}
            _say_unknown("auto_connect_frameworks", frameworks, FRAMEWORKS)
        if isinstance(streams, Mapping):
            _say_unknown("auto_connect_streams", streams, _STREAMS)
        captured = frozenset(name for name in _STREAMS if _chosen(streams, name))
        options = (
            MonitorOptions.of(monitoring if isinstance(monitoring, Mapping) else {}) if monitoring else None
        )
        return cls(_plain(frameworks), _plain(arguments), captured, options)

    def to_text(self) -> str:
        """As the environment carries it to the processes that this one starts; without the machine.

        Raises:
            TypeError: an option is nothing that text can carry.
        """
        import json

        return json.dumps([self.frameworks, self.arguments, sorted(self.streams)], default=_as_list)

    @classmethod
    def of_text(cls, text: str) -> "Choices":
        """What `to_text` wrote; all, where that cannot be read."""
        import json

        try:
            frameworks, arguments, streams = json.loads(text)
            # What was wrong with them was said where they were given.
            return cls(_plain(frameworks), _plain(arguments), frozenset(streams))
        except (ValueError, TypeError):
            return cls()

    def wants(self, framework: str) -> bool:
        """Whether a framework is logged."""
        if isinstance(self.frameworks, bool):
            return self.frameworks
        for name in (framework, _PART_OF.get(framework)):
            if name is not None and name in self.frameworks:
                return self.frameworks[name] is not False
        return True

    def detects_repository(self) -> bool:
        """Whether git is asked; all frameworks may be off, and it is all the same."""
        return isinstance(self.frameworks, bool) or bool(self.frameworks.get("detect_repository", True))

    def wants_file(self, framework: str, path: str) -> bool:
        """Whether a model's file is logged: its patterns, if any, fit the path or the name."""
        if not self.wants(framework):
            return False
        choice: Any = True
        if not isinstance(self.frameworks, bool):
            whole = self.frameworks.get(_PART_OF.get(framework, ""), True)
            choice = self.frameworks.get(framework, whole)
        if isinstance(choice, str):
            choice = [choice]
        if not isinstance(choice, (Sequence, set, frozenset)):
            return True
        name = path.rpartition("/")[2]
        return any(fnmatchcase(path, str(one)) or fnmatchcase(name, str(one)) for one in choice)

    def option(self, framework: str, name: str, default: Any) -> Any:
        """An option of a framework, from ``{framework: {name: value}}``."""
        choice = self.frameworks.get(framework) if isinstance(self.frameworks, Mapping) else None
        return choice.get(name, default) if isinstance(choice, Mapping) else default

    def wants_arguments(self) -> bool:
        """Whether command lines are recorded; an empty dictionary is as False."""
        return self.arguments if isinstance(self.arguments, bool) else bool(self.arguments)

    def wants_argument(self, name: str) -> bool:
        """Whether an argument of the command line is recorded."""
        if isinstance(self.arguments, bool):
            return self.arguments
        return bool(self.arguments) and bool(self.arguments.get(name, self.arguments.get("*", True)))


def _chosen(choice: Any, name: str) -> bool:
    if isinstance(choice, Mapping):
        return bool(choice.get(name, False)) if choice else False
    return bool(choice)


def _plain(choice: Any) -> Any:
    return dict(choice) if isinstance(choice, Mapping) else bool(choice)


def _as_list(value: Any) -> list[str]:
    if isinstance(value, (set, frozenset)):
        return sorted(str(one) for one in value)
    raise TypeError(f"{type(value).__name__} is no choice")


def _say_unknown(argument: str, given: Mapping[Any, Any], known: Any) -> None:
    unknown = sorted(str(name) for name in given if name not in known)
    if unknown:
        log.warning(
            "eventlog: %s names %s, which is nothing that is logged; choose from %s",
            argument,
            shown(", ".join(unknown)),
            ", ".join(sorted(known)),
        )
