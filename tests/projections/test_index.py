"""The task index finds what reading every task would find."""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import events
from eventlog.errors import InputInvalid
from eventlog.events import Event
from eventlog.projections import STATUSES, TaskQuery, TaskRow, Views, index
from eventlog.projections.environment import ViewsDamaged
from eventlog.projections.query import ORDERS
from eventlog.store import Store
from tests.projections.logs import Log, close, created, scratch, views_of

PROJECTS = ["a", "a/b", "a/b/c", "ab", "", "/", "a/", "-x", "p" * 600, "p" * 600 + "/q", "Ünicode"]
NAMES = ["one", "One", "two words", "n" * 500, "n" * 499 + "o", "a.b", "axb", "ünï", "", "\0", "line\nline"]
TAGS = ["best", "archived", "-odd", "t" * 450, ""]
SYSTEM_TAGS = ["archived", "best", ""]
PARENTS = ["0" * 32, "an id from elsewhere", ""]
COMMENTS = ["", "Something LONG to say", "lr=0.1"]


def all_events(count: int, seed: int) -> list[list[Event]]:
    """Deliveries that make tasks and change them again and again."""
    rng = random.Random(seed)
    tasks = [f"{rng.getrandbits(128):032x}" for _ in range(count)]
    deliveries = []
    time = 0
    for number in range(6):
        delivery: list[Event] = []
        for at, task in enumerate(tasks):
            if number and rng.random() < 0.5:
                continue
            time += rng.randrange(2)
            if number == 0 or rng.random() < 0.1:
                name, project = rng.choice(NAMES), rng.choice(PROJECTS)
                kind, comment = rng.choice(["training", "testing"]), rng.choice(COMMENTS)
                delivery.append(events.TaskCreated(time, task, name, project, kind, comment))
            kind_of_event = rng.randrange(11)
            if kind_of_event == 0:
                delivery.append(events.TagsAdded(time, task, rng.sample(TAGS, 2)))
            elif kind_of_event == 1:
                delivery.append(events.TagsRemoved(time, task, rng.sample(TAGS, 1)))
            elif kind_of_event == 2:
                delivery.append(events.ProgressSet(time, task, rng.randrange(101)))
            elif kind_of_event == 3:
                delivery.append(events.TaskStarted(time, task))
            elif kind_of_event == 4:
                delivery.append(events.SystemTagsAdded(time, task, rng.sample(SYSTEM_TAGS, 2)))
            elif kind_of_event == 5:
                delivery.append(events.SystemTagsRemoved(time, task, rng.sample(SYSTEM_TAGS, 1)))
            elif kind_of_event == 6:
                delivery.append(events.ParentSet(time, task, rng.choice(PARENTS)))
            elif kind_of_event == 7:
                ask = rng.choice([events.DeliveryRequested, events.DeliveryCompleted, events.DeliveryFailed])
                delivery.append(ask(time, task, "aa" * 32, rng.choice(["file:///a", "file:///b"])))
            elif kind_of_event == 8 and rng.random() < 0.2:
                delivery.append(events.TaskPublished(time, task))
            elif number == 5 and at % 50 == 7:
                delivery.append(events.TaskDeleted(time, task))
            else:
                delivery.append(events.TaskCompleted(time + at % 2, task))
        deliveries.append(delivery)
    return deliveries


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Views]:
    store = Store.open(tmp_path_factory.mktemp("index") / "home")
    views, log = Views.open(store), Log()
    for delivery in all_events(700, 1):
        store.admit([log.add(1, sorted(delivery, key=lambda event: event.time))])
        views.catch_up()
    assert views.check() == []
    yield views
    close(views)


def naive(rows: Sequence[TaskRow], query: TaskQuery) -> list[TaskRow]:
    """What the query's description says, word by word."""
    found = [row for row in rows if matches(row, query)]
    field = query.order.removeprefix("-")

    def key(row: TaskRow) -> tuple[object, ...]:
        value = getattr(row, field)
        return (value is not None, value, row.id)

    found.sort(key=key, reverse=query.order.startswith("-"))
    return found[query.offset :][: query.limit]


def matches(row: TaskRow, query: TaskQuery) -> bool:
    def several(values: str | Sequence[str]) -> Sequence[str]:
        return [values] if isinstance(values, str) else values

    def chosen(having: Sequence[str], values: Sequence[str], together: bool = False) -> bool:
        wanted = [value for value in values if not value.startswith("-")]
        unwanted = [value[1:] for value in values if value.startswith("-")]
        how = all if together else any
        return (not wanted or how(value in having for value in wanted)) and not any(
            value in having for value in unwanted
        )

    def in_project(project: str) -> bool:
        return row.project == project or (query.project_prefix and row.project.startswith(project + "/"))

    lines = "\n".join([row.id, row.name, row.project, *row.tags, row.comment])
    return (
        (query.ids is None or row.id in query.ids)
        and (query.project is None or any(map(in_project, several(query.project))))
        and (query.project_pattern is None or bool(re.search(query.project_pattern, row.project)))
        and (query.name is None or row.name in several(query.name))
        and (query.name_pattern is None or bool(re.search(query.name_pattern, row.name)))
        and (query.text is None or bool(re.search(query.text, lines, re.IGNORECASE | re.MULTILINE)))
        and chosen([row.status], query.status)
        and chosen([row.type], query.types)
        and chosen(row.tags, query.tags, query.all_tags)
        and chosen(row.system_tags, query.system_tags)
        and (query.parent is None or row.parent in several(query.parent))
        and (row.has_waiting or not query.waiting_deliveries)
    )


def excludable(values: Sequence[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([*values, *("-" + value for value in values)])


QUERIES = st.builds(
    TaskQuery,
    project=st.none() | st.sampled_from(PROJECTS) | st.lists(st.sampled_from([*PROJECTS, "no"]), max_size=2),
    project_prefix=st.booleans(),
    project_pattern=st.none() | st.sampled_from(["b", "^a", "p{3}$", "q$", "", "ü", r"\W"]),
    name=st.none() | st.sampled_from(NAMES) | st.lists(st.sampled_from(NAMES), max_size=2),
    name_pattern=st.none()
    | st.sampled_from(["o", "^o", "[A-Z]", "n+o$", r"\s", "two words", "a.b", "ï", "zzz"]),
    text=st.none()
    | st.sampled_from(["ONE", "long", r"\bLR=", "best", "ab*c", "Ü", "[a-f]{3}7", r"\Sl\s", "^one$", "^O"]),
    status=st.lists(excludable(STATUSES), max_size=2),
    types=st.lists(excludable(["training", "testing"]), max_size=1),
    tags=st.lists(excludable([*TAGS, "no"]), max_size=3),
    all_tags=st.booleans(),
    system_tags=st.lists(excludable(SYSTEM_TAGS), max_size=2),
    parent=st.none() | st.sampled_from(PARENTS) | st.lists(st.sampled_from(PARENTS), max_size=2),
    waiting_deliveries=st.booleans(),
    order=st.sampled_from([*ORDERS, *("-" + order for order in ORDERS)]),
    limit=st.none() | st.integers(0, 30),
    offset=st.sampled_from([0, 0, 1, 20]),
)


@pytest.fixture(scope="module")
def rows(indexed: Views) -> list[TaskRow]:
    """Every task, read for itself."""
    return [TaskRow.of(indexed.task(row.id)) for row in indexed.find()]


@settings(max_examples=400)
@given(query=QUERIES)
def test_a_query_finds_what_reading_every_task_finds(
    indexed: Views, rows: list[TaskRow], query: TaskQuery
) -> None:
    assert 600 < len(rows) < 700
    assert indexed.find(query) == naive(rows, query)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ONE", "12"),
        ("^one$", "1"),
        ("^one", "12"),
        ("^DIGITS$", "123"),
        ("one.digits", ""),
        (r"(?s)one.digits", "1"),
        ("^big$", "1"),
        ("[A-Z]ot big", "2"),
        (r"\Sot\sbig", "2"),
        ("^222", "2"),
        ("ü", "3"),
        ("Ü", "3"),
    ],
)
def test_text_is_looked_for_in_lines_of_what_is_said_of_a_task(home: Path, text: str, found: str) -> None:
    new = [
        events.TaskCreated(1, "1" * 32, "One", "digits", "training", "a comment"),
        events.TaskCreated(1, "2" * 32, "one more", "digits", "training", "Not big"),
        events.TaskCreated(1, "3" * 32, "Über", "digits"),
        events.TagsAdded(2, "1" * 32, ["big", "small"]),
    ]
    views = views_of(home, [Log().add(1, new)])
    assert "".join(row.id[0] for row in views.find(TaskQuery(text=text, order="id"))) == found
    close(views)


def test_a_pattern_is_plain_only_if_every_character_stands_for_itself(home: Path) -> None:
    names = ["a.b", "axb", "a+b", "aab", "A.B", "(a)", "x|y", "$"]
    views = views_of(home, [Log().add(1, [created(1, f"{at:032x}", name) for at, name in enumerate(names)])])
    for pattern in ["a.b", "a+b", "(a)", "x|y", "$", "a", r"\$", "[a]", "A", "^a", "a{1}", "b?"]:
        rows = views.find(TaskQuery(name_pattern=pattern, order="id"))
        assert [row.name for row in rows] == [name for name in names if re.search(pattern, name)]
    close(views)


def test_rows_by_ids_are_those_that_are_here(indexed: Views) -> None:
    first, second = indexed.find(TaskQuery(limit=2))
    assert indexed.find(TaskQuery(ids=[second.id, "f" * 32, first.id, first.id])) == [first, second]
    assert indexed.find(TaskQuery(ids=[])) == []


def test_what_cannot_be_asked_is_said_in_a_line(indexed: Views) -> None:
    for field in ("name_pattern", "project_pattern", "text"):
        with pytest.raises(InputInvalid, match=r"'\(' is not a regular expression"):
            indexed.find(TaskQuery(**{field: "("}))
    with pytest.raises(InputInvalid, match="cannot be ordered by 'size'"):
        TaskQuery(order="size")
    with pytest.raises(InputInvalid, match="must not be negative"):
        TaskQuery(limit=-1)


def test_projects_nested_absurdly_deep_and_pasted_texts_do_no_harm(home: Path) -> None:
    deep = "/".join(["d"] * 5000)
    log = Log()
    batch = log.add(
        1,
        [
            created(1, "1" * 32, project=deep),
            events.TaskCreated(2, "2" * 32, "n" * 100_000, "p", "t" * 10_000, "c" * 100_000),
            events.TagsAdded(3, "2" * 32, ["t" * 100_000]),
        ],
    )
    views = views_of(home, [batch])
    assert [row.id[0] for row in views.find(TaskQuery(project=deep))] == ["1"]
    assert [row.id[0] for row in views.find(TaskQuery(project="d/d/d", project_prefix=True))] == ["1"]
    assert [row.id[0] for row in views.find(TaskQuery(tags=["t" * 100_000], types=["t" * 10_000]))] == ["2"]
    assert views.check() == []
    close(views)


def test_more_tasks_than_a_chunk_of_ordinals_are_all_found(home: Path) -> None:
    log, count = Log(), 66_000
    given_events = [created(1 + at, f"{at:032x}", f"n{at}", f"p{at % 3}") for at in range(count)]
    views = views_of(home, [log.add(1, given_events[:50_000]), log.add(1, given_events[50_000:])])
    assert [row.name for row in views.find(TaskQuery(limit=2))] == ["n65999", "n65998"]
    assert len(views.find(TaskQuery(project="p1"))) == 22_000
    assert [row.name for row in views.find(TaskQuery(name_pattern="^n6599[0-2]$", order="name"))] == [
        "n65990",
        "n65991",
        "n65992",
    ]
    assert [row.name for row in views.find(TaskQuery(name="n65998"))] == ["n65998"]
    close(views)


class Watched:
    """A transaction that notes which databases are walked through."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction
        self.walked: list[Any] = []

    def cursor(self, database: Any) -> Any:
        self.walked.append(database)
        return self._transaction.cursor(database)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)


def test_what_tasks_have_and_how_many_match_is_told_without_reading_a_row(home: Path) -> None:
    log = Log()
    tasks = [f"{at:032x}" for at in range(300)]
    made = [
        events.TaskCreated(at, task, "", f"p{at % 3}", "testing" if at == 5 else "training")
        for at, task in enumerate(tasks)
    ]
    gone = [events.TaskDeleted(400, tasks[5])] + [events.TaskDeleted(401, task) for task in tasks[2::3]]
    views = views_of(home, [log.add(1, made), log.add(1, gone)])
    assert (views.projects(), views.types(), views.count(TaskQuery(limit=1))) == (
        ["p0", "p1"],
        ["training"],
        200,
    )
    environment = views._environment
    with environment.read() as transaction:
        watched = Watched(transaction)
        index.values(watched, environment, "project")
        index.count_found(watched, environment, TaskQuery(project="p1"))
        assert watched.walked
        assert environment["rows"] not in watched.walked
    close(views)


@pytest.mark.parametrize("lost", [0, 7, 19])
def test_a_lost_row_is_found_also_where_most_rows_are_read(home: Path, lost: int) -> None:
    log = Log()
    views = views_of(home, [log.add(1, [created(at, f"{at:032x}") for at in range(20)])])
    environment = views._environment
    key = index.ORDINAL.pack(lost)
    environment.write(lambda transaction: transaction.delete(key, db=environment["rows"]))
    if lost < 19:
        with pytest.raises(ViewsDamaged):
            views.find(TaskQuery(order="name"))
    else:
        # As if it had never been: `Views.check` tells.
        assert len(views.find(TaskQuery(order="name"))) == 19
        assert views.check()
    close(views)


def test_a_query_in_order_of_change_is_the_same_with_a_limit_as_without() -> None:
    with scratch() as folder:
        log = Log()
        views = views_of(folder, [log.add(1, [created(at // 7, f"{at:032x}") for at in range(300)])])
        for order in ("changed", "-changed"):
            whole = views.find(TaskQuery(order=order))
            assert [
                views.find(TaskQuery(order=order, limit=3, offset=at))[0] for at in range(0, 300, 17)
            ] == (whole[::17])
        close(views)
