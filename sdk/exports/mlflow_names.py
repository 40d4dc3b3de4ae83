"""Names as MLflow takes them (its validation, mlflow/utils/validation.py): some characters, 250 of them.

A name that does not fit is made to, and ends in a digest of what it was, so that two never become one.
"""

import posixpath
import re
from hashlib import sha256

__all__ = [
    "LONGEST_PARAMETER",
    "LONGEST_TAG",
    "cut",
    "experiment_name",
    "file_part",
    "metric_key",
    "valid_key",
]

LONGEST_KEY = 250
LONGEST_PARAMETER = 6000
# What older servers take, too.
LONGEST_TAG = 5000
LONGEST_EXPERIMENT = 500
_LONGEST_PART = 100

_unusable = re.compile(r"[^\w.\- :/]")
_unusable_in_file = re.compile(r"[^\w.\- ]")


def valid_key(name: str) -> str:
    """The key of a metric, a parameter or a tag that stands for a name."""
    key = _usable(name)
    return key if key == name and len(key) <= LONGEST_KEY else _marked(key, name, LONGEST_KEY)


def metric_key(title: str, series: str) -> str:
    """The key of the metric that stands for a series; split at its last "/" it gives title and series."""
    name = f"{title}/{series}"
    return _marked(_usable(name), repr((title, series)), LONGEST_KEY) if "/" in series else valid_key(name)


def file_part(name: str) -> str:
    """A part of an artifact's path that stands for a name from anywhere."""
    part = _unusable_in_file.sub("_", name).strip(" .")
    if part == name and 0 < len(part) <= _LONGEST_PART:
        return part
    # A file is known by its suffix.
    stem, dot, suffix = part.rpartition(".")
    end = dot + suffix if stem and len(suffix) < 8 else ""
    return _marked(part.removesuffix(end), name, _LONGEST_PART, end)


def experiment_name(project: str) -> str:
    """The experiment of a project."""
    if not project.strip():
        return "eventlog"
    return project if len(project) <= LONGEST_EXPERIMENT else _marked(project, project, LONGEST_EXPERIMENT)


def cut(text: str, longest: int) -> str:
    """A text, or its beginning and a mark that it goes on."""
    return text if len(text) <= longest else f"{text[: longest - 2]} …"


def _usable(name: str) -> str:
    key = _unusable.sub("_", name)
    # MLflow may keep a key as a file, so it has to be a path that leads nowhere else.
    if key != posixpath.normpath(key) or key == "." or key.startswith(("/", "..")):
        key = key.replace("/", "_").strip(".") or "_"
    return key


def _marked(key: str, name: str, longest: int, end: str = "") -> str:
    mark = "-" + sha256(name.encode(errors="surrogatepass")).hexdigest()[:8] + end
    return key[: longest - len(mark)] + mark
