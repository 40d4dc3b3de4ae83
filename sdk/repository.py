"""What git says of the folder that a script lies in.

Git is asked directly, in a child with no terminal, no locks and a deadline, and never more is read of it
than a bound. Importing GitPython in the script's own process would take 60 ms of it and ask the same
questions; a git that hangs (a network share that is gone) is killed and given up on.
"""

import os
import select
import subprocess
import threading
import time
from pathlib import Path

__all__ = ["Git", "Repository"]

_MOST = 32 << 20
_PIECE = 1 << 16


class Git:
    """Asks git about one folder.

    Args:
        folder: where to ask.
        seconds: how long all the questions together may take.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Git in {self._folder}>"

    def ask(self, *arguments: str) -> bytes | None:
        """What a git command prints, up to 32 MiB; None if it fails or takes too long."""
        with self._lock:
            if time.monotonic() >= self._deadline:
                return None
            try:
                process = subprocess.Popen(
                    ("git", "-c", "core.fsmonitor=false", *arguments),
                    cwd=self._folder,
                    env={**os.environ, **_ENVIRONMENT},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except (OSError, ValueError):
                return None
            self._process = process
        try:
            output = self._read(process)
            if output is None:
                process.kill()
            process.wait(1)
        except subprocess.TimeoutExpired:
            # Killed, and still stuck in the kernel; the subprocess module reaps it later.
            return None
        finally:
            assert process.stdout is not None
            process.stdout.close()
            with self._lock:
                self._process = None
        return output if process.returncode == 0 else None

    def give_up(self) -> None:
        """Answer None to the question that is being asked, and to all that come."""
        with self._lock:
            self._deadline = 0.0
            if self._process is not None:
                self._process.kill()

    def _read(self, process: "subprocess.Popen[bytes]") -> bytes | None:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        pieces: list[bytes] = []
        size = 0
        while size <= _MOST:
            left = self._deadline - time.monotonic()
            if left <= 0 or not poll.poll(min(left, 1.0) * 1000):
                if left <= 0:
                    return None
                continue
            piece = os.read(pipe, _PIECE)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
        return None


class Repository:
    """A git repository, found from a folder in it.

    Attributes:
        root: its top folder.
        commit: of HEAD, in hexadecimal, or "" before the first one.
    """

    def __init__(self, git: Git, root: Path, commit: str) -> None:
        self._git = git
        self.root = root
        self.commit = commit

    def __repr__(self) -> str:
        return f"<Repository {self.root} at {self.commit[:8] or 'no commit'}>"

    @classmethod
    def find(cls, git: Git) -> "Repository | None":
        """The repository around the folder that `git` asks about, or None if there is none to be read."""
        # Before the first commit HEAD cannot be resolved; git then answers with what it could, and fails.
        lines = _lines(git.ask("rev-parse", "--show-toplevel", "HEAD"))
        if not lines:
            lines = _lines(git.ask("rev-parse", "--show-toplevel"))
        if not lines:
            return None
        return cls(git, Path(lines[0]), lines[1] if len(lines) > 1 else "")

    def branch(self) -> str:
        """The branch that is checked out, or "" where HEAD is detached."""
        return "".join(_lines(self._git.ask("symbolic-ref", "--short", "--quiet", "HEAD"))[:1])

    def remote(self) -> str:
        """The URL of the remote "origin", or of the first where none has that name, or ""."""
        urls = {}
        for line in _lines(self._git.ask("config", "--get-regexp", r"^remote\..*\.url$")):
            name, _, url = line.partition(" ")
            urls[name.removeprefix("remote.").removesuffix(".url")] = url
        return urls.get("origin") or next(iter(urls.values()), "")

    def diff(self) -> bytes | None:
        """Uncommitted changes of tracked files, staged or not, as a unified diff.

        None if git takes too long, or they are larger than 32 MiB.
        """
        against = ("HEAD",) if self.commit else ("--cached",)
        return self._git.ask("diff", "--no-color", "--no-ext-diff", "--no-textconv", *against, "--")

    def tracks(self, path: Path) -> bool:
        """Whether a file is part of the repository, committed or staged."""
        return bool(self._git.ask("ls-files", "--", str(path)))


# No question may wait for a person, nor take a lock that a git of the script's owner would stumble over.
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _lines(output: bytes | None) -> list[str]:
    return os.fsdecode(output or b"").splitlines()
