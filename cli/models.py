"""`eventlog models`: the models in a table, all of them or those of a task."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eventlog.cli.documents import model_document
from eventlog.cli.moments import how_long_ago, local, size
from eventlog.cli.naming import check_project, prefix_length, resolve
from eventlog.cli.opening import as_json, examples, opened_store, task_argument, views_of
from eventlog.cli.printing import document, drawn, line, nothing
from eventlog.cli.tables import Cell, Column, table

if TYPE_CHECKING:
    from eventlog.events import ModelLinked
    from eventlog.projections import ModelQuery, ModelState, Views
    from eventlog.store import Store

__all__ = ["command"]

# Bytes; of larger files it is only seen whether they are there.
_LARGEST_READ = 256 << 20


@click.command(
    "models",
    short_help="List models, all or a task's.",
    epilog=examples("eventlog models --project digits --published", "eventlog models digits/baseline"),
)
@task_argument(required=False)
@click.option("--project", "-p", help="Models of this project and of those under it.")
@click.option("--tag", "-t", "tags", multiple=True, help="With this tag; '-draft' excludes.")
@click.option("--name", "-g", help="A regular expression that occurs in the name.")
@click.option("--published", is_flag=True, help="Only those that are published.")
@click.option("--archived", is_flag=True, help="Those that are archived, too.")
@click.option("--limit", "-n", type=click.IntRange(1), help="At most this many.")
@as_json
@click.pass_obj
def command(
    home: Path | None,
    task: str | None,
    project: str | None,
    tags: tuple[str, ...],
    name: str | None,
    published: bool,
    archived: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """List models, the one that changed last first; with TASK, those that it reads or has made.

    Of a task's models that were registered where they are, a line says which are gone or have changed.

    With --json: a list, each model with id, project, name, framework, tags, comment, made_by, size, sha256,
    file_name, format, url, iteration, metadata (by name: value, type, description), labels, design, archived,
    published, created, changed; with TASK, direction and task_name too.
    """
    from eventlog.projections import ModelQuery

    with opened_store(home) as store:
        views = views_of(store)
        links = views.task(resolve(views, task)).models if task is not None else None
        query = ModelQuery(
            ids=None if links is None else [link.model for link in links],
            project=project,
            project_prefix=True,
            tags=tags,
            name_pattern=name,
            only_published=published,
            # What a task made is its own, whatever became of it.
            include_archived=archived or links is not None,
            limit=limit,
        )
        models = views.models(query)
        if project and not models and not views.models(_of_project(project)):
            check_project(views, project)
        notes = [] if links is None or as_json else list(_notes(store, views, models))
    if links is None:
        pairs: list[tuple[ModelLinked | None, ModelState]] = [(None, model) for model in models]
    else:
        known = {model.id: model for model in models}
        pairs = [(link, known[link.model]) for link in links if link.model in known]
    if as_json:
        document([_document(link, model) for link, model in pairs])
    elif not pairs:
        nothing("no models")
    else:
        _print(pairs)
        for note in notes:
            line((note, "dim"))


def _of_project(project: str) -> "ModelQuery":
    from eventlog.projections import ModelQuery

    return ModelQuery(project=project, project_prefix=True, include_archived=True, limit=1)


def _notes(store: "Store", views: "Views", models: Sequence["ModelState"]) -> Iterator[str]:
    """A line of each model that was registered where it is, and is not there as it was."""
    from eventlog.sdk.model_weights import registered_path, standing

    said = {"gone": "is not there any more", "changed": "has changed since it was registered"}
    for model in models:
        path = registered_path(store, views, model)
        what = "" if path is None else standing(path, model.digest, _LARGEST_READ)
        if what:
            yield f"{model.id[:8]}: {path} {said[what]}"


def _document(link: "ModelLinked | None", model: "ModelState") -> dict[str, Any]:
    linked = {"direction": link.direction, "task_name": link.name} if link is not None else {}
    return {**linked, **model_document(model)}


def _print(pairs: Sequence[tuple["ModelLinked | None", "ModelState"]]) -> None:
    length = prefix_length([model.id for _, model in pairs])
    # Of all models there is nothing to say here; an empty column would leave a gap.
    direction = [Column("", style="dim")] if any(link is not None for link, _ in pairs) else []
    columns = (
        Column("ID", style="yellow"),
        *direction,
        Column("MODEL", cut=1, keep_end=True),
        Column("FRAMEWORK", needless=20),
        Column("SIZE", right=True),
        Column("FILE", cut=2, needless=12),
        Column("CHANGED", needless=24),
        Column("TAGS", cut=8, style="dim", needless=32),
    )
    table(
        columns,
        [
            [
                model.id[:length],
                *([link.direction] if link is not None else []),
                _name(model),
                model.framework,
                size(model.size) if model.size else "",
                model.file_name or model.url,
                how_long_ago(model.changed) if drawn() else local(model.changed),
                ", ".join([*model.tags, *_standing(model)]),
            ]
            for link, model in pairs
        ],
    )


def _name(model: "ModelState") -> Cell:
    if not model.project:
        return Cell(model.name)
    return Cell(f"{model.project}/{model.name}", ((f"{model.project}/", "dim"), model.name))


def _standing(model: "ModelState") -> list[str]:
    published = ["published"] if model.published is not None else []
    return [*published, "archived"] if model.is_archived else published
