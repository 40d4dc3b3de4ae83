"""What a script reports as pictures, sounds and films, and as figures that were drawn elsewhere."""

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from eventlog.errors import InputInvalid
from eventlog.events import MediaReported
from eventlog.sdk import series_info
from eventlog.sdk.plain_text import check_title
from eventlog.sdk.plot_reports import PlotReports

if TYPE_CHECKING:
    from eventlog.sdk.media import Medium

__all__ = ["MediaReports"]

log = logging.getLogger("eventlog")


class MediaReports(PlotReports):
    """The methods of `Logger` that report media, and figures of Plotly and matplotlib.

    Each report is of an iteration, 0 by default; of each title, series and iteration the last one counts.
    The bytes are in the store when the call returns, and stay there: the log forgets nothing. A history is
    how many copies lie at a destination (`set_default_upload_destination`); the next one takes the place of
    the first.
    """

    SeriesInfo = series_info.SeriesInfo
    _draws_matplotlib: ClassVar[bool] = False
    _task_id: str

    def __init__(self) -> None:
        # As ClearML has it in its settings.
        self._history = 100
        self._destination = ""
        self._counts: dict[tuple[str, str], Iterator[int]] = {}

    def report_image(
        self,
        title: str,
        series: str,
        iteration: int | None = None,
        local_path: str | None = None,
        image: Any = None,
        matrix: Any = None,
        max_image_history: int | None = None,
        delete_after_upload: bool = False,
        url: str | None = None,
    ) -> None:
        """Report an image: exactly one of `local_path`, `image`, `matrix` and `url` is given.

        Args:
            title, series: what it is called.
            iteration: the step, a whole number of 64 bits.
            local_path: a file, kept byte for byte.
            image: an array of NumPy, a tensor, or an image of Pillow; `images.png_of` says of which shapes.
            matrix: as `image`.
            max_image_history: how many copies lie at the destination; a negative number for all.
            delete_after_upload: delete the file at `local_path` once it is kept.
            url: where it is already; nothing is fetched.

        Raises:
            InputInvalid: it is no image, there is no such file, or none or several are given.
        """
        from eventlog.sdk import images, media

        names = check_title(title, series)
        _check_one(local_path=local_path, url=url, image=image, matrix=matrix)
        if local_path is not None:
            medium = media.medium_of_file(local_path)
        elif url is not None:
            medium = media.medium_of_url(url)
        else:
            medium = media.medium_of_bytes(images.png_of(matrix if image is None else image), ".png")
        self._report_medium(names, iteration, medium, max_image_history, delete_after_upload, is_image=True)

    def report_image_and_upload(
        self,
        title: str,
        series: str,
        iteration: int | None = None,
        path: str | None = None,
        matrix: Any = None,
        max_image_history: int | None = None,
        delete_after_upload: bool = False,
    ) -> None:
        """As `report_image`."""
        self.report_image(
            title,
            series,
            iteration,
            local_path=path,
            image=matrix,
            max_image_history=max_image_history,
            delete_after_upload=delete_after_upload,
        )

    def report_media(
        self,
        title: str,
        series: str,
        iteration: int | None = None,
        local_path: str | None = None,
        stream: Any = None,
        file_extension: str | None = None,
        max_history: int | None = None,
        delete_after_upload: bool = False,
        url: str | None = None,
    ) -> None:
        """Report a sound, a film, an image, a page or any file: exactly one of path, stream and URL is given.

        Args:
            title, series: what it is called.
            iteration: the step, a whole number of 64 bits.
            local_path: a file, kept byte for byte.
            stream: an `io.BytesIO`, an `io.StringIO` or another open file; of a buffer all that is in it.
            file_extension: what a stream holds, such as "mp4".
            max_history: how many copies lie at the destination; a negative number for all.
            delete_after_upload: delete the file at `local_path` once it is kept.
            url: where it is already; nothing is fetched.

        Raises:
            InputInvalid: there is no such file, the stream cannot be read, or none or several are given.
        """
        from eventlog.sdk import media

        names = check_title(title, series)
        _check_one(local_path=local_path, url=url, stream=stream)
        if local_path is not None:
            medium = media.medium_of_file(local_path)
        elif url is not None:
            medium = media.medium_of_url(url)
        else:
            medium = media.medium_of_stream(stream, file_extension)
        self._report_medium(names, iteration, medium, max_history, delete_after_upload)

    def report_plotly(self, title: str, series: str, figure: Any, iteration: int | None = None) -> None:
        """Report a figure of Plotly.

        Args:
            title, series: the plot; a figure without a title of its own is given that of the series.
            figure: one of Plotly's figures, a dictionary with data and layout, or JSON text.
            iteration: the step, a whole number of 64 bits.

        Raises:
            InputInvalid: it is no figure, or cannot be written as JSON.
        """
        from eventlog.sdk.figure_json import figure_of

        names = check_title(title, series)
        made = figure_of(figure)
        own = made["layout"].get("title")
        if not (own.get("text") if isinstance(own, dict) else own):
            made["layout"]["title"] = {**(own if isinstance(own, dict) else {}), "text": names[1] or names[0]}
        self._report_figure(*names, iteration, made)

    def report_matplotlib_figure(
        self,
        title: str,
        series: str,
        figure: Any,
        iteration: int | None = None,
        report_image: bool = False,
        report_interactive: bool = True,
    ) -> None:
        """Report a figure of matplotlib.

        Args:
            title, series: what it is called.
            figure: the figure, or the module `pyplot` for its current one.
            iteration: the step, a whole number of 64 bits.
            report_image: as an image among the media, instead of a plot.
            report_interactive: where it consists of lines, points and bars, as a plot that can be explored;
                anything else is drawn as a picture in a plot.

        Raises:
            InputInvalid: it is no figure, or cannot be drawn.
        """
        from eventlog.sdk import matplotlib_figures, media

        names = check_title(title, series)
        drawn = matplotlib_figures.figure_of(figure)
        if report_image:
            medium = media.medium_of_bytes(matplotlib_figures.png_of(drawn), ".png")
            self._report_medium(names, iteration, medium, None, False, is_image=True)
            return
        made = None
        if report_interactive and not self._draws_matplotlib:
            made = matplotlib_figures.converted(drawn, *names)
        self._report_figure(*names, iteration, made or matplotlib_figures.picture(drawn, *names))

    @classmethod
    def matplotlib_force_report_non_interactive(cls, force: bool) -> None:
        """Draw every figure of matplotlib as a picture, from now on; or no longer."""
        MediaReports._draws_matplotlib = bool(force)

    def set_default_upload_destination(self, uri: str) -> bool:
        """Copy images and media of this logger to a destination, too, in the background; returns True.

        Args:
            uri: the URL of a folder, by any scheme of fsspec, or its path; "" for none.

        Raises:
            InputInvalid: it can be neither.
        """
        from eventlog.sdk.destinations import check_destination

        self._destination = check_destination(uri or "", self._store.configuration)
        return True

    def get_default_upload_destination(self) -> str:
        """Where images and media are copied to, or "" for nowhere but the store."""
        return self._destination

    def set_default_debug_sample_history(self, max_history: int) -> None:
        """Set how many copies of each title and series lie at the destination; a negative number for all.

        Raises:
            InputInvalid: it is no whole number, or 0.
        """
        self._history = _checked_history(max_history)

    def get_default_debug_sample_history(self) -> int:
        """How many copies of each title and series lie at the destination; 100 by default."""
        return self._history

    def _report_medium(
        self,
        names: tuple[str, str],
        iteration: Any,
        medium: "Medium",
        max_history: int | None,
        delete: bool,
        is_image: bool = False,
    ) -> None:
        step = self._iteration(iteration)
        history = self._history if max_history is None else _checked_history(max_history)
        kept = medium.keep(self._store)
        if kept is None:
            return
        blob, size = kept
        # Threads that report at once get numbers of their own.
        number = next(self._counts.setdefault(names, count()))
        name = _file_name(*names, number if history < 0 else number % history, medium.extension)
        url = self._copy_url(names, name) if blob and self._destination else medium.url
        kind = "image" if is_image else medium.kind
        self._report(MediaReported, *names, step, kind, blob, size, name if blob else "", url)
        if blob and url:
            from eventlog.sdk.delivery import deliver

            deliver(self._store, self._task_id, blob, url)
        if delete and isinstance(medium.source, Path):
            try:
                medium.source.unlink()
            except OSError as error:
                log.warning("eventlog: %s is kept and cannot be deleted: %s", medium.source, error.strerror)

    def _copy_url(self, names: tuple[str, str], file_name: str) -> str:
        from eventlog.sdk.destinations import file_url, path_part
        from eventlog.sdk.stores import read_state

        state = read_state(self._store, self._task_id)
        folder = "/".join(("metrics", *map(path_part, names)))
        return file_url(self._destination, state.project, state.name, self._task_id, folder, file_name)


def _check_one(**given: Any) -> None:
    count = sum(one is not None for one in given.values())
    if count != 1:
        raise InputInvalid(f"exactly one of {', '.join(given)} must be given; here are {count} of them")


def _checked_history(history: Any) -> int:
    if type(history) is not int or history == 0:
        raise InputInvalid("a history must be a whole number above 0, or a negative one for all")
    return history


def _file_name(title: str, series: str, number: int, extension: str) -> str:
    """What a copy is called; a name, never a path."""
    from eventlog.sdk.destinations import path_part

    return path_part(f"{title}_{series}_{number:08d}{extension}")
