"""The values that the benchmarks report: a loss that falls, with noise in every bit of its mantissa."""

import math
import random

__all__ = ["noisy_loss"]


def noisy_loss(count: int, seed: int = 0) -> list[float]:
    """`count` values of a training loss, the same for the same seed.

    A curve without noise would compress to far less than any real one.
    """
    generator = random.Random(seed)
    return [math.exp(-step / (count / 4)) + 0.1 * generator.random() for step in range(count)]
