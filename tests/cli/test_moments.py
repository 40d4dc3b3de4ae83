import os
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.cli.moments import duration, how_long_ago, iso, local, local_times, moment, size
from eventlog.errors import InputInvalid

NOW = datetime(2026, 11, 20, 14, 30, 15, 500_000, UTC).timestamp()


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch):
    """A zone with summer time, an hour or two east of UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20 14:00", "2026-11-20T13:00:00.000Z"),
        ("2026-07-20 14:00", "2026-07-20T12:00:00.000Z"),
        ("2026-11-20T14:00:05.250", "2026-11-20T13:00:05.250Z"),
        ("2026-11-20T14:00:05Z", "2026-11-20T14:00:05.000Z"),
        ("2026-11-20T14:00+05:30", "2026-11-20T08:30:00.000Z"),
        ("2026-11-20", "2026-11-19T23:00:00.000Z"),
        ("14:00", "2026-11-20T13:00:00.000Z"),
        ("9:05", "2026-11-20T08:05:00.000Z"),
        ("14:00:05.5", "2026-11-20T13:00:05.500Z"),
        ("now", "2026-11-20T14:30:15.500Z"),
        ("today", "2026-11-19T23:00:00.000Z"),
        ("Yesterday 14:00", "2026-11-19T13:00:00.000Z"),
        ("5m", "2026-11-20T14:25:15.500Z"),
        ("10 minutes ago", "2026-11-20T14:20:15.500Z"),
        ("1h 30m", "2026-11-20T13:00:15.500Z"),
        ("2 days, 1 hour ago", "2026-11-18T13:30:15.500Z"),
        ("250 ms", "2026-11-20T14:30:15.250Z"),
    ],
)
def test_a_time_is_understood_as_a_person_means_it(text: str, meant: str) -> None:
    assert iso(moment(text, NOW)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "5 parsecs",
        "25:00",
        "2026-13-01",
        "14:0",
        "ago",
        "999999999 weeks ago",
        "tomorrow 14:00",
        "1e3",
    ],
)
def test_what_is_no_time_is_refused_with_the_ways_to_write_one(text: str) -> None:
    with pytest.raises(InputInvalid, match="is not a time; write '2026-11-20 14:00'") as caught:
        moment(text, NOW)
    assert repr(text)[1:-1] in str(caught.value)


@given(st.text(max_size=30))
def test_whatever_is_typed_gives_a_time_or_an_error_of_the_tree(text: str) -> None:
    try:
        assert isinstance(moment(text, NOW), int)
    except InputInvalid:
        pass


@given(st.integers(min_value=1, max_value=4_102_444_800_000))
def test_a_time_as_it_is_printed_can_be_typed_again(milliseconds: int) -> None:
    printed = iso(milliseconds)
    assert printed is not None
    assert moment(printed) == milliseconds


@given(st.integers(min_value=1, max_value=4_102_444_800_000))
def test_a_local_time_as_it_is_printed_can_be_typed_again(milliseconds: int) -> None:
    os.environ["TZ"] = "UTC"  # where no hour comes twice
    time.tzset()
    assert moment(local(milliseconds, precise=True)) == milliseconds
    assert moment(local(milliseconds)) == milliseconds // 1000 * 1000


@pytest.mark.parametrize("nothing", [None, 0])
def test_no_time_prints_as_nothing(nothing: int | None) -> None:
    assert iso(nothing) is None
    assert local(nothing) == ""


@pytest.mark.parametrize("time_from_elsewhere", [1 << 62, -(1 << 62)])
def test_a_time_out_of_range_does_not_stop_a_page(time_from_elsewhere: int) -> None:
    assert iso(time_from_elsewhere) is None
    assert local(time_from_elsewhere) == f"{time_from_elsewhere} ms"
    assert how_long_ago(time_from_elsewhere, NOW)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s ago"),
        (59.9, "59s ago"),
        (60, "1m ago"),
        (7200, "2h ago"),
        (8 * 86_400, "8d ago"),
        (-0.5, "0s ago"),
        (-130, "in 2m"),
    ],
)
def test_the_recent_past_is_said_in_the_largest_unit(seconds: float, said: str) -> None:
    assert how_long_ago(round((NOW - seconds) * 1000), NOW) == said


def test_long_ago_is_a_date() -> None:
    assert how_long_ago(round((NOW - 40 * 86_400) * 1000), NOW) == "2026-10-11"


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0.00 s"),
        (250, "0.25 s"),
        (12_400, "12.4 s"),
        (59_700, "1 min"),
        (200_000, "3 min 20 s"),
        (3_599_900, "1 h"),
        (18_720_000, "5 h 12 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_units_at_most(milliseconds: int, said: str) -> None:
    assert duration(milliseconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_500, "1.0 MB"),
        (123_456_789, "123 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_a_size_has_two_or_three_digits(count: int, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    "zone_name", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Monrovia"]
)
def test_many_local_times_are_those_of_each_moment(monkeypatch: pytest.MonkeyPatch, zone_name: str) -> None:
    monkeypatch.setenv("TZ", zone_name)
    time.tzset()
    # Around changes of the clock: in St John's at a minute past midnight, and by half an hour on Lord Howe.
    changes = [
        datetime(2010, 3, 14, 3, 31, tzinfo=UTC),
        datetime(2026, 4, 4, 15, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
    ]
    moments = [
        round(change.timestamp() * 1000) + minutes * 60_000 + 59_999
        for change in changes
        for minutes in range(-40, 40)
    ]
    moments += [0, 1, -1, 60_000, 1 << 60, 63_000_000_000, round(NOW * 1000)]
    assert local_times(moments) == [local(one) for one in moments]
