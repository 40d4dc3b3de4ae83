"""The code of a notebook, or of IPython's prompt: what was executed in it, and its file where that is known.

No server is asked: the kernel knows what it executed, and the programs that start kernels tell most of them
which file they belong to.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from eventlog.events import ArtifactUploaded
from eventlog.sdk.secrets import mask_text, secret_values
from eventlog.store import Store

__all__ = ["Notebook"]

_ARTIFACT = "notebook"
_LARGEST = 256 << 20


class Notebook:
    """The notebook that this process runs.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __repr__(self) -> str:
        return f"<Notebook {self.path() or 'without a file'}>"

    @classmethod
    def current(cls) -> "Notebook | None":
        """The notebook or the prompt that this process runs, or None."""
        get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
        shell = None if get_shell is None else get_shell()
        return None if shell is None else cls(shell)

    def script(self) -> str:
        """The cells that have been executed, in that order, as a script; the one that runs is the last."""
        history = getattr(self._shell, "history_manager", None)
        cells = list(getattr(history, "input_hist_parsed", ()))
        return "\n\n".join(
            f"# In[{number}]:\n\n{cell.rstrip()}\n"
            for number, cell in enumerate(cells)
            if isinstance(cell, str) and cell.strip()
        )

    def path(self) -> Path | None:
        """Its file, where whoever started the kernel has told it."""
        names = getattr(self._shell, "user_ns", {})
        # Of Visual Studio Code, and of Jupyter's server.
        for given in (names.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")):
            if isinstance(given, str) and given.endswith(".ipynb"):
                with suppress(OSError, ValueError):
                    # The server's paths begin at its own folder, and most kernels run beside their notebook.
                    for path in (Path(given), Path(Path(given).name)):
                        if path.is_file():
                            return path.absolute()
        return None

    def keep(self, store: Store, task_id: str) -> None:
        """Keep its file, as it was saved last, as an artifact of a task, with its secrets masked."""
        path = self.path()
        if path is None or path.stat().st_size > _LARGEST:
            return
        masked = mask_text(path.read_text(encoding="utf-8", errors="replace"), secret_values(os.environ))
        data = masked.encode()
        append = store.session.append
        # Not as a script's own artifacts are: a task with this one alone may be run again.
        fields = {
            "name": _ARTIFACT,
            "kind": "file",
            "blob": store.blobs.put_bytes(data),
            "size": len(data),
            "file_name": path.name,
            "format": "",
            "preview": self.script()[:500],
            "metadata": {},
            "url": "",
            "content_type": "application/x-ipynb+json",
        }
        append(ArtifactUploaded, task_id, *fields.values())
