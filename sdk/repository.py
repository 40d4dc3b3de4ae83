"""What git says of the folder that a script lies in.

Git is asked directly, in a child with no terminal, no locks and a deadline, and never more is read of it
than a bound. Importing GitPython in the script's own process would take 60 ms of it and ask the same
questions; a git that hangs (a network share that is gone) is killed and given up on.

The child is spawned without the subprocess module: what that imports would run in the first moments of
the script, beside it, and by a quirk of CPython (`exec` of text forgets that an interrupt was not
handled) change the exit status of a script that is interrupted just then.
"""

import contextlib
import os
import select
import signal
import threading
import time
from pathlib import Path

__all__ = ["Git", "Repository"]

_MOST = 32 << 20
_PIECE = 1 << 16
_LAST_SECONDS = 1.0


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
        self._child: int | None = None

    def __repr__(self) -> str:
        return f"<Git in {self._folder}>"

    def ask(self, *arguments: str) -> bytes | None:
        """What a git command prints, up to 32 MiB; None if it fails or takes too long."""
        ours, theirs = os.pipe()
        try:
            child = self._spawn(arguments, theirs)
        finally:
            os.close(theirs)
        if child is None:
            os.close(ours)
            return None
        try:
            output = self._read(ours)
        finally:
            os.close(ours)
        if output is None:
            self._kill()
        status = self._reap(child)
        return output if status == 0 else None

    def give_up(self) -> None:
        """Answer None to the question that is being asked, and to all that come."""
        self._deadline = 0.0
        self._kill()

    def _spawn(self, arguments: tuple[str, ...], output: int) -> int | None:
        with self._lock:
            if time.monotonic() >= self._deadline:
                return None
            try:
                self._child = os.posix_spawnp(
                    "git",
                    ("git", "-C", str(self._folder), "-c", "core.fsmonitor=false", *arguments),
                    {**os.environ, **_ENVIRONMENT},
                    # The pipe first: in a script without standard input it may be number 0.
                    file_actions=(
                        (os.POSIX_SPAWN_DUP2, output, 1),
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                    ),
                    # Python ignores these, and what is ignored is inherited.
                    setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
                )
            except (OSError, ValueError):
                return None
            return self._child

    def _read(self, pipe: int) -> bytes | None:
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        pieces: list[bytes] = []
        size = 0
        while size <= _MOST and (left := self._deadline - time.monotonic()) > 0:
            if poll.poll(min(left, 0.1) * 1000):
                piece = os.read(pipe, _PIECE)
                if not piece:
                    return b"".join(pieces)
                pieces.append(piece)
                size += len(piece)
        return None

    def _reap(self, child: int) -> int:
        """The exit code of a child that has nothing more to say; it is killed if it stays."""
        patience = time.monotonic() + _LAST_SECONDS
        while True:
            # Under the lock, so that nothing else that gets the number of a dead child is killed.
            with self._lock:
                try:
                    done, status = os.waitpid(child, os.WNOHANG)
                except ChildProcessError:
                    # The script reaps all children, or ignores them: what git has said has to do.
                    done, status = child, 0
                if done:
                    self._child = None
                    return os.waitstatus_to_exitcode(status)
            is_late = time.monotonic() > patience
            if is_late:
                self._kill()
            time.sleep(0.1 if is_late else 0.001)

    def _kill(self) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._child is not None:
                os.kill(self._child, signal.SIGKILL)


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
        options = ("--no-color", "--no-ext-diff", "--no-textconv")
        # Otherwise git would lock the index, to note there which files it found unchanged.
        return self._git.ask("-c", "diff.autoRefreshIndex=false", "diff", *options, *against, "--")

    def tracks(self, path: Path) -> bool:
        """Whether a file is part of the repository, committed or staged."""
        return bool(self._git.ask("ls-files", "--", str(path)))


# No question may wait for a person, nor take a lock that a git of the script's owner would stumble over.
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _lines(output: bytes | None) -> list[str]:
    return os.fsdecode(output or b"").splitlines()
