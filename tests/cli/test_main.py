import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import eventlog as package
from eventlog import events
from eventlog.cli import main
from eventlog.cli.main import MODULES
from eventlog.store import Store
from tests.cli.running import BASELINE, EVENTLOG, Run


@pytest.mark.parametrize("command", [[], *([name] for name in MODULES)], ids=["eventlog", *MODULES])
def test_every_command_has_help_that_shows_an_example(eventlog: Run, command: list[str]) -> None:
    outcome = eventlog(*command, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith(f"Usage: eventlog {' '.join(command)}".rstrip())
    example = re.search(r"Examples?:\n((?:    \S.*\n)+)", outcome.out)
    assert example, outcome.out
    assert all(line.strip().startswith("eventlog ") for line in example[1].splitlines())


def test_the_help_fits_eighty_columns(eventlog: Run) -> None:
    for command in [[], *([name] for name in MODULES)]:
        lines = eventlog(*command, "--help").lines
        assert max(map(len, lines)) <= 80, [line for line in lines if len(line) > 80]


def test_the_version_is_the_package_s(eventlog: Run) -> None:
    assert eventlog("--version").out == f"eventlog {package.__version__}\n"


def test_python_runs_the_package_as_the_command() -> None:
    command = [sys.executable, "-m", "eventlog", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"eventlog {package.__version__}\n")


@pytest.mark.parametrize("command", [["ls"], ["show", BASELINE], ["scalars", BASELINE]], ids=" ".join)
def test_starting_imports_nothing_heavy(eventlog: Run, tasks: Path, command: list[str]) -> None:
    code = (
        f"import sys; from eventlog.cli.main import _run; code = _run({command});"
        "print(code, sorted({name.split('.')[0] for name in sys.modules}"
        " & {'pyarrow', 'numpy', 'pandas', 'git', 'fsspec', 'plotext', 'rich'}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"EVENTLOG_HOME": str(tasks)},
    )
    assert done.stderr == "0 []\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["show"],
        ["show", "3fa9", "--at", "teatime"],
        ["ls", "--status", "done"],
        ["ls", "--sort", "luck"],
        ["ls", "--limit", "many"],
        ["log", "3fa9", "--kind", "Nothing"],
        ["log", "3fa9", "--follow", "--until", "now"],
        ["scalars", "3fa9", "--csv", "--json"],
        ["artifacts", "3fa9", "--output", "x"],
        ["diff", "3fa9"],
        ["diff", "3fa9", "3fb0", "--at", "now", "--at", "now"],
        ["replay"],
        ["replay", "3fa9", "--check"],
        ["replay", "--check", "--at", "now"],
        ["sync", "--push", "--pull", "/tmp"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_explained_and_exits_with_2(eventlog: Run, tasks: Path, arguments: list[str]) -> None:
    outcome = eventlog(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Error: " in outcome.err
    assert "Traceback" not in outcome.err


def assert_one_line(outcome: object, *words: str) -> None:
    code, out, err = outcome.code, outcome.out, outcome.err  # type: ignore[attr-defined]
    assert (code, out) == (1, "")
    assert re.fullmatch(r"eventlog: [^\n]+\n", err), err
    for word in words:
        assert word in err


@pytest.mark.parametrize("command", ["ls", "status", "verify", "rebuild", "show x", "replay --check"])
def test_where_no_store_is_one_line_says_what_to_do(eventlog: Run, home: Path, command: str) -> None:
    assert_one_line(eventlog(*command.split()), str(home), "EVENTLOG_HOME")
    assert not home.exists()


def test_a_task_that_is_not_here_is_named(eventlog: Run, tasks: Path) -> None:
    for command in ("show", "log", "scalars", "artifacts", "replay"):
        assert_one_line(eventlog(command, "nothere"), "nothere")


def test_an_ambiguous_prefix_names_the_candidates(eventlog: Run, tasks: Path) -> None:
    assert_one_line(eventlog("show", "3f"), "3fa9", "3fb0")


def test_a_folder_that_is_no_store_is_left_alone(eventlog: Run, home: Path) -> None:
    home.mkdir()
    (home / "thesis.tex").write_text("important")
    assert_one_line(eventlog("ls"), str(home))
    assert [path.name for path in home.iterdir()] == ["thesis.tex"]


def test_a_setting_that_cannot_be_used_is_named(eventlog: Run, tasks: Path) -> None:
    (tasks / "config.toml").write_text("remotes = 'x'\n")
    assert_one_line(eventlog("ls"), "config.toml", "remotes")


def test_a_name_in_an_error_cannot_drive_the_terminal(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("show", "a\x1b[2Jb")
    assert "\x1b" not in outcome.err
    assert_one_line(outcome)


def test_home_names_another_store(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with Store.open(other) as store:
        store.session.append(events.TaskCreated, "e" * 32, "elsewhere", "other")
    assert "elsewhere" in eventlog("--home", str(other), "ls").out
    assert "elsewhere" not in eventlog("ls").out


def test_a_reader_that_goes_away_is_no_error(environment: dict[str, str], tasks: Path) -> None:
    with subprocess.Popen(
        [*EVENTLOG, "log", BASELINE, "--reports", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("command", [("scalars", BASELINE, "--csv"), ("ls", "--status", "stopped")])
def test_streams_that_are_closed_are_as_good_as_nowhere(
    environment: dict[str, str], tasks: Path, command: tuple[str, ...]
) -> None:
    # What is printed must not get into a file of the store that was opened under the number of a stream.
    before = (tasks / "log" / "data.mdb").read_bytes()
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    done = subprocess.run([*closed, *EVENTLOG, *command], env=environment, timeout=60)
    assert done.returncode == 0
    assert (tasks / "log" / "data.mdb").read_bytes() == before


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (MemoryError(), "ulimit -v"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
    ],
)
def test_a_limit_of_the_machine_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, advice: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main.command_line, "main", fail)
    assert main._run(["verify"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert advice in said


def test_ctrl_c_ends_quietly_before_anything_has_begun(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "eventlog", "ls"],
        env={**environment, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_ends_quietly_with_130(environment: dict[str, str], store: Store) -> None:
    store.session.append(events.TaskCreated, BASELINE, "running", "digits")
    store.session.append(events.TaskStarted, BASELINE)
    store.flush()
    with subprocess.Popen(
        [*EVENTLOG, "log", BASELINE, "--follow"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "TaskCreated" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read().strip() == ""


def test_a_store_that_cannot_be_written_can_be_read(
    environment: dict[str, str], tasks: Path, tmp_path: Path
) -> None:
    def read_only(*arguments: str) -> subprocess.CompletedProcess[str]:
        mount = f"mount --bind '{tasks}' '{tasks}' && mount -o remount,bind,ro '{tasks}' && exec \"$@\""
        return subprocess.run(
            ["unshare", "-rm", "sh", "-c", mount, "sh", *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )

    if shutil.which("unshare") is None or read_only("true").returncode:
        pytest.skip("needs the right to mount in a namespace")
    assert read_only("touch", str(tasks / "x")).returncode
    for command in (["ls"], ["show", BASELINE], ["status"], ["replay", "--check"], ["verify"]):
        done = read_only(*EVENTLOG, *command)
        assert (done.returncode, done.stderr) == (0, "")
    assert "pushed " in read_only(*EVENTLOG, "sync", "--push", str(tmp_path / "remote")).stdout
    done = read_only(*EVENTLOG, "rebuild")
    assert done.returncode == 1
    assert re.fullmatch(r"eventlog: [^\n]+ cannot be written [^\n]+\n", done.stderr)


def test_a_command_that_is_nearly_one_is_met_with_it(eventlog: Run) -> None:
    outcome = eventlog("sohw")
    assert outcome.code == 2
    assert "there is no command 'sohw': did you mean 'show'?" in outcome.err
    assert "there is no command 'quux'." in eventlog("quux").err


@pytest.mark.parametrize("command", [["ls"], ["verify"], ["status"]])
def test_where_no_store_is_the_place_is_said_to_come_from_what_named_it(
    eventlog: Run, tmp_path: Path, command: list[str]
) -> None:
    place = str(tmp_path / "nowhere")
    for outcome, named in (
        (eventlog("--home", place, *command), "as --home says"),
        (eventlog(*command, EVENTLOG_HOME=place), "as EVENTLOG_HOME says"),
        (eventlog(*command, EVENTLOG_HOME="", HOME=place), "where it is by default"),
    ):
        assert outcome.code == 1
        assert outcome.err.startswith(f"eventlog: no store at {place}")
        assert f", {named}: " in outcome.err
        assert "`eventlog sync REMOTE`" in outcome.err


def test_a_home_that_hosts_share_is_named_with_its_setting_where_that_is_not_known(
    eventlog: Run, tmp_path: Path
) -> None:
    shared = tmp_path / "shared-home"
    for name in ("hosts", "shared"):
        (shared / name).mkdir(parents=True)
    outcome = eventlog("ls", EVENTLOG_HOME=str(shared))
    assert outcome.code == 1
    assert outcome.err.startswith(f"eventlog: {shared} is shared by several hosts")
    assert "EVENTLOG_SHARED_HOME=1" in outcome.err
