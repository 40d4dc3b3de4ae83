"""What can be found out about where the code came from and what it runs with.

Imported by the thread that gathers, so that the script does not wait for what only that needs.
"""

import logging
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlog.blobs import Blobs
from eventlog.errors import EventlogError
from eventlog.regular_file import open_regular
from eventlog.sdk.clearml_import import FOLDER as AS_CLEARML
from eventlog.sdk.execution import is_standalone
from eventlog.sdk.imported_packages import ImportedPackages
from eventlog.sdk.notebook import Notebook
from eventlog.sdk.packages import installed_packages
from eventlog.sdk.plain_text import INLINE_SIZE, cut_text, plain_text
from eventlog.sdk.repository import Git, Repository
from eventlog.sdk.secrets import mask_arguments, mask_text, mask_url, secret_values

if TYPE_CHECKING:
    from eventlog.sdk.execution import Launch
    from eventlog.store import Store

__all__ = ["Gathering"]

log = logging.getLogger("eventlog")

_GIT_SECONDS = 60.0
_NO_DIFF = "# git could not say in time what was changed since this commit, or it is more than 32 MiB\n"


class Gathering:
    """Gathers the fields of `ExecutionRecorded`, those that cost least first.

    Args:
        launch: how the process was started.
        blobs: where uncommitted changes go that are larger than 64 KiB.
        detects_repository: ask git; else it is as if there were none.
    """

    def __init__(self, launch: "Launch", blobs: Blobs, *, detects_repository: bool = True) -> None:
        self._launch = launch
        self._blobs = blobs
        self._detects_repository = detects_repository
        self._notebook = Notebook.current() if launch.is_notebook else None
        self._folders = [folder for folder in sys.path if folder != AS_CLEARML]
        self._imported: ImportedPackages | None = None
        self._modules = 0
        self._secrets = secret_values(os.environ)
        self._git = Git((launch.script or launch.folder / "-").parent, _GIT_SECONDS)

    def __repr__(self) -> str:
        return f"<Gathering for {self._launch.entry_point or 'a prompt'}>"

    def run(self, know: Callable[..., None]) -> None:
        """Call `know` with fields by name, as they become known."""
        launch = self._launch
        system = os.uname()
        know(
            command=[plain_text(argument) for argument in mask_arguments(launch.command, self._secrets)],
            python=platform.python_version(),
            platform=f"{system.sysname}-{system.release}-{system.machine}",
            packages=installed_packages(self._folders),
        )
        know(**self.since())
        wants_repository = self._detects_repository and not is_standalone()
        repository = Repository.find(self._git) if wants_repository else None
        if repository is None:
            if self._notebook is None:
                know(script=self._read_script())
            return
        know(
            repository=plain_text(mask_url(repository.remote())),
            branch=plain_text(repository.branch()),
            commit=repository.commit,
            working_folder=plain_text(_relative(launch.folder, repository.root)),
        )
        if self._notebook is None and launch.script is not None and not repository.tracks(launch.script):
            know(script=self._read_script())
        diff = repository.diff()
        know(**(self._keep_diff(diff) if diff is not None else {"diff": _NO_DIFF}))

    def since(self) -> dict[str, Any]:
        """What a script imports and a notebook executes as it runs; what cannot have changed is left out."""
        facts: dict[str, Any] = {}
        # Modules are hardly ever forgotten.
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            if self._imported is None:
                self._imported = ImportedPackages.of_folders(self._folders)
            facts["imported"] = self._imported.now()
        if self._notebook is not None:
            facts["script"] = _cut(plain_text(mask_text(self._notebook.script(), self._secrets)))
        return facts

    def keep_notebook(self, store: "Store", task_id: str) -> None:
        """Keep the file of the notebook, if this is one and it is known."""
        if self._notebook is not None:
            self._notebook.keep(store, task_id)

    def give_up(self) -> None:
        """Make `run` end soon, without what git has not said yet."""
        self._git.give_up()

    def _keep_diff(self, diff: bytes) -> dict[str, str]:
        """The diff's text, or its blob where it is large or not UTF-8."""
        masked = mask_text(diff.decode(errors="surrogateescape"), self._secrets)
        data = masked.encode(errors="surrogateescape")
        text = plain_text(masked)
        if len(data) <= INLINE_SIZE and text == masked:
            return {"diff": text}
        try:
            return {"diff_blob": self._blobs.put_bytes(data)}
        except EventlogError as error:
            log.debug("eventlog: the uncommitted changes are cut short: %s", error)
            return {"diff": _cut(text)}

    def _read_script(self) -> str:
        try:
            if self._launch.script is None:
                return ""
            with open_regular(self._launch.script) as file:
                data = file.read(2 * INLINE_SIZE)
        except OSError:
            return ""
        return _cut(plain_text(mask_text(data.decode(errors="replace"), self._secrets)))


def _cut(text: str) -> str:
    beginning = cut_text(text)
    return (
        text
        if beginning == text
        else f"{beginning}\n# … the rest is not recorded: it is longer than 64 KiB\n"
    )


def _relative(folder: Path, root: Path) -> str:
    try:
        return str(folder.resolve().relative_to(root.resolve()))
    except (OSError, ValueError):
        return str(folder)
