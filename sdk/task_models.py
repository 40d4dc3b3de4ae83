"""The models that a task reads and makes."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import ConfigurationSet, LabelsSet, ModelLinked, ModelsUnlinked
from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.model_settling import settle_models
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.task_base import TaskBase

if TYPE_CHECKING:
    from eventlog.sdk.model_base import BaseModel
    from eventlog.sdk.models_list import TaskModels

__all__ = ["TaskModelLinks", "adopt_design", "checked_task", "overriding_design", "overriding_model"]


class TaskModelLinks(TaskBase):
    """The methods of `Task` about its models."""

    @property
    def models(self) -> "TaskModels":
        """Its models, by "input" and "output"; each of them a list that is found by name, too."""
        from eventlog.sdk.models_list import TaskModels

        settle_models()
        return TaskModels.of(self._store, self._state().models)

    def get_models(self) -> "TaskModels":
        """As `models`."""
        return self.models

    @property
    def input_models_id(self) -> dict[str, str]:
        """The ids of the models that it reads, by its names for them."""
        settle_models()
        return {link.name: link.model for link in self._state().models if link.direction == "input"}

    @property
    def output_models_id(self) -> dict[str, str]:
        """The ids of the models that it has made, by its names for them."""
        settle_models()
        return {link.name: link.model for link in self._state().models if link.direction == "output"}

    def update_output_model(
        self,
        model_path: str,
        name: str | None = None,
        comment: str | None = None,
        tags: Sequence[str] | None = None,
        model_name: str | None = None,
        iteration: int | None = None,
        auto_delete_file: bool = True,
    ) -> str:
        """Keep a snapshot of a model; the model that the task has under that name has new weights then.

        Args:
            model_path: the path of a file or a folder; or a URL, which alone is kept then.
            name: what the task calls the model; by default the file's name without its ending.
            comment, tags: what a person says about it.
            model_name: the model's own name; by default "the task's name - name".
            iteration: of the training.
            auto_delete_file: delete the file once it has been delivered to the task's destination; where it
                has none, the file stays.

        Returns:
            The URL of the weights.

        Raises:
            InputInvalid: there is no such file, or the task is published.
            StoreFull, StoreReadOnly: there is no room, or no right, to keep it.
        """
        from eventlog.sdk.destinations import is_url
        from eventlog.sdk.model_names import name_of_url, stem_of
        from eventlog.sdk.output_model import OutputModel

        path = os.fspath(model_path) if isinstance(model_path, os.PathLike) else model_path
        path = check_text("the path of a model", path)
        name = check_text("the name of a model", name or stem_of(name_of_url(path)) or "model")
        is_remote = is_url(path) and not path.startswith("file://")
        if not is_remote:
            path = path.removeprefix("file://")
            # Unlike `Path.exists`, it answers of a name too long for any file, too.
            if not os.path.exists(path):  # noqa: PTH110
                raise InputInvalid(f"there is no file or folder {path[:200]!r} with a model: check the path")
        self._check_editable(self._state())
        known = self._own_model(name)
        model = OutputModel(
            task=self,
            name=model_name or (f"{self._name} - {name}" if known is None else None),
            tags=tags,
            comment=comment,
            base_model_id=known,
        )
        self._link_model(model.id, "output", name)
        if is_remote:
            return model.update_weights(register_uri=path, iteration=iteration)
        return model.update_weights(path, iteration=iteration, auto_delete_file=auto_delete_file)

    def set_input_model(
        self,
        model_id: str | None = None,
        model_name: str | None = None,
        update_task_design: bool = True,
        update_task_labels: bool = True,
        name: str | None = None,
    ) -> None:
        """Have the task read a model.

        Args:
            model_id: its id.
            model_name: its name, where no id is given; of several, the one changed last.
            update_task_design, update_task_labels: the model's design and labels become the task's.
            name: what the task calls it, instead of the model that it calls so now; by default the weights'
                file name without its ending.

        Raises:
            NotFound: there is no such model.
            InputInvalid: neither id nor name is given, or the task is published.
        """
        from eventlog.sdk.input_model import InputModel

        if not (model_id or model_name):
            raise InputInvalid("set_input_model needs a model_id or a model_name")
        model = InputModel(model_id) if model_id else InputModel(name=model_name)
        state = model._state()
        self._link_model(model.id, "input", model._name_in_task(state, name), alone=name is not None)
        adopt_design(
            self,
            state.design if update_task_design else "",
            state.labels if update_task_labels else {},
        )

    def remove_input_models(self, models_to_remove: "Sequence[str | BaseModel]") -> None:
        """Have the task no longer read some models, which themselves stay.

        Args:
            models_to_remove: the models, or their ids.
        """
        if isinstance(models_to_remove, str):
            raise InputInvalid("models_to_remove must be a list of models, or of their ids")
        ids = [model if isinstance(model, str) else model.id for model in models_to_remove]
        self._append(ModelsUnlinked, [plain_text(model) for model in ids], "input")

    def _link_model(self, model_id: str, direction: str, name: str, *, alone: bool = False) -> None:
        """Say that the task reads a model, or makes it; such a task is not run again under its id.

        Args:
            model_id: the model.
            direction: "input" or "output".
            name: what the task calls it.
            alone: the task calls no other model so any more.
        """
        links = [link for link in self._state().models if link.direction == direction]
        others = [link.model for link in links if link.name == name and link.model != model_id]
        if alone and others:
            self._append(ModelsUnlinked, others, direction)
        if any((link.model, link.name) == (model_id, name) for link in links):
            return
        self._append(ModelLinked, model_id, direction, name)
        LastRuns(self._store).note_kept(self._project, self._name, self._type, self._id)

    def _model_link(self, model_id: str, direction: str) -> str | None:
        """What the task calls a model that it is linked to, or None."""
        for link in self._state().models:
            if (link.model, link.direction) == (model_id, direction):
                return link.name
        return None

    def _own_model(self, name: str) -> str | None:
        """The id of the model that the task has made under a name, and that can still be changed."""
        from eventlog.projections import ModelQuery
        from eventlog.sdk.stores import current_views

        ids = [
            link.model for link in self._state().models if link.direction == "output" and link.name == name
        ]
        found = current_views(self._store).models(ModelQuery(ids=ids, include_archived=True)) if ids else []
        drafts = [state.id for state in found if state.published is None and state.made_by == self._id]
        return drafts[0] if drafts else None


def checked_task(task: Any) -> TaskModelLinks:
    """The task that a model is of: the one given or, for None, the current one.

    Raises:
        InputInvalid: it is no task, or there is no current one.
    """
    from eventlog.sdk.task import Task

    found = Task.current_task() if task is None else task
    if found is None:
        raise InputInvalid("an OutputModel belongs to a task, and there is no current one: pass task=…")
    if not isinstance(found, TaskModelLinks):
        raise InputInvalid(f"a model is connected to a task, not to {type(found).__name__}")
    return found


def adopt_design(task: TaskBase, design: str, labels: Mapping[str, int]) -> None:
    """Have a model's design and labels, where it has any, be those of a task."""
    from eventlog.sdk.configurations import DESIGN, kept_text

    if design:
        task._append(ConfigurationSet, DESIGN, *kept_text(task._store, design))
    if labels:
        task._append(LabelsSet, dict(labels))


def overriding_model(task: TaskBase, name: str) -> str | None:
    """The id of the model that a task says it reads under a name, in a process that was given its task.

    Where it has none of that name and a single one in all, that one is meant.
    """
    from eventlog.sdk.overrides import overridden

    if not overridden():
        return None
    links = [link for link in task._state().models if link.direction == "input"]
    named = [link.model for link in links if link.name == name]
    if named:
        return named[-1]
    return links[0].model if len(links) == 1 else None


def overriding_design(task: TaskBase) -> tuple[str, dict[str, int]]:
    """The design and the labels that a task was given for its models, in a process that was given its task.

    Returns:
        The text and the numbers of the labels; both empty in other processes, and where there are none.
    """
    from eventlog.sdk.configurations import DESIGN, full_text
    from eventlog.sdk.overrides import overridden
    from eventlog.sdk.task_configuration import TaskConfiguration

    if not overridden() or not isinstance(task, TaskConfiguration):
        return "", {}
    design = task._overriding_configurations().get(DESIGN)
    return "" if design is None else full_text(task._store, design), dict(task._state().labels)
