"""What the command line of this process says, whichever library reads it.

Whoever reads a command line notes its parameters here. They are recorded to the task that is open, and to
each that begins later, since a script may parse before `Task.init`. Where the values stored in a task win
(`overrides.py`), this says which ones, also before that task has begun here.

What looks like a secret is masked, as in the recorded command; a masked value never wins over the script's.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from eventlog.errors import EventlogError, InputInvalid
from eventlog.events import Parameter
from eventlog.sdk.automatic.listening import choices, is_muted, muted
from eventlog.sdk.overrides import given_task_id
from eventlog.sdk.plain_text import plain_text

if TYPE_CHECKING:
    from eventlog.projections import TaskState
    from eventlog.sdk.task import Task
    from eventlog.store import Store

__all__ = [
    "ARGUMENTS",
    "MASK",
    "Values",
    "at_begin",
    "begin",
    "current_task",
    "inside",
    "is_inside",
    "is_wanted",
    "mask",
    "note",
    "record",
    "stored_configuration",
    "stored_values",
]

# ClearML's name for the section of the command line.
ARGUMENTS = "Args"
_GROUP = "command lines"
# As of `secrets.py`, which takes long to import.
MASK = "********"
# Parts of names, and the shortest word, that say that there may be something to mask.
_HINTS = ("pass", "secret", "cred", "key", "token", "pwd", "auth")
_SHORTEST_KEY = 20


class Values:
    """Parameters that a command line gives.

    Attributes:
        parameters: by "section/name".
        left_out: why others cannot be recorded, likewise.
    """

    def __init__(self, parameters: dict[str, Parameter] | None = None) -> None:
        self.parameters = {} if parameters is None else parameters
        self.left_out: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Values of {len(self.parameters)} parameters, {len(self.left_out)} left out>"

    def add(self, name: str, make: Callable[..., Parameter], *args: Any, **kwargs: Any) -> None:
        """Add what ``make(*args, **kwargs)`` returns; where it raises, the parameter is left out."""
        try:
            self.parameters[plain_text(name)] = make(*args, **kwargs)
        except InputInvalid as error:
            self.left_out[plain_text(name)] = str(error)


def note(values: Values, framework: str = "", *, is_own: bool = True) -> None:
    """Note what a command line gives; it is recorded now if a task is open, or by the one that begins next.

    Args:
        framework: the switch in `auto_connect_frameworks` besides, if there is one.
        is_own: it is the command line of this process, and so of every task that begins here.
    """
    kept = _of_process if is_own else _of_next_task
    noted = kept.setdefault(framework, Values())
    now = Values(values.parameters)
    now.left_out = {name: why for name, why in values.left_out.items() if noted.left_out.get(name) != why}
    noted.parameters.update(values.parameters)
    noted.left_out.update(values.left_out)
    task = current_task()
    if task is not None:
        record(task, framework, now)
        _of_next_task.clear()


def begin(task: "Task") -> None:
    """Record what was noted before a task began."""
    for noted in (_of_process, _of_next_task):
        for framework, values in list(noted.items()):
            record(task, framework, values)
    _of_next_task.clear()
    for look in at_begin:
        look(task)


def record(task: "Task", framework: str, values: Values) -> bool:
    """Record what a command line gives to a task, as far as that is chosen; returns whether anything is."""
    # What a forked child or another process that adds to the task parses is no part of its command line.
    if task._run is None or not task._run.is_ours or not _is_chosen(framework):
        return False
    mask(values.parameters)
    if values.left_out:
        from eventlog.sdk.watching import say_left_out

        say_left_out(task.id, {name: why for name, why in values.left_out.items() if _is_wanted(name)})
    stored = task._overriding_parameters()
    task._record(
        {
            name: parameter
            for name, parameter in values.parameters.items()
            if name not in stored and _is_wanted(name)
        },
        only_changes=True,
    )
    return True


def is_wanted(framework: str = "") -> bool:
    """Whether a command line is to be looked at: no, where a task is open that does not want to hear it."""
    task = current_task()
    return task is None or _is_chosen(framework)


def stored_values(section: str = ARGUMENTS) -> dict[str, Parameter]:
    """The stored parameters of a section that win over the script's, by name; few processes have any."""
    task = current_task()
    if task is not None:
        stored = task._overriding_parameters()
    elif (given := given_task_id()) and (found := _task_to_begin(given)):
        stored = found[1].parameters
    else:
        return {}
    return {
        name.partition("/")[2]: parameter
        for name, parameter in stored.items()
        if name.startswith(f"{section}/") and MASK not in parameter.value
    }


def stored_configuration(name: str) -> str:
    """The text of a stored configuration that wins over the script's, or ""."""
    from eventlog.sdk.configurations import full_text

    task = current_task()
    if task is not None:
        configuration = task._overriding_configurations().get(name)
        return "" if configuration is None else full_text(task._store, configuration)
    if (given := given_task_id()) and (found := _task_to_begin(given)):
        store, state = found
        return full_text(store, state.configurations[name]) if name in state.configurations else ""
    return ""


def mask(parameters: dict[str, Parameter]) -> None:
    """Mask what looks like a secret, by its name or its form."""
    for name, parameter in parameters.items():
        if not parameter.value or parameter.type in {"int", "float", "bool"}:
            continue
        short = name.rpartition("/")[2]
        if not _may_be_secret(short.lower(), parameter.value):
            continue
        from eventlog.sdk.secrets import mask_arguments

        masked = mask_arguments([f"--{short}={parameter.value}"])[0].partition("=")[2]
        if masked != parameter.value:
            parameters[name] = Parameter(masked, parameter.type, parameter.description)


@contextmanager
def inside() -> Iterator[None]:
    """A command line is being read: what is parsed inside, in this thread, is a part of that."""
    with muted(_GROUP):
        yield


def is_inside() -> bool:
    """Whether this thread is `inside`, or does something on behalf of automatic logging itself."""
    return is_muted(_GROUP)


def _is_chosen(framework: str) -> bool:
    chosen = choices()
    if framework and not chosen.wants(framework):
        return False
    # Those with a section of their own are not the argument parser's.
    return framework in _OWN_SECTION or chosen.wants_arguments()


def _is_wanted(full_name: str) -> bool:
    """Whether an argument is chosen: by its name or, of those of a command, by the last part of it."""
    section, _, name = full_name.partition("/")
    if section != ARGUMENTS:
        return True
    short = name.rpartition("/")[2]
    chosen = choices()
    is_named = isinstance(chosen.arguments, Mapping) and name in chosen.arguments
    return chosen.wants_argument(name if is_named else short)


def _may_be_secret(name: str, value: str) -> bool:
    """Whether it is worth to import what knows; most values are short words, and paths of such."""
    if any(hint in name for hint in _HINTS) or "://" in value:
        return True
    return len(value) >= _SHORTEST_KEY and any(len(word) >= _SHORTEST_KEY for word in value.split("/"))


def _task_to_begin(given: str) -> "tuple[Store, TaskState] | None":
    """What the task is that `Task.init` will take; None where it would not find it."""
    if given not in _to_begin:
        _to_begin[given] = None
        from eventlog.sdk.stores import find_state

        # Task.init is what raises it.
        with suppress(EventlogError):
            _to_begin[given] = find_state(given)
    return _to_begin[given]


def current_task() -> "Task | None":
    """The task that is open in this process, whatever it wants to hear."""
    from eventlog.sdk.task import Task

    # Reading a command line does not make a child process take part in its parent's task.
    return Task._open_task()


# Called with each task that begins.
at_begin: list[Callable[["Task"], None]] = []
# By framework.
_of_process: dict[str, Values] = {}
_of_next_task: dict[str, Values] = {}
_to_begin: "dict[str, tuple[Store, TaskState] | None]" = {}
_OWN_SECTION = frozenset({"hydra", "tfdefines"})
