import json
import subprocess
from pathlib import Path

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, EVENTLOG, Run


def talk(store: Store) -> None:
    append = store.session.append
    append(events.TaskCreated, BASELINE, "baseline", "digits")
    append(events.TaskStarted, BASELINE)
    append(events.TextReported, BASELINE, "first\nsecond", 20)
    append(events.TextReported, BASELINE, "careful", 30)
    append(events.TextReported, BASELINE, "10%\r\x1b[31m100%\x1b[0m\tdone", 40)


def test_the_console_is_shown_as_a_terminal_would_show_it(eventlog: Run, store: Store) -> None:
    talk(store)
    store.flush()
    assert eventlog("console", BASELINE).lines == ["first", "second", "careful", "100%    done"]


def test_lines_are_chosen_by_level_and_counted_off(eventlog: Run, store: Store) -> None:
    talk(store)
    store.flush()
    assert eventlog("console", BASELINE, "--level", "warning").lines == ["careful", "100%    done"]
    assert eventlog("console", BASELINE, "-n", "3").lines == ["second", "careful", "100%    done"]
    (line,) = eventlog("console", BASELINE, "-n", "1", "--times").lines
    assert line.endswith("  100%    done")
    assert line[4] == line[7] == "-"


def test_what_would_drive_the_terminal_is_shown_instead(eventlog: Run, store: Store) -> None:
    store.session.append(events.TaskCreated, BASELINE, "baseline", "digits")
    store.session.append(events.TextReported, BASELINE, "a\x1b]0;title\x07b\x1b[2Jc\x07d\x9b31me")
    store.flush()
    assert eventlog("console", BASELINE).lines == ["abc␇d\\x9b31me"]


def test_as_json_texts_are_as_they_were_reported(eventlog: Run, store: Store) -> None:
    talk(store)
    store.flush()
    found = json.loads(eventlog("console", BASELINE, "--json").out)
    assert [(one["level"], one["text"]) for one in found] == [
        (20, "first\nsecond"),
        (30, "careful"),
        (40, "10%\r\x1b[31m100%\x1b[0m\tdone"),
    ]
    assert found[0]["time"].endswith("Z")


def test_a_long_text_is_shown_whole(eventlog: Run, store: Store) -> None:
    text = "x" * 100_000
    blob = store.blobs.put_bytes(text.encode())
    store.session.append(events.TaskCreated, BASELINE, "baseline", "digits")
    store.session.append(events.TextReported, BASELINE, text[:1000], 20, blob)
    store.flush()
    assert eventlog("console", BASELINE).out == text + "\n"


def test_it_follows_a_task_until_it_ends(store: Store, environment: dict[str, str], home: Path) -> None:
    talk(store)
    store.flush()
    command = [*EVENTLOG, "console", BASELINE, "--follow", "--level", "warning"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "careful\n"
        store.session.append(events.TextReported, BASELINE, "and more", 30)
        store.session.append(events.TextReported, BASELINE, "not this", 20)
        store.flush()
        assert [process.stdout.readline() for _ in range(2)] == ["100%    done\n", "and more\n"]
        store.session.append(events.TaskCompleted, BASELINE)
        store.flush()
        assert process.communicate(timeout=60)[0] == ""
    assert process.returncode == 0
