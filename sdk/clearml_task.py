"""What a ClearML session says of its task, in ``task.json``, as events.

The form was read off sessions that ClearML 2.1 wrote; ``tests/sdk/data/clearml`` has some of them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from eventlog.events import (
    CommentSet,
    ConfigurationSet,
    ContainerSet,
    Event,
    ExecutionRecorded,
    LabelsSet,
    ModelLinked,
    Parameter,
    ParametersSet,
    ParentSet,
    ProgressSet,
    PropertiesSet,
    SystemTagsAdded,
    TagsAdded,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskPublished,
    TaskStarted,
    TaskStopped,
)
from eventlog.sdk.clearml_values import Problems, as_int, as_map, as_text, as_texts, id_of
from eventlog.sdk.plain_text import INLINE_SIZE, cut_text
from eventlog.sdk.secrets import mask_command, mask_text, mask_url
from eventlog.store import Store

__all__ = ["TaskFacts"]

_SUFFIX = " … the rest is longer than 64 KiB"
# The session says how far its task got, but not how it ended.
_NOT_SAID = "ClearML's offline sessions do not say how they ended"
# What the importer takes, here or elsewhere, or knows to say nothing.
_KNOWN = frozenset({
    "active_duration", "artifacts", "comment", "company", "completed", "completed_reason", "configuration",
    "container", "created", "execution", "hyperparams", "id", "last_change", "last_changed_by",
    "last_iteration", "last_metrics", "last_update", "last_worker", "last_worker_report", "models", "name",
    "offline_folder", "offline_output_models", "output", "parent", "project", "project_name", "published",
    "runtime", "script", "started", "status", "status_changed", "status_message", "status_reason",
    "system_tags", "tags", "type", "user",
})  # fmt: skip


class TaskFacts:
    """The facts of a session's task.

    Args:
        store: takes texts that are too long for an event.
        data: what ``task.json`` holds.
        task: the id that the task gets, or the one that it goes on with.
        continues: it is that of another task, which keeps its name, its project and the like.
        problems: gets what cannot be read.
    """

    def __init__(
        self, store: Store, data: Mapping[str, Any], task: str, problems: Problems, *, continues: bool
    ) -> None:
        self._store = store
        self._data = data
        self._task = task
        self._problems = problems
        self._continues = continues
        self.project = as_text(data.get("project_name")) or "Untitled"
        unknown = sorted(as_text(name) for name in data.keys() - _KNOWN)
        if unknown:
            problems.add(
                f"task.json has keys that are not known here, and not imported: {', '.join(unknown)}"
            )

    def __repr__(self) -> str:
        return f"<TaskFacts of {self._task}>"

    def beginning(self, time: int) -> Iterator[Event]:
        """The events with which the task begins; what was set in its course is known from then on, too."""
        data, task = self._data, self._task
        if not self._continues:
            name, kind = as_text(data.get("name")) or "untitled", as_text(data.get("type")) or "custom"
            yield TaskCreated(time, task, name, self.project, kind)
        yield TaskStarted(time, task)
        if comment := as_text(data.get("comment")):
            yield CommentSet(time, task, self._fitting(comment))
        parent = as_text(data.get("parent"))
        if parent and not self._continues:
            is_offline = parent.startswith("offline-")
            yield ParentSet(time, task, id_of("session", parent) if is_offline else parent[:64])
        if tags := sorted(as_texts(data.get("tags"))):
            yield TagsAdded(time, task, tags)
        if system_tags := sorted(as_texts(data.get("system_tags"))):
            yield SystemTagsAdded(time, task, system_tags)
        yield from self._parameters(time)
        yield from self._configurations(time)
        yield from self._execution(time)
        for entry in _entries(as_map(data.get("models")).get("input")):
            if model := as_text(entry.get("model")):
                yield ModelLinked(time, task, model[:64], "input", as_text(entry.get("name")))

    def end(self, time: int) -> Iterator[Event]:
        """The events with which it ends."""
        data, task = self._data, self._task
        progress = as_int(as_map(data.get("runtime")).get("progress"))
        if progress is not None and 0 <= progress <= 100:
            yield ProgressSet(time, task, progress)
        reason = self._fitting(as_text(data.get("status_reason")))
        message = self._fitting(as_text(data.get("status_message")))
        match data.get("status"):
            case "failed":
                yield TaskFailed(time, task, reason, "", message)
            case "stopped":
                yield TaskStopped(time, task, reason, message)
            case "completed" | "closed":
                yield TaskCompleted(time, task, reason, message)
            case "published":
                yield TaskCompleted(time, task, reason, message)
                yield TaskPublished(time, task)
            case _:
                yield TaskCompleted(time, task, "imported", _NOT_SAID)

    def _parameters(self, time: int) -> Iterator[Event]:
        parameters: dict[str, Parameter] = {}
        properties: dict[str, Parameter] = {}
        for full_name, value in as_map(as_map(self._data.get("execution")).get("parameters")).items():
            parameters[full_name] = Parameter(self._fitting(as_text(value)))
        for section, entries in as_map(self._data.get("hyperparams")).items():
            for name, entry in as_map(entries).items():
                if not isinstance(entry, dict):
                    self._problems.add(f"task.json: the parameter {section}/{name} cannot be read")
                    continue
                parameter = Parameter(
                    self._fitting(as_text(entry.get("value"))),
                    as_text(entry.get("type")),
                    self._fitting(_description(entry)),
                )
                if section == "properties":
                    properties[name] = parameter
                else:
                    parameters[f"{section}/{name}"] = parameter
        if parameters:
            yield ParametersSet(time, self._task, parameters)
        if properties:
            yield PropertiesSet(time, self._task, properties)

    def _configurations(self, time: int) -> Iterator[Event]:
        for name, entry in as_map(self._data.get("configuration")).items():
            if not isinstance(entry, dict):
                self._problems.add(f"task.json: the configuration '{name}' cannot be read")
                continue
            text = as_text(entry.get("value"))
            if not text and name == "General":
                # ClearML keeps one of this name for every task.
                continue
            kind = as_text(entry.get("type"))
            yield ConfigurationSet(
                time,
                self._task,
                name,
                *self._inline_or_blob(text),
                # What ClearML calls so is HOCON, whatever the dictionary was written as.
                "hocon" if kind == "dictionary" else kind,
                self._fitting(as_text(entry.get("description"))),
            )
        labels = as_map(as_map(self._data.get("execution")).get("model_labels"))
        numbers = {name: number for name, value in labels.items() if (number := as_int(value)) is not None}
        if numbers:
            yield LabelsSet(time, self._task, numbers)

    def _execution(self, time: int) -> Iterator[Event]:
        execution = as_map(self._data.get("execution"))
        container = as_map(self._data.get("container"))
        image, _, arguments = as_text(execution.get("docker_cmd")).partition(" ")
        image = as_text(container.get("image")) or image
        if image:
            arguments = as_text(container.get("arguments")) or arguments
            setup = as_text(container.get("setup_shell_script"))
            yield ContainerSet(
                time, self._task, mask_text(image), mask_command(arguments), self._fitting(mask_text(setup))
            )
        script = as_map(self._data.get("script"))
        if not script:
            return
        requirements = as_map(script.get("requirements"))
        pip = requirements.get("pip")
        asked = "\n".join(as_texts(pip)) if isinstance(pip, list) else as_text(pip)
        repository = as_text(script.get("repository"))
        changes = mask_text(as_text(script.get("diff")))
        # Without a repository, ClearML keeps the script itself in the place of its changes.
        diff, diff_blob = self._inline_or_blob(changes) if repository else ("", "")
        yield ExecutionRecorded(
            time,
            self._task,
            repository=mask_url(repository),
            branch=as_text(script.get("branch")),
            commit=as_text(script.get("version_num")),
            diff="" if diff_blob else diff,
            diff_blob=diff_blob,
            entry_point=as_text(script.get("entry_point")),
            working_folder=as_text(script.get("working_dir")),
            python=_python(asked) or as_text(script.get("binary")).removeprefix("python"),
            packages=_packages(asked),
            script="" if repository else self._fitting(changes),
            requirements=self._fitting(asked),
            binary=as_text(script.get("binary")),
        )

    def _inline_or_blob(self, text: str) -> tuple[str, str]:
        """A text as an event holds it: the whole of it, or its beginning and the blob that has it."""
        data = text.encode()
        if len(data) <= INLINE_SIZE:
            return text, ""
        return cut_text(text), self._store.blobs.put_bytes(data)

    def _fitting(self, text: str) -> str:
        """A text that an event holds whole, cut where it is longer."""
        if len(text) <= INLINE_SIZE // 4 or len(text.encode()) <= INLINE_SIZE:
            return text
        self._problems.add("task.json: a text of more than 64 KiB is cut")
        return cut_text(text, INLINE_SIZE - len(_SUFFIX.encode())) + _SUFFIX


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _description(entry: Mapping[str, Any]) -> str:
    """Of a parameter; ClearML says "None" of an argument that has no help."""
    said = as_text(entry.get("description"))
    return "" if said == "None" else said


def _python(requirements: str) -> str:
    """The interpreter's version, as ClearML says it in its first comment."""
    words = requirements.partition("\n")[0].split()
    return words[2] if words[:2] == ["#", "Python"] and len(words) > 2 else ""


def _packages(requirements: str) -> dict[str, str]:
    """The distributions that a requirements file names with their exact versions."""
    found = {}
    for line in requirements.splitlines():
        name, equals, version = line.partition("#")[0].partition("==")
        if equals and name.strip() and version.strip() and not set(version) & set(",;<>!"):
            found[name.strip()] = version.strip()
    return found
