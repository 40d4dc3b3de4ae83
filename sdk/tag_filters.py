"""ClearML's tag lists, such as ``["a", "-b"]`` and ``["__$all", "a", "b", "__$not", "c"]``.

A list is cut into groups by "__$all" and "__$any" (also "__$and" and "__$or"), and all groups must hold.
"__$not" is about the one tag after it. Before the first operator any of the tags will do, and none of those
that begin with "-" or come after "__$not" may be there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

__all__ = ["TagFilter"]

_OPERATORS = {"__$all": "all", "__$and": "all", "__$any": "any", "__$or": "any", "__$not": "not"}


@dataclass
class _Group:
    """Tags that are all to be there, or any of them; and those of which the same holds when they are not."""

    operator: str
    wanted: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)

    def holds(self, tags: Collection[str]) -> bool:
        found = [tag in tags for tag in self.wanted]
        missing = [tag not in tags for tag in self.unwanted]
        return all(found + missing) if self.operator == "all" else any(found + missing)


class TagFilter:
    """What a tag list asks for.

    Attributes:
        simple: tags for `TaskQuery`, which an index answers, with "-" before those that may not be there.
        together: all of them at once, not any of them.

    Args:
        tags: the list.
    """

    def __init__(self, tags: Sequence[str]) -> None:
        self._excluded: list[str] = []
        groups = [_Group("")]
        negated = False
        for tag in tags:
            operator = _OPERATORS.get(tag)
            if operator == "not":
                negated = True
                continue
            if operator is not None:
                groups.append(_Group(operator))
            elif negated and groups[-1].operator == "any":
                groups[-1].unwanted.append(tag)
            elif negated or tag.startswith("-"):
                self._excluded.append(tag if negated else tag[1:])
            else:
                groups[-1].wanted.append(tag)
            negated = False
        self._groups = [group for group in groups if group.wanted or group.unwanted]
        only = self._groups[0] if len(self._groups) == 1 and not self._groups[0].unwanted else None
        self.is_simple = only is not None or not self._groups
        wanted = only.wanted if only is not None else []
        self.simple = [*wanted, *(f"-{tag}" for tag in self._excluded)]
        self.together = only is not None and only.operator == "all"

    def __repr__(self) -> str:
        return f"<TagFilter {self._groups or 'any'} without {self._excluded or 'none'}>"

    def holds(self, tags: Collection[str]) -> bool:
        """Whether a task with these tags is meant."""
        return all(group.holds(tags) for group in self._groups) and not any(
            tag in tags for tag in self._excluded
        )
