"""Tables as Plotly figures: from frames, rows, and CSV files here or elsewhere."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.regular_file import open_regular
from eventlog.sdk.figure_data import plain_values
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.plotly_figures import Figure, merged

__all__ = ["table"]

_FONT = "Heebo, verdana, arial, sans-serif"
# Bytes; a table of more is no picture that a person looks at.
_LARGEST_CSV = 64 << 20


def table(
    title: str,
    series: str,
    table_plot: Any = None,
    csv: Any = None,
    url: Any = None,
    extra_layout: Mapping[str, Any] | None = None,
    extra_data: Mapping[str, Any] | None = None,
) -> Figure:
    """A table; the arguments are `report_table`'s.

    Raises:
        InputInvalid: it is no table, there is no such file, or none or several are given.
        NotFound, RemoteUnreachable, RemoteInvalid, NotAvailable: the URL cannot be read.
    """
    given = sum(one is not None for one in (table_plot, csv, url))
    if given != 1:
        raise InputInvalid(f"a table is given as one of table_plot, csv and url; here are {given} of them")
    if csv is not None:
        header, columns = _of_csv(_read_file(csv), str(csv))
    elif url is not None:
        header, columns = _of_csv(_read_url(check_text("the URL of a table", url)), url)
    elif hasattr(table_plot, "columns"):
        header, columns = _of_frame(table_plot)
    else:
        header, columns = _of_rows(table_plot)
    trace: dict[str, Any] = {
        "type": "table",
        "header": {
            "values": header,
            "align": "left",
            "line": {"width": 0.5, "color": "#d4d6e0"},
            "fill": {"color": "#fff"},
            "font": {"family": _FONT, "size": 12, "color": "#333"},
        },
        "cells": {
            "height": 30,
            "values": columns,
            "align": "left",
            "line": {"color": "white", "width": 1},
            "font": {"family": _FONT, "size": 14, "color": "#384161"},
        },
    }
    try:
        trace = merged(trace, extra_data)
    except InputInvalid:
        raise InputInvalid(f"extra_data must be a dictionary, not {type(extra_data).__name__}") from None
    return {"data": [trace], "layout": merged({"title": {"text": series or title}}, extra_layout)}


def _of_frame(frame: Any) -> tuple[list[Any], list[list[Any]]]:
    """The header and the columns of a frame of pandas; its index is a column too, unless it only counts."""
    try:
        header: list[Any] = []
        columns: list[list[Any]] = []
        if not hasattr(frame, "iloc"):
            # As of Polars, which has no index.
            return [plain_text(name) for name in frame.columns], [
                _cells(frame[name]) for name in frame.columns
            ]
        index = frame.index
        if type(index).__name__ != "RangeIndex" or index.name is not None:
            for level, name in enumerate(index.names):
                header.append("" if name is None else plain_text(name))
                columns.append(_cells(index.get_level_values(level)))
        for place, name in enumerate(frame.columns):
            header.append([plain_text(part) for part in (name if isinstance(name, tuple) else (name,))])
            columns.append(_cells(frame.iloc[:, place]))
    except InputInvalid:
        raise
    except Exception as error:
        raise InputInvalid(f"the frame cannot be read as a table ({type(error).__name__}: {error})") from None
    return header, columns


def _of_rows(rows: Any) -> tuple[list[Any], list[list[Any]]]:
    plain = plain_values("the rows of a table", rows)
    if not isinstance(plain, list) or not all(isinstance(row, list) for row in plain):
        raise InputInvalid(
            "a table must be a frame or a list of rows, the first of which is the header, not"
            f" {type(rows).__name__}"
        )
    if not plain:
        return [], []
    header, body = plain[0], plain[1:]
    if any(len(row) != len(header) for row in body):
        raise InputInvalid("the rows of a table must be as long as its first, which is the header")
    return [plain_text(name) for name in header], [
        [_cell(row[place]) for row in body] for place in range(len(header))
    ]


def _of_csv(text: str, where: str) -> tuple[list[Any], list[list[Any]]]:
    """The header and the columns of CSV text; a short line is filled up."""
    import csv

    try:
        lines = [line for line in csv.reader(text.splitlines(keepends=True)) if line]
    except csv.Error as error:
        raise InputInvalid(f"{where} cannot be read as CSV: {error}") from None
    width = max(map(len, lines), default=0)
    rows = [line + [""] * (width - len(line)) for line in lines]
    return (rows[0], [[row[place] for row in rows[1:]] for place in range(width)]) if rows else ([], [])


def _cells(column: Any) -> list[Any]:
    return [_cell(value) for value in plain_values("the values of a table", column)]


def _cell(value: Any) -> Any:
    """What stands in a cell: numbers and dates as they are, "nan" for what is missing, else text."""
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or str(type(value).__name__) == "NaTType"
    ):
        return "nan"
    if isinstance(value, float) and math.isinf(value):
        return plain_text(value)
    if type(value) in (int, float, str, bool):
        return plain_text(value) if type(value) is str else value
    return value.isoformat() if hasattr(value, "isoformat") else plain_text(value)


def _read_file(path: Any) -> str:
    text = check_text("the path of a table", os.fspath(path) if isinstance(path, os.PathLike) else path)
    try:
        with open_regular(Path(text).expanduser()) as opened:
            data = opened.read(_LARGEST_CSV + 1)
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputInvalid(f"the table {text[:200]!r} cannot be read: {why}") from None
    return _decoded(data, text)


def _read_url(url: str) -> str:
    from tempfile import TemporaryDirectory

    from eventlog.sdk.destinations import masked
    from eventlog.sdk.transfers import fetch_file

    # Errors name it.
    shown = masked(url)
    with TemporaryDirectory(prefix="eventlog-") as folder:
        copy = Path(folder) / "table.csv"
        fetch_file(shown, copy, lambda size: _check_size(size, shown))
        return _decoded(copy.read_bytes(), shown)


def _check_size(size: int, where: str) -> None:
    if size > _LARGEST_CSV:
        raise InputInvalid(f"{where} is larger than 64 MiB, too much for a table: report a part of it")


def _decoded(data: bytes, where: str) -> str:
    _check_size(len(data), where)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
