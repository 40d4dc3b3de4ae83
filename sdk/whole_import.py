"""Imports of parts that are loaded late, which no signal's handler interrupts.

A handler that runs in the middle of an import, in the same thread, sees a module half made; and what it
raises undoes the import. Handlers run in the main thread alone, so the import is made in another one.
"""

import sys
import threading
from importlib import import_module

__all__ = ["import_whole"]

_imported: set[str] = set()


def import_whole(name: str) -> None:
    """Import a module that is then imported from as usual; an import of it that is under way is waited for.

    Args:
        name: its full name.
    """
    if name in _imported:
        return
    errors: list[BaseException] = []

    def work() -> None:
        try:
            import_module(name)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="eventlog-import", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # The interpreter is ending and starts no threads any more.
        import_module(name)
    else:
        thread.join()
    if errors:
        raise errors[0]
    if name in sys.modules:
        _imported.add(name)
