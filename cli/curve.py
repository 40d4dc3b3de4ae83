"""Curves in the terminal: dots of braille, two by four to a character, on axes with round numbers.

A curve of any length is first reduced to one `Span` for each column of dots (where it began and ended
there, and between what it went), so that no peak is lost and a million points cost what a hundred do.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from eventlog.cli.printing import Part

__all__ = ["Axes", "Span", "number"]

# The eight dots of a character of braille, by row and column, as bits above U+2800.
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
UNITS = ((1e9, "G"), (1e6, "M"))
ROWS_A_TICK = 4
COLUMNS_A_TICK = 14
AXIS_STYLE = "bright_black"


class Span(NamedTuple):
    """What a curve does within one column of dots."""

    first: float
    low: float
    high: float
    last: float


class Axes:
    """A canvas between two axes.

    Args:
        first, last: what the horizontal axis spans.
        low, high: what the vertical axis spans; finite.
        width, height: characters, axes and their numbers included.

    Attributes:
        dots: columns of dots that a curve may use, from 0 for `first` to dots - 1 for `last`.
    """

    def __init__(self, first: float, last: float, low: float, high: float, width: int, height: int) -> None:
        if low / 2 == high / 2:
            margin = abs(low) * 0.1 or 1.0
            low, high = max(low - margin, -sys.float_info.max), min(high + margin, sys.float_info.max)
        self.low, self.high = low, high
        self.first, self.last = first, max(last, first + 1)
        self.rows = max(4, height - 2)
        self._marks = _ticks(low, high, max(2, self.rows // ROWS_A_TICK))
        self._margin = max(len(name) for _, name in self._marks)
        self._columns = max(10, width - self._margin - 2)
        # Of each cell, the dots of each curve that goes through it, by the curve's style.
        self._cells: list[list[dict[str, int]]] = [
            [{} for _ in range(self._columns)] for _ in range(self.rows)
        ]
        self.dots = self._columns * 2

    def draw(self, spans: Mapping[int, Span], style: str) -> None:
        """Draw a curve among what is there.

        A character has the colour of the curve with the fewest dots in it, so that a smooth curve is seen in
        front of a noisy one.

        Args:
            spans: by column of dots; between columns that have one, a straight line is drawn.
            style: of the curve, such as "cyan".
        """
        before: tuple[int, float] | None = None
        for x, span in sorted(spans.items()):
            if before is not None:
                self._connect(before[0], before[1], x, self._height(span.first), style)
            top, bottom = round(self._height(span.high)), round(self._height(span.low))
            for y in range(top, bottom + 1):
                self._dot(x, y, style)
            before = (x, self._height(span.last))

    def lines(self) -> list[tuple[Part, ...]]:
        """What has been drawn, with the axes."""
        names = {round(self._height(value) / 4 - 0.375): name for value, name in self._marks}
        drawn: list[tuple[Part, ...]] = []
        for row in range(self.rows):
            name = names.get(row, "")
            edge = (f"{name:>{self._margin}} {'┤' if name else '│'}", AXIS_STYLE)
            drawn.append((edge, *_runs(self._cells[row])))
        return drawn + self._floor()

    def _height(self, value: float) -> float:
        """Rows of dots from the top; halved first, as the difference of two floats may be none."""
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return (1 - share) * (self.rows * 4 - 1)

    def _connect(self, x0: int, y0: float, x1: int, y1: float, style: str) -> None:
        """A line from the end of one span to the beginning of the next."""
        steps = max(x1 - x0, math.ceil(abs(y1 - y0)), 1)
        for step in range(steps + 1):
            share = step / steps
            self._dot(round(x0 + (x1 - x0) * share), round(y0 + (y1 - y0) * share), style)

    def _dot(self, x: int, y: int, style: str) -> None:
        cell = self._cells[y // 4][x // 2]
        cell[style] = cell.get(style, 0) | BITS[y % 4][x % 2]

    def _floor(self) -> list[tuple[Part, ...]]:
        axis = ["─"] * self._columns
        names = [" "] * (self._columns + self._margin + 2)
        free = 0
        for value, name in _ticks(self.first, self.last, max(2, self._columns // COLUMNS_A_TICK), 1.0):
            column = round((value - self.first) / (self.last - self.first) * (self._columns - 1))
            start = min(self._margin + 2 + column - len(name) // 2, len(names) - len(name))
            if start < free:
                continue
            axis[column] = "┬"
            names[start : start + len(name)] = name
            free = start + len(name) + 2
        edge = " " * (self._margin + 1) + "└" + "".join(axis)
        return [((edge, AXIS_STYLE),), (("".join(names).rstrip(), AXIS_STYLE),)]


def number(value: float, digits: int = 6) -> str:
    """A number for a person: whole numbers whole, others with this many digits that count."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.{digits}g}"


def _ticks(low: float, high: float, count: int, smallest: float = 0.0) -> list[tuple[float, str]]:
    """About `count` round numbers from `low` to `high`, with their names."""
    step = max(_round_step(high / count - low / count), smallest)
    start = math.ceil(low / step) if step else 0
    values = [(start + at) * step for at in range(2 * count + 2)] if step else []
    values = [value for value in values if low <= value <= high]
    if len(values) < 2 or len(set(values)) < len(values):
        digits = 6 if number(low) != number(high) else 17
        return [(value, number(value, digits)) for value in (low, high)]
    largest = max(abs(values[0]), abs(values[-1]))
    unit, letter = next(((unit, letter) for unit, letter in UNITS if largest >= unit), (1.0, ""))
    if largest >= 1e12 or step / unit < 1e-4:
        digits = max(1, math.floor(math.log10(largest)) - math.floor(math.log10(step)) + 2)
        return [(value, f"{value:.{digits}g}") for value in values]
    return [(value, f"{value / unit:.{_decimals(step / unit)}f}{letter}") for value in values]


def _decimals(step: float) -> int:
    """How many decimals tell multiples of 1, 2, 2.5 or 5 times a power of ten apart."""
    power = math.floor(math.log10(step))
    return max(0, -power + (round(step / 10.0**power, 1) == 2.5))


def _round_step(rough: float) -> float:
    """One of 1, 2, 2.5, 5, 10 times a power of ten, near to `rough`."""
    if rough <= 0 or not math.isfinite(rough):
        return 0.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next((nice * power for nice in (1, 2, 2.5, 5) if nice * power >= rough * 0.75), 10 * power)


def _runs(cells: Sequence[dict[str, int]]) -> list[Part]:
    """Characters of one row, those of one style together."""
    parts: list[Part] = []
    words, style = "", ""
    for cell in cells:
        its = min(reversed(cell), key=lambda one: cell[one].bit_count(), default="")
        if its != style and words:
            parts.append((words, style))
            words = ""
        style = its
        words += chr(0x2800 + reduce(or_, cell.values())) if cell else " "
    return [*parts, (words, style)] if words.strip() else parts
