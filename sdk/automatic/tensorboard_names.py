"""What TensorBoard's summaries are called as reports: ClearML's titles and series, from tags and folders.

TensorBoard tells curves of one tag apart by the folder that each writer writes to. The first folder that
writes a tag needs no mention; of another one, what tells it from the first stands in the series or the title.
"""

from pathlib import PurePath

__all__ = ["TensorBoardNames"]

# What stands above those scalars that have no title, where they are drawn together.
_GROUP = "Scalars"


class TensorBoardNames:
    """The names of one task's reports, and which folder wrote which tag first."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], str] = {}
        self._plots: dict[str, list[str]] = {}

    def __repr__(self) -> str:
        return f"<Names of {len(self._first)} tags>"

    def of_scalar(
        self, tag: str, folder: str, is_single: bool = False, is_grouped: bool = False
    ) -> tuple[str, str]:
        """Title and series of a curve.

        Args:
            tag: such as "loss/train".
            folder: what its writer writes to.
            is_single: each curve is drawn in a plot of its own.
            is_grouped: those without a title are drawn together.
        """
        title, series = _halves(tag)
        is_plain = "/" not in tag
        if is_plain and is_grouped:
            title = _GROUP
        elif is_plain:
            # `SummaryWriter.add_scalars` gives each curve a folder of its own, named after tag and curve.
            above, own = PurePath(folder).parent, PurePath(folder).name
            if own.startswith(f"{tag}_") and own != f"{tag}_":
                curve = own[len(tag) + 1 :].replace(" ", "_")
                beside = self._beside("curve", f"{tag}_{curve}", str(above))
                if is_single:
                    return f"{tag} {beside} {curve}" if beside else f"{tag} {curve}", curve
                return tag, f"{beside}: {curve}" if beside else curve
        beside = self._beside("scalar", tag, folder)
        if not beside:
            return title, series
        return (f"{title} {beside}", series) if is_single else (title, f"{beside}: {series}")

    def of_histogram(self, tag: str, folder: str) -> tuple[str, str]:
        """Title and series of a histogram."""
        title, series = _halves(tag) if "/" in tag else ("Histograms", tag)
        beside = self._beside("histogram", tag, folder)
        return title, f"{series} :{beside}" if beside else series

    def of_medium(self, kind: str, tag: str, folder: str) -> tuple[str, str]:
        """Title and series of an image, a sound or a text.

        Args:
            kind: what stands above those that have no title, such as "Images".
            tag: its tag.
            folder: what its writer writes to.
        """
        head, slash, rest = tag.strip("/").partition("/")
        title, series = (head, rest.replace("/", "_")) if slash else (kind, head)
        beside = self._beside(kind, tag, folder)
        return f"{title} {beside}" if beside else title, series

    def of_plot(self, tag: str, folder: str) -> tuple[str, str]:
        """Title and series of a plot that stands for itself."""
        folders = self._plots.setdefault(tag, [])
        if folder not in folders:
            folders.append(folder)
        number = folders.index(folder) + 1
        return tag if number == 1 else f"{tag}_{number}", ""

    def _beside(self, kind: str, tag: str, folder: str) -> str:
        """What tells a folder from the first one that wrote this tag; "" for that one."""
        first = self._first.setdefault((kind, tag), folder)
        if first == folder:
            return ""
        own, known = PurePath(folder), {*PurePath(first).parts, "/"}
        return "/".join(part for part in own.parts if part not in known) or own.name


def _halves(tag: str) -> tuple[str, str]:
    """What stands before the last slash and after it; without one, both are the tag."""
    head, slash, tail = tag.rpartition("/")
    if not slash:
        return tag, tag
    return (head.replace("/", "_") if head else tag), tail
