"""The promises of `python -m benchmarks.growth`: figures, pictures of them, and nothing left."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.growth.__main__ import _parse_arguments
from benchmarks.growth.curve import CURVES, find_curve
from benchmarks.growth.drawing import draw
from benchmarks.task_store import CHOSEN_PROJECT, CHOSEN_TAG, make_tasks
from eventlog.projections import Views
from eventlog.store import Store

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"


def grow(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.growth", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_sizes_are_measured_written_and_drawn_and_can_be_drawn_again(tmp_path: Path):
    scratch, images = tmp_path / "scratch", tmp_path / "images"
    scratch.mkdir()
    done = grow("--only", "remotes", "--most", 1, "--scratch", scratch, "--images", images)
    assert done.returncode == 0, done.stderr
    report, picture = images / "growth-remotes.json", images / "growth-remotes.svg"
    lines = [line.name for panel in find_curve("remotes").panels for line in panel.lines]
    figures = json.loads(report.read_text())["figures"]
    assert {size: sorted(of_size) for size, of_size in figures.items()} == {"1": sorted(lines)}
    assert "a first pull of all of them, ms" in picture.read_text()
    assert list(scratch.iterdir()) == []

    first = picture.read_text()
    picture.unlink()
    assert grow("--only", "remotes", "--draw", "--images", images).returncode == 0
    assert picture.read_text() == first


def test_what_the_smallest_store_of_tasks_is_asked_for_is_in_it(tmp_path: Path):
    make_tasks(tmp_path, find_curve("tasks").sizes[0])
    with Store.open(tmp_path) as store, Views.open(store) as views:
        assert CHOSEN_TAG in views.task(views.resolve(f"{CHOSEN_PROJECT}/run 0")).tags


@pytest.mark.parametrize("name", CURVES)
def test_a_committed_picture_is_drawn_from_the_figures_beside_it(name: str, tmp_path: Path):
    curve = find_curve(name)
    report = json.loads((IMAGES / f"growth-{name}.json").read_text())
    figures = {int(size): of_size for size, of_size in report["figures"].items()}
    assert set(figures) <= set(curve.sizes)
    assert max(figures) == curve.sizes[-1]
    draw(curve, figures, tmp_path / "drawn.svg")
    words = (IMAGES / f"growth-{name}.svg").read_text()
    assert all(line.label in words for panel in curve.panels for line in panel.lines)
    assert f"](images/growth-{name}.svg)" in (IMAGES.parent / "PERFORMANCE.md").read_text()


def test_what_is_less_than_the_whole_leaves_the_committed_figures_alone(monkeypatch: pytest.MonkeyPatch):
    def images(*arguments: str) -> Path:
        monkeypatch.setattr(sys, "argv", ["growth", *arguments])
        return _parse_arguments().images

    assert images() == images("--draw", "--only", "calls") == IMAGES
    for part in (["--quick"], ["--most", "1000000"], ["--only", "calls"]):
        assert images(*part) == ROOT / "build" / "growth"
        assert images(*part, "--images", "elsewhere") == Path("elsewhere")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "calls", "--most", "10"], "--most 10: the smallest size of calls is 1000"),
        (
            ["--draw", "--images", "/nonexistent"],
            "there are no figures to draw, /nonexistent/growth-calls.json",
        ),
        (["--scratch", "/nonexistent"], "argument --scratch: there is no folder /nonexistent"),
    ],
)
def test_what_cannot_be_measured_or_drawn_is_wrong_usage(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["growth", *arguments])
    with pytest.raises(SystemExit) as ended:
        _parse_arguments()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
