"""Tables: columns that fit the terminal, or plain columns of full text where nobody looks."""

import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from eventlog.cli.printing import Part, clean, console, drawn, text

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Cell", "Column", "bar", "fields", "plain_table", "progress_cell", "status_cell", "table"]

GAP = 2
# Lines that are laid out before they are written.
AT_ONCE = 4096
MIN_WIDTH = 4
STATUS_STYLES = {
    "created": "dim",
    "in_progress": "cyan",
    "completed": "green",
    "failed": "red",
    "stopped": "yellow",
    "published": "magenta",
    # Of deliveries.
    "waiting": "cyan",
}


class Cell(NamedTuple):
    """What a cell says in plain text, and how it is drawn; drawn as it is said by default."""

    plain: str
    parts: tuple[Part, ...] = ()


class Column(NamedTuple):
    """A column.

    Attributes:
        title: its heading.
        right: its cells stand to the right.
        cut: how readily it is cut when there is no room: 0 for never; one with 2 is left half the width of
            one with 1.
        style: of its cells, in rich's words.
        needless: left out where a column that is cut would otherwise have less room than this; those with
            the largest number go first. 0 for never.
        keep_end: a cell that is cut loses its beginning.
        folds: what a cell would lose goes on in the next line.
    """

    title: str
    right: bool = False
    cut: float = 0
    style: str = ""
    needless: int = 0
    keep_end: bool = False
    folds: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], indent: int = 0) -> None:
    """Print rows under headings; no headings where all titles are empty."""
    if drawn():
        cells = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        _draw(columns, cells, indent)
    else:
        plain = [[cell if isinstance(cell, str) else cell.plain for cell in row] for row in rows]
        plain_table(columns, list(zip(*plain, strict=True)) or [()] * len(columns), indent)


def plain_table(columns: Sequence[Column], words: Sequence[Sequence[str]], indent: int = 0) -> None:
    """Print a table that is not drawn, given by its columns: in long lists no cell is looked at by itself."""
    if any(column.title for column in columns):
        words = [(column.title, *its) for column, its in zip(columns, words, strict=True)]
    laid_out = [_laid_out(its, right=column.right) for column, its in zip(columns, words, strict=True)]
    line = " " * indent + (" " * GAP).join([form for form, _ in laid_out])
    rows = zip(*[its for _, its in laid_out], strict=True)
    lines = map(str.rstrip, map(line.__mod__, rows))
    # In parts, so that the memory that one took is taken again for the next.
    while part := list(islice(lines, AT_ONCE)):
        sys.stdout.write("\n".join([*part, ""]))


def fields(rows: Sequence[tuple[str, Cell | str]], indent: int = 0) -> None:
    """Print names and values side by side, values whole; those without a value are left out."""
    kept = [(name, value) for name, value in rows if value and (isinstance(value, str) or value.plain)]
    table([Column("", style="dim"), Column("", cut=1, folds=True)], kept, indent)


def bar(percent: int, length: int) -> tuple[Part, ...]:
    """A bar of `length` columns, `percent` of it filled."""
    filled = round(max(0, min(100, percent)) / 100 * length)
    return (("━" * filled, "green" if percent >= 100 else "cyan"), ("─" * (length - filled), "bright_black"))


def progress_cell(progress: int | None, length: int) -> Cell:
    """Progress in percent, with a bar where it is drawn."""
    if progress is None:
        return Cell("")
    return Cell(f"{progress}%", (*bar(progress, length), f"{progress:4d}%"))


def status_cell(status: str) -> Cell:
    """The status of a task, or of a delivery, in its colour."""
    style = STATUS_STYLES.get(status, "")
    return Cell(status, (("● ", style), (status.replace("_", " "), style)))


def _draw(columns: Sequence[Column], rows: list[list[Cell]], indent: int) -> None:
    from rich.cells import cell_len
    from rich.padding import Padding
    from rich.table import Table

    drawing = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    drawing.show_header = any(column.title for column in columns)
    texts = [[text(*(cell.parts or (cell.plain,))) for cell in row] for row in rows]
    natural = [
        max([cell_len(clean(column.title)), *(row[at].cell_len for row in texts)])
        for at, column in enumerate(columns)
    ]
    room = console().width - indent
    kept = _kept(natural, columns, room)
    widths = _fit([natural[at] for at in kept], [columns[at] for at in kept], room)
    for column, wide in zip((columns[at] for at in kept), widths, strict=True):
        drawing.add_column(
            text(column.title),
            justify="right" if column.right else "left",
            no_wrap=bool(column.cut) and not column.folds,
            overflow="ellipsis" if column.cut and not column.folds else "fold",
            style=column.style or None,
            width=wide,
        )
    for row in texts:
        drawing.add_row(*(_fitted(row[at], wide, columns[at]) for at, wide in zip(kept, widths, strict=True)))
    console().print(Padding(drawing, (0, 0, 0, indent), expand=False))


def _fitted(words: "Text", wide: int, column: Column) -> "Text":
    if column.folds:
        words.no_wrap, words.overflow = False, "fold"
    return _end_of(words, wide) if column.keep_end else words


def _end_of(words: "Text", wide: int) -> "Text":
    """As much of the end as there is room for, after an ellipsis where that is not all."""
    end = words
    while end.cell_len > wide - (end is not words):
        end = end[1:]
    return end if end is words else text("…") + end


def _kept(natural: Sequence[int], columns: Sequence[Column], room: int) -> list[int]:
    """Which columns are drawn: those that can be done without go while others lack the room."""
    kept = list(range(len(columns)))
    for going in sorted(kept, key=lambda at: -columns[at].needless):
        least = columns[going].needless
        widths = _fit([natural[at] for at in kept], [columns[at] for at in kept], room)
        if not least or not any(
            columns[at].cut and not columns[at].needless and wide < min(natural[at], least)
            for at, wide in zip(kept, widths, strict=True)
        ):
            break
        kept.remove(going)
    return kept


def _fit(natural: Sequence[int], columns: Sequence[Column], room: int) -> list[int]:
    """The widths of columns that are `natural` wide, made to fit by taking from those that may be cut."""
    widths = list(natural)
    excess = sum(widths) + GAP * (len(widths) - 1) - room
    cuttable = [at for at, column in enumerate(columns) if column.cut]
    for _ in range(max(0, excess)):
        cuttable = [at for at in cuttable if widths[at] > MIN_WIDTH]
        if not cuttable:
            break
        widths[max(cuttable, key=lambda at: widths[at] * columns[at].cut)] -= 1
    return widths


def _laid_out(words: Sequence[str], *, right: bool) -> tuple[str, Sequence[str]]:
    """How the cells of a column are formatted, so that all are as wide as the widest; and the cells."""
    everything = "".join(words)
    if everything.isascii() and everything.isprintable():
        wide = max(map(len, words), default=0)
        return f"%{'' if right else '-'}{wide}s", words
    from rich.cells import cell_len

    words = [clean(one) for one in words]
    lengths = [cell_len(one) for one in words]
    wide = max(lengths)
    spaces = [" " * (wide - length) for length in lengths]
    return "%s", [gap + one if right else one + gap for one, gap in zip(words, spaces, strict=True)]
