"""Where the code came from is recorded beside the script, without secrets, and without disturbing it."""

import os
import platform
import shutil
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from eventlog import Task
from eventlog.events import ExecutionRecorded
from eventlog.sdk.packages import installed_packages
from eventlog.sdk.repository import Git, Repository
from tests.sdk.scripts import Scripts, poll

RUN = """
from eventlog import Task
task = Task.init(project_name="tests/execution", task_name="a task")
"""


def git(folder: Path, *arguments: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    command = ("git", *identity, "-c", "init.defaultBranch=main", *arguments)
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a committed script and an uncommitted change."""
    folder = tmp_path / "repository"
    git(folder, "init", "--quiet")
    (folder / "src").mkdir()
    (folder / "src" / "train.py").write_text(RUN)
    (folder / "model.py").write_text("LAYERS = 2\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "all of it")
    git(folder, "remote", "add", "origin", "https://bob:hunter2@example.org/a/b.git")
    (folder / "model.py").write_text("LAYERS = 3\n")
    return folder


def recorded(scripts: Scripts) -> ExecutionRecorded:
    execution = scripts.state().execution
    assert execution is not None
    return execution


def test_a_script_in_a_repository_records_it(scripts: Scripts, repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    scripts.run(RUN, "--lr", "0.1", folder=repository / "src", name="train.py")
    execution = recorded(scripts)
    assert execution.repository == "https://********@example.org/a/b.git"
    assert (execution.branch, execution.commit) == ("main", commit)
    assert "-LAYERS = 2\n+LAYERS = 3\n" in execution.diff
    assert execution.diff_blob == ""
    assert (execution.entry_point, execution.working_folder) == ("train.py", "src")
    assert execution.command[-3:] == [str(repository / "src" / "train.py"), "--lr", "0.1"]
    assert execution.python == platform.python_version()
    assert execution.platform.startswith(os.uname().sysname)
    assert execution.packages["numpy"] == metadata.version("numpy")
    assert execution.script == ""


def test_the_recorded_diff_can_be_applied_to_the_commit(scripts: Scripts, repository: Path) -> None:
    scripts.run(RUN, folder=repository / "src", name="train.py")
    git(repository, "checkout", "--quiet", "--force")
    subprocess.run(["git", "apply"], cwd=repository, input=recorded(scripts).diff, text=True, check=True)
    assert (repository / "model.py").read_text() == "LAYERS = 3\n"


def test_a_script_that_is_not_committed_is_kept_with_the_repository(
    scripts: Scripts, repository: Path
) -> None:
    scripts.run(RUN + "x = 1\n", folder=repository, name="new.py")
    execution = recorded(scripts)
    assert execution.commit
    assert execution.script == RUN + "x = 1\n"


def test_without_a_repository_the_script_is_kept(scripts: Scripts) -> None:
    scripts.run(RUN + "x = 'hf_" + "a" * 34 + "'\n")
    execution = recorded(scripts)
    assert (execution.repository, execution.commit, execution.diff) == ("", "", "")
    assert execution.script == RUN + "x = '********'\n"
    assert execution.entry_point == "script.py"


def test_a_large_script_is_cut_and_says_so(scripts: Scripts) -> None:
    scripts.run(RUN + "# a line of it\n" * 10_000)
    script = recorded(scripts).script
    assert script.startswith(RUN)
    assert len(script) < 70_000
    assert script.endswith("the rest is not recorded: it is longer than 64 KiB\n")


def test_a_large_diff_is_a_blob(scripts: Scripts, repository: Path) -> None:
    (repository / "model.py").write_text("LAYERS = 3\n" * 20_000 + "password = 'hunter2'\n")
    scripts.run(RUN, folder=repository / "src", name="train.py")
    execution = recorded(scripts)
    assert execution.diff == ""
    assert len(execution.diff_blob) == 64
    script = Task.get_task(scripts.state().id).data.script
    assert script.diff.count("+LAYERS = 3\n") == 20_000
    assert "hunter2" not in script.diff


def test_a_diff_that_is_not_utf_8_is_kept_byte_for_byte(scripts: Scripts, repository: Path) -> None:
    (repository / "model.py").write_bytes(b"LAYERS = 3  # \xe9t\xe9\n")
    scripts.run(RUN, folder=repository / "src", name="train.py")
    blob = scripts.home / "blobs" / recorded(scripts).diff_blob[:2] / recorded(scripts).diff_blob
    assert b"+LAYERS = 3  # \xe9t\xe9\n" in blob.read_bytes()


def test_a_repository_without_a_commit_or_a_remote_is_one_too(scripts: Scripts, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    git(folder, "init", "--quiet")
    (folder / "staged.py").write_text("x = 1\n")
    git(folder, "add", "staged.py")
    scripts.run(RUN, folder=folder, name="train.py")
    execution = recorded(scripts)
    assert (execution.repository, execution.branch, execution.commit) == ("", "main", "")
    assert "+x = 1\n" in execution.diff
    assert execution.script == RUN


def test_a_detached_head_has_a_commit_and_no_branch(scripts: Scripts, repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    scripts.run(RUN, folder=repository / "src", name="train.py")
    assert recorded(scripts).branch == ""
    assert len(recorded(scripts).commit) == 40


def test_a_module_and_a_command_have_entry_points_of_their_own(scripts: Scripts, tmp_path: Path) -> None:
    package = tmp_path / "scripts" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "train.py").write_text(RUN)
    environment = {**os.environ, "EVENTLOG_HOME": str(scripts.home)}
    for arguments in (["-m", "package.train"], ["-c", RUN]):
        subprocess.run(
            [sys.executable, *arguments], cwd=package.parent, env=environment, check=True, capture_output=True
        )
        state = scripts.states()[-1]
        assert state.execution is not None
        expected = "-m package.train" if arguments[0] == "-m" else ""
        assert state.execution.entry_point == expected


def test_secrets_of_the_command_line_and_the_environment_are_masked(
    scripts: Scripts, repository: Path
) -> None:
    (repository / "model.py").write_text("KEY = 'plainwords'\n")
    script = scripts.start(
        RUN,
        "--password",
        "hunter2",
        "--token=abcdef",
        folder=repository / "src",
        name="train.py",
        environment={"MY_SECRET": "plainwords"},
    )
    assert script.wait() == 0
    execution = recorded(scripts)
    assert execution.command[-3:] == ["--password", "********", "--token=********"]
    assert "plainwords" not in execution.diff
    assert "hunter2" not in str(execution)


def test_the_folder_and_the_arguments_are_those_of_the_start(scripts: Scripts, tmp_path: Path) -> None:
    scripts.run(
        RUN + "import os, sys\nos.chdir('/')\nsys.argv[:] = ['other']\nsys.orig_argv[:] = ['other']\n"
    )
    execution = recorded(scripts)
    assert execution.working_folder == str(scripts.folder)
    assert execution.command[-1] == str(scripts.folder / "script.py")


# It does not disturb.


def fake_git(folder: Path, text: str) -> dict[str, str]:
    folder.mkdir(parents=True)
    (folder / "git").write_text("#!/bin/sh\n" + text)
    (folder / "git").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_git_says_nothing_to_the_script_and_reads_nothing_of_its_input(
    scripts: Scripts, tmp_path: Path
) -> None:
    environment = fake_git(tmp_path / "bin", "echo out; echo err >&2; cat; exit 1")
    script = scripts.start(RUN + "task.close()\nprint('done')\n", environment=environment)
    assert script.wait() == 0
    assert (script.out, script.err) == ("done\n", "")
    assert recorded(scripts).script.startswith(RUN)


def test_without_git_all_the_rest_is_recorded(scripts: Scripts, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    script = scripts.start(RUN, environment={"PATH": str(tmp_path / "empty")})
    assert script.wait() == 0
    assert script.err == ""
    assert recorded(scripts).packages["msgspec"]
    assert recorded(scripts).script == RUN


def test_a_git_that_hangs_is_killed_and_the_rest_recorded(
    scripts: Scripts, repository: Path, tmp_path: Path
) -> None:
    """It hangs at the diff: what was known before is recorded, at the end of a signal's short patience."""
    real = shutil.which("git")
    pid = tmp_path / "pid"
    environment = fake_git(
        tmp_path / "bin", f'case "$*" in *" diff "*) echo $$ > {pid}; exec sleep 600;; esac\nexec {real} "$@"'
    )
    script = scripts.start(
        # One long sleep would not see a signal that came just before it.
        RUN + "print('go', flush=True)\nimport time\nwhile True:\n    time.sleep(0.01)",
        folder=repository / "src",
        name="train.py",
        environment=environment,
    )
    assert script.line() == "go"
    poll(lambda: pid.exists() and pid.read_text().strip())
    script.send(signal.SIGTERM)
    assert script.wait() == -signal.SIGTERM
    execution = recorded(scripts)
    assert execution.branch == "main"
    assert execution.commit == git(repository, "rev-parse", "HEAD")
    assert execution.diff == ""
    poll(lambda: not Path(f"/proc/{int(pid.read_text())}").exists())


def test_a_git_that_hangs_is_given_up_on_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    environment = fake_git(tmp_path / "bin", f"echo $$ > {pid}; exec sleep 600")
    monkeypatch.setenv("PATH", environment["PATH"])
    asked = Git(tmp_path, 0.3)
    assert Repository.find(asked) is None
    assert asked.ask("status") is None
    assert not Path(f"/proc/{int(pid.read_text())}").exists()


def test_a_git_that_closes_its_output_and_stays_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = fake_git(tmp_path / "bin", "exec >&-; exec sleep 600")
    monkeypatch.setenv("PATH", environment["PATH"])
    assert Git(tmp_path, 60).ask("status") is None


def test_a_git_that_says_too_much_is_not_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = fake_git(tmp_path / "bin", "exec cat /dev/zero")
    monkeypatch.setenv("PATH", environment["PATH"])
    assert Git(tmp_path, 60).ask("diff") is None


def test_no_child_is_left_behind(scripts: Scripts, repository: Path) -> None:
    text = """
    import os, time
    deadline = time.monotonic() + 60
    while not task.data.script.entry_point and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("none")
    """
    from textwrap import dedent

    ran = scripts.run(RUN + dedent(text), folder=repository / "src", name="train.py")
    assert ran.out == "none\n"


def test_a_script_that_ignores_its_children_is_recorded_all_the_same(
    scripts: Scripts, repository: Path
) -> None:
    before = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    scripts.run(before + RUN, folder=repository / "src", name="train.py")
    assert "+LAYERS = 3\n" in recorded(scripts).diff


def test_git_does_not_touch_the_index_which_another_git_may_be_using(
    scripts: Scripts, repository: Path
) -> None:
    os.utime(repository / "src" / "train.py", (1, 1))
    index = repository / ".git" / "index"
    before = index.stat()
    script = repository / "src" / "train.py"
    ran = scripts.run(
        f"import runpy, sys\nrunpy.run_path({str(script)!r})", folder=repository / "src", name="run.py"
    )
    assert ran.err == ""
    assert "+LAYERS = 3\n" in recorded(scripts).diff
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_git_does_not_run_what_the_repository_tells_it_to(scripts: Scripts, repository: Path) -> None:
    proof = repository / "proof"
    program = repository / "program"
    program.write_text(f"#!/bin/sh\ntouch {proof}\n")
    program.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(program))
    git(repository, "config", "diff.external", str(program))
    proof.unlink(missing_ok=True)
    scripts.run(RUN, folder=repository / "src", name="train.py")
    assert "+LAYERS = 3\n" in recorded(scripts).diff
    assert not proof.exists()


def test_init_returns_before_anything_is_gathered(scripts: Scripts, tmp_path: Path) -> None:
    """The heavy modules are not there yet when it returns, nor does it wait for git."""
    environment = fake_git(tmp_path / "bin", "exec sleep 600")
    text = RUN + "import sys\nprint([m for m in ('git', 'pyarrow', 'numpy', 'pandas', 'rich', 'click',"
    text += " 'fsspec', 'subprocess', 'zipfile', 'importlib.metadata') if m in sys.modules], flush=True)\n"
    script = scripts.start(text + "import os\nos._exit(0)\n", environment=environment)
    assert script.line() == "[]"
    script.wait()


def test_the_packages_are_those_that_the_metadata_names() -> None:
    found = installed_packages(sys.path)
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")
        assert found[name]
    assert found["msgspec"] == metadata.version("msgspec")
    assert list(found) == sorted(found)


def test_packages_are_read_in_all_their_forms(tmp_path: Path) -> None:
    (tmp_path / "A_b.C-1.0.dist-info").mkdir()
    (tmp_path / "old-2.0-py3.11.egg-info").mkdir()
    (tmp_path / "tree.egg-info").mkdir()
    (tmp_path / "tree.egg-info" / "PKG-INFO").write_text("Name: tree\nVersion: 3.0\n")
    (tmp_path / "bare.egg-info").touch()
    assert installed_packages([str(tmp_path), str(tmp_path / "nowhere")]) == {
        "a-b-c": "1.0",
        "bare": "",
        "old": "2.0",
        "tree": "3.0",
    }


def test_a_task_that_ends_at_once_has_its_execution_recorded(task: Task) -> None:
    task.close()
    assert task.data.script.python == platform.python_version()
