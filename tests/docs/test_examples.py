"""Every example of the pages in docs/ runs, in the order of its page, and prints what the page says.

A ```python block is a script of its own; a ```text block behind it is what it prints. Of a ```console block,
the lines behind "$ " are typed into a shell. All of a page happen in one scratch folder with one home.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "guide.md", DOCS / "coming-from-clearml.md"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# From Python 3.12 on a fork beside threads is warned of, whoever's they are.
WARNINGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")


class Block(NamedTuple):
    language: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in FENCE.finditer(text)
    ]


def command(block: Block, folder: Path) -> list[str]:
    if block.language == "python":
        name = re.match(r"# (\w+\.py)\n", block.text)
        script = folder / (name[1] if name else f"example_{block.line}.py")
        script.write_text(block.text)
        return [sys.executable, *WARNINGS, str(script)]
    lines = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    return ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_runs_and_prints_what_the_page_says(page: Path, tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EVENTLOG_")}
    environment["EVENTLOG_HOME"] = str(tmp_path / "home")
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    folder = tmp_path / "project"
    folder.mkdir()
    blocks, printed = blocks_of(page), ""
    assert any(block.language == "python" for block in blocks)
    for block in blocks:
        where = f"{page.name}, line {block.line}"
        if block.language == "text":
            assert printed == block.text, where
        elif block.language in {"python", "console"}:
            done = subprocess.run(
                command(block, folder),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, f"{where}\n{done.stdout}{done.stderr}"
            printed = done.stdout
