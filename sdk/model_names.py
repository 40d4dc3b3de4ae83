"""What the weights of a model are called, from where they are."""

from pathlib import PurePosixPath

__all__ = ["name_of_url", "stem_of"]

# Endings of two parts, which a name without its ending loses as one.
_DOUBLE_ENDINGS = (".tar.gz", ".tar.bz2", ".tar.xz")


def name_of_url(url: str) -> str:
    """The last part of a URL's path, or ""."""
    path = url.split("://", 1)[-1].partition("?")[0].partition("#")[0]
    return PurePosixPath(path.rstrip("/")).name


def stem_of(file_name: str) -> str:
    """A file's name without its ending."""
    for ending in _DOUBLE_ENDINGS:
        if file_name.lower().endswith(ending) and len(file_name) > len(ending):
            return file_name[: -len(ending)]
    return PurePosixPath(file_name).stem if file_name else ""
