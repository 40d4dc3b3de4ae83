"""Sets of ordinals: what goes in comes out, few or many."""

from hypothesis import given
from hypothesis import strategies as st

from eventlog.projections import bitmaps

PLACES = st.sets(st.one_of(st.integers(0, 700), st.integers(0, bitmaps.CHUNK - 1)), max_size=60)
RUNS = st.builds(
    lambda first, size: set(range(first, first + size)), st.integers(0, 900), st.integers(0, 800)
)


@given(members=PLACES)
def test_a_set_is_its_members(members: set[int]) -> None:
    bits = bitmaps.from_numbers(members, bitmaps.CHUNK)
    assert bitmaps.numbers(bits) == sorted(members)
    assert bits.bit_count() == len(members)


@given(changes=st.lists(st.tuples(PLACES | RUNS, PLACES | RUNS), max_size=6))
def test_a_chunk_is_what_came_and_did_not_go(changes: list[tuple[set[int], set[int]]]) -> None:
    data: bytes | None = None
    members: set[int] = set()
    for added, chosen in changes:
        removed = chosen - added
        data = bitmaps.change_chunk(data, sorted(added), sorted(removed))
        members = (members | added) - removed
        assert (data is None) == (not members)
        if data is not None:
            assert bitmaps.numbers(bitmaps.join_chunks([(0, data)])) == sorted(members)
            assert len(data) == (2 * len(members) if len(members) <= 512 else 8192)


def test_chunks_lie_one_behind_the_other() -> None:
    few = bitmaps.change_chunk(None, [0, 5], [])
    many = bitmaps.change_chunk(None, list(range(1000)), [])
    assert few is not None
    assert many is not None
    joined = bitmaps.numbers(bitmaps.join_chunks([(0, few), (2, many)]))
    assert joined == [0, 5, *range(2 * 65536, 2 * 65536 + 1000)]
