"""Fuzzing that is guided by coverage: by atheris, on the real bytes and on their changes.

It takes the process over that it runs in, so it has one of its own for each slice. What it finds out about
the code stays in its corpus, a folder, from slice to slice of one run.
"""

import contextlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random

from torture.fuzzing.slices import Slice
from torture.fuzzing.target import MIB, Target, errors_of_the_tree, read_within

__all__ = ["guided_slice", "missing"]

_STUCK_SECONDS = 60
_SLACK_MIB = 512


def missing() -> str:
    """Why it cannot be done here, or ""."""
    return "" if find_spec("atheris") else "atheris is not installed: pip install 'eventlog[torture]'"


def guided_slice(target: Target, seed: str, seconds: float, folder: Path) -> Slice:
    """Read inputs for so many seconds; what broke a promise is kept in the folder."""
    corpus = folder.parent / f"corpus-{target.name}".replace(" ", "_")
    corpus.mkdir(exist_ok=True)
    folder.mkdir(parents=True)
    number = Random(seed).randrange(1, 1 << 31)
    options = [
        f"-seed={number}",
        f"-max_total_time={max(1, round(seconds))}",
        f"-timeout={_STUCK_SECONDS}",
        f"-rss_limit_mb={target.memory // MIB + _SLACK_MIB}",
        f"-artifact_prefix={folder}/",
        "-max_len=65536",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    command = [
        sys.executable,
        "-m",
        "torture.fuzzing.guided",
        target.name,
        str(folder),
        str(corpus),
        *options,
    ]
    # It ends without a word, and what it has made for itself goes with the folder.
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    found = Slice()
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    found.inputs = int(stats.get("number_of_executed_units", 0))
    found.peak = int(stats.get("peak_rss_mb", 0)) * MIB
    if done.returncode:
        (folder / "output.txt").write_text(done.stdout + done.stderr)
        said = re.search(r"=== Uncaught Python exception: ===\n(.*)", done.stdout + done.stderr)
        found.broken.append(f"{target.name}: guided: {said[1] if said else done.stderr[-300:].strip()!r}")
    return found


def main() -> None:
    """What runs in the process that atheris takes over."""
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    name, folder, corpus, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["eventlog"], enable_loader_override=False):
        from torture.fuzzing.targets import target_named
    target = target_named(name)
    scratch = Path(folder) / "scratch"
    for number, seed in enumerate(target.seeds()):
        path = Path(corpus) / f"seed-{number}"
        if not path.exists():
            # Its first byte says what is done with the others.
            path.write_bytes(b"\0" + seed)

    def read_one(data: bytes) -> None:
        import shutil

        scratch.mkdir()
        given = data[1:]
        try:
            if data[:1] > b"\x7f":
                given = target.shape(Random(data[:9]), given)
            elif data[:1] > b"\x3f":
                given = target.input(Random(data))
            with errors_of_the_tree():
                read_within(target, given, scratch, trace=False)
        except BaseException:
            (Path(folder) / "input").write_bytes(given)
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    for seed in target.seeds():
        # What is imported at the first call does not count.
        with contextlib.suppress(Exception):
            read_one(b"\0" + seed)
    (Path(folder) / "input").unlink(missing_ok=True)
    atheris.Setup([sys.argv[0], *options, corpus], read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
