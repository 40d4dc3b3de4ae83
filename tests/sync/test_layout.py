import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.sync.layout import (
    Segment,
    covering,
    is_digest,
    is_temporary,
    marker_format,
    parse_segment,
    uncovered,
)

STORE = bytes(range(16))
NUMBERS = st.integers(0, 30)
SEGMENTS = st.lists(
    st.builds(
        lambda a, b, mark: Segment(min(a, b), max(a, b), f"{mark:016x}", STORE, 100),
        NUMBERS,
        NUMBERS,
        st.integers(0, 3),
    )
)


@given(SEGMENTS, NUMBERS)
def test_what_is_uncovered_is_each_number_that_no_segment_holds(segments: list[Segment], last: int) -> None:
    held = {number for segment in segments for number in range(segment.first, segment.last + 1)}
    gaps = uncovered(segments, last)
    assert [number for first, end in gaps for number in range(first, end + 1)] == [
        number for number in range(last + 1) if number not in held
    ]


@given(SEGMENTS, NUMBERS)
def test_a_number_is_covered_by_the_segment_that_reaches_furthest(
    segments: list[Segment], number: int
) -> None:
    holding = [segment for segment in segments if segment.first <= number <= segment.last]
    chosen = covering(segments, number)
    assert (chosen is None) == (not holding)
    if chosen is not None:
        assert chosen in holding
        assert chosen.last == max(segment.last for segment in holding)


@given(NUMBERS, NUMBERS, st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16))
def test_a_segment_is_read_back_from_its_name(a: int, b: int, mark: bytes, store: bytes) -> None:
    segment = Segment(min(a, b), max(a, b), mark.hex(), store, 7)
    assert parse_segment(segment.object.removeprefix("stores/"), 7) == segment


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/000000000000-000000000001-0123456789abcdef.segment",
        f"{STORE.hex()}/../000000000000-000000000001-0123456789abcdef.segment",
        f"{STORE.hex()}/000000000000-000000000001-0123456789abcdef.segment/x",
        f"{STORE.hex()}/000000000000-000000000001-0123456789abcdef.segment\n",
        f"{STORE.hex()}/000000000002-000000000001-0123456789abcdef.segment",
        f"{STORE.hex()}/00000000000٣-000000000009-0123456789abcdef.segment",
        f"{STORE.hex()}/0-1-0123456789abcdef.segment",
        f"{STORE.hex().upper()}/000000000000-000000000001-0123456789ABCDEF.segment",
        f"{STORE.hex()}/000000000000-000000000001-0123456789abcdef.segment.part",
        "",
    ],
)
def test_a_name_that_is_not_a_segments_to_the_letter_is_none(name: str) -> None:
    assert parse_segment(name, 1) is None


def test_names_that_are_no_digests_are_told_apart() -> None:
    assert is_digest("0a" * 32)
    for name in ("", "0A" * 32, "0a" * 31, "0a" * 32 + "\n", "../" + "0a" * 31 + "0", "٣" * 64):
        assert not is_digest(name)
    assert is_temporary("0a" * 16)
    assert not is_temporary("notes.txt")


def test_a_marker_states_its_format_and_nothing_else_is_one() -> None:
    assert marker_format(b"eventlog remote 1\n") == 1
    assert marker_format(b"eventlog remote 27\n") == 27
    for text in (b"", b"eventlog remote 1", b"eventlog remote 0\n", b"eventlog remote 1\n\n", b"hello\n"):
        assert marker_format(text) is None
