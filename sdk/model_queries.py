"""Finding models: by id, by name, by filter, by their bytes or their URL."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.errors import InputInvalid, NotFound
from eventlog.sdk.destinations import is_url, masked
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.stores import current_views, open_store
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import ModelState

__all__ = ["find_models", "known_model", "matches_tags", "no_model", "store_of_model"]

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
    store = open_store()
    state = current_views(store).model(model_id)
    store.session.observe(state.changed)
    return store, state


def find_models(
    store: Store,
    *,
    project: str | None = None,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    only_published: bool = False,
    include_archived: bool = False,
    limit: int | None = None,
    metadata: Mapping[str, object] | None = None,
) -> list["ModelState"]:
    """The models that match, those changed last first.

    Args:
        project, name: exactly.
        tags: as of `Model.query_models`.
        limit: at most so many.
        metadata: values by name, all of them; each as the text that `Model.get_metadata` gives.

    Raises:
        InputInvalid: a filter is of a wrong type.
    """
    from eventlog.projections import ModelQuery
    from eventlog.sdk.parameters import to_parameter

    if limit is not None and not (type(limit) is int and limit >= 0):
        raise InputInvalid(f"max_results must be a whole number from 0 on, not {plain_text(limit)[:50]!r}")
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
    found = current_views(store).models(query)
    if tags:
        wanted = [check_text("a tag", tag) for tag in ([tags] if isinstance(tags, str) else tags)]
        found = [state for state in found if matches_tags(state.tags, wanted)][:limit]
    store.session.observe(max((state.changed for state in found), default=0))
    return found


def known_model(store: Store, weights: str | Path, *, load_archived: bool = True) -> "ModelState | None":
    """The model that has the weights at a URL or in a local file or folder; None if none is known to.

    A local path is known by its bytes, wherever it lies, so that copies of a model are that model. Of
    several, the one changed last; those that are not archived first.

    Raises:
        InputInvalid: a local path vanishes while it is read.
    """
    from eventlog.projections import ModelQuery

    views = current_views(store)
    text = check_text("the URL of a model's weights", str(weights))
    found = views.models(ModelQuery(url=masked(text), include_archived=load_archived))
    if not found and (digest := _digest_of(store, text)):
        found = views.models(ModelQuery(blob=digest, include_archived=load_archived))
    if not found:
        return None
    best = min(found, key=lambda state: state.is_archived)
    store.session.observe(best.changed)
    return best


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


def _digest_of(store: Store, text: str) -> str:
    """The SHA-256 of what lies at a local path; "" where nothing does."""
    from eventlog.sdk.model_weights import digest_of_path
    from eventlog.sdk.transfers import local_path

    here = local_path(text) if not is_url(text) or text.startswith("file://") else None
    if here is None or not here.exists():
        return ""
    if _DIGEST.match(here.name) and here == store.blobs.folder / here.name[:2] / here.name:
        # The URL that a model in the store has.
        return here.name
    return digest_of_path(here)
