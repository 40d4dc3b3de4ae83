"""Plots and media as files, and a page that shows them all without a network.

What events say may come from another machine: it names no path here, and on the page it is data, never code.
"""

import html
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eventlog.blobs import Blobs
from eventlog.cli.written_files import written_whole
from eventlog.errors import BlobMissing, DataCorrupt
from eventlog.projections import Media, Plot

__all__ = ["Saved", "save_all"]

PAGE = "plots.html"
# Of a file's name, in bytes; file systems allow 255.
MAX_NAME = 150
NO_PLOTLY = "no page was made: to draw plots it needs plotly, `pip install 'eventlog[plots]'`"
ELEMENTS = {
    "image": '<img src="{}" alt="">',
    "audio": '<audio controls src="{}"></audio>',
    "video": '<video controls src="{}"></video>',
    "html": '<iframe sandbox="allow-scripts" src="{}"></iframe>',
}
TOP = """<!doctype html>
<meta charset="utf-8">
<title>Plots</title>
<style>
body { font: 15px system-ui, sans-serif; margin: 2em; }
h2 { font-size: 1em; margin-top: 2em; }
img, video, iframe { max-width: 100%; border: 1px solid #ddd; }
iframe { width: 100%; height: 30em; }
</style>
"""
DRAW = """<div id="{name}"></div>
<script>try {{ Plotly.newPlot("{name}", {figure}); }} catch (error) {{
document.getElementById("{name}").textContent = "this cannot be drawn: " + error; }}</script>
"""


class Saved(NamedTuple):
    """What has been written.

    Attributes:
        folder: where.
        paths: the file of each, or None where it could not be written or is at a URL alone.
        page: the page that shows all, or None.
        why_no_page: in one line, where there is none.
        problems: with single ones, a line each.
    """

    folder: Path
    paths: list[Path | None]
    page: Path | None
    why_no_page: str
    problems: list[str]


def save_all(blobs: Blobs, shown: Sequence[Plot | Media], folder: Path) -> Saved:
    """Write plots as Plotly figures in JSON, media as they are, and a page that shows all.

    Args:
        blobs: those of the store.
        shown: what to write.
        folder: where; files of the same names are replaced.
    """
    paths: list[Path | None] = []
    figures: list[str | None] = []
    problems = []
    taken = {PAGE}
    for one in shown:
        path, figure = None, None
        try:
            if isinstance(one, Plot):
                figure = _figure(blobs, one)
                path = folder / _file_name(one, ".json", taken)
                _write(path, figure)
            elif one.blob:
                path = folder / _file_name(one, _suffix(one.file_name), taken)
                _copy(blobs, one, path)
        except (BlobMissing, DataCorrupt) as error:
            path = None
            problems.append(str(error))
        paths.append(path)
        figures.append(figure)
    library = _plotly() if any(figures) else ""
    if library is None:
        return Saved(folder, paths, None, NO_PLOTLY, problems)
    page = folder / PAGE
    parts = (_part(at, *entry) for at, entry in enumerate(zip(shown, paths, figures, strict=True)))
    _write(page, f"{TOP}<script>{library}</script>\n{''.join(parts)}")
    return Saved(folder, paths, page, "", problems)


def _figure(blobs: Blobs, plot: Plot) -> str:
    from eventlog.sdk.sound_blobs import read_blob

    if not plot.blob:
        return plot.figure
    return read_blob(blobs, plot.blob, f"plot '{plot.title}'").decode("utf-8", "replace")


def _write(path: Path, text: str) -> None:
    with written_whole(path, force=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _copy(blobs: Blobs, media: Media, path: Path) -> None:
    from eventlog.sdk.sound_blobs import copy_blob

    with written_whole(path, force=True) as temporary, temporary.open("xb") as target:
        copy_blob(blobs, media.blob, f"{media.kind} '{media.title}'", target)


def _file_name(one: Plot | Media, suffix: str, taken: set[str]) -> str:
    """A name of a file that no other has; on some file systems capitals do not tell names apart."""
    words = "_".join(part for part in (one.title, one.series, str(one.iteration)) if part)
    stem = re.sub(r"[^\w.+-]+", "_", words).strip("._")
    try:
        stem = os.fsencode(stem)[:MAX_NAME].decode("utf-8", "ignore")
    except UnicodeEncodeError:
        stem = stem.encode("ascii", "ignore")[:MAX_NAME].decode()
    stem = stem or "plot"
    name, count = stem + suffix, 1
    while name.casefold() in taken:
        count += 1
        name = f"{stem}_{count}{suffix}"
    taken.add(name.casefold())
    return name


def _suffix(file_name: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,10}\Z", file_name)
    return found[0].lower() if found else ""


def _plotly() -> str | None:
    """The JavaScript that draws figures; None where the package plotly is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        return None
    library: str = get_plotlyjs()
    return library


def _part(at: int, one: Plot | Media, path: Path | None, figure: str | None) -> str:
    names = " / ".join(part for part in (one.title, one.series) if part)
    head = f"<h2>{html.escape(names)}, iteration {one.iteration}</h2>\n"
    if isinstance(one, Plot):
        return head + _drawing(at, figure)
    if path is not None:
        source = html.escape(path.name.replace("%", "%25").replace("?", "%3F").replace("#", "%23"))
        return head + ELEMENTS.get(one.kind, '<a href="{0}">{0}</a>').format(source) + "\n"
    where = html.escape(one.url)
    return head + (
        f'<a href="{where}">{where}</a>\n' if re.match("https?://", one.url) else f"<p>{where}</p>\n"
    )


def _drawing(at: int, figure: str | None) -> str:
    try:
        # Written anew, so that it is JSON and nothing else; "<" could end the script.
        written = json.dumps(json.loads(figure or "")).replace("<", "\\u003c")
    except (ValueError, RecursionError):
        return "<p>this is not a figure</p>\n"
    return DRAW.format(name=f"plot{at}", figure=written)
