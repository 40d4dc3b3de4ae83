"""A report as sections of paragraphs, tables and text, and the two ways to write it: Markdown and HTML.

What is in it came from elsewhere: nothing of it is taken for markup.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from eventlog.cli.printing import clean

__all__ = ["Block", "Code", "Facts", "Page", "Section", "Table", "as_html", "as_markdown"]


@dataclass(frozen=True)
class Facts:
    """Names and values; those without a value are left out."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows under headings. Columns in `code` are ids, hashes and the like; those in `right` are numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    code: frozenset[int] = frozenset()
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Code:
    """Text as it stands."""

    text: str


Block = str | Facts | Table | Code
"""A string is a paragraph."""


@dataclass
class Section:
    """A part of a page under its title."""

    title: str
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Page:
    """A report.

    Attributes:
        title, subtitle: what it is about.
        verdict: what it comes to, in a sentence.
        is_sound: whether that is good.
        sections: its parts.
    """

    title: str
    subtitle: str
    verdict: str
    is_sound: bool
    sections: list[Section]


# Markdown.


def as_markdown(page: Page) -> str:
    """The page in Markdown, with tables as GitHub has them."""
    parts = [f"# {_escaped(page.title)}", _escaped(page.subtitle), f"**{_escaped(page.verdict)}**"]
    for section in page.sections:
        parts.append(f"## {_escaped(section.title)}")
        parts += ["\n".join(_markdown(block)) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def _markdown(block: Block) -> Iterator[str]:
    if isinstance(block, str):
        yield _escaped(block)
    elif isinstance(block, Facts):
        yield from (f"- {_escaped(name)}: {_escaped(value)}" for name, value in block.rows if value)
    elif isinstance(block, Table):
        yield f"| {' | '.join(map(_escaped, block.headings))} |"
        rules = ("---:" if place in block.right else "---" for place in range(len(block.headings)))
        yield f"| {' | '.join(rules)} |"
        for row in block.rows:
            cells = (
                _code_span(cell) if place in block.code else _escaped(cell) for place, cell in enumerate(row)
            )
            yield f"| {' | '.join(cells)} |"
    else:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
        yield fence
        yield "\n".join(map(clean, block.text.rstrip("\n").split("\n")))
        yield fence


def _escaped(text: str) -> str:
    """Text on one line, of which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>|#&~])", r"\\\1", clean(text)).strip()


def _code_span(text: str) -> str:
    if not re.fullmatch("[0-9A-Za-z:./, -]+", text):
        return _escaped(text)
    return f"`{text}`"


# HTML.

STYLE = """
:root { color-scheme: light; }
body { font: 10.5pt/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #1c2024;
  background: #fff; max-width: 62em; margin: 2.5em auto; padding: 0 1.5em; }
h1 { font-size: 1.7em; margin: 0 0 .15em; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.12em; margin: 1.9em 0 .5em; padding-bottom: .2em; border-bottom: 1px solid #d5d9de; }
p { margin: .5em 0; }
.subtitle { color: #5b6470; overflow-wrap: anywhere; }
.verdict { margin: 1.1em 0; padding: .6em .9em; border-left: 4px solid #2e7d4f; background: #eef7f1;
  font-weight: 600; }
.verdict.bad { border-color: #c0362c; background: #fcefee; }
dl { display: grid; grid-template-columns: 11em 1fr; gap: .18em 1em; margin: .4em 0; }
dt { color: #5b6470; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .5em 0 .9em; font-size: .89em; }
th { text-align: left; color: #5b6470; font-weight: 600; white-space: nowrap;
  border-bottom: 1px solid #aab1b9; }
th, td { padding: .25em .9em .25em 0; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
td.long { overflow-wrap: anywhere; }
td { border-bottom: 1px solid #eceff2; font-variant-numeric: tabular-nums; }
.right { text-align: right; }
td.code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
td.code { font-size: .88em; min-width: 8em; word-break: break-all; }
td.short { white-space: nowrap; min-width: 0; }
pre { font-size: .82em; line-height: 1.5; background: #f6f7f9; border: 1px solid #e3e6ea; padding: .7em .9em;
  border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
@page { size: A4; margin: 16mm 15mm; }
@media print {
  body { font-size: 9pt; max-width: none; margin: 0; padding: 0; }
  h2 { break-after: avoid; } tr, dl, .verdict { break-inside: avoid; } thead { display: table-header-group; }
  .verdict, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
# A hash is wrapped; what is no longer than this stands on one line.
SHORT = 24


def as_html(page: Page) -> str:
    """The page as one HTML file that loads nothing, and prints well."""
    sections = "".join(
        f"<section>\n<h2>{_text(section.title)}</h2>\n{''.join(map(_html, section.blocks))}</section>\n"
        for section in page.sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src'
        " 'unsafe-inline'\">\n"
        f"<title>{_text(page.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{_text(page.title)}</h1>\n<p class="subtitle">{_text(page.subtitle)}</p>\n'
        f'<p class="verdict{"" if page.is_sound else " bad"}">{_text(page.verdict)}</p>\n'
        f"{sections}</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{_text(block)}</p>\n"
    if isinstance(block, Facts):
        rows = "".join(
            f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>\n" for name, value in block.rows if value
        )
        return f"<dl>\n{rows}</dl>\n"
    if isinstance(block, Code):
        lines = map(clean, block.text.rstrip("\n").split("\n"))
        return f"<pre>{html.escape(chr(10).join(lines))}</pre>\n"
    headings = "".join(
        f"<th{_classes(block, place)}>{_text(title)}</th>" for place, title in enumerate(block.headings)
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td{_classes(block, place, cell)}>{_text(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>\n"
        for row in block.rows
    )
    return f"<table>\n<thead><tr>{headings}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


def _classes(block: Table, place: int, cell: str | None = None) -> str:
    names = []
    if place in block.right:
        names.append("right")
    if place in block.code and cell is not None:
        names.append("code")
        if len(cell) <= SHORT:
            names.append("short")
    elif cell is not None and any(len(word) > SHORT for word in cell.split()):
        names.append("long")
    return f' class="{" ".join(names)}"' if names else ""


def _text(text: str) -> str:
    return html.escape(clean(text))
