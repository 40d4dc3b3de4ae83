"""Which task a person means."""

from pathlib import Path

import pytest

from eventlog import events
from eventlog.errors import InputInvalid, NotFound
from eventlog.projections import Views
from eventlog.projections.keys import task_key
from tests.projections.logs import Log, close, created, views_of

IDS = ["abcd" + "0" * 28, "abce" + "0" * 28, "1234" * 8, "12345" + "0" * 27]


@pytest.fixture
def views(home: Path) -> Views:
    new = [
        created(1, IDS[0], "one", "p"),
        created(2, IDS[1], "two", "p/q"),
        created(3, IDS[2], "q/two", "p"),
        created(4, IDS[3], "three", "p"),
        created(9, "an id from elsewhere", "four", "p"),
    ]
    return views_of(home, [Log().add(1, new)])


@pytest.mark.parametrize(
    ("text", "task"),
    [
        (IDS[0], IDS[0]),
        ("abcd", IDS[0]),
        ("ABCE0", IDS[1]),
        ("12345", IDS[3]),
        ("12341", IDS[2]),
        ("p/one", IDS[0]),
        # The last changed of two that are called the same.
        ("p/q/two", IDS[2]),
        ("an id from elsewhere", "an id from elsewhere"),
        ("p/four", "an id from elsewhere"),
    ],
)
def test_a_task_is_meant_by_the_beginning_of_its_id_or_by_project_and_name(
    views: Views, text: str, task: str
) -> None:
    assert views.resolve(text) == task
    close(views)


def test_an_id_that_begins_like_several_is_answered_with_a_list(views: Views) -> None:
    with pytest.raises(InputInvalid) as caught:
        views.resolve("abc")
    assert str(caught.value) == (
        "several tasks have an id that begins with abc: abcd000 (p/one), abce000 (p/q/two); give more of it"
    )
    close(views)


@pytest.mark.parametrize(
    "text", ["", "ff", "one", "p/five", "p/", "/", "x" * 10_000, "a/" * 1000, IDS[0] + "0"]
)
def test_what_no_task_is_called_is_said_in_a_line(views: Views, text: str) -> None:
    with pytest.raises(NotFound, match=r"no task '.*': give the beginning of an id or project/name"):
        views.resolve(text)
    close(views)


def test_the_key_of_an_id_from_elsewhere_is_not_an_id(views: Views) -> None:
    with pytest.raises(NotFound):
        views.resolve(task_key("an id from elsewhere").hex()[:8])
    close(views)


def test_a_deleted_task_is_not_meant(home: Path) -> None:
    log = Log()
    many = [f"abc{at:029x}" for at in range(50)]
    views = views_of(home, [log.add(1, [created(1, task, f"run {task[-2:]}", "p") for task in many])])
    views.store.admit([log.add(1, [events.TaskDeleted(2, task) for task in many[:-1]])])
    views.catch_up()
    assert views.resolve("abc") == many[-1]
    for text in (many[0], many[0][:-1], f"p/run {many[0][-2:]}"):
        with pytest.raises(NotFound, match="no task"):
            views.resolve(text)
    close(views)


def test_of_very_many_that_begin_alike_a_few_are_listed(home: Path) -> None:
    views = views_of(home, [Log().add(1, [created(1, f"ab{at:030x}") for at in range(100)])])
    with pytest.raises(
        InputInvalid, match=r"^several tasks .*: (ab0000 \(digits/baseline\), ){5}…; give more"
    ):
        views.resolve("ab")
    close(views)
