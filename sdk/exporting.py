"""A task's configuration as a dictionary of plain values, and back: in ClearML's shape.

What it was given is in it; what it has done (reports, artifacts, its models) is not.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import (
    CommentSet,
    ConfigurationsDeleted,
    ConfigurationSet,
    ContainerSet,
    DestinationSet,
    ExecutionRecorded,
    LabelsSet,
    ModelLinked,
    ModelsUnlinked,
    Parameter,
    ParametersSet,
    ParentSet,
    PropertiesDeleted,
    PropertiesSet,
    TagsAdded,
    TagsRemoved,
    TaskCreated,
    TaskMoved,
    TaskRenamed,
    TaskTypeSet,
)
from eventlog.sdk import names, task_types
from eventlog.sdk.plain_text import INLINE_SIZE, check_text, cut_text, plain_text
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["export_task", "import_into", "import_new"]

# Where ClearML keeps the properties that a person gives.
_PROPERTIES = "properties"
_SCRIPT = {
    "repository": "repository",
    "branch": "branch",
    "version_num": "commit",
    "entry_point": "entry_point",
    "working_dir": "working_folder",
    "binary": "binary",
}


def export_task(store: Store, state: "TaskState") -> dict[str, Any]:
    """What a task was given, as JSON can hold it.

    Raises:
        BlobMissing, DataCorrupt: a configuration or a diff is a blob that is not here, or damaged.
    """
    return {
        "id": state.id,
        "name": state.name,
        "type": state.type,
        "project": state.project,
        "project_name": state.project,
        "comment": state.comment,
        "parent": state.parent or None,
        "tags": list(state.tags),
        "system_tags": list(state.system_tags),
        "hyperparams": _sections(state),
        "configuration": {
            name: {
                "name": name,
                "type": one.type,
                "description": one.description,
                "value": _text(store, one.text, one.blob, f"the configuration '{name}'"),
            }
            for name, one in state.configurations.items()
        },
        "execution": {"model_labels": dict(state.labels)},
        "models": {
            "input": [
                {"model": link.model, "name": link.name} for link in state.models if link.direction == "input"
            ]
        },
        "script": _script(store, state.execution),
        "container": _container(state.container),
        "output": {"destination": state.destination or None},
    }


def import_new(store: Store, data: Mapping[str, Any]) -> str:
    """Make a draft of an exported task, and return its id.

    Raises:
        InputInvalid: something in it cannot be used; no draft is made then.
    """
    from eventlog.projections import TaskState

    project, name, kind = _names(data)
    task = os.urandom(16).hex()
    appended = _checked_events(store, TaskState(task, name, project, kind), data, update=True)
    store.session.append(TaskCreated, task, name, project, kind)
    for event, *fields in appended:
        store.session.append(event, task, *fields)
    return task


def import_into(store: Store, state: "TaskState", data: Mapping[str, Any], *, update: bool) -> None:
    """Give a task what an exported one was given.

    Args:
        data: as `export_task` makes it, or ClearML; what is missing in it stays as it is.
        update: keep parameters, configurations, labels and tags that are not in `data`.

    Raises:
        InputInvalid: something in it cannot be used; nothing is changed then.
    """
    for event, *fields in _checked_events(store, state, data, update=update):
        store.session.append(event, state.id, *fields)


def _names(data: Mapping[str, Any]) -> tuple[str, str, str]:
    """Project, name and type of an exported task."""
    if not isinstance(data, Mapping):
        raise InputInvalid(f"a task is imported from a dictionary, not from {type(data).__name__}")
    project = data.get("project_name") or data.get("project") or names.default_project_name()
    return (
        names.check_name("project", project),
        names.check_name("task", data.get("name")),
        task_types.type_name(data.get("type") or task_types.TaskTypes.training),
    )


def _checked_events(
    store: Store, state: "TaskState", data: Mapping[str, Any], *, update: bool
) -> list[tuple[Any, ...]]:
    try:
        return _events(store, state, data, update=update)
    except (AttributeError, TypeError, KeyError) as error:
        raise InputInvalid(f"this is not an exported task: {type(error).__name__}: {error}") from None


def _events(
    store: Store, state: "TaskState", data: Mapping[str, Any], *, update: bool
) -> list[tuple[Any, ...]]:
    from eventlog.sdk.secrets import mask_command, mask_text, mask_url

    project, name, kind = _names(
        {"project": state.project, "name": state.name, "type": state.type}
        | {key: data[key] for key in ("project_name", "project", "name", "type") if data.get(key)}
    )
    found: list[tuple[Any, ...]] = []
    found += [(TaskRenamed, name)] if name != state.name else []
    found += [(TaskMoved, project)] if project != state.project else []
    found += [(TaskTypeSet, kind)] if kind != state.type else []
    if data.get("comment") is not None:
        found.append((CommentSet, check_text("the comment", data["comment"])))
    if data.get("parent") is not None:
        found.append((ParentSet, check_text("the parent", data["parent"])))
    if data.get("tags") is not None:
        wanted = names.tag_list(data["tags"])
        gone = [] if update else [tag for tag in state.tags if tag not in wanted]
        found += [(TagsRemoved, gone)] if gone else []
        found += [(TagsAdded, wanted)] if wanted else []
    found += _parameter_events(state, data, update=update)
    found += _configuration_events(store, state, data, update=update)
    labels = (data.get("execution") or {}).get("model_labels")
    if labels or (labels is not None and not update):
        checked = {check_text("a label", label): int(number) for label, number in labels.items()}
        found.append((LabelsSet, {**(state.labels if update else {}), **checked}))
    found += _script_events(store, state, data)
    container = data.get("container")
    if container:
        parts = ("image", "arguments", "setup_shell_script")
        image, words, lines = (check_text("the container", container.get(part) or "") for part in parts)
        found.append((ContainerSet, mask_text(image), mask_command(words), mask_text(lines)))
    destination = (data.get("output") or {}).get("destination")
    if destination:
        found.append((DestinationSet, mask_url(check_text("the destination", destination))))
    found += _model_events(state, data, update=update)
    return found


def _parameter_events(state: "TaskState", data: Mapping[str, Any], *, update: bool) -> list[tuple[Any, ...]]:
    sections = data.get("hyperparams")
    if sections is None:
        return []
    parameters: dict[str, Parameter] = {}
    properties: dict[str, Parameter] = {}
    for section, members in sections.items():
        for name, member in members.items():
            parameter = _parameter(member)
            if section == _PROPERTIES:
                properties[check_text("a property", name)] = parameter
            else:
                parameters[check_text("a parameter", f"{section}/{name}")] = parameter
    found: list[tuple[Any, ...]] = []
    if parameters or not update:
        found.append((ParametersSet, parameters, not update))
    gone = [] if update else [name for name in state.properties if name not in properties]
    found += [(PropertiesDeleted, gone)] if gone else []
    found += [(PropertiesSet, properties)] if properties else []
    return found


def _parameter(member: Any) -> Parameter:
    given = member if isinstance(member, Mapping) else {"value": member}
    value = given.get("value")
    text = "" if value is None else check_text("a parameter's value", str(value))
    return Parameter(text, plain_text(given.get("type") or ""), plain_text(given.get("description") or ""))


def _configuration_events(
    store: Store, state: "TaskState", data: Mapping[str, Any], *, update: bool
) -> list[tuple[Any, ...]]:
    configurations = data.get("configuration")
    if configurations is None:
        return []
    found: list[tuple[Any, ...]] = []
    gone = [] if update else [name for name in state.configurations if name not in configurations]
    found += [(ConfigurationsDeleted, gone)] if gone else []
    for name, one in configurations.items():
        text = plain_text(one.get("value") or "")
        whole = text.encode()
        blob = store.blobs.put_bytes(whole) if len(whole) > INLINE_SIZE else ""
        kind, description = plain_text(one.get("type") or ""), plain_text(one.get("description") or "")
        found.append(
            (ConfigurationSet, check_text("a configuration", name), cut_text(text), blob, kind, description)
        )
    return found


def _script_events(store: Store, state: "TaskState", data: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    from eventlog.sdk.script_edits import execution_fields, text_fields
    from eventlog.sdk.secrets import mask_text, mask_url

    script = data.get("script")
    if not script:
        return []
    changes: dict[str, Any] = {
        field: check_text(f"the {name}", script[name])
        for name, field in _SCRIPT.items()
        if script.get(name) is not None
    }
    if "repository" in changes:
        changes["repository"] = mask_url(changes["repository"])
    if script.get("diff") is not None:
        changes |= text_fields(store, "diff", mask_text(plain_text(script["diff"])))
    if script.get("text"):
        changes |= text_fields(store, "script", mask_text(plain_text(script["text"])))
    requirements = script.get("requirements") or {}
    pip = requirements.get("pip") if isinstance(requirements, Mapping) else requirements
    if pip:
        changes["requirements"] = mask_text(pip if isinstance(pip, str) else "\n".join(map(str, pip)))
        changes["packages"] = {}
        changes["imported"] = {}
    return [(ExecutionRecorded, *execution_fields(state.execution, changes))]


def _model_events(state: "TaskState", data: Mapping[str, Any], *, update: bool) -> list[tuple[Any, ...]]:
    models = (data.get("models") or {}).get("input")
    if models is None:
        return []
    wanted = [(check_text("a model", one["model"]), plain_text(one.get("name") or "")) for one in models]
    known = [link.model for link in state.models if link.direction == "input"]
    gone = [] if update else [model for model in known if model not in {one for one, _ in wanted}]
    found: list[tuple[Any, ...]] = [(ModelsUnlinked, gone, "input")] if gone else []
    found += [(ModelLinked, model, "input", name) for model, name in wanted if model not in known]
    return found


def _sections(state: "TaskState") -> dict[str, dict[str, dict[str, str]]]:
    sections: dict[str, dict[str, dict[str, str]]] = {}
    named = [(*full.partition("/")[::2], parameter) for full, parameter in state.parameters.items()]
    named += [(_PROPERTIES, name, parameter) for name, parameter in state.properties.items()]
    for section, name, parameter in named:
        sections.setdefault(section, {})[name] = {
            "section": section,
            "name": name,
            "value": parameter.value,
            "type": parameter.type,
            "description": parameter.description,
        }
    return sections


def _script(store: Store, execution: ExecutionRecorded | None) -> dict[str, Any]:
    from eventlog.sdk.script_edits import requirements_of

    if execution is None:
        return {}
    return {
        **{name: getattr(execution, field) for name, field in _SCRIPT.items()},
        "diff": _text(store, execution.diff, execution.diff_blob, "the uncommitted changes"),
        "text": execution.script,
        "requirements": requirements_of(execution),
    }


def _container(container: ContainerSet | None) -> dict[str, str]:
    if container is None:
        return {}
    return {
        "image": container.image,
        "arguments": container.arguments,
        "setup_shell_script": container.setup_script,
    }


def _text(store: Store, text: str, blob: str, what: str) -> str:
    from eventlog.sdk.sound_blobs import read_blob

    return read_blob(store.blobs, blob, what).decode(errors="replace") if blob else text
