"""InputModel: a model that a task reads."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import ModelCreated, ModelPublished, ModelWeightsSet
from eventlog.sdk.model import Model
from eventlog.sdk.model_base import BaseModel
from eventlog.sdk.model_designs import check_labels, design_text
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.stores import open_store

if TYPE_CHECKING:
    from eventlog.projections import ModelState
    from eventlog.sdk.task_base import TaskBase
    from eventlog.sdk.task_models import TaskModelLinks

__all__ = ["InputModel"]


class InputModel(Model):
    """A model that is there already, to be connected to the task that reads it.

    Args:
        model_id: its whole id; the other arguments are then ignored.
        name, project: its exact name and project; of several models, the one changed last.
        tags: as of `Model.query_models`.
        only_published: no drafts.

    Raises:
        NotFound: there is none.
        InputInvalid: nothing was given to go by.
    """

    def __init__(
        self,
        model_id: str | None = None,
        name: str | None = None,
        project: str | None = None,
        tags: Sequence[str] | None = None,
        only_published: bool = False,
    ) -> None:
        self._connected_to: TaskBase | None = None
        self._empty: ModelState | None = None
        if model_id:
            super().__init__(model_id)
            return
        if not (name or project or tags):
            raise InputInvalid("InputModel needs a model_id, or a name, a project or tags")
        from eventlog.sdk.model_queries import find_models, no_model

        found = find_models(name=name, project=project, tags=tags, only_published=only_published, limit=1)
        if not found:
            asked = "/".join(part for part in (project, name) if part) or "with those tags"
            raise no_model(f"'{asked[:200]}'", open_store())
        store, state = found[0]
        BaseModel.__init__(self, store, state.id)

    @classmethod
    def _of(cls, store: Any, model_id: str) -> "InputModel":
        model = super()._of(store, model_id)
        model._connected_to = model._empty = None
        return model

    @classmethod
    def import_model(
        cls,
        weights_url: str,
        config_text: str | None = None,
        config_dict: Mapping[str, Any] | None = None,
        label_enumeration: Mapping[str, int] | None = None,
        name: str | None = None,
        project: str | None = None,
        tags: Sequence[str] | None = None,
        comment: str | None = None,
        is_package: bool = False,
        create_as_published: bool = False,
        framework: str | None = None,
    ) -> "InputModel":
        """The model whose weights these are: the one that is known to have them, or else a new one.

        Args:
            weights_url: where they are. A file or a folder of this machine is known by its bytes, and a new
                model keeps them; of any other URL, the URL alone is kept.
            config_text, config_dict: what it was built from, as text or as a dictionary.
            label_enumeration: the number of each label that it tells apart.
            name: by default that of the file, without its ending.
            project: by default that of the current task.
            tags, comment: what a person says about it.
            is_package: the weights are an archive of several files.
            create_as_published: publish it at once.
            framework: what it was made with; by default what the file's name tells.

        Raises:
            InputInvalid: there is no such file, or something given cannot be kept.
            StoreFull, StoreReadOnly: there is no room, or no right, to keep it.
        """
        from eventlog.sdk.frameworks import framework_name, framework_of
        from eventlog.sdk.model_names import stem_of
        from eventlog.sdk.model_queries import known_model
        from eventlog.sdk.model_weights import registered, take_path
        from eventlog.sdk.names import tag_list
        from eventlog.sdk.task import Task
        from eventlog.sdk.transfers import local_path

        url = os.fspath(weights_url) if isinstance(weights_url, os.PathLike) else weights_url
        url = check_text("the URL of a model's weights", url)
        task = Task.current_task()
        store = open_store(create=True) if task is None else task._store
        if (known := known_model(url)) is not None:
            return cls._of(known[0], known[1].id)
        design = design_text(config_text, config_dict) or ""
        labels = check_labels(label_enumeration)
        here = local_path(url)
        if here is None:
            weights = registered(url, is_package=is_package)
        else:
            weights = take_path(store, here, is_package=is_package)
        model = os.urandom(16).hex()
        store.session.append(
            ModelCreated,
            model,
            check_text("the name of a model", name or stem_of(weights.file_name) or "model"),
            check_text("the project of a model", project or (task.project if task is not None else "")),
            "",
            framework_name(framework) or framework_of(weights.file_name),
            plain_text(comment or ""),
            tag_list(tags or []),
            design,
            labels,
        )
        store.session.append(
            ModelWeightsSet,
            model,
            weights.blob,
            weights.size,
            weights.file_name,
            weights.format,
            weights.url,
        )
        if create_as_published:
            store.session.append(ModelPublished, model)
        return cls._of(store, model)

    @classmethod
    def load_model(cls, weights_url: str, load_archived: bool = False) -> "InputModel | None":
        """The model that is known to have these weights, or None.

        Args:
            weights_url: where they are. A file or a folder of this machine is known by its bytes.
            load_archived: also one that is archived.
        """
        from eventlog.sdk.model_queries import known_model

        known = known_model(weights_url, load_archived=load_archived)
        return None if known is None else cls._of(known[0], known[1].id)

    @classmethod
    def empty(
        cls,
        config_text: str | None = None,
        config_dict: Mapping[str, Any] | None = None,
        label_enumeration: Mapping[str, int] | None = None,
    ) -> "InputModel":
        """A model that is nothing yet but a design and labels, until `connect` finds the task's own.

        Args:
            config_text, config_dict: what it was built from, as text or as a dictionary.
            label_enumeration: the number of each label that it tells apart.
        """
        from eventlog.projections import ModelState
        from eventlog.sdk.task import Task

        task = Task.current_task()
        model = cls._of(open_store(create=True) if task is None else task._store, "")
        design = design_text(config_text, config_dict) or ""
        model._empty = ModelState("", labels=check_labels(label_enumeration), design=design)
        return model

    def connect(
        self, task: "TaskModelLinks", name: str | None = None, ignore_remote_overrides: bool = False
    ) -> None:
        """Say that a task reads this model; its design and labels become the task's.

        In a process that was given its task (``EVENTLOG_TASK_ID``) this becomes the model that the task has
        under that name, if it has one.

        Args:
            task: the task.
            name: what the task calls it, instead of the model that it calls so now; by default the weights'
                file name without its ending.
            ignore_remote_overrides: stay this model, whatever the task has.

        Raises:
            InputInvalid: `task` is no task, or is published.
        """
        from eventlog.sdk.task_models import adopt_design, checked_task, overriding_model

        task = checked_task(task)
        state = self._state()
        called = self._name_in_task(state, name)
        if not ignore_remote_overrides:
            other = overriding_model(task, called)
            if other is not None:
                self._store, self._id, self._empty = task._store, other, None
                self._connected_to = task
                return
        if self._id:
            task._link_model(self._id, "input", called, alone=name is not None)
        adopt_design(task, state.design, state.labels)
        self._connected_to = task

    @property
    def task(self) -> str | None:
        """The id of the task that it was connected to here, or else of the one that made it."""
        return self.original_task if self._connected_to is None else self._connected_to.id

    def _name_in_task(self, state: "ModelState", name: str | None) -> str:
        from eventlog.sdk.model_names import stem_of

        if name is not None:
            return check_text("the name of a model", name)
        return stem_of(state.file_name) or "Input Model"

    def _state(self) -> "ModelState":
        return super()._state() if self._empty is None else self._empty
