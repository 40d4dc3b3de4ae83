"""The virtual environment of each peer, made once and kept."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.comparison.program import Program

__all__ = ["install"]

# The training loop of the comparison, which is the same for all.
_EVERYWHERE = ("scikit-learn",)
_SECONDS = 1200


def install(program: Program, environments: Path) -> None:
    """Install what a program needs in an environment of its own, unless it is there.

    What cannot be installed is no error: `program.missing` then says why.
    """
    if not program.requirements:
        return
    requirements = (*program.requirements, *_EVERYWHERE)
    # Other requirements, or another interpreter, are another environment.
    key = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:8]
    folder = environments.absolute() / f"{program.path.stem}-{key}"
    program.python = folder / "bin" / "python"
    installed = folder / "installed"
    if installed.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    if uv := shutil.which("uv"):
        make: list[str | Path] = [uv, "venv", "--quiet", "--python", sys.executable, folder]
        fill: list[str | Path] = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            program.python,
        ]
    else:
        make = [sys.executable, "-m", "venv", folder]
        fill = [program.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        environments.mkdir(parents=True, exist_ok=True)
        for command in (make, [*fill, *requirements]):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        program.missing = f"cannot be installed: {said[-1]}"
    except subprocess.TimeoutExpired:
        program.missing = f"was not installed within {_SECONDS} s"
    except OSError as error:
        program.missing = f"cannot be installed: {error}"
    else:
        installed.touch()
