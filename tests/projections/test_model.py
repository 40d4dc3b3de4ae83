"""Given these events of a model, then this state; and the models that a query finds."""

import copy
from pathlib import Path
from typing import Any

import pytest

from eventlog import events
from eventlog.errors import InputInvalid, NotFound
from eventlog.events import Parameter
from eventlog.projections import ModelQuery, ModelState, Views
from eventlog.projections.model import MODEL, evolve_model, fold_model
from eventlog.projections.models import _Beginning
from eventlog.store import Store
from tests.projections.logs import OTHER, TASK, Log, close, created, numbered, scalar, views_of

IT = "ab" * 16


def fold(*given: events.Event) -> ModelState:
    return fold_model(ModelState(""), numbered(*given))


def made(time: int, model: str = IT, name: str = "net", project: str = "digits", **said: Any) -> events.Event:
    return events.ModelCreated(time, model, name, project, **said)


def test_a_created_model_is_what_its_event_says() -> None:
    state = fold(
        events.ModelCreated(
            5, IT, "net", "digits", TASK, "PyTorch", "a comment", ["b", "a", "b"], "layers: 3", {"cat": 1}
        )
    )
    assert state == ModelState(
        IT,
        "net",
        "digits",
        TASK,
        "PyTorch",
        "a comment",
        ["a", "b"],
        created=5,
        changed=5,
        is_created=True,
        design="layers: 3",
        labels={"cat": 1},
    )


def test_the_last_weights_count_whole_and_say_who_made_them() -> None:
    first = events.ModelWeightsSet(6, IT, "aa" * 32, 10, "net.pt", "zip", "s3://b/net.zip", 3, OTHER)
    state = fold(made(5, made_by=TASK), first)
    assert (state.blob, state.size, state.file_name, state.format) == ("aa" * 32, 10, "net.pt", "zip")
    assert (state.url, state.iteration, state.made_by, state.changed) == ("s3://b/net.zip", 3, OTHER, 6)
    second = fold_model(state, numbered(events.ModelWeightsSet(7, IT, "", url="https://h/net.pt")))
    assert (second.blob, second.size, second.file_name, second.format) == ("", 0, "", "")
    assert (second.url, second.iteration, second.made_by) == ("https://h/net.pt", None, OTHER)
    read = fold_model(
        second, numbered(events.ModelWeightsSet(8, IT, "", url="file:///net.pt", digest="bb" * 32))
    )
    assert (read.blob, read.digest) == ("", "bb" * 32)
    assert fold_model(read, numbered(events.ModelWeightsSet(9, IT, "cc" * 32))).digest == ""


def test_a_change_sets_what_is_given_and_leaves_the_rest() -> None:
    before = fold(made(5, made_by=TASK, tags=["a"], comment="c", labels={"cat": 1}))
    assert fold_model(before, numbered(events.ModelChanged(6, IT))).name == "net"
    after = fold_model(
        before, numbered(events.ModelChanged(6, IT, "new", "p", "", "Keras", "", ["z", "b"], "d", {}))
    )
    assert (after.name, after.project, after.made_by, after.framework) == ("new", "p", "", "Keras")
    assert (after.comment, after.tags, after.design, after.labels) == ("", ["b", "z"], "d", {})


def test_metadata_is_merged_or_replaced() -> None:
    one, two = Parameter("1", "int"), Parameter("2", "int")
    merged = (
        made(1),
        events.ModelMetadataSet(2, IT, {"a": one, "b": one}),
        events.ModelMetadataSet(3, IT, {"b": two}),
    )
    assert fold(*merged).metadata == {"a": one, "b": two}
    assert fold(*merged, events.ModelMetadataSet(4, IT, {"x": one}, replace=True)).metadata == {"x": one}


def test_a_model_is_published_once_archived_and_back_and_deleted() -> None:
    state = fold(made(1), events.ModelPublished(2, IT), events.ModelPublished(3, IT))
    assert (state.published, state.is_archived, state.is_deleted) == (2, False, False)
    archived = fold_model(state, numbered(events.ModelArchived(4, IT)))
    assert archived.is_archived
    assert not fold_model(archived, numbered(events.ModelUnarchived(5, IT))).is_archived
    assert fold_model(archived, numbered(events.ModelDeleted(5, IT))).is_deleted


def test_evolving_leaves_the_state_that_was_given_as_it_was() -> None:
    given = numbered(
        made(1),
        events.ModelMetadataSet(2, IT, {"a": Parameter("1")}),
        events.ModelWeightsSet(3, IT, "aa" * 32),
        events.ModelChanged(4, IT, tags=["a"]),
        events.ModelPublished(5, IT),
        events.ModelArchived(6, IT),
    )
    state = MODEL.initial()
    for one in given:
        before = copy.deepcopy(state)
        after = evolve_model(state, one)
        assert state == before
        assert after != before
        state = after
    assert state == fold_model(ModelState(""), given)


def test_events_of_unknown_kinds_count_for_the_model_that_they_are_about_and_make_no_task(home: Path) -> None:
    log = Log()
    unknown = events.encode_event(events.TaskStarted(2, IT)).replace(b"TaskStarted", b"ModelSigned")
    store = Store.open(home)
    views = Views.open(store)
    store.admit([log.add(1, [unknown])])
    views.catch_up()
    assert views.models() == []
    with pytest.raises(NotFound):
        views.events(IT)
    store.admit([log.add(1, [made(3)]), log.add(2, [unknown])])
    views.catch_up(reports=True)
    assert views.model(IT).unknown == 2
    assert views.model(IT).created == 3
    assert views.find() == []
    with pytest.raises(NotFound, match="no task"):
        views.task(IT)
    assert views.check() == []
    close(views)


def test_a_model_has_a_history_and_reports_of_its_own(home: Path) -> None:
    log = Log()
    plot = events.PlotReported(4, IT, "roc", "test", 0, "{}")
    picture = events.MediaReported(4, IT, "weights", "layer 1", 0, "image", "aa" * 32, 5, "a.png")
    batch = log.add(1, [made(1), scalar(2, 1, 0.5, task=IT), scalar(3, 2, 0.25, task=IT), plot, picture])
    views = views_of(home, [batch])
    assert [(one.title, one.count) for one in views.series(IT)] == [("loss", 2)]
    assert views.scalars(IT, "loss", "train")["value"].to_pylist() == [0.5, 0.25]
    assert [(one.title, one.series) for one in views.plots(IT)] == [("roc", "test")]
    assert [one.blob for one in views.media(IT)] == ["aa" * 32]
    assert [one.event for one in views.events(IT)] == [one.event for one in batch.events()]
    views.store.admit([log.add(1, [events.ModelDeleted(5, IT)])])
    views.catch_up()
    for ask in (views.model, views.series, views.plots, views.media):
        with pytest.raises(NotFound, match=IT):
            ask(IT)
    assert views.models(ModelQuery(include_archived=True)) == []
    assert views.models(ModelQuery(ids=[IT])) == []
    # What it was stays in its history.
    assert len(list(views.events(IT))) == 6
    close(views)


@pytest.fixture
def views(home: Path) -> Views:
    """Five models, "a" made first and "e" last; "a" was changed last."""
    said: list[events.Event] = [
        made(1, "a", "net one", "p", made_by=TASK, tags=["best", "x"]),
        made(2, "b", "net two", "p/q", made_by=OTHER, tags=["best"]),
        made(3, "c", "tree", "pq", tags=["x"]),
        made(4, "d", "forest", "p"),
        made(5, "e", "gone", "p"),
        events.ModelWeightsSet(6, "b", "bb" * 32, 10, url="s3://b/two"),
        events.ModelMetadataSet(7, "c", {"accuracy": Parameter("0.5", "float"), "set": Parameter("test")}),
        events.ModelPublished(8, "c"),
        events.ModelArchived(9, "d"),
        events.ModelDeleted(10, "e"),
        events.ModelWeightsSet(11, "a", "aa" * 32, 10),
    ]
    return views_of(home, [Log().add(1, [created(0), *said])])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ModelQuery(), "acb"),
        (ModelQuery(include_archived=True), "adcb"),
        (ModelQuery(project="p"), "a"),
        (ModelQuery(project="p", project_prefix=True), "ab"),
        (ModelQuery(project=["pq", "p/q"]), "cb"),
        (ModelQuery(name_pattern="^net"), "ab"),
        (ModelQuery(name_pattern="e$", include_archived=True), "ac"),
        (ModelQuery(tags=["best"]), "ab"),
        (ModelQuery(tags=["best", "x"]), "acb"),
        (ModelQuery(tags=["best", "x"], all_tags=True), "a"),
        (ModelQuery(tags=["-x"]), "b"),
        (ModelQuery(tags=["best", "-x"]), "b"),
        (ModelQuery(only_published=True), "c"),
        (ModelQuery(metadata={"accuracy": "0.5"}), "c"),
        (ModelQuery(metadata={"accuracy": "0.5", "set": "train"}), ""),
        (ModelQuery(made_by=OTHER), "b"),
        (ModelQuery(made_by=[TASK, OTHER]), "ab"),
        (ModelQuery(url="s3://b/two"), "b"),
        (ModelQuery(blob="aa" * 32), "a"),
        (ModelQuery(ids=["c", "b", "b", "e", "no"]), "cb"),
        (ModelQuery(ids=[]), ""),
        (ModelQuery(limit=2), "ac"),
        (ModelQuery(limit=2, offset=2), "b"),
        (ModelQuery(limit=0), ""),
    ],
)
def test_a_query_finds_the_models_that_all_its_conditions_hold_for(
    views: Views, query: ModelQuery, found: str
) -> None:
    assert "".join(model.id for model in views.models(query)) == found
    close(views)


def test_a_query_reads_the_beginning_of_a_state_by_the_names_that_it_has() -> None:
    read = _Beginning.__struct_fields__
    assert ModelState.__struct_fields__[: len(read)] == read


def test_what_cannot_be_asked_of_models_is_said(views: Views) -> None:
    with pytest.raises(InputInvalid, match="regular expression"):
        views.models(ModelQuery(name_pattern="("))
    with pytest.raises(InputInvalid, match="negative"):
        ModelQuery(limit=-1)
    with pytest.raises(NotFound, match="no model zz in this store: `eventlog models`"):
        views.model("zz")
    close(views)
