"""An export as Parquet shows what the views show, to any reader, however often it is made."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import fsspec
import polars
import pyarrow.dataset
import pyarrow.parquet
import pytest

from eventlog import events as kinds
from eventlog.errors import DataCorrupt, InputInvalid, RemoteInvalid, StoreNewer
from eventlog.events import Parameter
from eventlog.projections import Views
from eventlog.sdk.exports.parquet import export
from eventlog.sdk.exports.selection import Selection
from eventlog.store import Store
from eventlog.sync import pull, push
from tests.sdk.exports.reading import events, events_of, everything, read, scalars, scalars_of
from tests.sync.machines import Machine, change_batch

Machines = Callable[[str], Machine]
OTHER = "fedcba98" * 4

pytestmark = pytest.mark.usefixtures("small_parts")


def train(machine: Machine, task: str, project: str = "digits", steps: int = 20) -> None:
    append = machine.append
    append(kinds.TaskCreated, task, "baseline", project)
    append(kinds.TaskStarted, task)
    append(
        kinds.ParametersSet,
        task,
        {
            "General/lr": Parameter("0.1", "float"),
            "General/name": Parameter("7", "str", "a name"),
            "General/deep": Parameter("True", "bool"),
        },
    )
    for step in range(steps):
        append(kinds.ScalarReported, task, "loss", "train", step, 1 / (step + 1))
        append(kinds.ScalarReported, task, "loss", "test", step, 2 / (step + 1))
        if step % 7 == 0:
            machine.store.flush()
    append(kinds.TextReported, task, "training ends\n")
    append(kinds.TaskCompleted, task)
    machine.store.flush()


def files(root: Path) -> dict[str, int]:
    """When each file of an export was last written."""
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*.parquet")}


def test_scalars_are_those_of_the_views_and_every_event_is_there_once(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    train(laptop, OTHER, "digits/other")
    done = export(laptop.store, out)
    assert (done.tasks, done.parameters, done.scalars, done.problems) == (2, 6, 80, ())
    assert scalars(out) == scalars_of(laptop.store)
    assert read(out, "events", "store, batch, session, number") == events_of(laptop.store)
    assert len(list(out.glob("scalars/*/*.parquet"))) > 1


def test_tasks_and_parameters_are_what_the_state_says(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, OTHER)
    append = laptop.append
    append(kinds.TagsAdded, OTHER, ["b", "a"])
    append(kinds.SingleValueReported, OTHER, "accuracy", 0.5)
    append(kinds.PropertiesSet, OTHER, {"score": Parameter("3")})
    laptop.task = OTHER
    digest = laptop.upload(b"weights")
    export(laptop.store, out)
    with Views.open(laptop.store) as views:
        state = views.task(OTHER)
    ((task, tags, started, values, properties, artifacts),) = read(
        out, "tasks", "task, tags, epoch_ms(started), single_values, properties, artifacts"
    )
    assert (task, tags, started) == (OTHER, ["a", "b"], state.started)
    assert (values, properties) == ({"accuracy": 0.5}, {"score": "3"})
    assert artifacts == [{"name": "model", "kind": "file", "sha256": digest, "size": 7, "url": ""}]
    assert read(out, "parameters", "name, value, number, description") == [
        ("General/deep", "True", 1.0, ""),
        ("General/lr", "0.1", 0.1, ""),
        ("General/name", "7", None, "a name"),
    ]


def test_the_fields_of_events_are_json_also_where_numbers_are_none(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    append, task = laptop.append, laptop.task
    append(kinds.TaskCreated, task, 'a "name"\n', "digits")
    for value in (0.25, 1e300, math.inf, -math.inf, math.nan):
        append(kinds.ScalarReported, task, 'lo"ss', "tr\\ain", -3, value)
    append(kinds.SingleValueReported, task, "accuracy", math.nan)
    append(kinds.ParametersSet, task, {"a": Parameter("1", "int")})
    laptop.store.flush()
    export(laptop.store, out)
    fields = [json.loads(row[-1]) for row in sorted(events(out), key=lambda row: row[3])]
    assert fields[1]["name"] == 'a "name"\n'
    assert [one["value"] for one in fields[2:7]] == [0.25, 1e300, "Infinity", "-Infinity", "NaN"]
    assert fields[2] == {"title": 'lo"ss', "series": "tr\\ain", "iteration": -3, "value": 0.25}
    assert fields[7] == {"name": "accuracy", "value": "NaN"}
    assert fields[8]["parameters"] == {"a": {"value": "1", "type": "int", "description": ""}}


def test_polars_arrow_and_duckdb_read_the_same(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    export(laptop.store, out)
    columns = ["task", "title", "series", "iteration", "time", "value"]
    by_polars = polars.scan_parquet(out / "scalars").select(columns).collect().sort(columns)
    by_arrow = pyarrow.dataset.dataset(out / "scalars", partitioning="hive").to_table(columns)
    assert by_polars.rows() == sorted(tuple(row.values()) for row in by_arrow.to_pylist())
    assert [(*row[:4], round(row[4].timestamp() * 1000), row[5]) for row in by_polars.rows()] == scalars(out)
    assert by_polars.schema["time"] == polars.Datetime("ms", "UTC")
    joined = polars.read_parquet(out / "tasks").join(by_polars, on="task")
    assert len(joined) == len(by_polars)
    month = time.strftime("%Y-%m", time.gmtime(by_polars["time"][0].timestamp()))
    with duckdb.connect() as connection:
        query = f"SELECT DISTINCT month FROM '{out}/scalars/**/*.parquet'"
        assert connection.execute(query).fetchall() == [(month,)]


def test_exporting_again_writes_only_what_is_new_and_equals_exporting_once(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    for number in range(5):
        train(laptop, f"{number:032x}")
        before = files(out) if out.exists() else {}
        export(laptop.store, out)
        rewritten = [name for name, when in before.items() if files(out)[name] != when]
        # The last part of each data set, and what tasks are now.
        assert len(rewritten) <= 4
        assert scalars(out) == scalars_of(laptop.store)
    export(laptop.store, tmp_path / "once")
    assert everything(out) == everything(tmp_path / "once")
    assert files(out).keys() == files(tmp_path / "once").keys()
    before = files(out)
    assert export(laptop.store, out).files == 0
    assert files(out) == before


def test_what_other_machines_did_earlier_comes_in_late(machine: Machines, tmp_path: Path):
    laptop, desktop, out = machine("laptop"), machine("desktop"), tmp_path / "out"
    train(desktop, OTHER)
    train(laptop, laptop.task)
    # Points of a task whose beginning is on the other machine.
    laptop.append(kinds.ScalarReported, OTHER, "loss", "train", 100, 0.5)
    laptop.store.flush()
    export(laptop.store, out)
    push(desktop.store, tmp_path / "remote")
    pull(laptop.store, tmp_path / "remote")
    export(laptop.store, out)
    assert scalars(out) == scalars_of(laptop.store)
    assert read(out, "events", "store, batch, session, number") == events_of(laptop.store)


def test_a_task_that_was_reset_or_deleted_shows_what_the_views_show_of_it(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    train(laptop, OTHER)
    model = "abcdef01" * 4
    laptop.append(kinds.ModelCreated, model, "net")
    laptop.append(kinds.ScalarReported, model, "size", "layers", 0, 3.0)
    laptop.store.flush()
    export(laptop.store, out)
    assert len([row for row in scalars(out) if row[0] == model]) == 1
    # Later than what came before it by at least a millisecond.
    time.sleep(0.002)
    laptop.append(kinds.TaskReset, laptop.task)
    laptop.append(kinds.ScalarReported, laptop.task, "loss", "train", 7, 7.0)
    laptop.append(kinds.TaskDeleted, OTHER)
    laptop.append(kinds.ModelDeleted, model)
    laptop.store.flush()
    export(laptop.store, out)
    assert [row[:4] for row in scalars(out)] == [(laptop.task, "loss", "train", 7)]
    assert scalars(out) == scalars_of(laptop.store)
    assert read(out, "tasks", "task") == [(laptop.task,)]
    assert read(out, "parameters") == []
    # The log keeps what they were.
    assert read(out, "events", "store, batch, session, number") == events_of(laptop.store)


def test_a_selection_shows_its_tasks_also_those_that_come_and_go(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task, "digits")
    train(laptop, OTHER, "faces")
    export(laptop.store, out, Selection(projects=("digits",)))
    assert {row[0] for row in scalars(out)} == {laptop.task}
    assert {row[0] for row in read(out, "events", "task")} == {laptop.task}
    laptop.append(kinds.TaskMoved, OTHER, "digits/under")
    laptop.append(kinds.TaskMoved, laptop.task, "digits2")
    laptop.store.flush()
    export(laptop.store, out)
    assert scalars(out) == [row for row in scalars_of(laptop.store) if row[0] == OTHER]
    assert {row[0] for row in read(out, "events", "task")} == {OTHER}
    assert read(out, "tasks", "task") == [(OTHER,)]
    assert export(laptop.store, out, Selection(projects=("digits",))).files == 0
    with pytest.raises(InputInvalid, match="is an export of project digits"):
        export(laptop.store, out, Selection(projects=("faces",)))


def test_since_leaves_out_what_happened_before(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    train(laptop, OTHER)
    times = [row[4] for row in scalars_of(laptop.store) if row[0] == OTHER]
    export(laptop.store, out, Selection(since=min(times) + 1))
    assert scalars(out) == [row for row in scalars_of(laptop.store) if row[4] > min(times)]
    assert min(row[4] for row in events(out)) > min(times)
    assert read(out, "tasks", "task") == [(OTHER,)]


def test_an_object_store_holds_what_a_folder_does(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), f"memory://{tmp_path.name}/out"
    for task in (laptop.task, OTHER):
        train(laptop, task)
        assert export(laptop.store, out).files
    assert export(laptop.store, out).files == 0
    memory = fsspec.filesystem("memory")
    memory.get(f"/{tmp_path.name}/out", str(tmp_path / "fetched"), recursive=True)
    export(laptop.store, tmp_path / "once")
    assert everything(tmp_path / "fetched") == everything(tmp_path / "once")
    # Without its record, and without what it says of the files.
    memory.pipe_file(f"/{tmp_path.name}/out/eventlog-export.json", b'{"format": 1}')
    assert export(laptop.store, out).problems == ()
    memory.get(f"/{tmp_path.name}/out", str(tmp_path / "again"), recursive=True)
    assert everything(tmp_path / "again") == everything(tmp_path / "once")


def test_a_file_that_is_not_as_the_record_says_is_known_by_its_footer(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    export(laptop.store, out)
    # As an export leaves it that was cut off before its end.
    record = (out / "eventlog-export.json").read_bytes()
    train(laptop, OTHER)
    export(laptop.store, out)
    (out / "eventlog-export.json").write_bytes(record)
    export(laptop.store, out)
    export(laptop.store, tmp_path / "once")
    assert everything(out) == everything(tmp_path / "once")


def test_a_part_that_another_export_put_back_is_made_whole_again(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task, steps=10)
    export(laptop.store, out)
    older = {path: path.read_bytes() for path in out.glob("*/*/*.parquet")}
    train(laptop, OTHER)
    export(laptop.store, out)
    now = everything(out)
    for path, data in older.items():
        path.write_bytes(data)
    assert everything(out) != now
    export(laptop.store, out)
    assert everything(out) == now
    # Of one data set alone, or gone.
    for folder in ("scalars", "events"):
        for path, data in older.items():
            if folder in path.parts:
                path.write_bytes(data)
        export(laptop.store, out)
        assert everything(out) == now
        for path in sorted(out.glob(f"{folder}/*/*.parquet")):
            path.unlink()
            export(laptop.store, out)
            assert everything(out) == now
    assert export(laptop.store, out).files == 0


def test_a_store_that_has_less_than_was_exported_takes_nothing_back(machine: Machines, tmp_path: Path):
    laptop, desktop, out = machine("laptop"), machine("desktop"), tmp_path / "out"
    train(laptop, laptop.task)
    export(laptop.store, out)
    before = files(out)
    train(desktop, OTHER)
    with pytest.raises(RemoteInvalid, match="which are not here: `eventlog sync` first"):
        export(desktop.store, out)
    assert files(out) == before
    push(laptop.store, tmp_path / "remote")
    pull(desktop.store, tmp_path / "remote")
    export(desktop.store, out)
    assert scalars(out) == scalars_of(desktop.store)


def test_a_batch_that_cannot_be_read_is_left_out_and_comes_in_once_it_can(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    laptop.close()
    change_batch(laptop.home, laptop.id, 1, 300)
    laptop.store = Store.open(laptop.home)
    done = export(laptop.store, out)
    (problem,) = done.problems
    assert f"batch 1 of store {laptop.id.hex()}" in problem
    assert problem.endswith("the export leaves it out: run `eventlog verify`")
    assert {row[1] for row in events(out)} == {*range(laptop.store.heads()[laptop.id].number + 1)} - {1}
    laptop.close()
    change_batch(laptop.home, laptop.id, 1, 300)
    laptop.store = Store.open(laptop.home)
    assert export(laptop.store, out).problems == ()
    assert read(out, "events", "store, batch, session, number") == events_of(laptop.store)
    assert scalars(out) == scalars_of(laptop.store)


def test_a_place_that_is_not_ours_is_left_alone(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    out.mkdir()
    (out / "thesis.tex").write_text("\\documentclass")
    with pytest.raises(RemoteInvalid, match=r"not empty \(thesis.tex\): name an empty folder"):
        export(laptop.store, out)
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
    (out / "eventlog-export.json").write_text("{")
    with pytest.raises(RemoteInvalid, match="is not the record of an export"):
        export(laptop.store, out)
    (out / "eventlog-export.json").write_text('{"format": 2, "new": []}')
    with pytest.raises(StoreNewer, match="holds an export of format 2, this eventlog knows 1: upgrade"):
        export(laptop.store, out)


@pytest.mark.parametrize("name", ["mine.parquet", f"{'0' * 32}-{'0' * 12}.parquet"])
def test_a_file_of_others_in_a_data_set_is_named(machine: Machines, tmp_path: Path, name: str):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    export(laptop.store, out)
    folder = next(out.glob("scalars/*"))
    pyarrow.parquet.write_table(pyarrow.table({"task": ["x"]}), folder / name)
    with pytest.raises(DataCorrupt, match=f"{name} was not written by an export.*: take it away"):
        export(laptop.store, out)


def test_what_the_record_says_never_becomes_a_name(machine: Machines, tmp_path: Path):
    laptop, out = machine("laptop"), tmp_path / "out"
    train(laptop, laptop.task)
    export(laptop.store, out)
    record = out / "eventlog-export.json"
    record.write_text(record.read_text().replace(laptop.id.hex() + '","first":0', '../../evil","first":0'))
    laptop.append(kinds.TagsAdded, laptop.task, ["new"])
    laptop.store.flush()
    with pytest.raises(DataCorrupt, match="was not written by an export"):
        export(laptop.store, out)
    assert not list(tmp_path.rglob("*evil*"))
