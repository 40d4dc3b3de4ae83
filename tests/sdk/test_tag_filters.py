"""ClearML's tag lists mean what its documentation says."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.sdk.tag_filters import TagFilter

TAGS = "abcdefg"


@pytest.mark.parametrize(
    ("tags", "meaning"),
    [
        ([], lambda t: True),
        (["a", "b"], lambda t: "a" in t or "b" in t),
        (["a", "-b"], lambda t: "a" in t and "b" not in t),
        (["-a", "-b"], lambda t: "a" not in t and "b" not in t),
        (["__$all", "a", "b"], lambda t: "a" in t and "b" in t),
        (["__$all", "a", "__$not", "b", "__$not", "c"], lambda t: "a" in t and not {"b", "c"} & t),
        (
            ["__$all", "a", "b", "c", "__$or", "d", "__$not", "e", "__$and", "__$or", "f", "g"],
            lambda t: {"a", "b", "c"} <= t and ("d" in t or "e" not in t) and ("f" in t or "g" in t),
        ),
        (["__$any", "a", "b", "-c"], lambda t: bool({"a", "b"} & t) and "c" not in t),
    ],
)
@given(has=st.sets(st.sampled_from(TAGS)))
def test_a_list_means_what_the_documentation_says(
    tags: list[str], meaning: Callable[[set[str]], bool], has: set[str]
) -> None:
    assert TagFilter(tags).holds(has) is meaning(has)


@given(
    tags=st.lists(st.sampled_from([*TAGS, "-a", "-b", "__$all", "__$or", "__$not"])),
    has=st.sets(st.sampled_from(TAGS)),
)
def test_what_the_index_is_asked_finds_the_same(tags: list[str], has: set[str]) -> None:
    asked = TagFilter(tags)
    if asked.is_simple:
        wanted = [tag for tag in asked.simple if not tag.startswith("-")]
        excluded = [tag[1:] for tag in asked.simple if tag.startswith("-")]
        found = (all if asked.together else any)(tag in has for tag in wanted) or not wanted
        assert asked.holds(has) is (found and not has.intersection(excluded))
