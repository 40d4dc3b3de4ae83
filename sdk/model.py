"""Model: a model as it is looked up, and the query over all of them."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.events import ModelDeleted
from eventlog.sdk.model_base import BaseModel
from eventlog.sdk.stores import current_views, stores_to_search
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import ModelState, Views

__all__ = ["Model"]

log = logging.getLogger("eventlog")


class Model(BaseModel):
    """A model that is there already.

    Args:
        model_id: its whole id.

    Raises:
        NotFound: there is none.
    """

    def __init__(self, model_id: str) -> None:
        from eventlog.sdk.model_queries import store_of_model

        store, state = store_of_model(model_id)
        super().__init__(store, state.id)

    @classmethod
    def _of(cls, store: Store, model_id: str) -> Self:
        """The model of an id that was found a moment ago."""
        model = cls.__new__(cls)
        BaseModel.__init__(model, store, model_id)
        return model

    def get_local_copy(
        self,
        extract_archive: bool | None = None,
        raise_on_error: bool = False,
        force_download: bool = False,
    ) -> str | None:
        """The path of a copy of its weights: a file, or of a package the folder with what is in it.

        Args:
            extract_archive: extract any archive, or none; None for packages alone.
            raise_on_error, force_download: as of `get_weights`.

        Raises:
            NotFound, BlobMissing, DataCorrupt, StoreFull, StoreReadOnly: as of `get_weights`.
        """
        path = self._local(extract_archive, force_download, raise_on_error=raise_on_error)
        return None if path is None else str(path)

    @classmethod
    def query_models(
        cls,
        project_name: str | None = None,
        model_name: str | None = None,
        tags: Sequence[str] | None = None,
        only_published: bool = False,
        include_archived: bool = False,
        max_results: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "list[Model]":
        """The models that match, those changed last first.

        Args:
            project_name, model_name: exactly; by default any.
            tags: any of them, and none with "-" before it; all of them after ``"__$all"``; not the one
                after ``"__$not"``; any of those after ``"__$or"``, besides what the others ask for.
            only_published: no drafts.
            include_archived: those that are archived too.
            max_results: at most so many.
            metadata: values by name, all of them.

        Raises:
            InputInvalid: a filter is of a wrong type.
            NotFound: there is no store.
        """
        from eventlog.sdk.model_queries import find_models

        found = find_models(
            project=project_name,
            name=model_name,
            tags=tags,
            only_published=only_published,
            include_archived=include_archived,
            limit=max_results,
            metadata=metadata,
        )
        return [Model._of(store, state.id) for store, state in found]

    @classmethod
    def remove(
        cls,
        model: "str | BaseModel",
        delete_weights_file: bool = True,
        force: bool = False,
        raise_on_errors: bool = False,
    ) -> bool:
        """No longer show a model; the log keeps what it was.

        Args:
            model: the model, or its id.
            delete_weights_file: delete what was delivered to its destination, too. Weights that were only
                registered were never ours, and stay.
            force: even if it is published, or tasks read it.
            raise_on_errors: raise what goes wrong; else False is returned, and a warning logged.

        Returns:
            Whether all of it could be done.

        Raises:
            NotFound: there is no such model.
            InputInvalid: it is published or read by a task, and `force` is off.
        """
        try:
            removed = cls(model) if isinstance(model, str) else model
            _check_removable(removed, force=force)
            state = removed._state()
            removed._append(ModelDeleted)
            if delete_weights_file:
                _delete_copy(removed, state)
        except EventlogError as error:
            if raise_on_errors:
                raise
            log.warning("eventlog: model %s was not wholly removed: %s", getattr(model, "id", model), error)
            return False
        return True


def _check_removable(model: BaseModel, *, force: bool) -> None:
    if force:
        return
    state = model._state()
    if state.published is not None:
        raise InputInvalid(f"model {model.id} is published: pass force=True to remove it all the same")
    for store in stores_to_search():
        _check_unread(model, current_views(store))


def _check_unread(model: BaseModel, views: "Views") -> None:
    for row in views.find():
        if any(link.model == model.id and link.direction == "input" for link in views.task(row.id).models):
            raise InputInvalid(
                f"task {row.id} '{row.name[:100]}' reads model {model.id}: pass force=True to remove it"
                " all the same"
            )


def _delete_copy(model: BaseModel, state: "ModelState") -> None:
    """Delete what its task has put at a destination, and never what a model merely names."""
    from eventlog.projections import ModelQuery
    from eventlog.sdk.delivery import wait_for_deliveries
    from eventlog.sdk.transfers import delete_file

    if not (state.blob and state.url and state.made_by):
        return
    views = current_views(model._store)
    with contextlib.suppress(NotFound):
        delivery = views.task(state.made_by).deliveries.get(state.url)
        # Files of one name are one file there: the last that was delivered.
        others = views.models(ModelQuery(url=state.url, include_archived=True))
        if delivery is not None and delivery.blob == state.blob and not others:
            wait_for_deliveries(model._store, state.made_by)
            delete_file(state.url)
