"""A command that is forked off is as one that is started, and one that hangs harms no other."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.preloaded import Preloaded
from tests.cli.running import EVENTLOG

pytestmark = pytest.mark.skipif(not Preloaded.is_possible(), reason="this system has no pidfd_open")

SCRIPT = """
import atexit, os, sys, threading, time
atexit.register(print, "at the very end")
threading.Thread(target=lambda: (time.sleep(0.2), print("from a thread"))).start()
print(sys.argv[1:], os.getcwd(), sorted(os.listdir("/proc/self/fd")))
print(sorted(name for name in os.environ if name.startswith("EVENTLOG")), file=sys.stderr)
sys.exit(7)
"""


def test_it_has_what_a_command_has_that_is_started(
    environment: dict[str, str], preloaded: Preloaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    command = ("run", "script.py", "--epochs", "3")
    forked = preloaded.run(command, environment, 60)
    started = subprocess.run(
        [*EVENTLOG, *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (forked.code, forked.out, forked.err) == (started.returncode, started.stdout, started.stderr)
    assert forked.code == 7
    assert forked.lines[-2:] == ["from a thread", "at the very end"]


def wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_that_hangs_is_killed_and_the_next_one_runs(
    environment: dict[str, str], preloaded: Preloaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    (tmp_path / "script.py").write_text(
        f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    monkeypatch.chdir(tmp_path)
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        preloaded.run(("run", "script.py"), environment, 3)
    assert time.monotonic() - start < 60
    wait_until_gone(int(told.read_text()))
    assert preloaded.run(("--version",), environment, 60).code == 0
