"""How many bytes of disk the log takes for one scalar.

On disk is what the file system has allocated for the folder `log/` (LMDB's pages and its tree included),
less what the same store takes with no scalars in it; in the batches is what a push would move.
"""

import time
from pathlib import Path

from benchmarks.benchmark import Benchmark, Place, Row
from benchmarks.curve import noisy_loss

__all__ = ["BENCHMARK"]

SCALARS = 500_000
PACED_SECONDS = 15
RATE = 2_000


def measure(place: Place) -> dict[str, float]:
    empty = _fill(place.folder / f"empty-{place.round}", [], 0)
    burst = place.size(SCALARS)
    paced = place.size(RATE * PACED_SECONDS)
    bare_disk, bare_batches = empty
    burst_disk, burst_batches = _fill(place.folder / f"burst-{place.round}", noisy_loss(burst), 0)
    paced_disk, paced_batches = _fill(place.folder / f"paced-{place.round}", noisy_loss(paced), RATE)
    return {
        "burst_disk": (burst_disk - bare_disk) / burst,
        "burst_batches": (burst_batches - bare_batches) / burst,
        "paced_disk": (paced_disk - bare_disk) / paced,
        "paced_batches": (paced_batches - bare_batches) / paced,
    }


def _fill(home: Path, values: list[float], rate: int) -> tuple[int, int]:
    """Report the values, `rate` a second or as fast as can be; bytes on disk and in batches."""
    from eventlog.events import ScalarReported, TaskCompleted, TaskCreated, TaskStarted
    from eventlog.store import Store

    task = "0123456789abcdef" * 2
    with Store.open(home) as store:
        append = store.session.append
        append(TaskCreated, task, "log size", "benchmarks")
        append(TaskStarted, task)
        start = time.perf_counter()
        for step, value in enumerate(values):
            if rate and (early := start + step / rate - time.perf_counter()) > 0:
                time.sleep(early)
            append(ScalarReported, task, "loss", "train", step, value)
        append(TaskCompleted, task)
        store.flush()
        batches = sum(len(batch.data) for batch in store.batches(store.id))
    return sum(path.stat().st_blocks * 512 for path in (home / "log").iterdir()), batches


BENCHMARK = Benchmark(
    title=f"one series, {SCALARS:,} as fast as can be, and {RATE:,} a second for {PACED_SECONDS} s",
    rows=(
        Row("burst_disk", "on disk, a scalar, as fast as can be", "bytes", budget=12),
        Row("burst_batches", "in the batches, a scalar, as fast as can be", "bytes"),
        Row("paced_disk", f"on disk, a scalar, at {RATE:,} a second", "bytes", budget=12),
        Row("paced_batches", f"in the batches, a scalar, at {RATE:,} a second", "bytes"),
    ),
    measure=measure,
    rounds=3,
)
