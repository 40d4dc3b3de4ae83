"""`eventlog plots`: the plots and media of a task in a table, and copies of them."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.cli.documents import media_document, plot_document
from eventlog.cli.moments import how_long_ago, local, size
from eventlog.cli.naming import resolve_any
from eventlog.cli.opening import as_json, catch_up, examples, opened_store, task_argument, views_of
from eventlog.cli.printing import clean, counted, document, drawn, line, nothing
from eventlog.cli.tables import Column, table
from eventlog.errors import InputInvalid, NotAvailable, NotFound
from eventlog.projections import Media, Plot

if TYPE_CHECKING:
    from eventlog.cli.plot_files import Saved

__all__ = ["command"]


@click.command(
    "plots",
    short_help="List a task's plots and media, save or open them.",
    epilog=examples(
        "eventlog plots digits/baseline --open",
        "eventlog plots digits/baseline 'confusion matrix' --save pictures",
    ),
)
@task_argument()
@click.argument("title", required=False)
@click.argument("series", required=False)
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write them there: plots as Plotly figures in JSON, media as they are, a page that shows all.",
)
@click.option("--open", "open_page", is_flag=True, help="Show them in a browser.")
@click.option("--force", "-f", is_flag=True, help="Write into a folder that is not empty.")
@as_json
@click.pass_obj
def command(
    home: Path | None,
    task: str,
    title: str | None,
    series: str | None,
    save: Path | None,
    open_page: bool,
    force: bool,
    as_json: bool,
) -> None:
    """List the plots, images, sounds, films and pages of a task, as last reported for each iteration.

    The page that --save and --open make needs no network. With plots in it, it needs the package plotly:
    pip install 'eventlog[plots]'. TASK may also be the whole id of a model.

    With --json: a list, each with kind (plot, image, audio, video, html or file), title, series, iteration,
    time, sha256 (of a plot, only where it is larger than 64 KiB); of media also size, file_name, url; with
    --save, the path that it was written to, or null.
    """
    with opened_store(home) as store:
        views = views_of(store)
        found = resolve_any(views, task)
        catch_up(views, reports=True)
        shown: list[Plot | Media] = [*views.plots(found, title, series), *views.media(found, title, series)]
        if title is not None and not shown:
            raise _not_among([*views.plots(found), *views.media(found)], title, series)
        saved = None
        if (save is not None or open_page) and shown:
            from eventlog.cli.plot_files import save_all

            saved = save_all(store.blobs, shown, _folder(save, force=force))
    if as_json:
        documents = [media_document(one) if isinstance(one, Media) else plot_document(one) for one in shown]
        for one, path in zip(documents, saved.paths if saved else (), strict=False):
            one["path"] = None if path is None else str(path)
        document(documents)
    elif not shown:
        nothing("no plots and no media")
    elif saved is not None:
        count = sum(path is not None for path in saved.paths)
        line(f"wrote {counted(count, 'file')} to {saved.folder}")
    else:
        _print(shown)
    if saved is not None:
        _show_page(saved, say=not as_json, in_browser=open_page)


def _not_among(known: Sequence["Plot | Media"], title: str, series: str | None) -> NotFound:
    titles = sorted({one.title for one in known})
    if title not in titles:
        return NotFound(f"there is no plot titled '{title}' there; there is {', '.join(titles) or 'none'}")
    names = sorted({one.series for one in known if one.title == title})
    there = ", ".join(name or "one without a name" for name in names)
    return NotFound(f"there is no series '{series}' of '{title}' there; there is {there}")


def _folder(save: Path | None, *, force: bool) -> Path:
    if save is None:
        return Path(tempfile.mkdtemp(prefix="eventlog-plots-"))
    if save.is_dir() and any(save.iterdir()) and not force:
        raise InputInvalid(f"{save} is not empty: choose another --save, or give --force")
    try:
        save.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputInvalid(f"{save} cannot be made ({error.strerror}): choose another --save") from None
    return save


def _show_page(saved: "Saved", *, say: bool, in_browser: bool) -> None:
    for problem in saved.problems:
        click.echo(f"eventlog: {clean(problem)}", err=True)
    if saved.page is None:
        if in_browser:
            raise NotAvailable(saved.why_no_page)
        click.echo(f"eventlog: {saved.why_no_page}", err=True)
    else:
        if say:
            line(f"{saved.page} shows them")
        if in_browser:
            click.launch(saved.page.absolute().as_uri())
    if saved.problems:
        click.get_current_context().exit(1)


def _print(shown: Sequence["Plot | Media"]) -> None:
    columns = (
        Column("TITLE", cut=1),
        Column("SERIES", cut=1),
        Column("ITERATION", right=True),
        Column("KIND"),
        Column("SIZE", right=True, needless=12),
        Column("FILE", cut=2, needless=12),
        Column("REPORTED", style="dim", needless=16),
    )
    table(
        columns,
        [
            [
                one.title,
                one.series,
                str(one.iteration),
                one.kind if isinstance(one, Media) else "plot",
                _size(one),
                one.file_name or one.url if isinstance(one, Media) else "",
                how_long_ago(one.time) if drawn() else local(one.time),
            ]
            for one in shown
        ],
    )


def _size(one: "Plot | Media") -> str:
    if one.blob:
        return size(one.size) if isinstance(one, Media) else "> 64 KiB"
    return "" if isinstance(one, Media) else size(len(one.figure.encode()))
