"""The functions of ClearML's inner modules do what ClearML's do: the expected values are its answers."""

import hashlib
import random
from pathlib import Path

import pytest

from eventlog.sdk import clearml_functions as functions


def test_dictionaries_become_flat_and_nested_again() -> None:
    nested = {"a": {"b": 1, "c": {}}, "d": [1, {"x": 2}], 3: {4: 5}, "e": None}
    flat = {"a/b": 1, "a/c": {}, "d": [1, {"x": 2}], "3/4": 5, "e": None}
    assert functions.flatten_dictionary(nested) == flat
    assert functions.flatten_dictionary({"a": {"b": 1}}, prefix="P/") == {"P/a/b": 1}
    assert functions.flatten_dictionary({"a": {"b": 1}}, sep=".") == {"a.b": 1}
    assert functions.naive_nested_from_flat_dictionary({"a/b": 1, "a/c": 2, "d": 3}) == {
        "a": {"b": 1, "c": 2},
        "d": 3,
    }
    assert functions.nested_from_flat_dictionary({"a": {"b": 1}, "d": 3}, {"a/b": 7, "d": 9}) == {
        "a": {"b": 7},
        "d": 9,
    }


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "int"),
        (1.5, "float"),
        (True, "bool"),
        ([1, 2], "list/int"),
        ({"a": 1}, "dict/int"),
        ((1,), "tuple/int"),
        (None, "NoneType"),
        ("x", "str"),
        ([1, "a"], "list"),
        ([], "list"),
    ],
)
def test_types_have_names(value: object, name: str) -> None:
    assert functions.get_basic_type(value) == name


def test_texts_are_cast_to_the_type_of_a_name() -> None:
    assert functions.cast_basic_type("1", "int") == 1
    assert functions.cast_basic_type("[1, 2]", "list") == [1, 2]
    assert functions.cast_basic_type("True", "bool") is True
    assert functions.cast_basic_type("x", "int") == "x"


def test_truths_are_read() -> None:
    asked = ("true", "False", "1", "no", "off", "yes", "abc", None, 1)
    expected = [True, False, True, None, None, None, None, None, True]
    assert [functions.cast_str_to_bool(value) for value in asked] == expected


def test_dictionaries_are_merged_in_depth() -> None:
    assert functions.merge_dicts({"a": {"b": 1}}, {"a": {"c": 2}, "d": 1}) == {"a": {"b": 1, "c": 2}, "d": 1}


def test_a_file_is_hashed_with_and_without_its_header(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"header" + b"x" * 100_000)
    rest, whole = hashlib.sha256(b"x" * 100_000).hexdigest(), hashlib.sha256(path.read_bytes()).hexdigest()
    assert functions.sha256sum(str(path), skip_header=6) == (rest, whole)
    assert functions.sha256sum(str(path)) == (whole, None)


def test_which_of_several_processes_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(variable, raising=False)
    assert (functions.get_node_id(), functions.get_node_count(), functions.get_is_master_node()) == (
        0,
        None,
        True,
    )
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (functions.get_node_id(), functions.get_node_count(), functions.get_is_master_node()) == (
        2,
        4,
        False,
    )


def test_a_seed_makes_numbers_repeat() -> None:
    functions.make_deterministic(3)
    first = random.random()
    functions.make_deterministic(3)
    assert random.random() == first
