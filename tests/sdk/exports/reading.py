"""What other programs read of an export, and what the views say that they should."""

from pathlib import Path
from typing import Any

import duckdb

from eventlog.projections import Views
from eventlog.store import Store

Rows = list[tuple[Any, ...]]


def read(root: Path, dataset: str, columns: str = "*") -> Rows:
    """The rows of a data set as DuckDB reads them by a glob, in their order."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(f"SELECT {columns} FROM '{root}/{dataset}/**/*.parquet' ORDER BY ALL")
        return found.fetchall()


def scalars(root: Path) -> Rows:
    return read(root, "scalars", "task, title, series, iteration, epoch_ms(time), value")


def events(root: Path) -> Rows:
    return read(root, "events", "store, batch, session, number, epoch_ms(time), kind, task, fields")


def everything(root: Path) -> dict[str, Rows]:
    """All rows of all data sets."""
    return {
        "tasks": read(root, "tasks"),
        "parameters": read(root, "parameters"),
        "scalars": scalars(root),
        "events": events(root),
    }


def scalars_of(store: Store) -> Rows:
    """The scalars of every task as the views have them, read one curve at a time."""
    rows: Rows = []
    with Views.open(store) as views:
        views.catch_up(reports=True)
        for row in views.find():
            for one in views.series(row.id):
                table = views.scalars(row.id, one.title, one.series).to_pylist()
                rows += [
                    (row.id, one.title, one.series, point["iteration"], point["time"], point["value"])
                    for point in table
                ]
    return sorted(rows)


def events_of(store: Store) -> list[tuple[str, int, str, int]]:
    """Where every event of the log lies: store, batch, session, number."""
    return sorted(
        (key.hex(), batch.number, one.session.hex(), one.number)
        for key in store.heads()
        for batch in store.batches(key)
        for one in batch.events()
    )
