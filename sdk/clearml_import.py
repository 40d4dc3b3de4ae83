"""`import clearml` gives eventlog: in this process, and in the processes that it starts.

A folder with a module of that name, and the metadata of a distribution of that name, is put on `sys.path`
and on PYTHONPATH. Everything that asks whether ClearML is there then finds it where it looks for any package
(`import`, `importlib.util.find_spec`, `importlib.metadata.version`), and so does a process started by
multiprocessing, subprocess or a launcher. Nothing is imported before the script asks for it.

The module is filled from `clearml_modules.py`: names that are eventlog's, and names that are ClearML's and
not here, which can be imported and raise `NotAvailable` as soon as they are used.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from eventlog.errors import InputInvalid, NotAvailable

if TYPE_CHECKING:
    from importlib.abc import Loader

__all__ = ["FOLDER", "fill", "install_as_clearml"]

FOLDER = str(Path(__file__).resolve().parent / "as_clearml")
_PATH = "PYTHONPATH"


def install_as_clearml() -> None:
    """Make `import clearml` give eventlog's classes, here and in the processes that this one starts.

    Whatever imports ClearML or one of its documented submodules afterwards, the script or a library, then
    works with eventlog; also where ClearML itself is installed. To be called before the first such import.
    Calling it again changes nothing.

    Raises:
        InputInvalid: ClearML itself has been imported already.
    """
    loaded = sys.modules.get("clearml")
    if loaded is not None and getattr(loaded, "__file__", None) != str(Path(FOLDER, "clearml.py")):
        raise InputInvalid(
            "clearml has been imported already: call install_as_clearml() at the top of the script, before"
            " anything that imports clearml, or run the script with `eventlog run`"
        )
    if FOLDER not in sys.path:
        # Behind the script's own folder, which programs expect to find in front.
        sys.path.insert(1, FOLDER)
        invalidate_caches()
    inherited = [folder for folder in os.environ.get(_PATH, "").split(os.pathsep) if folder]
    if FOLDER not in inherited:
        os.environ[_PATH] = os.pathsep.join([FOLDER, *inherited])


def fill(name: str) -> None:
    """Give a module that is being imported what ClearML's module of that name has.

    Args:
        name: "clearml", or that of a submodule.
    """
    from eventlog.sdk.automatic.attaching import attach_to_command_lines
    from eventlog.sdk.clearml_modules import MODULES, is_top, reason

    # A script may parse its command line before it asks for `Task`.
    attach_to_command_lines()
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    module, table, why = sys.modules[name], MODULES.get(name, {}), reason(name)

    def find(attribute: str) -> Any:
        full = f"{name}.{attribute}"
        if attribute in table:
            value = _resolve(full, table[attribute])
        elif full in MODULES or is_top(full):
            return import_module(full)
        elif why and not attribute.startswith("_"):
            value = _stand_in(full, why)
        else:
            raise AttributeError(f"module {name!r}, as eventlog gives it, has no {attribute!r}")
        setattr(module, attribute, value)
        return value

    # As functions of the module they are asked for what it does not have (PEP 562).
    module.__dict__.update(
        __getattr__=find, __dir__=lambda: sorted({*vars(module), *table}), __all__=sorted(table)
    )


class _Finder:
    """Finds the submodules of `clearml`, and loads them.

    Of no class of `importlib.abc`, whose import costs milliseconds, and is not needed for it.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_known(fullname):
            return None
        return ModuleSpec(
            fullname, cast("Loader", self), origin=str(Path(FOLDER, "clearml.py")), is_package=True
        )

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        fill(module.__name__)


def _is_known(name: str) -> bool:
    """Whether ClearML has a module of that name, as far as we know."""
    from eventlog.sdk.clearml_modules import MODULES, reason

    return name != "clearml" and (name in MODULES or bool(reason(name)))


def _resolve(name: str, home: str) -> Any:
    """What a name stands for: ``module:attribute``, or why it is not here."""
    if " " in home:
        return _stand_in(name, home)
    module, _, attribute = home.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError:
        if module.startswith("eventlog"):
            raise
        return _stand_in(name, f"it needs a package that is not installed: pip install {module}")


def _stand_in(name: str, why: str) -> type:
    """A class for a part of ClearML that is not here: it can be named, and raises when it is used."""
    short = name.rpartition(".")[2]
    # What stands behind `except` must be an exception, also where it is never raised.
    bases = (Exception,) if short.endswith(("Error", "Exception")) else ()
    return _NotHere(short, bases, {"_name": name, "_why": why, "__module__": "clearml"})


class _NotHere(type):
    """The type of stand-ins. A library may import what it never uses, so the import itself is no error."""

    _name: str
    _why: str

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> "_NotHere":
        for base in bases:
            if isinstance(base, _NotHere):
                raise base._error()
        return super().__new__(cls, name, bases, members)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise cls._error()

    def __getattr__(cls, attribute: str) -> Any:
        # What begins with "_" is asked for by Python, notebooks and type checks of every class.
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        raise cls._error(f".{attribute}")

    def __repr__(cls) -> str:
        return f"<{cls._name}, which eventlog does not have>"

    def _error(cls, what: str = "") -> NotAvailable:
        return NotAvailable(f"{cls._name}{what} is not available: {cls._why}")
