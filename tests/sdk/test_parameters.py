"""A parameter is kept as text, under its section, and comes back as the value it was."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.errors import InputInvalid
from eventlog.sdk.parameters import (
    cast_parameter,
    flatten_parameters,
    full_name,
    nest_parameters,
    to_parameter,
    to_parameters,
)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
# Infinity comes back by itself, and in what JSON can hold; Python has no literal for it.
values = st.sampled_from([math.inf, -math.inf, [math.inf], (math.inf,), {"a": -math.inf}]) | st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=10,
)
names = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=8)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    return one == other if type(one) is type(other) is int else repr(one) == repr(other)


@given(values)
def test_built_in_values_come_back_as_they_were(value: Any) -> None:
    assert same(cast_parameter(to_parameter(value)), value)


@pytest.mark.parametrize(
    ("value", "text", "kind", "back"),
    [
        (7, "7", "int", 7),
        (0.5, "0.5", "float", 0.5),
        (True, "True", "bool", True),
        (None, "", "", None),
        ("5", "5", "str", "5"),
        ([1, 2], "[1, 2]", "list/int", [1, 2]),
        ((1, 2), "[1, 2]", "tuple/int", (1, 2)),
        ({"a": [1, None]}, '{"a": [1, null]}', "dict/list", {"a": [1, None]}),
        ({1: "a"}, "{1: 'a'}", "dict/str", {1: "a"}),
        (set(), "set()", "set", set()),
        (1 + 2j, "(1+2j)", "complex", 1 + 2j),
        (b"x", "b'x'", "bytes", b"x"),
        (np.float32(1.5), "1.5", "float", 1.5),
        (np.int64(3), "3", "int", 3),
        (np.bool_(True), "True", "bool", True),
        (np.str_("a"), "a", "str", "a"),
        ([np.int64(3)], "[3]", "list/int64", [3]),
        (Path("/x"), "/x", "PosixPath", "/x"),
        (math.inf, "inf", "float", math.inf),
        (-(2**20_000), "-0x1" + "0" * 5000, "int", -(2**20_000)),
    ],
    ids=range(20),
)
def test_the_text_is_what_a_person_would_write(value: Any, text: str, kind: str, back: Any) -> None:
    parameter = to_parameter(value)
    assert (parameter.value, parameter.type) == (text, kind)
    assert same(cast_parameter(parameter), back)


def test_not_a_number_comes_back() -> None:
    assert math.isnan(cast_parameter(to_parameter(math.nan)))
    assert math.isnan(cast_parameter(to_parameter([math.nan]))[0])


def test_a_type_that_was_said_beats_the_values_own() -> None:
    assert cast_parameter(to_parameter("5", value_type=float)) == 5.0
    assert cast_parameter(to_parameter("x", value_type=int)) == "x"


def test_text_that_is_no_value_of_its_type_is_given_back_as_text() -> None:
    parameter = to_parameter([1])
    for broken in ("[", "__import__('os')", "9" * 10_000):
        assert cast_parameter(type(parameter)(broken, "list")) in (broken, None)
    assert cast_parameter(type(parameter)("9" * 10_000, "int")) == "9" * 10_000


def test_a_name_without_a_section_is_in_general() -> None:
    assert full_name("lr") == "General/lr"
    assert full_name("Args/lr") == "Args/lr"
    assert full_name("a/b/c") == "a/b/c"
    assert full_name(3) == "General/3"


@pytest.mark.parametrize("name", ["", "/", "/x", "x/"])
def test_a_name_with_an_empty_part_is_refused(name: str) -> None:
    with pytest.raises(InputInvalid, match="cannot be named"):
        full_name(name)


def test_dictionaries_and_keywords_are_taken_together_and_the_last_counts() -> None:
    found = to_parameters(({"a": 1, "b": 1}, {"b": 2}), {"c": 3})
    assert {name: parameter.value for name, parameter in found.items()} == {
        "General/a": "1",
        "General/b": "2",
        "General/c": "3",
    }


def test_what_is_no_dictionary_is_refused() -> None:
    with pytest.raises(InputInvalid, match="must be given as a dictionary"):
        to_parameters((5,), {})


def test_a_value_of_more_than_64_kib_is_refused() -> None:
    assert to_parameter("x" * (64 << 10)).value
    with pytest.raises(InputInvalid, match="artifact"):
        to_parameter("x" * ((64 << 10) + 1))


def test_half_of_a_surrogate_pair_does_not_spoil_an_event() -> None:
    assert to_parameter("a\ud800b").value == "a?b"


def test_nested_dictionaries_become_sections() -> None:
    nested = {"sd": {"q": {"r": 1}, "l": [1], "e": {}}, "top": 3, "a/b": {"c": 4}}
    assert flatten_parameters(nested) == {"sd/q/r": 1, "sd/l": [1], "sd/e": {}, "top": 3, "a/b/c": 4}


@given(
    st.dictionaries(
        names,
        st.recursive(scalars, lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3)),
        max_size=4,
    )
)
def test_nesting_undoes_flattening(nested: dict[str, Any]) -> None:
    assert nest_parameters(flatten_parameters(nested)) == nested


def test_names_that_continue_each_other_are_all_kept() -> None:
    assert nest_parameters({"a/b": 1, "a/b/c": 2, "a/b/d/e": 3}) == {"a": {"b": 1, "b/c": 2, "b/d/e": 3}}


class Speechless:
    def __repr__(self) -> str:
        raise RuntimeError("half made")


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [Speechless(), [Speechless()], {"a": Speechless()}, (Speechless(),), {Speechless()}, deep(100_000)],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_a_text_is_refused_in_one_line(value: Any) -> None:
    with pytest.raises(InputInvalid, match=rf"^a parameter of type {type(value).__name__} .*$"):
        to_parameter(value)


def test_a_list_that_contains_itself_is_kept_as_it_is_shown() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert to_parameter(value).value == "[1, [...]]"


def test_a_dictionary_of_sections_that_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["a"] = value
    with pytest.raises(InputInvalid, match="contain themselves"):
        flatten_parameters(value)


def test_a_name_is_kept_as_far_as_utf_8_has_a_form_for_it() -> None:
    assert full_name("half \ud800 pair") == "General/half ? pair"
    for name in (Speechless(), deep(100_000)):
        with pytest.raises(InputInvalid, match="cannot be written as text"):
            full_name(name)


def test_a_type_to_cast_to_may_be_anything() -> None:
    assert to_parameter(1, value_type=float).type == "float"
    assert to_parameter(1, value_type=3).type == "3"
