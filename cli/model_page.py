"""A model on one page: what `show` prints of one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventlog.cli.moments import local, size
from eventlog.cli.printing import Part, line
from eventlog.cli.tables import fields
from eventlog.cli.task_page import INDENT, heading, print_metrics, print_parameters

if TYPE_CHECKING:
    from eventlog.projections import ModelState, SeriesSummary

__all__ = ["print_model"]


def print_model(model: "ModelState", series: Sequence["SeriesSummary"], at: int | None = None) -> None:
    """Print everything that a model is, or was at the moment `at`."""
    name: list[Part] = [(f"{model.project}/", "dim")] if model.project else []
    line(*name, (model.name, "bold"), "  model")
    line((model.id, "yellow"), (f"  as of {local(at, precise=True)}" if at is not None else "", "dim"))
    line()
    fields(
        [
            ("framework", model.framework),
            ("tags", ", ".join(model.tags)),
            ("comment", model.comment),
            ("made by", model.made_by),
            ("created", local(model.created)),
            ("published", local(model.published)),
            ("archived", "yes" if model.is_archived else ""),
            ("changed", local(model.changed)),
            ("unknown", f"{model.unknown} events of a newer eventlog" if model.unknown else ""),
        ],
        INDENT,
    )
    if model.blob or model.url:
        heading("Weights")
        fields(
            [
                ("file", model.file_name),
                ("size", size(model.size) if model.size else ""),
                ("SHA-256", model.blob or model.digest),
                ("format", model.format),
                ("at", model.url),
                ("iteration", "" if model.iteration is None else str(model.iteration)),
            ],
            INDENT,
        )
    print_parameters("Metadata", model.metadata)
    if model.labels:
        heading("Labels")
        fields([(name, str(label)) for name, label in sorted(model.labels.items())], INDENT)
    if series:
        heading("Metrics")
        print_metrics(series, INDENT)
    if model.design:
        heading("Design")
        for words in model.design.rstrip().splitlines():
            line("  ", words)
