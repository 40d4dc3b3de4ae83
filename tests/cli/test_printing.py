import io
import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eventlog.cli.printing import clean, counted, cut_line, document, draw_on, line
from eventlog.cli.tables import Cell, Column, fields, progress_cell, status_cell, table

anything = st.text(st.characters(exclude_categories=[]), max_size=40)


def terminal(width: int = 80, **settings: object) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False, **settings)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(anything)
def test_no_text_from_elsewhere_can_drive_a_terminal(text: str) -> None:
    cleaned = clean(text)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in cleaned)
    assert not any(
        unicodedata.bidirectional(letter) in ("LRE", "RLE", "LRO", "RLO", "PDF") for letter in cleaned
    )
    cleaned.encode()


def test_what_is_taken_out_of_a_text_can_still_be_seen() -> None:
    assert clean("\x1b[31mred\x07\x9b2J\nü\u202eevil") == "␛[31mred␇\\x9b2J␊ü\\u202eevil"


def test_text_that_looks_like_markup_is_shown_as_it_is() -> None:
    console = terminal()
    with draw_on(console):
        line("[red]name[/red] :smile: ", ("[/]", "bold"))
    assert "[red]name[/red] :smile: " in shown(console)


def test_a_text_is_cleaned_on_a_terminal_too() -> None:
    console = terminal()
    with draw_on(console):
        line("a\x1b]0;title\x07")
        table([Column("")], [["b\x1b[2J"]])
        cut_line("c\x9b1m")
    assert "a␛]0;title␇" in shown(console)
    assert "b␛[2J" in shown(console)
    assert "c\\x9b1m" in shown(console)


@given(st.floats())
def test_a_document_is_json_whatever_the_number(value: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", output := io.StringIO())
        document({"value": [value]})
    (read,) = json.loads(output.getvalue(), parse_constant=pytest.fail)["value"]
    if math.isfinite(value):
        assert read == value
    else:
        assert repr(float(read)) == repr(value if not math.isnan(value) else math.nan)


@given(anything)
def test_a_document_holds_a_text_exactly_and_no_control_characters(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", output := io.StringIO())
        document({"text": text}, one_line=True)
    written = output.getvalue()
    assert json.loads(written) == {"text": text}
    assert clean(written[:-1]) == written[:-1]
    assert written[-1] == "\n"


def test_plain_tables_are_aligned_uncut_and_without_drawing(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (Column("NAME", cut=True), Column("SIZE", right=True), Column("STATUS"))
    table(
        columns,
        [["x" * 100, "1", status_cell("in_progress")], ["日本", "1234", status_cell("failed")]],
        indent=2,
    )
    assert capsys.readouterr().out.splitlines() == [
        "  NAME" + " " * 98 + "SIZE  STATUS",
        "  " + "x" * 100 + "     1  in_progress",
        "  日本" + " " * 98 + "1234  failed",
    ]


def test_plain_fields_leave_out_what_has_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    fields([("type", "training"), ("comment", ""), ("progress", progress_cell(None, 10)), ("tags", "a, b")])
    assert capsys.readouterr().out == "type  training\ntags  a, b\n"


@given(
    st.lists(st.tuples(anything, anything), min_size=1, max_size=4),
    st.integers(min_value=20, max_value=120),
)
def test_a_table_never_leaves_its_terminal(rows: list[tuple[str, str]], width: int) -> None:
    console = terminal(width, color_system=None)
    with draw_on(console):
        table(
            (Column("A", cut=True), Column("B", cut=True), Column("C")), [[a, b, "12345678"] for a, b in rows]
        )
    lines = shown(console).splitlines()
    assert len(lines) == len(rows) + 1
    assert all(Console().measure(row).maximum <= width for row in lines)
    assert all("12345678" in row for row in lines[1:])


def test_progress_is_a_bar_on_a_terminal_and_a_number_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    table([Column("")], [[progress_cell(40, 10)]])
    assert capsys.readouterr().out == "40%\n"
    console = terminal(color_system="standard")
    with draw_on(console):
        table([Column("")], [[progress_cell(40, 10)]])
    assert "\x1b[36m━━━━\x1b[0m\x1b[90m──────\x1b[0m  40%" in shown(console)


def test_no_color_keeps_the_drawing_and_drops_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = terminal(color_system="standard")
    with draw_on(console):
        table([Column("")], [[Cell("40%", progress_cell(40, 10).parts)], [status_cell("failed")]])
    assert shown(console).split("\n")[0].rstrip() == "━━━━──────  40%"
    assert "\x1b" not in shown(console)


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (1, "batch", "1 batch"),
        (2, "batch", "2 batches"),
        (1234, "event", "1,234 events"),
        (0, "blob", "0 blobs"),
    ],
)
def test_counts_agree_with_their_nouns(count: int, noun: str, said: str) -> None:
    assert counted(count, noun) == said
