"""Fewer points that draw the same picture."""

import math
import random

import pyarrow
import pytest

from eventlog.projections import downsample


def table(values: list[float]) -> pyarrow.Table:
    count = len(values)
    return pyarrow.table(
        {
            "iteration": pyarrow.array(range(count), pyarrow.int64()),
            "time": pyarrow.array(range(count), pyarrow.int64()),
            "value": pyarrow.array(values, pyarrow.float64()),
        }
    )


def test_what_is_short_enough_stays_as_it_is() -> None:
    short = table([1.0, math.nan, 3.0])
    assert downsample(short, 3) is short
    assert downsample(table([]), 4).num_rows == 0


@pytest.mark.parametrize("points", [4, 5, 100, 999])
def test_ends_and_peaks_are_kept_and_rows_stay_in_order(points: int) -> None:
    values = [random.Random(1).gauss(0, 1)] * 500 + [random.Random(at).gauss(0, 1) for at in range(500)]
    values[123], values[789] = 50.0, -50.0
    fewer = downsample(table(values), points)
    iterations = fewer["iteration"].to_pylist()
    assert len(fewer) <= points
    assert iterations == sorted(set(iterations))
    assert {0, 123, 789, 999} <= set(iterations)
    assert all(values[at] == value for at, value in zip(iterations, fewer["value"].to_pylist(), strict=True))


def test_every_stretch_keeps_its_own_extremes() -> None:
    values = [float(at % 10) for at in range(100)]
    fewer = downsample(table(values), 40)
    for stretch in range(10):
        kept = [at for at in fewer["iteration"].to_pylist() if stretch * 10 <= at < stretch * 10 + 10]
        assert {stretch * 10, stretch * 10 + 9} <= set(kept)


def test_nan_is_no_peak_and_does_no_harm() -> None:
    values = [math.nan] * 50 + [1.0] * 49 + [math.inf] + [math.nan] * 100
    fewer = downsample(table(values), 16)
    assert 99 in fewer["iteration"].to_pylist()
    assert len(downsample(table([math.nan] * 100), 8)) <= 8


def test_columns_in_several_chunks_are_one_series() -> None:
    joined = pyarrow.concat_tables([table([1.0] * 40), table([5.0, *([1.0] * 39)])])
    assert 5.0 in downsample(joined, 8)["value"].to_pylist()
