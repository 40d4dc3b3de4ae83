"""The models: what is kept of each, and the query over all of them.

There are few models beside tasks, so they have no index. A query looks at the beginning of each one's
record, where nothing large lies, and reads whole only those that match.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from eventlog.errors import InputInvalid
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.keys import ORDER_SIZE, task_key
from eventlog.projections.model import ModelState
from eventlog.projections.pages import Pattern

__all__ = [
    "ModelQuery",
    "ModelRecord",
    "find_deleted_models",
    "find_models",
    "read_model",
    "read_model_record",
]


@dataclass(frozen=True, kw_only=True)
class ModelQuery:
    """Which models to find, those changed last first. Every condition that is given must hold.

    Models that are deleted are never found.

    Attributes:
        ids: only these models, by their whole ids; those that are not here are passed over.
        project: the exact project, or any one of several.
        project_prefix: with `project`, also the projects nested below it: "a" matches "a/b" and not "ab".
        name_pattern: a regular expression that occurs in the name.
        tags: any one of these, and none of those that begin with "-"; with exclusions alone, everything else.
        all_tags: all of `tags` at once, not any one of them.
        only_published: no others.
        include_archived: those that are archived too.
        metadata: values, as text, of metadata by name; all of them.
        made_by: id of the task that made it, or any one of several.
        url: of its weights.
        blob: SHA-256 of its weights, in the store or at their URL.
        limit: at most so many models, after the first `offset`.
        offset: how many to pass over.
    """

    ids: Sequence[str] | None = None
    project: str | Sequence[str] | None = None
    project_prefix: bool = False
    name_pattern: str | None = None
    tags: Sequence[str] = ()
    all_tags: bool = False
    only_published: bool = False
    include_archived: bool = False
    metadata: dict[str, str] | None = None
    made_by: str | Sequence[str] | None = None
    url: str | None = None
    blob: str | None = None
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        if (self.limit is not None and self.limit < 0) or self.offset < 0:
            raise InputInvalid("limit and offset must not be negative")


class ModelRecord(NamedTuple):
    """What is kept of a model.

    Attributes:
        last: order key of its last event.
        data: the encoded `ModelState`.
    """

    last: bytes
    data: bytes

    def pack(self) -> bytes:
        """The bytes of the record."""
        return self.last + self.data

    def state(self) -> ModelState:
        """The model's state."""
        return _decode(self.data)


def read_model_record(transaction: Any, environment: ViewsEnvironment, key: bytes) -> ModelRecord | None:
    """What is kept of a model, by its key."""
    data = transaction.get(key, db=environment["models"])
    return None if data is None else ModelRecord(data[:ORDER_SIZE], data[ORDER_SIZE:])


def read_model(transaction: Any, environment: ViewsEnvironment, model: str) -> ModelState | None:
    """The state of a model, by its whole id; None if there is none, or if it is deleted."""
    record = read_model_record(transaction, environment, task_key(model))
    state = None if record is None else record.state()
    return None if state is None or state.id != model or state.is_deleted else state


def find_models(transaction: Any, environment: ViewsEnvironment, query: ModelQuery) -> list[ModelState]:
    """The models that match a query, those changed last first."""
    matching = _Conditions(query)
    found: list[tuple[int, str, bytes]] = []
    if query.ids is not None:
        keys = {task_key(model) for model in query.ids}
        records = (transaction.get(key, db=environment["models"]) for key in keys)
        found = [entry for data in records if data is not None and (entry := matching.entry(data))]
    else:
        with transaction.cursor(environment["models"]) as cursor:
            for data in cursor.iternext(keys=False, values=True):
                entry = matching.entry(data)
                if entry is not None:
                    found.append(entry)
    found.sort(reverse=True)
    end = None if query.limit is None else query.offset + query.limit
    return [_decode(data[ORDER_SIZE:]) for _, _, data in found[query.offset : end]]


def find_deleted_models(transaction: Any, environment: ViewsEnvironment) -> list[str]:
    """The ids of the models that are deleted."""
    with transaction.cursor(environment["models"]) as cursor:
        beginnings = (
            _decode_beginning(memoryview(data)[ORDER_SIZE:])
            for data in cursor.iternext(keys=False, values=True)
        )
        return [model.id for model in beginnings if model.is_deleted]


class _Beginning(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The beginning of a `ModelState`: what is asked for, but its metadata."""

    id: str
    name: str
    project: str
    made_by: str
    framework: str
    comment: str
    tags: list[str]
    blob: str
    size: int
    file_name: str
    format: str
    url: str
    digest: str
    iteration: int | None
    published: int | None
    is_archived: bool
    is_deleted: bool
    created: int
    changed: int


_decode = msgspec.msgpack.Decoder(ModelState).decode
_decode_beginning = msgspec.msgpack.Decoder(_Beginning).decode


class _Conditions:
    """What a query asks of a model, made ready."""

    def __init__(self, query: ModelQuery) -> None:
        self._query = query
        self._ids = None if query.ids is None else {*query.ids}
        self._projects = None if query.project is None else _several(query.project)
        self._folders = tuple(f"{project}/" for project in self._projects or () if query.project_prefix)
        self._makers = None if query.made_by is None else _several(query.made_by)
        self._pattern = None if query.name_pattern is None else Pattern(query.name_pattern)
        self._wanted = {tag for tag in _several(query.tags) if not tag.startswith("-")}
        self._unwanted = {tag[1:] for tag in _several(query.tags) if tag.startswith("-")}

    def entry(self, data: bytes) -> tuple[int, str, bytes] | None:
        """What a record sorts by, and the record itself, if it matches."""
        model = _decode_beginning(memoryview(data)[ORDER_SIZE:])
        return (model.changed, model.id, data) if self._hold(model, data) else None

    def _hold(self, model: _Beginning, data: bytes) -> bool:
        query = self._query
        return (
            not model.is_deleted
            and (query.include_archived or not model.is_archived)
            and (self._ids is None or model.id in self._ids)
            and (model.published is not None or not query.only_published)
            and self._in_project(model.project)
            and (self._makers is None or model.made_by in self._makers)
            and query.url in (None, model.url)
            and query.blob in (None, model.blob, model.digest)
            and self._has_tags(model.tags)
            and (self._pattern is None or self._pattern.search(model.name) is not None)
            and (not query.metadata or self._has_metadata(data))
        )

    def _in_project(self, project: str) -> bool:
        if self._projects is None or project in self._projects:
            return True
        return bool(self._folders) and project.startswith(self._folders)

    def _has_tags(self, tags: list[str]) -> bool:
        if not self._unwanted.isdisjoint(tags):
            return False
        if self._query.all_tags:
            return self._wanted.issubset(tags)
        return not self._wanted or not self._wanted.isdisjoint(tags)

    def _has_metadata(self, data: bytes) -> bool:
        metadata = _decode(memoryview(data)[ORDER_SIZE:]).metadata
        wanted = self._query.metadata or {}
        return all(name in metadata and metadata[name].value == value for name, value in wanted.items())


def _several(values: str | Sequence[str]) -> Sequence[str]:
    return (values,) if isinstance(values, str) else values
