"""The promise of `make demo`: it walks through the product, and stops where a promise does not hold."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_trains_replays_kills_syncs_and_loses_nothing(tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EVENTLOG_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["TMPDIR"] = str(tmp_path)
    done = subprocess.run(
        ["bash", ROOT / "examples" / "demo.sh"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing that was acknowledged is lost." in done.stdout
    assert "byte for byte the same" in done.stdout
    assert done.stderr == ""
