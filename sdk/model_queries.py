"""Finding models: by id, by name, by filter, by their bytes or their URL."""

import contextlib
import os
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.errors import InputInvalid, NotFound
from eventlog.sdk.destinations import is_url, masked
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.stores import current_views, stores_to_search
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import ModelState

__all__ = ["find_models", "known_model", "matches_tags", "model_of_file", "no_model", "store_of_model"]

_OPERATORS = {"__$all": "and", "__$and": "and", "__$any": "or", "__$or": "or", "__$not": "not"}
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def store_of_model(model_id: object) -> tuple[Store, "ModelState"]:
    """The store that has a model, and what the model is.

    Raises:
        InputInvalid: that is no id.
        NotFound: there is no such model, or no store.
    """
    if not isinstance(model_id, str) or not model_id.strip():
        raise InputInvalid(f"a model is named by its id, as text, not by {plain_text(model_id)[:50]!r}")
    stores = stores_to_search()
    for store in stores:
        with contextlib.suppress(NotFound):
            state = current_views(store, about="").model(model_id)
            store.session.observe(state.changed)
            return store, state
    raise no_model(plain_text(model_id)[:200], stores[-1])


def find_models(
    *,
    project: str | None = None,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    only_published: bool = False,
    include_archived: bool = False,
    limit: int | None = None,
    metadata: Mapping[str, object] | None = None,
) -> list[tuple[Store, "ModelState"]]:
    """The models that match, those changed last first, and the store of each.

    Args:
        project, name: exactly.
        tags: as of `Model.query_models`.
        limit: at most so many.
        metadata: values by name, all of them; each as the text that `Model.get_metadata` gives.

    Raises:
        InputInvalid: a filter is of a wrong type.
        NotFound: there is no store.
    """
    from eventlog.projections import ModelQuery
    from eventlog.sdk.parameters import to_parameter

    if limit is not None and not (type(limit) is int and limit >= 0):
        raise InputInvalid(f"max_results must be a whole number from 0 on, not {plain_text(limit)[:50]!r}")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputInvalid(f"metadata must be a dictionary, not {type(metadata).__name__}")
    exact = None if name is None else rf"\A{re.escape(check_text('the name of a model', name))}\Z"
    query = ModelQuery(
        project=None if project is None else check_text("the project of a model", project),
        name_pattern=exact,
        only_published=bool(only_published),
        include_archived=bool(include_archived),
        metadata={plain_text(key): to_parameter(value).value for key, value in (metadata or {}).items()}
        or None,
        limit=None if tags else limit,
    )
    if tags is not None and not isinstance(tags, (str, Sequence, Set)):
        raise InputInvalid(f"tags must be given as a list of texts, not as {type(tags).__name__}")
    wanted = [check_text("a tag", tag) for tag in ([tags] if isinstance(tags, str) else tags or [])]
    found: dict[str, tuple[Store, ModelState]] = {}
    for store in stores_to_search():
        states = [
            state
            for state in current_views(store, about="").models(query)
            if matches_tags(state.tags, wanted)
        ]
        store.session.observe(max((state.changed for state in states), default=0))
        for state in states:
            found.setdefault(state.id, (store, state))
    return sorted(found.values(), key=lambda pair: (pair[1].changed, pair[1].id), reverse=True)[:limit]


def known_model(weights: str | Path, *, load_archived: bool = True) -> "tuple[Store, ModelState] | None":
    """The model that has the weights at a URL or a local path, and its store; None if none is known to.

    A local path is known by its bytes, wherever it lies, so that copies of a model are that model. Of
    several, the one changed last; those that are not archived first.

    Raises:
        InputInvalid: a local path vanishes while it is read.
    """
    from eventlog.projections import ModelQuery

    text = check_text("the URL of a model's weights", str(weights))
    stores = stores_to_search()
    queries = [ModelQuery(url=masked(text), include_archived=load_archived)]
    if digest := _digest_of(stores, text):
        queries.append(ModelQuery(blob=digest, include_archived=load_archived))
    for query in queries:
        for store in stores:
            found = current_views(store, about="").models(query)
            if found:
                best = min(found, key=lambda state: state.is_archived)
                store.session.observe(best.changed)
                return store, best
    return None


def model_of_file(digest: str, size: int, url: str, task_id: str) -> "tuple[Store, ModelState] | None":
    """The model that has the bytes of a file that was read, and its store; None if none is known to.

    Of several, those first that a task has made, and that are not archived; then the one changed last. If
    there is none, one that was registered at the file's URL, and of whose bytes nothing is known; not by the
    task that reads it, which may have written over the file since.
    """
    from eventlog.projections import ModelQuery

    for query in (
        ModelQuery(blob=digest, include_archived=True),
        ModelQuery(url=url, include_archived=True),
    ):
        for store in stores_to_search():
            found = [
                state
                for state in current_views(store, about="").models(query)
                if digest in {state.blob, state.digest}
                or (not (state.blob or state.digest) and state.size in {0, size} and state.made_by != task_id)
            ]
            if found:
                best = min(found, key=lambda state: (not state.made_by, state.is_archived))
                store.session.observe(best.changed)
                return store, best
    return None


def matches_tags(tags: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a model with some tags is meant by ClearML's list of tags and operators.

    By default any one of the tags, and none that has "-" or ``"__$not"`` before it. After ``"__$all"`` or
    ``"__$and"`` all tags that follow; after ``"__$or"`` or ``"__$any"`` one at least of those that follow,
    ``"__$not"`` before one of them turning that one round; each group that an operator begins must hold.
    """
    have = {*tags}
    groups: list[tuple[str, list[bool]]] = [("", [])]
    negated = False
    for tag in wanted:
        operator = _OPERATORS.get(tag)
        if operator == "not":
            negated = True
        elif operator:
            groups.append((operator, []))
        else:
            kind, holds = groups[-1]
            if tag.startswith("-") or (negated and kind != "or"):
                excluded = tag.removeprefix("-")
                groups.insert(0, ("and", [excluded not in have]))
            else:
                holds.append((tag in have) != negated)
            negated = False
    return all(not holds or (all(holds) if kind == "and" else any(holds)) for kind, holds in groups)


def no_model(what: str, store: Store) -> NotFound:
    """The error that says that no model is meant."""
    return NotFound(
        f"no model {what} in the store at {store.home}: Model.query_models() lists those it has,"
        " `eventlog sync` fetches more"
    )


def _digest_of(stores: Sequence[Store], text: str) -> str:
    """The SHA-256 of what lies at a local path; "" where nothing does."""
    from eventlog.sdk.model_weights import digest_of_path
    from eventlog.sdk.transfers import local_path

    here = local_path(text) if not is_url(text) or text.startswith("file://") else None
    # Unlike `Path.exists`, it answers of a name too long for any file, too.
    if here is None or not os.path.exists(here):  # noqa: PTH110
        return ""
    if _DIGEST.match(here.name):
        for store in stores:
            # The URL that a model in a store has.
            if here == store.blobs.folder / here.name[:2] / here.name:
                return here.name
    return digest_of_path(here)
