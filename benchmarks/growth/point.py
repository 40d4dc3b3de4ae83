"""What a fresh process does: measures one curve at one size, its figures into a file as JSON."""

import json
import sys
from pathlib import Path

from benchmarks.growth.curve import find_curve


def main(name: str, size: str, folder: str, result: str) -> None:
    """Measure in `folder`; the folder ``home`` in it is this process's ``EVENTLOG_HOME``."""
    Path(result).write_text(json.dumps(find_curve(name).measure(int(size), Path(folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
