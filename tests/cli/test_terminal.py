"""What a person sees: the command on a terminal of its own."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, BROKEN, EVENTLOG

Seen = Callable[..., str]
ESCAPE = "\x1b["


@pytest.fixture
def seen(environment: dict[str, str]) -> Seen:
    """Runs a command with stdout and stderr on a terminal, and returns every byte that it sent there."""

    def run(*arguments: str, command: tuple[str, ...] = EVENTLOG, **settings: str) -> str:
        leader, follower = pty.openpty()
        with subprocess.Popen(
            [*command, *arguments],
            env={**environment, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30", **settings},
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=follower,
        ) as process:
            os.close(follower)
            sent = bytearray()
            while True:
                try:
                    piece = os.read(leader, 65536)
                except OSError:  # how Linux says that nobody holds the other end any more
                    break
                if not piece:
                    break
                sent += piece
            os.close(leader)
            assert process.wait(60) == 0, sent.decode()
        return sent.decode().replace("\r\n", "\n")

    return run


def bare(sent: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", sent)


def test_a_terminal_gets_colours_and_bars_within_its_width(seen: Seen, tasks: Path) -> None:
    sent = seen("ls")
    assert f"{ESCAPE}31m● {ESCAPE}" in sent
    assert "━━━━━ 100%" in bare(sent)
    assert "s ago" in sent
    assert max(map(len, bare(sent).splitlines())) <= 80


def test_no_color_is_honoured_on_a_terminal(seen: Seen, tasks: Path) -> None:
    for command in (["ls"], ["show", BASELINE], ["scalars", BASELINE, "loss"], ["log", BASELINE], ["status"]):
        sent = seen(*command, NO_COLOR="1")
        assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;)", sent), sent


def test_a_dumb_terminal_gets_plain_text(seen: Seen, tasks: Path) -> None:
    assert "\x1b" not in seen("ls", TERM="dumb")


def test_a_pipe_gets_neither_colours_nor_drawing(environment: dict[str, str], tasks: Path) -> None:
    for command in (["ls"], ["show", BASELINE], ["scalars", BASELINE, "loss"], ["log", BASELINE], ["status"]):
        done = subprocess.run([*EVENTLOG, *command], env=environment, capture_output=True, text=True)
        assert done.returncode == 0
        assert done.stdout.isascii()
        assert "\x1b" not in done.stdout
        assert done.stderr == ""


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_no_line_is_wider_than_the_terminal(seen: Seen, tasks: Path, width: str) -> None:
    for command in (["ls"], ["scalars", BASELINE, "loss"], ["log", BASELINE, "--reports"]):
        assert max(map(len, bare(seen(*command, COLUMNS=width)).splitlines())) <= int(width)


@pytest.mark.parametrize(
    ("width", "titles", "name"),
    [
        ("100", ["ID", "TASK", "STATUS", "PROGRESS", "CHANGED", "TAGS"], "My Project/cifar/baseline-again"),
        ("80", ["ID", "TASK", "STATUS", "PROGRESS", "CHANGED"], "My Project/cifar/baseline-again"),
        ("60", ["ID", "TASK", "STATUS", "PROGRESS"], " …t/cifar/baseline-again "),
        ("40", ["ID", "TASK", "STATUS"], " …baseline-again "),
    ],
)
def test_a_name_has_the_room_that_the_rest_can_do_without(
    seen: Seen, store: Store, width: str, titles: list[str], name: str
) -> None:
    store.session.append(events.TaskCreated, BASELINE, "baseline-again", "My Project/cifar")
    store.session.append(events.TaskStarted, BASELINE)
    store.session.append(events.ProgressSet, BASELINE, 50)
    store.session.append(events.TagsAdded, BASELINE, ["best", "for the paper", "sgd"])
    store.flush()
    header, row = bare(seen("ls", COLUMNS=width)).splitlines()
    assert header.split() == titles
    assert name in row


def test_what_is_quick_shows_no_progress_bar(seen: Seen, tasks: Path) -> None:
    assert "reading the log" not in seen("show", BASELINE)


def test_what_is_slow_shows_a_bar_and_takes_it_away(seen: Seen) -> None:
    code = (
        "import eventlog.cli.progress as progress\n"
        "progress.PATIENCE_SECONDS = 0\n"
        "with progress.progress_bar('reading\\x07 the log', sized=True) as advance:\n"
        "    advance(1_000_000, 4_000_000)\n"
    )
    sent = seen(command=(sys.executable, "-c", code))
    assert "reading␇ the log" in bare(sent)
    assert "1.0/4.0 MB" in bare(sent)
    assert sent.rstrip().endswith(f"{ESCAPE}2K")


def test_no_bar_is_drawn_where_nobody_reads_along(environment: dict[str, str]) -> None:
    code = (
        "import eventlog.cli.progress as progress\n"
        "progress.PATIENCE_SECONDS = 0\n"
        "with progress.progress_bar('reading the log') as advance:\n"
        "    assert advance is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("eventlog show dig", {"digits/baseline", "digits/wider", "digits/other/broken"}),
        ("eventlog show 3fa9", {BASELINE}),
        ("eventlog sc", {"scalars"}),
    ],
)
def test_a_shell_completes_commands_and_tasks(
    environment: dict[str, str], tasks: Path, words: str, found: set[str]
) -> None:
    done = subprocess.run(
        EVENTLOG,
        env={
            **environment,
            "_EVENTLOG_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
        capture_output=True,
        text=True,
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == found, done.stderr


def test_completion_where_no_store_is_says_nothing(environment: dict[str, str]) -> None:
    settings = {"_EVENTLOG_COMPLETE": "bash_complete", "COMP_WORDS": "eventlog show x", "COMP_CWORD": "2"}
    done = subprocess.run(EVENTLOG, env={**environment, **settings}, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize(("shell", "offered"), [("bash", BASELINE), ("zsh", "My Project/two words")])
def test_a_name_of_several_words_is_completed_to_one_word(
    environment: dict[str, str], store: Store, shell: str, offered: str
) -> None:
    store.session.append(events.TaskCreated, BASELINE, "two words", "My Project")
    store.flush()
    settings = {
        "_EVENTLOG_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "eventlog show My",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(EVENTLOG, env={**environment, **settings}, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert (lines[0].partition(",")[2] if shell == "bash" else lines[1]) == offered


def test_what_a_page_says_is_whole_on_a_narrow_terminal(seen: Seen, store: Store) -> None:
    comment = "word by word, " * 12 + "x" * 100
    store.session.append(events.TaskCreated, BASELINE, "baseline", "digits")
    store.session.append(events.CommentSet, BASELINE, comment)
    store.flush()
    for width in (40, 80):
        sent = bare(seen("show", BASELINE, COLUMNS=str(width)))
        assert max(map(len, sent.splitlines())) <= width
        (said,) = re.findall(r"  comment  (.*?)\n  created", sent, re.DOTALL)
        assert "".join(said.split()) == comment.replace(" ", "")


def test_long_values_are_drawn_from_where_they_differ(seen: Seen, store: Store) -> None:
    for task, rate in ((BASELINE, "0.1"), (BROKEN, "0.25")):
        value = f"{'/a/long/way' * 10}/train.py --lr {rate}"
        store.session.append(events.TaskCreated, task, "baseline", "digits")
        store.session.append(
            events.ParametersSet, task, {"a": events.Parameter(value), "b": events.Parameter(rate)}
        )
    store.flush()
    sent = bare(seen("diff", BASELINE, BROKEN))
    assert re.search(r"  a  ….{8}0\.1  +….{8}0\.25", sent), sent
    assert re.search(r"  b  0\.1  +0\.25", sent)
    assert max(map(len, sent.splitlines())) <= 80
