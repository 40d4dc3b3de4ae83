"""Figures of matplotlib are reported when the script shows or saves them, as ClearML does.

What else draws with matplotlib, such as pandas and seaborn, ends in the same few functions. Of a figure that
is shown or saved again and looks the same, nothing new is reported.
"""

import hashlib
import io
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from eventlog.sdk.automatic.hooks import Call, after, around
from eventlog.sdk.automatic.listening import hears, muted, safely

if TYPE_CHECKING:
    from eventlog.sdk.task import Task

__all__ = ["bind_animation", "bind_backend_bases", "bind_figure", "bind_inline_backend", "bind_pyplot"]

_FRAMEWORK = "matplotlib"
_WHAT = "a figure of matplotlib"
# Characters, of a title; there is room for a number behind it.
_LONGEST = 1000
# A plot of more points than that is slower to write and to explore than a picture, and shows no more.
_MOST_POINTS = 20_000


def bind_figure(module: Any) -> None:
    """Hook `matplotlib.figure`: what saves or shows one figure."""
    after(module.Figure, "savefig", _FRAMEWORK, _record_saved)
    after(module.Figure, "show", _FRAMEWORK, lambda task, call: _figures_of(task).show(call.instance))


def bind_pyplot(module: Any) -> None:
    """Hook `matplotlib.pyplot`: what shows all open figures, and what draws an image."""
    around(module, "show", _show)
    around(module, "pause", _pause)
    after(module, "imshow", _FRAMEWORK, lambda task, call: _figures_of(task).mark_image(call.result))


def bind_backend_bases(module: Any) -> None:
    """Hook `matplotlib.backend_bases`: what `pyplot.show` calls, which a script may hold by its name."""
    around(module.FigureManagerBase, "pyplot_show", _show)


def bind_inline_backend(module: Any) -> None:
    """Hook `matplotlib_inline.backend_inline`: what shows figures at the end of a notebook's cell."""
    around(module, "show", _show)


def bind_animation(module: Any) -> None:
    """Hook `matplotlib.animation`: the pictures of a film, which may be saved one by one, are not heard."""
    around(module.Animation, "save", _mute)


def _show(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    task = hears(_FRAMEWORK, _FRAMEWORK)
    if task is None:
        return wrapped(*args, **kwargs)
    # Before: once a window or a notebook has shown figures, they are closed.
    for figure in safely(_WHAT, _open_figures) or ():
        safely(_WHAT, _figures_of(task).show, figure)
    return _mute(wrapped, instance, args, kwargs)


def _pause(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    # A script that moves what it draws pauses at each step of it; images that are new count all the same.
    task = hears(_FRAMEWORK, _FRAMEWORK)
    if task is not None:
        for figure in safely(_WHAT, _open_figures) or ():
            safely(_WHAT, _figures_of(task).show_image, figure)
    return _mute(wrapped, instance, args, kwargs)


def _mute(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    with muted(_FRAMEWORK):
        return wrapped(*args, **kwargs)


def _record_saved(task: "Task", call: Call) -> None:
    # What is written into a buffer is drawn for some other purpose, such as a report of another library.
    if isinstance(call.argument(0, "fname"), (str, os.PathLike)):
        _figures_of(task).save(call.instance)


def _open_figures() -> list[Any]:
    from matplotlib._pylab_helpers import Gcf

    return [manager.canvas.figure for manager in Gcf.get_all_fig_managers()]


class _Figures:
    """Reports figures to one task, each look of a figure once."""

    def __init__(self, task: "Task") -> None:
        self.task = task
        self._logger = task.get_logger()
        # By figure, how it looked when it was last reported, and at which step that was.
        self._looks: WeakKeyDictionary[Any, tuple[int, bytes]] = WeakKeyDictionary()
        # Those that `pyplot.imshow` has drawn an image into, until they are shown, and after that.
        self._images: WeakSet[Any] = WeakSet()
        self._shown_images: WeakSet[Any] = WeakSet()
        self._untitled = {"plot": 0, "image": 0}
        self._step = 0
        self._titles: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Figures of {self.task!r}>"

    def mark_image(self, image: Any) -> None:
        """Take note that an image was drawn into a figure, which then is reported as one."""
        # Of a part of a figure, the whole.
        figure = image.axes.figure.canvas.figure
        self._images.add(figure)
        self._shown_images.discard(figure)

    def show(self, figure: Any) -> None:
        """Report a figure that is shown."""
        self.show_image(figure)
        if figure not in self._shown_images:
            self.save(figure)

    def show_image(self, figure: Any) -> None:
        """Report a figure as an image, if one was drawn into it since it was last shown."""
        if figure in self._images:
            self._images.discard(figure)
            if any(axes.images for axes in figure.axes):
                self._shown_images.add(figure)
                self._report_image(figure)

    def save(self, figure: Any) -> None:
        """Report a figure that is saved, as a plot."""
        from eventlog.sdk.matplotlib_figures import converted, picture_of, png_of

        title = _title_of(figure)
        is_picture = self._logger._draws_matplotlib or _points_of(figure) > _MOST_POINTS
        made = None if is_picture else converted(figure, title, "")
        if made is not None:
            from eventlog.sdk.figure_json import figure_text

            if self._is_new(figure, figure_text(made).encode()):
                name = self._name(title, "plot")
                made["layout"]["title"]["text"] = made["layout"]["title"]["text"] or name
                self._logger._report_figure(name, "plot", self._step, made)
            return
        data = png_of(figure)
        if self._is_new(figure, data):
            name = self._name(title, "plot")
            self._logger._report_figure(name, "plot image", self._step, picture_of(data, name, "plot image"))

    def _report_image(self, figure: Any) -> None:
        from eventlog.sdk.matplotlib_figures import png_of

        stream = io.BytesIO(png_of(figure))
        name = self._name(_title_of(figure), "image")
        self._logger.report_media(name, "plot image", self._step, stream=stream, file_extension="png")

    def _is_new(self, figure: Any, data: bytes) -> bool:
        look = self._logger._step, hashlib.sha256(data).digest()
        if self._looks.get(figure) == look:
            return False
        self._looks[figure] = look
        return True

    def _name(self, title: str, kind: str) -> str:
        """A title that no other figure of the step has."""
        step = self._logger._step
        if step != self._step:
            self._step = step
            self._titles.clear()
        if not title:
            number = self._untitled[kind]
            self._untitled[kind] += 1
            return f"untitled {number:02d}"
        number = self._titles.get(title, 0)
        self._titles[title] = number + 1
        return f"{title}/{number}" if number else title


def _title_of(figure: Any) -> str:
    """The title above a figure, or that of the axes that were drawn into last."""
    from eventlog.sdk.plain_text import check_title

    above = getattr(figure, "_suptitle", None)
    title = above.get_text() if above is not None else ""
    if not title.strip() and figure.axes:
        title = figure.gca().get_title()
    return check_title(title[:_LONGEST], "")[0] if title.strip() else ""


def _points_of(figure: Any) -> int:
    """How many points, bars and the like a figure is drawn from."""
    count = 0
    for axes in figure.axes:
        count += sum(len(line.get_xdata()) for line in axes.lines)
        count += sum(len(collection.get_offsets()) for collection in axes.collections)
        count += len(axes.patches)
    return count


def _figures_of(task: "Task") -> _Figures:
    """What reports figures to a task, as long as it runs."""
    global _figures
    if _figures is None or _figures.task is not task:
        _figures = _Figures(task)
    return _figures


_figures: _Figures | None = None
