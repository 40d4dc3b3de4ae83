"""OutputModel: a model that a task makes."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from eventlog.errors import InputInvalid
from eventlog.events import ModelCreated, ModelWeightsSet
from eventlog.sdk.frameworks import framework_name, framework_of
from eventlog.sdk.model_base import BaseModel, weights_url
from eventlog.sdk.model_designs import check_labels, design_dict, design_text
from eventlog.sdk.names import tag_list
from eventlog.sdk.plain_text import check_text, cut_text, plain_text

if TYPE_CHECKING:
    from eventlog.projections import ModelState
    from eventlog.sdk.model_weights import Weights
    from eventlog.sdk.task_models import TaskModelLinks

__all__ = ["OutputModel"]

_UNNAMED = "Output Model"
# Bytes; a comment that grows with every snapshot is cut here.
_LONGEST_NOTE = 2_000


class OutputModel(BaseModel):
    """A model that a task makes: registered with the task at once, its weights set as often as they change.

    In a process that was given its task (``EVENTLOG_TASK_ID``) the design and the labels that are stored in
    the task win over those given here.

    Args:
        task: by default the current task.
        config_text, config_dict: what it was built from, as text or as a dictionary.
        label_enumeration: the number of each label that it tells apart; by default that of the task.
        name: by default the task's.
        tags, comment: what a person says about it.
        framework: what it was made with; by default what the weights' file name tells.
        base_model_id: go on with this model, instead of a new one.

    Raises:
        InputInvalid: there is no task, or it is published; or something given cannot be kept.
        NotFound: there is no model to go on with.
    """

    _default_uri: ClassVar[str | None] = None

    def __init__(
        self,
        task: "TaskModelLinks | None" = None,
        config_text: str | None = None,
        config_dict: Mapping[str, Any] | None = None,
        label_enumeration: Mapping[str, int] | None = None,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        comment: str | None = None,
        framework: str | None = None,
        base_model_id: str | None = None,
    ) -> None:
        from eventlog.sdk.task_models import checked_task

        self._task = checked_task(task)
        self._uri: str | None = None
        design = design_text(config_text, config_dict)
        labels = None if label_enumeration is None else check_labels(label_enumeration)
        name = None if name is None else check_text("the name of a model", name)
        given: dict[str, Any] = {
            "name": name,
            "framework": framework_name(framework) or None,
            "comment": None if comment is None else plain_text(comment),
            "tags": None if tags is None else tag_list(tags),
            "design": design,
            "labels": labels,
        }
        if base_model_id is None:
            super().__init__(self._task._store, os.urandom(16).hex())
            self._create(given)
        else:
            from eventlog.sdk.model_queries import store_of_model

            store, state = store_of_model(base_model_id)
            if store is not self._task._store:
                raise InputInvalid(
                    f"model {base_model_id} is in the store at {store.home}, and the task is in the one at"
                    f" {self._task._store.home}: make a new OutputModel"
                )
            super().__init__(store, base_model_id)
            changes = {field: value for field, value in given.items() if value is not None}
            if changes:
                self._change(**changes)
            self._task._link_model(self._id, "output", _link_name(state.file_name))

    @classmethod
    def _of(cls, task: "TaskModelLinks", model_id: str) -> Self:
        """A model that a task has made already."""
        model = cls.__new__(cls)
        BaseModel.__init__(model, task._store, model_id)
        model._task, model._uri = task, None
        return model

    @property
    def task(self) -> str:
        """The id of the task that makes it."""
        return self._task.id

    @property
    def config_text(self) -> str:
        """What it is built from, as text."""
        return self._state().design

    @config_text.setter
    def config_text(self, value: str | None) -> None:
        self.update_design(config_text=value or "")

    @property
    def config_dict(self) -> dict[str, Any]:
        """What it is built from, as a dictionary; errors are those of `BaseModel.config_dict`."""
        return design_dict(self._state().design)

    @config_dict.setter
    def config_dict(self, value: Mapping[str, Any]) -> None:
        self.update_design(config_dict=value)

    @property
    def labels(self) -> dict[str, int]:
        """The number of each label that it tells apart."""
        return dict(self._state().labels)

    @labels.setter
    def labels(self, value: Mapping[str, int]) -> None:
        self.update_labels(value)

    @property
    def framework(self) -> str | None:
        """What it is made with, such as "PyTorch"; None if that is not known."""
        return self._state().framework or None

    @framework.setter
    def framework(self, value: str | None) -> None:
        self._change(framework=framework_name(value))

    @property
    def upload_storage_uri(self) -> str | None:
        """The URL of the folder that its weights are delivered to; None where the store alone keeps them."""
        return self._destination(None) or None

    def update_design(
        self, config_text: str | None = None, config_dict: Mapping[str, Any] | None = None
    ) -> bool:
        """Say what it is built from, as text or as a dictionary; returns True.

        Raises:
            InputInvalid: neither or both were given, or the model is published.
        """
        design = design_text(config_text, config_dict)
        if design is None:
            raise InputInvalid("update_design needs config_text or config_dict")
        self._change(design=design)
        return True

    def update_labels(self, labels: Mapping[str, int]) -> None:
        """Say which number each label has; those not named here are gone.

        Raises:
            InputInvalid: a label is no text, a number is no whole one, or the model is published.
        """
        self._change(labels=check_labels(labels))

    def connect(self, task: "TaskModelLinks", name: str | None = None, **kwargs: Any) -> None:
        """Say that a task makes this model; its design and labels become the task's.

        Args:
            task: the task.
            name: what the task calls it, instead of the model that it calls so now; by default the weights'
                file name without its ending.
            kwargs: for ClearML's sake.

        Raises:
            InputInvalid: `task` is no task, or is published.
        """
        from eventlog.sdk.task_models import adopt_design, checked_task

        self._task = checked_task(task)
        state = self._state()
        link = _link_name(state.file_name) if name is None else check_text("the name of a model", name)
        self._task._link_model(self._id, "output", link, alone=name is not None)
        adopt_design(self._task, state.design, state.labels)

    def set_upload_destination(self, uri: str) -> None:
        """Deliver its weights to this URL, or folder, from now on.

        Raises:
            InputInvalid: it is neither.
        """
        self._destination(uri)
        self._uri = uri

    @classmethod
    def set_default_upload_uri(cls, output_uri: str | None) -> None:
        """Deliver the weights of all models to this URL whose tasks have no destination; None for nowhere."""
        from eventlog.configuration import Configuration
        from eventlog.sdk.destinations import check_destination

        if output_uri is not None:
            check_destination(output_uri, Configuration())
        OutputModel._default_uri = output_uri

    def update_weights(
        self,
        weights_filename: str | None = None,
        upload_uri: str | None = None,
        target_filename: str | None = None,
        auto_delete_file: bool = True,
        register_uri: str | None = None,
        iteration: int | None = None,
        update_comment: bool = True,
        is_package: bool = False,
        async_enable: bool = True,
    ) -> str:
        """Set its weights; when this returns, their bytes are in the store.

        Args:
            weights_filename: the path of a file, or of a folder, which is kept as a package.
            upload_uri: deliver them to this URL, now and from now on; by default to that of the model or of
                its task, if there is one. Nothing is delivered where there is none.
            target_filename: what to call the file, where not as it is called.
            auto_delete_file: delete the file once it has been delivered; without a destination it stays.
            register_uri: a URL where weights are already, instead of a file: the URL alone is kept.
            iteration: of the training.
            update_comment: add the file's name to the comment.
            is_package: the file is an archive of several files.
            async_enable: deliver in the background; else wait for it.

        Returns:
            Their URL: at the destination, the one registered, or that of the file in the store.

        Raises:
            InputInvalid: there is no such file, both or neither were given, or the model is published.
            StoreFull, StoreReadOnly: there is no room, or no right, to keep it.
            RemoteUnreachable: it was waited for and could not be delivered; the next sync tries again.
        """
        from eventlog.sdk.model_weights import registered, take_path

        if (weights_filename is None) == (register_uri is None):
            raise InputInvalid("update_weights needs weights_filename or register_uri, one and not both")
        self._check_editable()
        if register_uri is not None:
            weights = registered(register_uri, target_filename, is_package=is_package)
            return self._set(weights, "", iteration, update_comment)
        destination = self._destination(upload_uri)
        weights = take_path(self._store, weights_filename, target_filename, is_package=is_package)
        delete = [Path(str(weights_filename))] if auto_delete_file else []
        return self._set(weights, destination, iteration, update_comment, delete, async_enable)

    def update_weights_package(
        self,
        weights_filenames: Sequence[str] | None = None,
        weights_path: str | None = None,
        upload_uri: str | None = None,
        target_filename: str | None = None,
        auto_delete_file: bool = True,
        iteration: int | None = None,
        async_enable: bool = True,
    ) -> str:
        """Set several files as its weights, kept as one zip archive; arguments are those of `update_weights`.

        Args:
            weights_filenames: the paths of the files.
            weights_path: of a folder, with all that is in it, instead.
            upload_uri, iteration, async_enable: as of `update_weights`.
            target_filename: what to call the archive.
            auto_delete_file: delete the files once they have been delivered; without a destination they stay.

        Returns:
            The URL of the archive.

        Raises:
            InputInvalid, StoreFull, StoreReadOnly, RemoteUnreachable: as of `update_weights`.
        """
        from eventlog.sdk.model_weights import take_files, take_path

        if (weights_filenames is None) == (weights_path is None):
            raise InputInvalid(
                "update_weights_package needs weights_path or weights_filenames, one and not both"
            )
        self._check_editable()
        destination = self._destination(upload_uri)
        if weights_path is not None:
            # Unlike `Path.is_dir`, it answers of a name too long for any folder, too.
            if not os.path.isdir(str(weights_path)):  # noqa: PTH112
                raise InputInvalid(
                    f"there is no folder {plain_text(weights_path)[:200]!r} to take weights from"
                )
            weights = take_path(self._store, weights_path, target_filename or "model_package.zip")
            paths = [Path(str(weights_path))]
        else:
            weights = take_files(self._store, weights_filenames or [], target_filename)
            paths = [Path(str(path)) for path in weights_filenames or []]
        return self._set(
            weights, destination, iteration, True, paths if auto_delete_file else [], async_enable
        )

    @classmethod
    def wait_for_uploads(cls, timeout: float | None = None, max_num_uploads: int | None = None) -> None:
        """Wait until what this process delivers has arrived, or has failed.

        Args:
            timeout: how many seconds at most.
            max_num_uploads: wait for so many of them at most, the first ones.
        """
        from eventlog.sdk.model_delivery import wait_for_weights

        wait_for_weights(timeout, max_num_uploads)

    def _create(self, given: dict[str, Any]) -> None:
        from eventlog.sdk.task_models import overriding_design

        task = self._task
        design, labels = overriding_design(task)
        if not labels:
            labels = dict(task._state().labels) if given["labels"] is None else given["labels"]
        origin = f"Created by task id: {task.id}"
        # Refused first if the task is published; a link to a model that is not there is passed over.
        task._link_model(self._id, "output", _UNNAMED)
        self._store.session.append(
            ModelCreated,
            self._id,
            given["name"] or task.name,
            task.project,
            task.id,
            given["framework"] or "",
            f"{origin}\n{given['comment']}" if given["comment"] else origin,
            given["tags"] or [],
            design or given["design"] or "",
            labels,
        )

    def _set(
        self,
        weights: "Weights",
        destination: str,
        iteration: int | None,
        update_comment: bool,
        delete: Sequence[Path] = (),
        in_background: bool = True,
    ) -> str:
        from eventlog.sdk.destinations import file_url
        from eventlog.sdk.numbers import as_iteration

        task, url = self._task, weights.url
        number = None if iteration is None else as_iteration(iteration)
        if destination:
            url = file_url(destination, task.project, task.name, task.id, "models", weights.file_name)
        state = self._check_editable()
        self._append(
            ModelWeightsSet,
            weights.blob,
            weights.size,
            weights.file_name,
            weights.format,
            url,
            number,
            task.id,
        )
        self._note(state, weights, update_comment)
        if destination:
            from eventlog.sdk.model_delivery import deleting, deliver_weights

            deliver_weights(
                self._store,
                task.id,
                weights.blob,
                url,
                on_completed=deleting(delete) if delete else None,
                in_background=in_background,
            )
        return weights_url(self._store, weights.blob, url) or ""

    def _note(self, state: "ModelState", weights: "Weights", update_comment: bool) -> None:
        """Say in the comment, the framework and the task's name for it what the weights tell."""
        changes: dict[str, Any] = {}
        if update_comment:
            what = str(list(weights.members)) if weights.members else weights.file_name
            note = cut_text(f"snapshot {what} stored", _LONGEST_NOTE)
            if note not in state.comment.split("\n"):
                changes["comment"] = f"{note}\n{state.comment}" if state.comment else note
        if not state.framework and (framework := framework_of(weights.file_name)):
            changes["framework"] = framework
        if changes:
            self._change(**changes)
        known = self._task._model_link(self._id, "output")
        if known in (None, _UNNAMED, _link_name(state.file_name)) and known != _link_name(weights.file_name):
            self._task._link_model(self._id, "output", _link_name(weights.file_name))

    def _destination(self, upload_uri: str | None) -> str:
        """The URL of the folder that weights are delivered to, or ""."""
        from eventlog.sdk.destinations import check_destination

        configuration = self._store.configuration
        if upload_uri is not None:
            destination = check_destination(upload_uri, configuration)
            self._uri = upload_uri
            return destination
        if self._uri is not None:
            return check_destination(self._uri, configuration)
        return self._destination_for(self._task)

    @staticmethod
    def _destination_for(task: "TaskModelLinks") -> str:
        """The URL of the folder that the weights of a task's models are delivered to, or ""."""
        from eventlog.sdk.destinations import check_destination

        return task._state().destination or (
            check_destination(OutputModel._default_uri, task._store.configuration)
            if OutputModel._default_uri
            else ""
        )


def _link_name(file_name: str) -> str:
    """What a task calls a model with weights of this file name."""
    from eventlog.sdk.model_names import stem_of

    return stem_of(file_name) or _UNNAMED
