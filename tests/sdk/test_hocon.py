"""What is written as HOCON reads back as it was, and HOCON that a person writes is understood."""

import math
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.errors import InputInvalid, NotAvailable
from eventlog.sdk.hocon import parse_hocon, to_hocon

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=5) | st.lists(values, max_size=5))
def test_what_is_written_reads_back_as_it_was(value: Any) -> None:
    again = parse_hocon(to_hocon(value))
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": {"c": [1, 2.5, None, True]}}, "a = 1\nb {\n  c = [1, 2.5, null, true]\n}"),
        ({"s": "t\nu", "p": Path("/x"), "t": (1, 2)}, 's = """t\nu"""\np = /x\nt = [1, 2]'),
        ({"y": "x y", "e": {}, "l": []}, 'y = "x y"\ne {}\nl = []'),
        ([1, {"a": 2}], "[1, {\n  a = 2\n}]"),
        (
            {"c": [{"d": 1}, {"e": {"f": 2}}]},
            "c = [{\n    d = 1\n  },\n  {\n    e {\n      f = 2\n    }\n  }]",
        ),
        ({"a.b": 1, "1": 2, "$k": 3, "a b": 4, "é": 5}, '"a.b" = 1\n"1" = 2\n"$k" = 3\na b = 4\né = 5'),
        ({"n": np.float32(1.5), "a": np.arange(2)}, "n = 1.5\na = [0, 1]"),
        ({1: 2, None: 3}, '"1" = 2\nNone = 3'),
        ({"b": b"x", "r": range(2), "d": deque([1])}, """b = "b'x'"\nr = [0, 1]\nd = [1]"""),
        ({}, "{}"),
    ],
    ids=range(10),
)
def test_the_text_is_what_clearml_writes(value: Any, text: str) -> None:
    assert to_hocon(value) == text


def test_hocon_as_a_person_writes_it() -> None:
    text = """
    # a comment
    server { port = 80, host : example.org }  // another
    server.host = "other.org"
    server { url = http://example.org/x }
    sizes = [
      1
      2.5, three
    ]
    sizes += 4
    time = 10 s
    "quoted.key" = yes
    text = \"\"\"two
lines, "quoted" \\n\"\"\"
    merged = {a : 1} {b = 2}
    nothing = null
    """
    assert parse_hocon(text) == {
        "server": {"port": 80, "host": "other.org", "url": "http://example.org/x"},
        "sizes": [1, 2.5, "three", 4],
        "time": "10 s",
        "quoted.key": "yes",
        "text": 'two\nlines, "quoted" \\n',
        "merged": {"a": 1, "b": 2},
        "nothing": None,
    }


def test_braces_around_the_whole_and_json_are_read() -> None:
    assert parse_hocon("{ a = 1 }") == {"a": 1}
    assert parse_hocon('{"a": [1, {"b": "c"}]}') == {"a": [1, {"b": "c"}]}
    assert parse_hocon("[1, two]") == [1, "two"]
    assert math.isnan(parse_hocon("a = nan")["a"])


@pytest.mark.parametrize("text", ["hello", "a =", "a {", "[1", "}", "a = ]", '"a', 'a = "\\q"', "a = {} x"])
def test_what_is_no_hocon_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputInvalid, match=r"^the configuration is neither JSON nor HOCON.*$"):
        parse_hocon(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    if "${" in text or "include" in text:
        return
    try:
        parse_hocon(text)
    except InputInvalid:
        pass
    except NotImplementedError:
        assert "$" in text


def test_what_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {"a": []}
    value["a"].append(value)
    with pytest.raises(InputInvalid, match="contains itself"):
        to_hocon(value)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InputInvalid, match="nested too deeply"):
        to_hocon(deep)
    with pytest.raises(InputInvalid, match="nested too deeply"):
        parse_hocon("[" * 100_000)


def test_substitutions_are_left_to_pyhocon() -> None:
    text = "a = 1\nb = ${a}"
    try:
        import pyhocon  # noqa: F401
    except ImportError:
        with pytest.raises(NotAvailable, match=r"eventlog\[hocon\]"):
            parse_hocon(text)
    else:
        assert parse_hocon(text) == {"a": 1, "b": 1}
