"""`python -m benchmarks.growth`: measure how cost grows, write the figures and draw them."""

import argparse
import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_scratch, positive_number
from benchmarks.growth.curve import CURVES, Curve, Figures, find_curve
from benchmarks.growth.drawing import draw
from benchmarks.machine import describe_machine
from benchmarks.processes import scratch_folder
from benchmarks.runner import fresh_environment

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
# What is less than the whole is not to be taken for the figures that are committed.
PARTS = ROOT / "build" / "growth"
# Others may need the disk meanwhile.
SPARE = 4 << 30


def main() -> int:
    """Measure what the command line asks for; 1 when a size could not be measured, 0 otherwise."""
    arguments = _parse_arguments()
    if find_spec("matplotlib") is None:
        sys.exit("matplotlib draws the pictures: pip install 'eventlog[bench]'")
    arguments.images.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in arguments.only or CURVES:
        curve = find_curve(name)
        path = arguments.images / f"growth-{name}.json"
        if arguments.draw:
            figures = {
                int(size): of_size for size, of_size in json.loads(path.read_text())["figures"].items()
            }
        else:
            machine = describe_machine(arguments.scratch)
            sizes = _sizes(curve, arguments)
            # Drawn as they are written, so that what is drawn again is the same.
            figures = _rounded(_measure(name, curve, sizes, arguments.scratch))
            failed |= len(figures) < len(sizes)
            report = {"curve": name, "machine": machine, "figures": figures}
            path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        if figures:
            draw(curve, figures, path.with_suffix(".svg"))
            print(path.with_suffix(".svg"))
    return 1 if failed else 0


def _sizes(curve: Curve, arguments: argparse.Namespace) -> list[int]:
    most = arguments.most or (curve.quick if arguments.quick else curve.sizes[-1])
    return [size for size in curve.sizes if size <= most]


def _measure(name: str, curve: Curve, sizes: list[int], scratch: Path) -> dict[int, Figures]:
    figures = {}
    for size in sizes:
        print(f"{name}: {size:,} {curve.across}", file=sys.stderr, flush=True)
        if shutil.disk_usage(scratch).free < curve.room(size) + SPARE:
            print(f"{name}: no room on the disk for {size:,} {curve.across}", file=sys.stderr)
            continue
        try:
            with scratch_folder(f"eventlog-growth-{name}-", scratch) as folder:
                figures[size] = _measure_fresh(name, size, folder)
        except subprocess.CalledProcessError as error:
            print(f"{name}: {size:,}: the process exited with {error.returncode}", file=sys.stderr)
    return figures


def _measure_fresh(name: str, size: int, folder: Path) -> Figures:
    result = folder / "result.json"
    environment = fresh_environment(folder / "home", folder / "bytecode")
    command = [sys.executable, "-m", "benchmarks.growth.point", name, str(size), str(folder), str(result)]
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
    measured: Figures = json.loads(result.read_text())
    return measured


def _rounded(value: Any) -> Any:
    """Four digits that count are more than such figures are worth."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth",
        description="Measure how cost grows on this machine, and draw it as docs/PERFORMANCE.md has it.",
    )
    parser.add_argument(
        "--only", metavar="CURVE", action="append", choices=CURVES, help=f"of {', '.join(CURVES)}; repeatable"
    )
    parser.add_argument("--quick", action="store_true", help="the smaller sizes alone, to try it out")
    parser.add_argument("--most", type=positive_number, metavar="SIZE", help="no size larger than this")
    parser.add_argument("--draw", action="store_true", help="draw the figures that are there again")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help=f"where to write (default: {_short(IMAGES)} for all there is, {_short(PARTS)} for a part of it)",
    )
    add_scratch(parser, "where the stores are made: its disk is what is measured")
    arguments = parser.parse_args()
    asked = arguments.only or CURVES
    if arguments.images is None:
        part = arguments.quick or arguments.most or (set(asked) < set(CURVES) and not arguments.draw)
        arguments.images = PARTS if part else IMAGES
    for name in asked:
        curve = find_curve(name)
        if not _sizes(curve, arguments):
            parser.error(f"--most {arguments.most}: the smallest size of {name} is {curve.sizes[0]}")
        if arguments.draw and not (path := arguments.images / f"growth-{name}.json").is_file():
            parser.error(f"--draw: there are no figures to draw, {path}")
    return arguments


def _short(folder: Path) -> Path:
    return folder.relative_to(ROOT)


if __name__ == "__main__":
    sys.exit(main())
