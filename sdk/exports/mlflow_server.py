"""An MLflow tracking server: which runs of ours it has, and what it is told."""

import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

from eventlog.errors import EventlogError, InputInvalid, NotAvailable, RemoteInvalid, RemoteUnreachable
from eventlog.sdk.exports.mlflow_names import LONGEST_TAG, cut

__all__ = ["DIGEST", "RESET", "TASK", "Point", "Run", "Server"]

# Tags by which a run is found again: of which task, after which reset, and all of what was replayed.
TASK, RESET, DIGEST = "eventlog.task_id", "eventlog.reset", "eventlog.digest"

Point = tuple[int, int, float]
"""A step, a time in ms, a value."""

T = TypeVar("T")
_PAGE = 1000
# At once, by MLflow's limits on a request.
_METRICS, _PARAMETERS, _TAGS = 1000, 100, 100
_WAIT_SECONDS = 10
_SETTINGS = {
    # Nothing of MLflow's own on the standard output.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Seven, doubling, make minutes of silence.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class Run(NamedTuple):
    """A run of a task.

    Attributes:
        id: MLflow's.
        reset: the time of the reset that it came after, or "".
        digest: all of what was replayed, or "" where that has not come to its end.
        is_deleted: somebody deleted it in MLflow, or a reset did.
    """

    id: str
    reset: str
    digest: str
    is_deleted: bool


class Server:
    """A tracking server.

    Args:
        uri: its URL. Credentials are MLflow's own affair: MLFLOW_TRACKING_USERNAME and its like.

    Raises:
        InputInvalid: it is not the URL of one.
        NotAvailable: MLflow's client is not installed.
        RemoteUnreachable, RemoteInvalid: it does not answer, or not as MLflow does.
    """

    def __init__(self, uri: str) -> None:
        self.uri = re.sub(r"//[^/@]*@", "//***@", uri)
        if not re.match(r"https?://[^/]", uri):
            raise InputInvalid(
                f"{self.uri} is not the URL of an MLflow tracking server: give one such as http://host:5000"
            )
        self._url = re.sub(r"//[^/@]*@", "//", uri).rstrip("/")
        self._require()
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise NotAvailable(
                "replaying into MLflow needs its client: `pip install 'eventlog[mlflow]'`"
            ) from None
        self._client: Any = MlflowClient(uri)
        with self.errors("its experiments cannot be listed"):
            self._experiments = {
                one.name: one.experiment_id for one in self._all(self._client.search_experiments, view_type=3)
            }

    def __repr__(self) -> str:
        return f"<Server {self.uri}>"

    def runs(self) -> dict[str, list[Run]]:
        """The runs that tasks were replayed into, by task, those that were begun first first."""
        found: dict[str, list[tuple[int, Run]]] = {}
        with self.errors("its runs cannot be listed"):
            for one in self._all(
                self._client.search_runs,
                experiment_ids=list(self._experiments.values()),
                filter_string=f"tags.`{TASK}` LIKE '%'",
                run_view_type=3,
            ):
                tags, info = one.data.tags, one.info
                run = Run(
                    info.run_id, tags.get(RESET, ""), tags.get(DIGEST, ""), info.lifecycle_stage == "deleted"
                )
                found.setdefault(tags[TASK], []).append((info.start_time or 0, run))
        return {task: [run for _, run in sorted(runs)] for task, runs in found.items()}

    def create_run(self, experiment: str, name: str, start_time: int, tags: dict[str, str]) -> str:
        """Begin a run, and its experiment if there is none; returns its id."""
        if experiment not in self._experiments:
            self._experiments[experiment] = self._client.create_experiment(experiment)
        tags = {key: cut(value, LONGEST_TAG) for key, value in tags.items()}
        run = self._client.create_run(self._experiments[experiment], start_time, tags, run_name=name)
        identity: str = run.info.run_id
        return identity

    def delete_run(self, run: str) -> None:
        """Delete a run, as MLflow does: until it is purged, it can be restored."""
        self._client.delete_run(run)

    def end_run(self, run: str, name: str, status: str, end_time: int | None) -> None:
        """Set a run's status, name, and when it ended."""
        self._client.update_run(run, status, name)
        if end_time is not None:
            self._client.set_terminated(run, status, end_time)

    def parameters(self, run: str) -> dict[str, str]:
        """The parameters that a run has."""
        found: dict[str, str] = self._client.get_run(run).data.params
        return found

    def points(self, run: str, key: str) -> set[Point]:
        """The points that a metric of a run has."""
        history = self._client.get_metric_history(run, key)
        return {(point.step, point.timestamp, point.value) for point in history}

    def log_parameters(self, run: str, parameters: dict[str, str]) -> None:
        """Give a run parameters that it does not have."""
        from mlflow.entities import Param

        for some in _in_pieces([Param(*item) for item in parameters.items()], _PARAMETERS):
            self._client.log_batch(run, params=some)

    def log_tags(self, run: str, tags: dict[str, str]) -> None:
        """Set tags of a run; a value that is too long is cut."""
        from mlflow.entities import RunTag

        cut_tags = [RunTag(key, cut(value, LONGEST_TAG)) for key, value in tags.items()]
        for some in _in_pieces(cut_tags, _TAGS):
            self._client.log_batch(run, tags=some)

    def log_points(self, run: str, points: Iterable[tuple[str, Point]]) -> int:
        """Give a run points of metrics, each after its key; returns how many."""
        from mlflow.entities import Metric

        count = 0
        some: list[Metric] = []
        for key, (step, time, value) in points:
            some.append(Metric(key, value, time, step))
            count += 1
            if len(some) == _METRICS:
                self._client.log_batch(run, metrics=some)
                some = []
        if some:
            self._client.log_batch(run, metrics=some)
        return count

    def put_file(self, run: str, source: Path, path: str) -> None:
        """Put a file among the artifacts of a run, in the place of one of that path."""
        folder, _, name = path.rpartition("/")
        # MLflow calls it what it is called here.
        with TemporaryDirectory(prefix="eventlog-mlflow-") as scratch:
            link = Path(scratch) / name
            link.symlink_to(source)
            self._client.log_artifact(run, str(link), folder or None)

    def put_bytes(self, run: str, data: bytes, path: str) -> None:
        """Put bytes among the artifacts of a run, in the place of what was there."""
        with TemporaryDirectory(prefix="eventlog-mlflow-") as scratch:
            source = Path(scratch) / "data"
            source.write_bytes(data)
            self.put_file(run, source, path)

    def read_bytes(self, run: str, path: str) -> bytes | None:
        """The bytes of an artifact of a run, or None if it has none of that path."""
        folder = path.rpartition("/")[0]
        if not any(one.path == path for one in self._client.list_artifacts(run, folder or None)):
            return None
        with TemporaryDirectory(prefix="eventlog-mlflow-") as scratch:
            return Path(self._client.download_artifacts(run, path, scratch)).read_bytes()

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Says in one line what went wrong: with the server as a whole, or with what was asked.

        Raises:
            RemoteUnreachable: it does not answer any more.
            RemoteInvalid: it does, and refuses.
        """
        try:
            yield
        except EventlogError:
            raise
        except Exception as error:
            # MLflow's own, and those of what it asks with.
            self._require()
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RemoteInvalid(f"{self.uri}: {what} ({cut(reason, 500)})") from None

    def _require(self) -> None:
        """Make sure that something answers there."""
        try:
            with urllib.request.urlopen(f"{self._url}/health", timeout=_WAIT_SECONDS):
                return
        except urllib.error.HTTPError as error:
            error.close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise RemoteUnreachable(
                f"{self.uri} cannot be reached ({reason}): check that the MLflow server runs, and try again"
            ) from None

    def _all(self, search: Any, **conditions: Any) -> Iterator[Any]:
        token = None
        while True:
            page = search(**conditions, max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def _in_pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
