"""Hydra: the overrides and the composed configuration of each job, recorded as the job begins.

As with ClearML, the overrides are in the section "Hydra", and the configuration "OmegaConf" is the composed
one. In a clone the overrides that are stored take the place of those on the command line; or, where
``Hydra/_allow_omegaconf_edit_`` is True, the stored configuration takes the place of the composed one.
"""

import re
from typing import TYPE_CHECKING, Any

from eventlog.events import Parameter
from eventlog.sdk.automatic import command_lines
from eventlog.sdk.automatic.command_lines import MASK, Values, is_wanted, stored_values
from eventlog.sdk.automatic.hooks import around
from eventlog.sdk.automatic.listening import safely, warn_once
from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.overrides import overridden
from eventlog.sdk.parameters import to_parameter

if TYPE_CHECKING:
    from eventlog.sdk.task import Task

__all__ = ["bind", "bind_callbacks"]

_FRAMEWORK = "hydra"
_SECTION = "Hydra"
_CONFIGURATION = "OmegaConf"
_EDIT = "_allow_omegaconf_edit_"
# ClearML's.
_TYPE = "OmegaConf YAML"
_DESCRIPTION = (
    "Full OmegaConf YAML configuration. This is a read-only section, unless"
    " 'Hydra/_allow_omegaconf_edit_' is set to True"
)
_EDIT_DESCRIPTION = (
    "If True, the `Hydra` parameter section will be completely ignored. The OmegaConf will instead be pulled"
    " from the `OmegaConf` section"
)


def bind(module: Any) -> None:
    """Hook `hydra._internal.hydra`."""
    around(module.Hydra, "run", _run)


def bind_callbacks(module: Any) -> None:
    """Hook `hydra._internal.callbacks`: what is called as jobs begin and end, around none of their frames."""
    around(module.Callbacks, "on_run_start", _on_run_start)
    around(module.Callbacks, "on_job_start", _on_job_start)
    around(module.Callbacks, "on_job_end", _on_job_end)
    if _begin_task not in command_lines.at_begin:
        command_lines.at_begin.append(_begin_task)


def _run(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Run one job; its overrides are those that are stored."""
    if is_wanted(_FRAMEWORK) and "overrides" in kwargs:
        overrides = safely("what hydra does", _with_stored, instance, list(kwargs["overrides"]))
        if overrides is not None:
            kwargs = {**kwargs, "overrides": overrides}
    return wrapped(*args, **kwargs)


def _on_run_start(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """A single run begins, with a configuration that may still be changed."""
    if is_wanted(_FRAMEWORK):
        safely("what hydra does", _take_stored, args[0] if args else kwargs.get("config"))
    return wrapped(*args, **kwargs)


def _on_job_start(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """A job begins, in a multirun one of several."""
    result = wrapped(*args, **kwargs)
    if is_wanted(_FRAMEWORK):
        safely("what hydra does", _begin_job, args[0] if args else kwargs.get("config"))
    return result


def _on_job_end(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    status = getattr(kwargs.get("job_return"), "status", None)
    _has_failed[:] = [getattr(status, "name", "") == "FAILED"]
    _jobs.clear()
    return wrapped(*args, **kwargs)


class _Job:
    """What is recorded of a job."""

    def __init__(self, values: Values, text: str | None) -> None:
        self.values = values
        self.text = text


def _begin_job(config: Any) -> None:
    values = Values()
    values.add(f"{_SECTION}/{_EDIT}", to_parameter, False, description=_EDIT_DESCRIPTION)
    for override in config.hydra.overrides.task:
        _, name, value = _split(str(override))
        values.add(f"{_SECTION}/{name}", to_parameter, value)
    if _is_later(config):
        _end_task()
    _jobs[:] = [_Job(values, safely("Hydra's composed configuration", _text, config))]
    task = command_lines.current_task()
    if task is not None:
        _record_job(task)


def _is_later(config: Any) -> bool:
    """Whether other jobs of the same multirun have run."""
    from omegaconf import OmegaConf

    return bool(OmegaConf.select(config, "hydra.job.num", default=0))


def _begin_task(task: "Task") -> None:
    """Record the job that runs, if one does, to a task that begins."""
    _task_of_job[:] = [task.id] if _jobs else []
    _record_job(task)


def _end_task() -> None:
    """End the task that an earlier job has left open: each job is to have its own, as with ClearML."""
    task = command_lines.current_task()
    # A task that was there to be run has all jobs of it.
    if task is None or [task.id] != _task_of_job or overridden():
        return
    if _has_failed == [True]:
        task.mark_failed(status_reason="its job failed")
    task.close()
    # Or the next job, which begins a task of the same name, would run it again.
    LastRuns(task._store).note_kept(task.project, task.name, str(task.task_type), task.id)


def _text(config: Any) -> str:
    """A configuration as the script gets it, with its secrets masked."""
    from omegaconf import OmegaConf

    from eventlog.sdk.secrets import mask_text

    text = mask_text(OmegaConf.to_yaml(_without_hydra(config)))
    # A mask by itself is no text in YAML.
    return _LONE_MASK.sub(f"'{MASK}'", text)


def _without_hydra(config: Any) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])


def _record_job(task: "Task") -> None:
    """Record the job that runs, if one does, to a task."""
    for job in _jobs:
        if not command_lines.record(task, _FRAMEWORK, job.values) or job.text is None:
            continue
        stored = task._overriding_configurations()
        if _CONFIGURATION not in stored or not _is_edited(task._overriding_parameters()):
            task._set_configuration(_CONFIGURATION, job.text, _DESCRIPTION, _TYPE)


def _split(override: str) -> tuple[str, str, str]:
    """An override's prefix ("+", "++" or ""), its name (with "~", where it deletes), and its value."""
    name, _, value = override.partition("=")
    bare = name.lstrip("+")
    return name[: len(name) - len(bare)], bare, value


def _with_stored(hydra: Any, overrides: list[str]) -> list[str]:
    """The overrides of a job with the stored values in them."""
    stored = stored_values(_SECTION)
    if not stored or (_EDIT in stored and stored[_EDIT].value.lower() == "true"):
        return overrides
    given: dict[str, str] = {}
    for override in overrides:
        prefix, name, value = _split(override)
        given[name] = override
        if name in stored and stored[name].value != value:
            given[name] = _override(f"{prefix}{name}", stored[name].value)
    for name, parameter in stored.items():
        if name in given or name == _EDIT or name.startswith("_"):
            continue
        if name.startswith("~"):
            given[name] = f"{name}={parameter.value}" if parameter.value else name
        else:
            prefix = "" if _is_group(hydra, name) else "++"
            given[name] = _override(f"{prefix}{name}", parameter.value)
    return list(given.values())


def _override(name: str, value: str) -> str:
    """An override, with its value in quotes where it is text that Hydra's grammar does not know."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    try:
        OverridesParser.create().parse_override(f"{name}={value}")
    except Exception:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{name}='{escaped}'"
    return f"{name}={value}"


def _is_group(hydra: Any, name: str) -> bool:
    try:
        return bool(hydra.config_loader.get_group_options(name.partition("@")[0]))
    except Exception:
        return False


def _is_edited(stored: "dict[str, Parameter]") -> bool:
    edit = stored.get(f"{_SECTION}/{_EDIT}")
    return edit is not None and edit.value.lower() == "true"


def _take_stored(config: Any) -> None:
    """Put the stored configuration in place of what was composed, if it is to be taken.

    What is masked in it stays as it was composed.
    """
    stored = stored_values(_SECTION)
    if _EDIT not in stored or stored[_EDIT].value.lower() != "true":
        return
    from omegaconf import OmegaConf, open_dict, read_write

    text = command_lines.stored_configuration(_CONFIGURATION)
    if not text:
        return
    try:
        found = OmegaConf.to_container(OmegaConf.create(text))
    except Exception as error:
        warn_once("the stored OmegaConf", error)
        return
    own: Any = OmegaConf.to_container(_without_hydra(config))
    with read_write(config), open_dict(config):
        for key in own:
            del config[key]
        for key, value in _unmasked(found, own).items():
            config[key] = value


def _unmasked(found: Any, own: Any) -> Any:
    if isinstance(found, dict):
        has = own if isinstance(own, dict) else {}
        return {key: _unmasked(value, has.get(key)) for key, value in found.items()}
    if isinstance(found, list):
        items = own if isinstance(own, list) and len(own) == len(found) else [None] * len(found)
        return [_unmasked(value, one) for value, one in zip(found, items, strict=True)]
    return own if isinstance(found, str) and MASK in found and own is not None else found


_LONE_MASK = re.compile(r"(?m)(?<=[:-] )\*{8}$")
_jobs: list[_Job] = []
# The task that a job has begun, and whether the last job has failed.
_task_of_job: list[str] = []
_has_failed: list[bool] = []
