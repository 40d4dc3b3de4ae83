"""Remake the pictures of the README: what `eventlog` shows of a real run of `examples/train_digits.py`.

    python docs/images/make.py

Needs the extra `demo`. The run happens in a scratch repository, on a machine that calls itself "laptop" and
by a user who calls herself "ann", so that no name or path of this machine gets into a picture.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from eventlog.cli.main import command_line
from eventlog.cli.printing import draw_on

IMAGES = Path(__file__).resolve().parent
EXAMPLE = IMAGES.parent.parent / "examples" / "train_digits.py"
REPOSITORY = "https://github.com/ann/digits.git"
WIDTH = 100
PICTURES = {
    "ls.svg": ["ls"],
    "show.svg": ["show", "digits/mlp/baseline"],
    "scalars.svg": ["scalars", "digits/mlp/baseline", "loss"],
}
# What Python says of the machine, said otherwise: imported by each interpreter as it starts.
NEUTRAL = """
import os
os.uname = lambda: os.uname_result(("Linux", "laptop", "6.12", "", "x86_64"))
"""
# Dark, with the sixteen colours that terminals have, softened.
THEME = TerminalTheme(
    (22, 24, 33),
    (205, 210, 223),
    [
        (22, 24, 33),
        (224, 108, 117),
        (126, 192, 110),
        (214, 178, 94),
        (97, 149, 237),
        (198, 120, 221),
        (86, 182, 194),
        (205, 210, 223),
    ],
    [
        (92, 99, 112),
        (224, 108, 117),
        (126, 192, 110),
        (214, 178, 94),
        (97, 149, 237),
        (198, 120, 221),
        (86, 182, 194),
        (255, 255, 255),
    ],
)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        train(Path(scratch), home)
        for name, arguments in PICTURES.items():
            draw(home, arguments, IMAGES / name)


def train(scratch: Path, home: Path) -> None:
    """Run the example: a short try, one that is broken off, and the one that is looked at."""
    project = scratch / "digits"
    (project / "examples").mkdir(parents=True)
    shutil.copy(EXAMPLE, project / "examples")
    (scratch / "neutral").mkdir()
    (scratch / "neutral" / "sitecustomize.py").write_text(NEUTRAL)
    environment = {
        **os.environ,
        "EVENTLOG_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(scratch / "neutral"),
        "USER": "ann",
        "LOGNAME": "ann",
    }
    environment.pop("EVENTLOG_REMOTE", None)

    def run(*command: str, check: bool = True) -> None:
        subprocess.run(command, cwd=project, env=environment, check=check, stdout=subprocess.DEVNULL)

    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    run("git", "init", "--quiet", "--initial-branch=main")
    run("git", "remote", "add", "origin", REPOSITORY)
    run("git", "add", ".")
    run("git", *identity, "commit", "--quiet", "--message", "Train on digits")
    script = ("python", "examples/train_digits.py")
    run(*script, "--name", "hidden-16", "--steps", "300", "--hidden", "16")
    run("timeout", "--signal=KILL", "7", *script, "--name", "hidden-512", "--steps", "1200", check=False)
    run(*script, "--steps", "600")


def draw(home: Path, arguments: Sequence[str], path: Path) -> None:
    """Save what a command shows on a terminal."""
    console = Console(
        record=True,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=WIDTH,
        height=32,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with draw_on(console):
        console.print(f"$ eventlog {' '.join(arguments)}", style="bold")
        command_line.main(["--home", str(home), *arguments], prog_name="eventlog", standalone_mode=False)
    picture = console.export_svg(title="eventlog", theme=THEME, unique_id=f"eventlog-{path.stem}")
    # Some renderers drop spaces at the beginning of a text unless they are told not to.
    path.write_text(picture.replace("<svg ", '<svg xml:space="preserve" ', 1))


if __name__ == "__main__":
    main()
