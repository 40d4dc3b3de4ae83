"""The models of a task, as it lists them: by number, by name, and as slices."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from eventlog.errors import NotFound
from eventlog.sdk.model import Model
from eventlog.sdk.stores import current_views, stores_to_search
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.events import ModelLinked

__all__ = ["ModelsList", "TaskModels"]


class ModelsList(list[Model]):
    """Models in the order in which a task was given them; they are found by name, too.

    A name is the task's for the model, or the model's own where the task has none that is so called.

    Args:
        models: the task's names and models. Of several with one name, the last is found by it.
    """

    def __init__(self, models: Sequence[tuple[str, Model]]) -> None:
        super().__init__(model for _, model in models)
        self._names = [name for name, _ in models]

    @overload
    def __getitem__(self, key: SupportsIndex) -> Model: ...
    @overload
    def __getitem__(self, key: slice) -> "ModelsList": ...
    @overload
    def __getitem__(self, key: str) -> Model: ...
    def __getitem__(self, key: Any) -> Any:
        """The model of a number, from the end where that is below zero, or of a name; or those of a slice.

        Raises:
            NotFound: the task has no model of that name.
            IndexError: it has not so many.
        """
        if isinstance(key, str):
            model = self.get(key)
            if model is None:
                known = ", ".join(self.keys()) or "none"
                raise NotFound(f"there is no model called {key[:100]!r} here; there are: {known[:500]}")
            return model
        if isinstance(key, slice):
            return ModelsList(list(zip(self._names, self, strict=True))[key])
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None if isinstance(key, str) else super().__contains__(key)

    def get(self, key: str | int, default: Any = None) -> Any:
        """The model of a name or a number, or `default`."""
        if isinstance(key, str):
            by_name = self._by_name()
            return by_name[key] if key in by_name else self._by_own_name(key, default)
        return self[key] if -len(self) <= key < len(self) else default

    def keys(self) -> list[str]:
        """The task's names for the models, each once."""
        return list(self._by_name())

    def values(self) -> list[Model]:
        """The models that are found by a name."""
        return list(self._by_name().values())

    def items(self) -> list[tuple[str, Model]]:
        """Names, and the models found by them."""
        return list(self._by_name().items())

    def _by_own_name(self, name: str, default: Any) -> Any:
        return next((model for model in reversed(self) if _own_name(model) == name), default)

    def _by_name(self) -> dict[str, Model]:
        return dict(zip(self._names, self, strict=True))


def _own_name(model: Model) -> str | None:
    try:
        return model.name
    except NotFound:
        return None  # deleted since


class TaskModels(dict[str, ModelsList]):
    """What a task reads, under "input", and has made, under "output"."""

    @classmethod
    def of(cls, store: Store, links: Sequence["ModelLinked"]) -> "TaskModels":
        """The models that a task is linked to; those that are deleted, or not here yet, are passed over."""
        from eventlog.projections import ModelQuery

        missing = {link.model for link in links}
        here: dict[str, Store] = {}
        for searched in (store, *stores_to_search()) if links else ():
            if missing:
                found = current_views(searched).models(ModelQuery(ids=sorted(missing), include_archived=True))
                here.update((state.id, searched) for state in found)
                missing -= here.keys()
        models = cls()
        for direction in ("input", "output"):
            models[direction] = ModelsList(
                [
                    (link.name, Model._of(here[link.model], link.model))
                    for link in links
                    if link.direction == direction and link.model in here
                ]
            )
        return models

    @property
    def input(self) -> ModelsList:
        """The models that the task reads."""
        return self["input"]

    @property
    def output(self) -> ModelsList:
        """The models that the task has made."""
        return self["output"]
