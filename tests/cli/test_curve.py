import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.cli.curve import Axes, Span, number

finite = st.floats(allow_nan=False, allow_infinity=False)


def drawn(axes: Axes) -> list[str]:
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in axes.lines()]


def dots(lines: list[str]) -> int:
    return sum((ord(letter) - 0x2800).bit_count() for line in lines for letter in line if "⠀" < letter <= "⣿")


def test_a_curve_is_drawn_between_axes_with_round_numbers() -> None:
    axes = Axes(0, 10, 0.0, 1.0, width=30, height=8)
    assert axes.dots == 50
    axes.draw({0: Span(0.0, 0.0, 0.0, 0.0), 49: Span(1.0, 1.0, 1.0, 1.0)}, "cyan")
    assert drawn(axes) == [
        "1.0 ┤                     ⣀⠤⠒⠉",
        "    │                 ⣀⠤⠒⠉",
        "0.5 ┤            ⢀⡠⠔⠊⠉",
        "    │        ⣀⡠⠔⠊⠁",
        "    │    ⣀⠤⠒⠉",
        "0.0 ┤⣀⠤⠒⠉",
        "    └┬───────────┬───────────┬",
        "     0           5          10",
    ]


def test_a_peak_within_one_column_is_seen_whole() -> None:
    axes = Axes(0, 10, -1.0, 1.0, width=30, height=8)
    axes.draw({20: Span(0.0, -1.0, 1.0, 0.0)}, "cyan")
    assert dots(drawn(axes)) == 6 * 4


def test_curves_keep_their_colours() -> None:
    axes = Axes(0, 10, 0.0, 1.0, width=30, height=8)
    axes.draw({0: Span(0.0, 0.0, 0.0, 0.0)}, "cyan")
    axes.draw({49: Span(1.0, 1.0, 1.0, 1.0)}, "magenta")
    styles = {
        part[1]
        for line in axes.lines()
        for part in line
        if not isinstance(part, str) and "⠀" < part[0][-1] <= "⣿"
    }
    assert styles == {"cyan", "magenta"}


def test_a_smooth_curve_is_seen_in_front_of_a_noisy_one() -> None:
    for order in ("smooth noisy", "noisy smooth"):
        axes = Axes(0, 10, 0.0, 1.0, width=30, height=8)
        for style in order.split():
            low, high = (0.5, 0.5) if style == "smooth" else (0.0, 1.0)
            axes.draw({at: Span(low, low, high, high) for at in range(axes.dots)}, style)
        styles = [[part[1] for part in line if not isinstance(part, str)][1:] for line in axes.lines()[:6]]
        assert sorted(map(str, styles)) == ["['noisy']"] * 5 + ["['smooth']"]


def test_iterations_have_whole_numbers_on_their_axis() -> None:
    assert drawn(Axes(1, 2, 0.0, 1.0, width=60, height=8))[-1].split() == ["1", "2"]


def test_large_numbers_on_an_axis_are_short() -> None:
    assert drawn(Axes(0, 2_000_000, 0.0, 1.0, width=60, height=8))[-1].split() == [
        "0.0M",
        "0.5M",
        "1.0M",
        "1.5M",
        "2.0M",
    ]


@given(
    low=finite,
    high=finite,
    first=st.integers(-(1 << 63), (1 << 63) - 1),
    length=st.integers(0, (1 << 63) - 1),
    width=st.integers(1, 200),
    height=st.integers(1, 50),
    data=st.data(),
)
def test_any_numbers_can_be_drawn_within_the_width(
    low: float, high: float, first: int, length: int, width: int, height: int, data: st.DataObject
) -> None:
    low, high = min(low, high), max(low, high)
    axes = Axes(first, first + length, low, high, width, height)
    values = st.sampled_from([low, high, low / 2 + high / 2])
    spans = {
        column: Span(*sorted(data.draw(st.tuples(values, values, values, values))))
        for column in data.draw(st.sets(st.integers(0, axes.dots - 1), min_size=1, max_size=5))
    }
    axes.draw({column: Span(span[1], span[0], span[3], span[2]) for column, span in spans.items()}, "cyan")
    lines = drawn(axes)
    assert dots(lines) >= len(spans)
    assert len(lines) == max(4, height - 2) + 2
    room = max(width, len(lines[0].split("┤")[0].split("│")[0]) + 1 + 10)
    assert max(map(len, lines)) <= room


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, "1"),
        (-3.0, "-3"),
        (0.123456789, "0.123457"),
        (1e-9, "1e-09"),
        (123456.0, "123456"),
        (1e20, "1e+20"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_a_number_is_said_with_the_digits_that_count(value: float, said: str) -> None:
    assert number(value) == said
