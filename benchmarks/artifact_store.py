"""A store with artifacts of bytes that do not compress."""

import random
from pathlib import Path

__all__ = ["LARGE", "SMALL", "SMALL_SIZE", "make_artifacts"]

LARGE = 512 << 20
SMALL = 1000
SMALL_SIZE = 100 << 10
_PIECE = 1 << 20


def make_artifacts(home: Path, sizes: list[int]) -> None:
    """Append a task with an artifact of each size, in bytes, to the store at `home`."""
    from eventlog.events import ArtifactUploaded, TaskCreated
    from eventlog.store import Store

    generator = random.Random(str(home))
    task = f"{generator.getrandbits(128):032x}"
    with Store.open(home) as store:
        store.session.append(TaskCreated, task, "artifacts", "benchmarks")
        for number, size in enumerate(sizes):
            with store.blobs.writer() as writer:
                while writer.size < size:
                    writer.write(generator.randbytes(min(_PIECE, size - writer.size)))
            store.session.append(
                ArtifactUploaded, task, f"artifact {number}", "file", writer.digest, size, f"{number}.bin"
            )
        store.flush()
