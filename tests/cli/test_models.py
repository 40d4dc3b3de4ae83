"""`eventlog models`: all models, or a task's."""

import hashlib
import json
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASE_MODEL, BASELINE, MODEL, RICH, Run


def ids(outcome: object) -> list[str]:
    return [model["id"] for model in json.loads(outcome.out)]  # type: ignore[attr-defined]


def test_models_are_listed_the_one_that_changed_last_first(eventlog: Run, rich: Path) -> None:
    lines = eventlog("models").lines
    assert lines[0].index("MODEL") == lines[1].index("digits/rich") == len(lines[1].split()[0]) + 2
    header, model, base = (line.split() for line in lines)
    assert header == ["ID", "MODEL", "FRAMEWORK", "SIZE", "FILE", "CHANGED", "TAGS"]
    assert model[:8] == [MODEL[:8], "digits/rich", "-", "3", "Keras", "7", "B", "model.keras"]
    assert model[-2:] == ["best,", "published"]
    assert base[:4] == [BASE_MODEL[:8], "digits/base", "PyTorch", "https://host/base.pt"]


def test_a_task_s_models_are_listed_with_what_they_are_to_it(eventlog: Run, rich: Path) -> None:
    linked = json.loads(eventlog("models", "digits/rich", "--json").out)
    assert [(one["direction"], one["task_name"], one["id"]) for one in linked] == [
        ("input", "base", BASE_MODEL),
        ("output", "model", MODEL),
    ]
    assert linked[1]["made_by"] == RICH
    assert linked[1]["metadata"]["accuracy"]["value"] == "0.97"
    assert [line.split()[1] for line in eventlog("models", RICH).lines[1:]] == ["input", "output"]
    assert eventlog("models", BASELINE).err == "eventlog: no models\n"
    assert eventlog("models", "--project", "digits/other").err == "eventlog: no models\n"
    slip = eventlog("models", "--project", "digit")
    assert (slip.code, slip.out) == (1, "")
    assert slip.err == "eventlog: no task of a project 'digit': did you mean 'digits'?\n"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--project", "digits"], [MODEL, BASE_MODEL]),
        (["--project", "digits/other"], []),
        (["--tag", "best"], [MODEL]),
        (["--tag", "-best"], [BASE_MODEL]),
        (["--name", "^ba"], [BASE_MODEL]),
        (["--published"], [MODEL]),
        (["--limit", "1"], [MODEL]),
    ],
)
def test_models_are_chosen(eventlog: Run, rich: Path, arguments: list[str], found: list[str]) -> None:
    assert ids(eventlog("models", *arguments, "--json")) == found


def test_archived_models_are_listed_when_asked_for_or_for_their_task(eventlog: Run, rich: Path) -> None:
    with Store.open(rich) as store:
        store.session.append(events.ModelArchived, MODEL)
        store.session.append(events.ModelDeleted, BASE_MODEL)
    assert ids(eventlog("models", "--json")) == []
    assert ids(eventlog("models", "--archived", "--json")) == [MODEL]
    assert ids(eventlog("models", RICH, "--json")) == [MODEL]
    assert eventlog("models", "--archived").lines[1].endswith("published, archived")


def test_several_models_that_begin_alike_are_named(eventlog: Run, rich: Path) -> None:
    with Store.open(rich) as store:
        store.session.append(events.ModelCreated, MODEL[:4] + "f" * 28, "another")
    outcome = eventlog("log", MODEL[:4])
    assert outcome.code == 1
    assert f"several models have an id that begins with {MODEL[:4]}: {MODEL[:4]}ffff" in outcome.err


def test_a_model_that_was_registered_where_it_is_and_has_gone_is_said_to_have(
    eventlog: Run, rich: Path, tmp_path: Path
) -> None:
    path, model = tmp_path / "net.pt", "d" * 32
    path.write_bytes(b"weights")
    with Store.open(rich) as store:
        append = store.session.append
        append(events.ModelCreated, model, "net", "digits", RICH, "PyTorch")
        digest = hashlib.sha256(b"weights").hexdigest()
        append(events.ModelWeightsSet, model, "", 7, "net.pt", "", f"file://{path}", None, RICH, digest)
        append(events.ModelLinked, RICH, model, "output", "net")
    assert "since it was registered" not in eventlog("models", RICH).out
    path.write_bytes(b"changed")
    assert eventlog("models", RICH).lines[-1] == f"{model[:8]}: {path} has changed since it was registered"
    path.unlink()
    assert eventlog("models", RICH).lines[-1] == f"{model[:8]}: {path} is not there any more"
    (known,) = [one for one in json.loads(eventlog("models", RICH, "--json").out) if one["id"] == model]
    assert (known["sha256"], known["size"]) == (digest, 7)
    assert digest in eventlog("show", model).out
