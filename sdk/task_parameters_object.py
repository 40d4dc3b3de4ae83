"""`TaskParameters`: a class whose attributes are parameters, with types and limits that are checked.

::

    class Training(TaskParameters):
        epochs = param(type=int, desc="passes over the data", range=(1, 1000), default=10)
        dropout = percent_param(default=0.5)

    task.connect(Training())
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from eventlog.errors import InputInvalid

if TYPE_CHECKING:
    from eventlog.sdk.task_parameters import TaskParameters as Task

__all__ = ["TaskParameters", "param", "percent_param"]

_NONE = object()
Validator = Callable[[Any, "_Parameter", Any], Any]


class _Parameter:
    """One parameter of a class, as `param` describes it.

    Attributes:
        name: of the attribute.
        default: its value where none is given; `factory` makes one instead.
        type, limits, description, metadata: as given.
    """

    def __init__(
        self,
        default: Any,
        factory: Callable[[], Any] | None,
        converter: Callable[[Any], Any] | None,
        kind: type | None,
        limits: tuple[Any, Any] | None,
        validators: Sequence[Validator],
        description: str | None,
        metadata: Mapping[str, Any] | None,
        keyword_only: bool,
    ) -> None:
        self.name = ""
        self.default = default
        self.factory = factory
        self.converter = converter
        self.type = kind
        self.limits = limits
        self.validators = validators
        self.description = description
        self.metadata = dict(metadata or {})
        self.keyword_only = keyword_only

    def __repr__(self) -> str:
        return f"<param {self.name} {self.type.__name__ if self.type else 'of any type'}>"

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is _NONE and self.factory is None

    def initial(self) -> Any:
        """Its value where none is given."""
        return self.factory() if self.factory is not None else self.default

    def check(self, thing: Any, value: Any) -> Any:
        """The value to keep.

        Raises:
            InputInvalid: it is of another type, or outside the limits.
        """
        if self.converter is not None:
            value = self.converter(value)
        if self.type is not None and value is not None and not isinstance(value, self.type):
            raise InputInvalid(f"parameter {self.name} must be {self.type.__name__}, not {value!r}")
        if self.limits is not None and value is not None:
            low, high = self.limits
            if (low is not None and value < low) or (high is not None and value > high):
                raise InputInvalid(f"parameter {self.name} must be in range [{low}, {high}], not {value!r}")
        for validator in self.validators:
            validator(thing, self, value)
        return value


def param(
    validator: Validator | Sequence[Validator] | None = None,
    range: tuple[Any, Any] | None = None,  # noqa: A002
    type: type | None = None,  # noqa: A002
    desc: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    default: Any = _NONE,
    factory: Callable[[], Any] | None = None,
    converter: Callable[[Any], Any] | None = None,
    kw_only: bool = False,
) -> Any:
    """A parameter of a subclass of `TaskParameters`.

    Args:
        validator: called with the object, the parameter and the value, and raises where it is wrong; or
            several of these.
        range: the smallest and the largest value, None for no limit.
        type: what it must be; any type by default. None is always allowed.
        desc: for a person.
        metadata: for the caller.
        default: its value where none is given; without one it must be given.
        factory: makes the default.
        converter: makes what is kept from what is given.
        kw_only: it is given by name alone.
    """
    validators: Any = [] if validator is None else validator
    return _Parameter(
        default,
        factory,
        converter,
        type,
        range,
        [validators] if callable(validators) else list(validators),
        desc,
        metadata,
        kw_only,
    )


def percent_param(**more: Any) -> Any:
    """A parameter from 0 to 1, a float; the other arguments are those of `param`."""
    return param(type=float, range=(0, 1), **more)


class TaskParameters:
    """The base of classes whose attributes are parameters, made with `param`.

    Their arguments are the parameters in the order in which the class has them, checked when they are given.
    """

    _parameters: ClassVar[dict[str, _Parameter]] = {}

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        own = {name: one for name, one in vars(cls).items() if isinstance(one, _Parameter)}
        cls._parameters = {**cls._parameters, **own}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kind, parameters = type(self).__name__, self._parameters
        by_place = [name for name, one in parameters.items() if not one.keyword_only]
        if len(args) > len(by_place):
            raise InputInvalid(f"{kind} has {len(by_place)} parameters, not {len(args)}")
        given = dict(zip(by_place, args, strict=False))
        for name, value in kwargs.items():
            if name not in parameters or name in given:
                raise InputInvalid(
                    f"{kind} has no parameter {name}" if name not in given else f"{kind} got {name} twice"
                )
            given[name] = value
        for name, one in parameters.items():
            if name not in given and one.is_required:
                raise InputInvalid(f"{kind} needs a value for parameter {name}")
            setattr(self, name, one.check(self, given[name] if name in given else one.initial()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({shown})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """A new dictionary of all parameters."""
        return {name: getattr(self, name) for name in self._parameters}

    def update_from_dict(self, source_dict: Mapping[str, Any]) -> None:
        """Set some parameters.

        Raises:
            InputInvalid: there is no parameter of a name.
        """
        for name in source_dict:
            if name not in self._parameters:
                raise InputInvalid(f"{type(self).__name__} has no parameter {name!r}: unknown key")
        for name, value in source_dict.items():
            setattr(self, name, value)

    def connect(self, task: "Task", name: str | None = None) -> "TaskParameters":
        """As ``task.connect(self)``; returns this object."""
        task.connect(self, name=name)
        return self
