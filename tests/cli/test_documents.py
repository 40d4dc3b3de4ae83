"""What `--json` prints is what each command's help says it prints."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import BASELINE, RICH, WIDER, Run

# What is under these keys is named by a person, not by eventlog.
NAMED_BY_PEOPLE = {
    "parameters",
    "properties",
    "configurations",
    "labels",
    "single_values",
    "packages",
    "metadata",
    "fields",
}
OF_ANOTHER_COMMAND = {"metrics", "artifacts", "models", "task"}


def keys(document: object, *, skip: set[str]) -> set[str]:
    if isinstance(document, list):
        return set().union(*(keys(item, skip=skip) for item in document))
    if not isinstance(document, dict):
        return set()
    below = (keys(value, skip=skip) for key, value in document.items() if key not in skip)
    return set(document).union(*below)


@pytest.mark.parametrize(
    ("arguments", "skip"),
    [
        (["ls"], set()),
        (["show", BASELINE], NAMED_BY_PEOPLE | OF_ANOTHER_COMMAND),
        (["log", BASELINE], NAMED_BY_PEOPLE),
        (["scalars", BASELINE], set()),
        (["scalars", BASELINE, "loss"], set()),
        (["artifacts", BASELINE], NAMED_BY_PEOPLE),
        (["artifacts", BASELINE, "model"], NAMED_BY_PEOPLE),
        (["models"], NAMED_BY_PEOPLE),
        (["models", RICH], NAMED_BY_PEOPLE),
        (["plots", RICH], set()),
        (["plots", RICH, "--save", "pictures"], set()),
        (["show", RICH], NAMED_BY_PEOPLE | OF_ANOTHER_COMMAND),
        (["diff", BASELINE, WIDER], NAMED_BY_PEOPLE | OF_ANOTHER_COMMAND | {"execution"}),
        (["replay", BASELINE], NAMED_BY_PEOPLE | OF_ANOTHER_COMMAND),
        (["replay", "--check"], set()),
        (["status"], set()),
        (["verify"], set()),
        (["sync", "remote"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_key_is_in_the_help(
    eventlog: Run,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    skip: set[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    # A sync would try to deliver what the rich task has waiting.
    request.getfixturevalue("tasks" if arguments[0] == "sync" else "rich")
    outcome = eventlog(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    described = set(re.findall(r"\w+", eventlog(arguments[0], "--help").out.partition("With --json:")[2]))
    found = keys(json.loads(outcome.out), skip=skip)
    assert found
    assert found <= described, found - described
