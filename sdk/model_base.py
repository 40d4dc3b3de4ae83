"""What every model has: what it is, its weights, and how it is read and changed."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from eventlog.errors import EventlogError, InputInvalid, NotAvailable
from eventlog.events import (
    Event,
    ModelArchived,
    ModelChanged,
    ModelDeleted,
    ModelPublished,
    ModelUnarchived,
)
from eventlog.sdk.model_designs import design_dict
from eventlog.sdk.model_metadata import ModelMetadata
from eventlog.sdk.model_reports import ModelReports
from eventlog.sdk.names import tag_list
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.stores import current_views
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import ModelState

__all__ = ["PACKAGE_TAG", "BaseModel", "is_settled_here", "model_change"]

log = logging.getLogger("eventlog")

PACKAGE_TAG = "package"


class BaseModel(ModelMetadata, ModelReports):
    """A model of a store. `Model`, `InputModel` and `OutputModel` are its kinds."""

    archived_tag: ClassVar[str] = "archived"

    def __init__(self, store: Store, model_id: str) -> None:
        self._store = store
        self._id = model_id

    def __repr__(self) -> str:
        kind, known = type(self).__name__, self._id[:8] or "empty"
        try:
            state = self._state()
        except EventlogError:
            return f"<{kind} {known}>"
        name = f"{state.project}/{state.name}" if state.project else state.name
        return f"<{kind} {known} {name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseModel) and bool(self._id) and other._id == self._id

    def __hash__(self) -> int:
        return hash(self._id)

    @property
    def id(self) -> str:
        """Its id, 32 hexadecimal digits."""
        return self._id

    @property
    def name(self) -> str:
        """Its name, which need not be the one that a task has for it."""
        return self._state().name

    @name.setter
    def name(self, value: str) -> None:
        self._change(name=check_text("the name of a model", value))

    @property
    def comment(self) -> str:
        """What a person says about it."""
        return self._state().comment

    @comment.setter
    def comment(self, value: str | None) -> None:
        self._change(comment=plain_text(value or ""))

    @property
    def tags(self) -> list[str]:
        """Its tags, sorted; they may be set when it is published, too."""
        return list(self._state().tags)

    @tags.setter
    def tags(self, value: Sequence[str] | None) -> None:
        self._append(ModelChanged, *model_change(tags=tag_list(value or [])))

    @property
    def system_tags(self) -> list[str]:
        """What programs know about it: "archived", and "package" where its weights are several files."""
        state = self._state()
        has = {self.archived_tag: state.is_archived, PACKAGE_TAG: state.format == "zip"}
        return [tag for tag, is_there in has.items() if is_there]

    @system_tags.setter
    def system_tags(self, value: Sequence[str] | None) -> None:
        wanted = {*tag_list(value or [])}
        others = wanted - {self.archived_tag, *self.system_tags}
        if others:
            raise NotAvailable(
                f"a model has no system tag {min(others)!r} here, only 'archived' can be set: use tags"
            )
        if self.archived_tag in wanted:
            self.archive()
        else:
            self.unarchive()

    @property
    def framework(self) -> str | None:
        """What it was made with, such as "PyTorch"; None if that is not known."""
        return self._state().framework or None

    @property
    def labels(self) -> dict[str, int]:
        """The number of each label that it tells apart."""
        return dict(self._state().labels)

    @property
    def config_text(self) -> str:
        """What it was built from, as text."""
        return self._state().design

    @property
    def config_dict(self) -> dict[str, Any]:
        """What it was built from, as a dictionary.

        Raises:
            InputInvalid: the text is neither JSON nor HOCON.
            NotAvailable: it has a substitution or an include, and pyhocon is not installed.
        """
        return design_dict(self._state().design)

    @property
    def project(self) -> str | None:
        """The id of its project, which is its name."""
        return self._state().project or None

    @project.setter
    def project(self, value: str) -> None:
        self._change(project=check_text("the project of a model", value))

    @property
    def url(self) -> str | None:
        """Where its weights are; None where it has none.

        Of weights that the store alone has, this is a file in it, to be read and never written.

        Raises:
            BlobMissing: they are neither in this store nor at a URL.
        """
        state = self._state()
        return weights_url(self._store, state.blob, state.url)

    @property
    def published(self) -> bool:
        """Whether it is published, so that what it is stays as it is."""
        return self._state().published is not None

    @property
    def original_task(self) -> str | None:
        """The id of the task that made it; None where none did."""
        return self._state().made_by or None

    @property
    def task(self) -> str | None:
        """The id of the task that it is connected to here, or else of the one that made it."""
        return self.original_task

    def publish(self) -> None:
        """Have it stay as it is: from here on only tags, metadata, reports and the archive change."""
        if not self.published:
            self._append(ModelPublished)

    def archive(self) -> None:
        """Leave it out of queries that do not ask for archived models."""
        if not self._state().is_archived:
            self._append(ModelArchived)

    def unarchive(self) -> None:
        """Take it out of the archive again."""
        if self._state().is_archived:
            self._append(ModelUnarchived)

    def get_weights(
        self, raise_on_error: bool = False, force_download: bool = False, extract_archive: bool = False
    ) -> str | None:
        """The path of a copy of its weights, kept in the store's ``cache`` folder.

        Args:
            raise_on_error: raise what goes wrong; else None is returned, and a warning logged.
            force_download: fetch what a URL has again.
            extract_archive: of an archive, the folder with what is in it.

        Raises:
            NotFound, BlobMissing, RemoteUnreachable: they are not here, or nowhere.
            DataCorrupt: they are not what they should be, or an archive that cannot be extracted safely.
            StoreFull, StoreReadOnly: there is no room, or no right, for a copy.
        """
        path = self._local(extract_archive, force_download, raise_on_error=raise_on_error)
        return None if path is None else str(path)

    def get_weights_package(
        self,
        return_path: bool = False,
        raise_on_error: bool = False,
        force_download: bool = False,
        extract_archive: bool = True,
    ) -> str | list[Path] | None:
        """A copy of weights that are several files.

        Args:
            return_path: return the folder's path, not a list of the files' paths.
            raise_on_error, force_download: as of `get_weights`.
            extract_archive: if off, the archive itself is what is returned.

        Raises:
            InputInvalid: the weights are a single file.
            NotFound, BlobMissing, DataCorrupt, StoreFull, StoreReadOnly: as of `get_weights`.
        """
        if self._state().format != "zip":
            raise InputInvalid(f"the weights of model {self._id} are no package: use get_weights()")
        path = self._local(extract_archive, force_download, raise_on_error=raise_on_error)
        if path is None:
            return None
        if return_path:
            return str(path)
        return sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path]

    def get_offline_mode_folder(self) -> Path | None:
        """The folder of the offline session that this process records to; None where there is none."""
        from eventlog.sdk.task import Task

        task: Any = Task.current_task()
        folder = getattr(task, "get_offline_mode_folder", None)
        return None if folder is None else folder()

    def _local(self, extract: bool | None, anew: bool, *, raise_on_error: bool) -> Path | None:
        from eventlog.sdk.model_weights import local_weights

        state = self._state()
        try:
            return local_weights(self._store, state, extract=extract, anew=anew)
        except EventlogError as error:
            if raise_on_error:
                raise
            log.warning("eventlog: there is no copy of the weights of model %s: %s", self._id, error)
            return None

    def _change(self, **fields: Any) -> None:
        """Change what it is, unless it is published."""
        self._check_editable()
        self._append(ModelChanged, *model_change(**fields))

    def _check_editable(self) -> "ModelState":
        state = self._state()
        if state.published is not None:
            raise InputInvalid(
                f"model {self._id} '{state.name[:100]}' is published, and published models are not edited:"
                " make a new OutputModel"
            )
        return state

    def _append(self, kind: type[Event], *fields: Any) -> None:
        self._check_there()
        self._store.session.append(kind, self._id, *fields)
        if kind in {ModelPublished, ModelDeleted}:
            _settled_here.add(self._id)

    def _check_there(self) -> None:
        if not self._id:
            raise InputInvalid(
                "an empty model cannot be changed: connect it to a task that has one, or import one"
            )

    def _state(self) -> "ModelState":
        state = current_views(self._store).model(self._id)
        # What this process appends from here on orders after what it has seen.
        self._store.session.observe(state.changed)
        return state


def model_change(**fields: Any) -> tuple[Any, ...]:
    """The fields of `ModelChanged`, in their order; what is not given stays as it is."""
    return tuple(fields.get(field) for field in ModelChanged.__struct_fields__[2:])


def is_settled_here(model_id: str) -> bool:
    """Whether this process has published or deleted a model, so that it has no new weights any more."""
    return model_id in _settled_here


def weights_url(store: Store, blob: str, url: str) -> str | None:
    """Where weights are: their URL or else, of a blob, the file in the store; None where there are none."""
    if url or not blob:
        return url or None
    return store.blobs.path(blob).as_uri()


_settled_here: set[str] = set()
