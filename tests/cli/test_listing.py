import json
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, BROKEN, WIDER, Run


def names(outcome: object) -> list[str]:
    return [task["name"] for task in json.loads(outcome.out)]  # type: ignore[attr-defined]


def test_a_plain_table_has_one_aligned_line_a_task(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("ls")
    assert outcome.code == 0
    header, broken, wider, baseline = outcome.lines
    assert header.split() == ["ID", "TASK", "STATUS", "PROGRESS", "CHANGED", "TAGS"]
    assert broken.split()[:4] == ["77cc0000", "digits/other/broken", "failed", "7%"]
    assert wider.split()[:4] == ["3fb00000", "digits/wider", "completed", "100%"]
    assert baseline.endswith("best, sgd")
    assert (
        len(
            {
                line.index(word)
                for line, word in ((header, "STATUS"), (broken, "failed"), (wider, "completed"))
            }
        )
        == 1
    )
    assert outcome.out.isascii()


def test_json_has_the_documented_keys_and_whole_values(eventlog: Run, tasks: Path) -> None:
    rows = json.loads(eventlog("ls", "--json").out)
    assert [row["id"] for row in rows] == [BROKEN, WIDER, BASELINE]
    assert list(rows[0]) == [
        "id",
        "project",
        "name",
        "type",
        "status",
        "progress",
        "tags",
        "system_tags",
        "comment",
        "created",
        "changed",
    ]
    assert rows[0]["comment"] == "does not work"
    assert rows[2]["tags"] == ["best", "sgd"]
    assert rows[2]["created"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--project", "digits/other"], {"broken"}),
        (["--project", "digits"], {"broken", "wider", "baseline"}),
        (["--status", "failed"], {"broken"}),
        (["--status", "-failed"], {"wider", "baseline"}),
        (["--status", "failed", "--status", "completed"], {"broken", "wider", "baseline"}),
        (["--tag", "best"], {"wider", "baseline"}),
        (["--tag", "-draft"], {"wider", "baseline"}),
        (["--tag", "best", "--tag", "draft"], {"broken", "wider", "baseline"}),
        (["--tag", "best", "--tag", "draft", "--all-tags"], set()),
        (["--type", "testing"], {"broken"}),
        (["--text", "^3fb|WORK$"], {"broken", "wider"}),
        (["--limit", "1"], {"broken"}),
        (["--limit", "0"], {"broken", "wider", "baseline"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_filter_finds_what_it_says(
    eventlog: Run, tasks: Path, arguments: list[str], found: set[str]
) -> None:
    assert set(names(eventlog("ls", "--json", *arguments))) == found


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        ([], ["broken", "wider", "baseline"]),
        (["--reverse"], ["baseline", "wider", "broken"]),
        (["--sort", "name"], ["baseline", "broken", "wider"]),
        (["--sort", "name", "-r"], ["wider", "broken", "baseline"]),
        (["--sort", "created"], ["broken", "wider", "baseline"]),
        (["--sort", "progress", "-r", "-n", "1"], ["broken"]),
    ],
)
def test_each_order_is_the_one_named(
    eventlog: Run, tasks: Path, arguments: list[str], order: list[str]
) -> None:
    assert names(eventlog("ls", "--json", *arguments)) == order


def test_a_pattern_that_is_none_is_named(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("ls", "--text", "[")
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: ")
    assert "'['" in outcome.err


def test_ids_are_as_long_as_it_takes_to_tell_them_apart(eventlog: Run, store: Store) -> None:
    first, second = "ab" * 8 + "1" * 16, "ab" * 8 + "2" * 16
    for task in (first, second):
        store.session.append(events.TaskCreated, task, "twin", "digits")
    store.flush()
    ids = [line.split()[0] for line in eventlog("ls").lines[1:]]
    assert sorted(ids) == [first[:17], second[:17]]


def test_a_name_from_elsewhere_cannot_drive_the_terminal_or_break_the_line(
    eventlog: Run, store: Store
) -> None:
    store.session.append(events.TaskCreated, BASELINE, "a\x1b[31m\nb\x9b", "evil\u202e")
    store.flush()
    outcome = eventlog("ls")
    assert len(outcome.lines) == 2
    assert "evil\\u202e/a␛[31m␊b\\x9b" in outcome.out
    assert names(eventlog("ls", "--json")) == ["a\x1b[31m\nb\x9b"]


def test_an_empty_store_says_so(eventlog: Run, store: Store) -> None:
    outcome = eventlog("ls")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "eventlog: no tasks\n")
    assert eventlog("ls", "--json").out == "[]\n"


def test_a_running_task_of_a_living_process_shows_its_progress(eventlog: Run, store: Store) -> None:
    store.session.append(events.TaskCreated, BASELINE, "live", "digits")
    store.session.append(events.TaskStarted, BASELINE)
    store.session.append(events.ProgressSet, BASELINE, 42)
    store.flush()
    assert eventlog("ls").lines[1].split()[1:4] == ["digits/live", "in_progress", "42%"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--type", "foo", "--json"], "no task of type 'foo': there are testing, training\n"),
        (["-p", "other"], "no task of a project 'other': did you mean 'digits/other'?\n"),
        (["-p", "digit"], "no task of a project 'digit': did you mean 'digits'?\n"),
        (["-p", "quux"], "no task of a project 'quux': `eventlog ls` lists the tasks there are\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_project_or_a_type_that_no_task_has_is_an_error(
    eventlog: Run, tasks: Path, arguments: list[str], said: str
) -> None:
    outcome = eventlog("ls", *arguments)
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"eventlog: {said}")


def test_where_filters_leave_nothing_over_only_stderr_says_so(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("ls", "-p", "digits", "--status", "stopped")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "eventlog: no tasks\n")
    assert eventlog("ls", "-p", "digits", "--status", "stopped", "--json").out == "[]\n"


def test_archived_tasks_are_listed_when_asked_for_and_deleted_ones_never(eventlog: Run, store: Store) -> None:
    append = store.session.append
    for task, name in ((BASELINE, "kept"), (WIDER, "put away"), (BROKEN, "deleted")):
        append(events.TaskCreated, task, name, name)
    append(events.SystemTagsAdded, WIDER, ["archived"])
    append(events.TaskDeleted, BROKEN)
    append(events.TaskPublished, BASELINE)
    store.flush()
    assert names(eventlog("ls", "--json")) == ["kept"]
    assert names(eventlog("ls", "--archived", "--json", "--sort", "name")) == ["kept", "put away"]
    assert eventlog("ls", "--archived", "--project", "put away").lines[1].endswith("archived")
    nothing = eventlog("ls", "--project", "put away").err
    assert nothing == "eventlog: no tasks: 1 is archived; --archived shows them\n"
    assert names(eventlog("ls", "--status", "published", "--json")) == ["kept"]
