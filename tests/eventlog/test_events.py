"""Events: written and read back the same; what is not one is named; what is unknown is kept as it was."""

import contextlib
import math
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from eventlog import events
from eventlog.errors import DataCorrupt
from eventlog.events import EVENT_KINDS, REPORTS, Event, Unknown, decode_event, decode_events, encode_event
from tests.eventlog.memory import at_most
from tests.eventlog.processes import TASK

texts = some.text(max_size=20)
VALUES: dict[Any, Any] = {
    int: some.integers(-(2**63), 2**64 - 1),
    str: texts,
    bool: some.booleans(),
    float: some.floats(),
    list[str]: some.lists(texts, max_size=3),
    str | None: some.none() | texts,
    int | None: some.none() | some.integers(-(2**63), 2**64 - 1),
    list[str] | None: some.none() | some.lists(texts, max_size=3),
    dict[str, int]: some.dictionaries(texts, some.integers(-(2**63), 2**64 - 1), max_size=3),
    dict[str, int] | None: some.none()
    | some.dictionaries(texts, some.integers(-(2**63), 2**64 - 1), max_size=3),
    dict[str, str]: some.dictionaries(texts, texts, max_size=3),
    dict[str, events.Parameter]: some.dictionaries(
        texts, some.builds(events.Parameter, texts, texts, texts), max_size=3
    ),
}


def of_kind(kind: type[Event]) -> some.SearchStrategy[Event]:
    hints = get_type_hints(kind)
    fields = {name: VALUES[hints[name]] for name in kind.__struct_fields__}
    fields |= {"time": some.integers(0, 2**48), "task": texts}
    return some.builds(kind, **fields)


any_event = some.one_of([of_kind(kind) for kind in EVENT_KINDS.values()])


def same(one: Any, other: Any) -> bool:
    """Equal, NaN being equal to itself."""
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, msgspec.Struct):
        fields = one.__struct_fields__
        return type(one) is type(other) and all(same(getattr(one, f), getattr(other, f)) for f in fields)
    return type(one) is type(other) and one == other


@given(any_event)
def test_an_event_is_read_back_as_it_was_written(event: Event) -> None:
    assert same(decode_event(encode_event(event)), event)


@given(some.lists(any_event, max_size=5))
def test_an_array_of_events_is_read_back_as_it_was_written(written: list[Event]) -> None:
    read = decode_events(b"\xdd" + len(written).to_bytes(4, "big") + b"".join(map(encode_event, written)))
    assert len(read) == len(written)
    assert all(same(one, other) for one, other in zip(read, written, strict=True))


@given(any_event)
def test_an_event_begins_with_its_kind_its_time_and_its_task(event: Event) -> None:
    kind, time, task, *rest = msgspec.msgpack.decode(encode_event(event))
    assert (kind, time, task) == (type(event).__name__, event.time, event.task)
    assert len(rest) == len(event.__struct_fields__) - 2


@given(any_event, some.lists(some.none() | texts | some.integers(0, 9) | some.lists(texts), max_size=3))
def test_fields_of_a_newer_version_are_passed_over(event: Event, newer: list[object]) -> None:
    fields = msgspec.msgpack.decode(encode_event(event))
    assert same(decode_event(msgspec.msgpack.encode([*fields, *newer])), event)


@pytest.mark.parametrize("kind", EVENT_KINDS.values())
def test_what_an_older_version_wrote_is_read_with_the_defaults_of_what_it_did_not_know(
    kind: type[Event],
) -> None:
    given_fields = [
        field
        for field in msgspec.structs.fields(kind)
        if field.default is field.default_factory is msgspec.NODEFAULT
    ]
    values = {int: 5, str: "x", float: 0.5, list[str]: ["x"]}
    values |= {dict[str, events.Parameter]: {}, dict[str, int]: {}}
    older = [kind.__name__, *(values[field.type] for field in given_fields)]
    event = decode_event(msgspec.msgpack.encode(older))
    assert type(event) is kind
    for field in msgspec.structs.fields(kind)[len(given_fields) :]:
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        assert getattr(event, field.name) == default


@given(texts.filter(lambda name: name not in EVENT_KINDS), some.lists(texts | some.floats(), max_size=4))
def test_an_event_of_an_unknown_kind_is_kept_byte_for_byte(kind: str, fields: list[object]) -> None:
    data = msgspec.msgpack.encode([kind, 17, TASK, *fields])
    event = decode_event(data)
    assert event == Unknown(17, TASK, kind, data)
    assert not event.is_report
    known = encode_event(events.ProgressSet(18, TASK, 5))
    assert decode_events(b"\x92" + data + known) == [event, events.ProgressSet(18, TASK, 5)]


def test_an_event_of_a_known_kind_with_fields_that_cannot_be_read_is_unknown() -> None:
    data = msgspec.msgpack.encode(["ProgressSet", 17, TASK, "half"])
    assert decode_event(data) == Unknown(17, TASK, "ProgressSet", data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",
        b"\x90",
        b"\x05",
        msgspec.msgpack.encode(["ProgressSet"]),
        msgspec.msgpack.encode(["ProgressSet", "17", TASK]),
        msgspec.msgpack.encode([5, 17, TASK]),
        msgspec.msgpack.encode({"ProgressSet": 17}),
        msgspec.msgpack.encode(["ProgressSet", 17, TASK, 5])[:-1],
        msgspec.msgpack.encode(["ProgressSet", 17, TASK, 5]) + b"\0",
        b"\x94\xabProgressSet\x11\xa2\xff\xfe\x05",
        b"\x93\xa3New\x11" + b"\x91" * 100_000,
        b"\x93\xa3New\x11\xdd\xff\xff\xff\xff",
        b"\x93\xa3New\x11\xc6\xff\xff\xff\xff",
        b"\x94\xa3New\x11\xa0\xd7\xff" + b"\xff" * 8,
    ],
)
def test_what_is_no_event_is_named_so(data: bytes) -> None:
    with pytest.raises(DataCorrupt, match="not an event"):
        decode_event(data)
    with pytest.raises(DataCorrupt, match=r"not an (event|array of events)"):
        decode_events(b"\x91" + data)


@given(some.sampled_from([b"", b"\x91", b"\x92", b"\x94"]), some.binary(max_size=200))
@settings(max_examples=500)
def test_arbitrary_bytes_are_events_or_named_as_none(start: bytes, data: bytes) -> None:
    for decode in (decode_event, decode_events):
        with contextlib.suppress(DataCorrupt):
            decode(start + data)


@given(some.lists(any_event, min_size=1, max_size=3), some.data())
def test_damaged_events_are_events_or_named_as_none(written: list[Event], data: some.DataObject) -> None:
    raw = bytearray(b"\xdd" + len(written).to_bytes(4, "big") + b"".join(map(encode_event, written)))
    place = data.draw(some.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(some.integers(1, 255))
    with contextlib.suppress(DataCorrupt):
        decode_events(bytes(raw[: data.draw(some.integers(0, len(raw)))]))


def test_bytes_that_promise_much_take_little_memory() -> None:
    promising = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdd\x7f\xff\xff\xff\x91",
        b"\x91\xdb\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
    ]
    with at_most(1 << 20):
        for data in promising:
            with pytest.raises(DataCorrupt):
                decode_events(data * 1000)


def test_reports_are_the_kinds_that_say_so() -> None:
    assert {kind.__name__ for kind in REPORTS} == {
        "ScalarReported",
        "TextReported",
        "PlotReported",
        "MediaReported",
    }
    assert set(EVENT_KINDS) == {kind.__name__ for kind in EVENT_KINDS.values()}
