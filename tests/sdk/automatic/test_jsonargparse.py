"""What jsonargparse reads, files included, is recorded by itself, and given by a clone's values."""

import importlib.util

import pytest

from tests.sdk.automatic.recording import clone, last, recorded, run_clone
from tests.sdk.scripts import Scripts

TEXT = """
from dataclasses import dataclass
from typing import Optional
from jsonargparse import ArgumentParser
from eventlog import Task

@dataclass
class Optimizer:
    rate: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)

BEFORE
parser = ArgumentParser()
parser.add_argument("--config", action="config")
parser.add_argument("--n", type=int, default=3, help="how many")
parser.add_argument("--optimizer", type=Optimizer, default=Optimizer())
parser.add_argument("--model.name", type=Optional[str])
commands = parser.add_subcommands(required=False)
fit = ArgumentParser()
fit.add_argument("--epochs", type=int, default=1)
commands.add_subcommand("fit", fit)
found = parser.parse_args()
AFTER
print(found.n, found.optimizer, found.model.name, found.get("fit.epochs"))
"""
INIT = "Task.init('tests/auto', 'arguments')"
AFTER = TEXT.replace("AFTER", INIT).replace("BEFORE", "")
BEFORE = TEXT.replace("BEFORE", INIT).replace("AFTER", "")


@pytest.fixture(autouse=True)
def configuration(scripts: Scripts) -> None:
    scripts.folder.mkdir(parents=True, exist_ok=True)
    (scripts.folder / "own.yaml").write_text("n: 9\noptimizer:\n  rate: 0.7\n")


@pytest.mark.parametrize("text", [AFTER, BEFORE], ids=["parsed before init", "parsed after init"])
def test_values_are_recorded_by_their_path(scripts: Scripts, text: str) -> None:
    line = ("--config", "own.yaml", "--model.name", "me", "fit", "--epochs", "5")
    assert recorded(scripts, text, *line) == {
        "Args/config": ["own.yaml"],
        "Args/n": 9,
        "Args/optimizer.rate": 0.7,
        "Args/optimizer.betas": (0.9, 0.99),
        "Args/model.name": "me",
        "Args/subcommand": "fit",
        "Args/fit.epochs": 5,
    }
    assert last()._state().parameters["Args/n"].description == "how many"


@pytest.mark.parametrize("text", [AFTER, BEFORE], ids=["parsed before init", "parsed after init"])
def test_a_clone_s_values_are_handed_to_the_script_in_their_types(scripts: Scripts, text: str) -> None:
    line = ("--config", "own.yaml", "fit", "--epochs", "5")
    recorded(scripts, text, *line)
    values = {
        "n": "4",
        "optimizer.rate": "2",
        "optimizer.betas": "[0.5, 1]",
        "model.name": "7",
        "fit.epochs": "6",
    }
    out = run_clone(scripts, text, clone(values), *line)
    assert out == "4 Namespace(rate=2.0, betas=(0.5, 1.0)) 7 6\n"


def test_a_stored_value_of_another_type_leaves_the_script_its_own(scripts: Scripts) -> None:
    recorded(scripts, AFTER)
    script = scripts.start(
        AFTER, environment={"EVENTLOG_TASK_ID": clone({"n": "many", "optimizer.rate": "2"})}
    )
    assert script.wait() == 0, script.err
    assert script.err.count("\n") == 1
    assert script.out.startswith("3 Namespace(rate=2.0,")


def test_both_switches_are_obeyed(scripts: Scripts) -> None:
    for choice in (
        "auto_connect_frameworks=False",
        "auto_connect_frameworks={'jsonargparse': False}",
        "auto_connect_arg_parser=False",
    ):
        for text in (AFTER, BEFORE):
            assert recorded(scripts, text.replace("'arguments')", f"'arguments', {choice})")) == {}


@pytest.mark.parametrize("line", [("--help",), ("--n", "x"), ("--no-such",), ("--config", "none.yaml")])
def test_a_parser_that_exits_does_so_as_before(scripts: Scripts, line: tuple[str, ...]) -> None:
    without = TEXT.replace("from eventlog import Task\n", "").replace("AFTER", "").replace("BEFORE", "")
    before = scripts.start(without, *line)
    code = before.wait()
    for text in (AFTER, BEFORE):
        script = scripts.run(text, *line, code=code)
        assert (script.out, script.err) == (before.out, before.err)


@pytest.mark.libraries
@pytest.mark.timeout(180)
@pytest.mark.skipif(importlib.util.find_spec("lightning") is None, reason="lightning is not installed")
@pytest.mark.skipif(importlib.util.find_spec("docstring_parser") is None, reason="jsonargparse[signatures]")
def test_lightning_s_command_line_is_recorded(scripts: Scripts) -> None:
    text = """
    import warnings
    warnings.simplefilter("ignore")
    from eventlog import Task
    from lightning.pytorch.cli import LightningCLI
    from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel

    class Model(BoringModel):
        def __init__(self, width: int = 3, kind: str = "plain"):
            super().__init__()
            print(width, kind)

    Task.init("tests/auto", "arguments", auto_connect_frameworks={"pytorch": False})
    LightningCLI(Model, BoringDataModule, save_config_callback=None, trainer_defaults=dict(
        max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False))
    """
    (scripts.folder / "own.yaml").write_text("model:\n  width: 8\n")
    line = ("fit", "--config", "own.yaml", "--trainer.max_epochs", "1")
    script = scripts.start(text, *line)
    script.wait()
    assert script.process.returncode == 0, script.err
    found = last().get_parameters(cast=True)
    assert found["Args/fit.model.width"] == 8
    assert found["Args/fit.model.kind"] == "plain"
    assert found["Args/fit.trainer.max_epochs"] == 1
    assert found["Args/subcommand"] == "fit"
    task = clone({"fit.model.width": "16", "fit.model.kind": "other"})
    script = scripts.start(text, *line, environment={"EVENTLOG_TASK_ID": task})
    assert script.wait() == 0, script.err
    assert script.out.startswith("16 other\n")


CLASSES = """
import os
# What makes the classes has another name in newer versions.
os.environ["JSONARGPARSE_DEPRECATION_WARNINGS"] = "off"
from jsonargparse import ArgumentParser
from eventlog import Task

class Part:
    def __init__(self, size: int = 1, parts: list["Part"] = []):
        self.size = size

Task.init('tests/auto', 'arguments')
parser = ArgumentParser()
parser.add_argument("--parts", type=list[Part], default=[])
found = parser.parse_args()
print([part.size for part in parser.instantiate_classes(found).parts])
"""


def test_lists_of_classes_are_recorded_whole_and_what_makes_them_is_no_command_line(
    scripts: Scripts,
) -> None:
    parameters = recorded(scripts, CLASSES, "--parts+=Part", "--parts.size=2")
    assert list(parameters) == ["Args/parts"]
    (part,) = parameters["Args/parts"]
    assert part["class_path"].endswith("Part")
    assert part["init_args"]["size"] == 2
    other = [{**part, "init_args": {"size": 5}}]
    assert run_clone(scripts, CLASSES, clone({"parts": other}), "--parts+=Part") == "[5]\n"
