"""How far large files have got: a bar on a terminal, else a line on stderr now and then.

Only what takes longer than a moment is shown. Several files that are under way at once, in whatever
threads, share one bar.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator

__all__ = ["Moving", "moving"]

_PATIENCE_SECONDS = 2.0
_BAR_SECONDS = 0.2
_LINE_SECONDS = 15.0
_BAR_WIDTH = 24


class Moving:
    """A file under way; calling it says how many bytes of it are done.

    Attributes:
        title: what is being done, such as "uploading weights.bin".
        total: bytes.
        done: bytes so far.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.started = time.monotonic()

    def __repr__(self) -> str:
        return f"<Moving {self.title}: {self.done:,} of {self.total:,} bytes>"

    def __call__(self, done: int) -> None:
        self.done = done
        _board.show()


@contextlib.contextmanager
def moving(title: str, total: int) -> Iterator[Moving]:
    """Show how far the work in the block has come.

    Args:
        title: what is being done.
        total: bytes.
    """
    one = Moving("".join(letter if letter.isprintable() else " " for letter in title)[:60], total)
    _board.add(one)
    try:
        yield one
    finally:
        _board.remove(one)


class _Board:
    """What is under way in this process."""

    def __init__(self) -> None:
        self._moving: list[Moving] = []
        self._lock = threading.Lock()
        self._shown = 0.0
        self._is_drawn = False

    def add(self, one: Moving) -> None:
        with self._lock:
            self._moving.append(one)

    def remove(self, one: Moving) -> None:
        with self._lock:
            self._moving.remove(one)
            if self._is_drawn and not self._moving:
                self._is_drawn = False
                _write("\r\x1b[K")

    def show(self) -> None:
        # Whoever finds it locked is not kept from its work.
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = time.monotonic()
            shown = [one for one in self._moving if now - one.started > _PATIENCE_SECONDS]
            on_terminal = _is_terminal()
            if shown and now - self._shown >= (_BAR_SECONDS if on_terminal else _LINE_SECONDS):
                self._shown = now
                self._is_drawn = on_terminal
                _write(_text(shown, on_terminal=on_terminal))
        finally:
            self._lock.release()


def _text(shown: list[Moving], *, on_terminal: bool) -> str:
    done, total = sum(one.done for one in shown), sum(one.total for one in shown)
    title = shown[0].title if len(shown) == 1 else f"{shown[0].title} and {len(shown) - 1} more"
    part = min(done / total, 1.0) if total else 1.0
    sizes = f"{_size(done)} of {_size(total)}"
    if not on_terminal:
        return f"eventlog: {title}: {sizes} ({part:.0%})\n"
    width = round(part * _BAR_WIDTH)
    return f"\r\x1b[K{title} [{'━' * width}{' ' * (_BAR_WIDTH - width)}] {part:4.0%} {sizes}"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _is_terminal() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except (OSError, ValueError):
        return False


def _write(text: str) -> None:
    # What is shown is never worth an error: stderr may be closed, gone, or of an encoding without a bar.
    with contextlib.suppress(Exception):
        sys.stderr.write(text)
        sys.stderr.flush()


_board = _Board()


def _after_fork() -> None:
    global _board
    _board = _Board()


os.register_at_fork(after_in_child=_after_fork)
