"""What is recorded for power cuts: two machines that work, are killed, recover and sync through a folder.

It is a script of its own, because the recorder has to be there when a program starts. Under its root are
`home` and `other`, two stores, and `remote`, where they meet.
"""

import os
import sys
import time
from pathlib import Path
from random import Random

from benchmarks.processes import end_all, kill, orphans_adopted
from eventlog.sync import compaction
from torture.syncing import sync_for_ever
from torture.workloads import WORKLOADS, raising, start

__all__ = ["main", "store_of"]

# Where little is done in a second, the rest is left out.
LONGEST_SECONDS = 60.0


def main(root: str, notes: str, seed: str, calls: str) -> None:
    """Let them work until so many calls are noted and something is pushed, and end them all."""
    random = Random(seed)
    end = time.monotonic() + LONGEST_SECONDS
    homes = [Path(root, "home"), Path(root, "other")]
    # Whoever records imports once, not in each process.
    import eventlog.sdk.task  # noqa: F401

    running: dict[int, Path] = {}
    for number, home in enumerate(homes[: random.choice((1, 2, 2))]):
        _sync(home, Path(root, "remote"), Path(notes), f"s{number}", random)
    count = 0
    while time.monotonic() < end and not _is_done(Path(notes), int(calls)):
        home = random.choice(homes)
        if list(running.values()).count(home) < 2:
            workload = random.choice(list(WORKLOADS))
            script = start(workload, home, Path(notes), f"w{count}-{home.name}", random.randrange(1 << 30))
            running[script] = home
            count += 1
        elif random.random() < 0.5:
            script = random.choice(list(running))
            kill(script, group=True)
            del running[script]
        time.sleep(random.random() * 0.2)
    end_all()


def store_of(label: str) -> str:
    """The name of the store's folder that a writer of this label reports to."""
    return label.partition("-")[2].partition(".")[0]


def _is_done(notes: Path, calls: int) -> bool:
    noted = sum(path.read_bytes().count(b"\n") for path in notes.glob("w*"))
    return noted >= calls and any(path.stat().st_size for path in notes.glob("s*"))


def _sync(home: Path, remote: Path, notes: Path, label: str, random: Random) -> None:
    chance = Random(random.random())
    if os.fork() == 0:
        try:
            # For some, as few segments as two are merged: then there are merges in a run of a second.
            compaction.FACTOR = chance.choice((compaction.FACTOR, 1))
            with raising(notes, label):
                sync_for_ever(home, remote, notes, label, chance)
        finally:
            os._exit(1)


if __name__ == "__main__":
    with orphans_adopted():
        main(*sys.argv[1:])
