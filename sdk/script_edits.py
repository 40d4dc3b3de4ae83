"""What a task says of its code, changed by hand: where it is, what it needs, what it runs in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import ContainerSet, ExecutionRecorded
from eventlog.sdk.plain_text import INLINE_SIZE, check_text, plain_text
from eventlog.sdk.secrets import mask_command, mask_text, mask_url
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = [
    "Checkout",
    "as_requirements",
    "container_command",
    "container_fields",
    "execution_fields",
    "inspect_repository",
    "is_file",
    "is_folder",
    "requirements_of",
    "text_fields",
]

_GIT_SECONDS = 60.0


@dataclass(frozen=True)
class Checkout:
    """A local copy of a repository.

    Attributes:
        root: its top folder.
        fields: of `ExecutionRecorded`: repository, branch, commit and diff.
    """

    root: Path
    fields: dict[str, str]


def is_file(path: Path) -> bool:
    """Whether there is such a file; False, too, for what cannot be a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; False, too, for what cannot be a path."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def inspect_repository(store: Store, folder: Path) -> Checkout | None:
    """What git says of the repository around a folder, or None if there is none."""
    from eventlog.sdk.repository import Git, Repository

    git = Git(folder, _GIT_SECONDS)
    repository = Repository.find(git)
    if repository is None:
        return None
    diff = repository.diff() or b""
    fields = {
        "repository": plain_text(mask_url(repository.remote())),
        "branch": plain_text(repository.branch()),
        "commit": repository.commit,
        **text_fields(store, "diff", mask_text(diff.decode(errors="replace"))),
    }
    return Checkout(repository.root, fields)


def text_fields(store: Store, name: str, text: str) -> dict[str, str]:
    """A text that may be long, as fields of `ExecutionRecorded`: in the event, or "diff" in a blob.

    Raises:
        InputInvalid: it is longer than 64 KiB, and not a diff.
    """
    data = plain_text(text).encode()
    if len(data) <= INLINE_SIZE:
        return {name: data.decode(), f"{name}_blob": ""} if name == "diff" else {name: data.decode()}
    if name != "diff":
        raise InputInvalid(f"the {name} is longer than 64 KiB: keep it as an artifact")
    return {"diff": "", "diff_blob": store.blobs.put_bytes(data)}


def execution_fields(execution: ExecutionRecorded | None, changes: dict[str, Any]) -> list[Any]:
    """The fields of an `ExecutionRecorded` after the task's id: what was, with some changes."""
    base = execution or ExecutionRecorded(0, "")
    return [changes.get(name, getattr(base, name)) for name in ExecutionRecorded.__struct_fields__[2:]]


def requirements_of(execution: ExecutionRecorded | None) -> dict[str, str]:
    """The packages that a task needs, as ``{"pip": …}``.

    What was asked for, else what was imported or, where that is not known, what was installed.
    """
    if execution is None:
        return {}
    if execution.requirements:
        return {"pip": execution.requirements}
    lines = [f"{name}=={version}" for name, version in (execution.imported or execution.packages).items()]
    if not lines:
        return {}
    return {"pip": "\n".join([f"# Python {execution.python}", "", *lines, ""])}


def as_requirements(packages: Any) -> str:
    """Packages as they are recorded; "" means that nothing is asked for.

    Raises:
        InputInvalid: they are no list of requirements and no file.
    """
    from eventlog.sdk.requirements import as_lines

    text = as_lines(packages)
    if len(text.encode()) > INLINE_SIZE:
        raise InputInvalid("the packages take more than 64 KiB: give those that are needed")
    return text


def container_fields(
    image: str | None, arguments: Sequence[str] | str | None, setup_script: Sequence[str] | str | None
) -> tuple[str, str, str]:
    """The fields of `ContainerSet`, with secrets masked, as passwords are often given in arguments.

    Args:
        arguments: one text, or words.
        setup_script: one text, or lines.
    """
    words, lines = _joined(" ", arguments), _joined("\n", setup_script)
    given = {"image": image, "arguments": words, "setup script": lines}
    image, words, lines = (
        "" if text is None else check_text(f"the container's {what}", text) for what, text in given.items()
    )
    return mask_text(image), mask_command(words), mask_text(lines)


def container_command(state: "TaskState") -> str | None:
    """The image and its arguments, as ClearML writes them in one line, or None."""
    container: ContainerSet | None = state.container
    if container is None or not container.image:
        return None
    return f"{container.image} {container.arguments}".strip()


def _joined(space: str, parts: Any) -> Any:
    if parts is None or isinstance(parts, str | bytes) or not isinstance(parts, Sequence):
        return parts
    return space.join(check_text("a part of the container's command", part) for part in parts)
