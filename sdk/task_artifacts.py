"""The artifacts of a task, and where they go."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eventlog.errors import EventlogError, NotAvailable
from eventlog.events import ArtifactsDeleted, DestinationSet
from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.model_settling import settle_models
from eventlog.sdk.task_base import TaskBase
from eventlog.sdk.whole_import import import_whole

if TYPE_CHECKING:
    import pandas

    from eventlog.sdk.artifacts import Artifacts
    from eventlog.sdk.uploading import Owner

__all__ = ["TaskArtifacts"]


class TaskArtifacts(TaskBase):
    """The methods of `Task` about its artifacts and its destination."""

    # Of the process's own task: nobody else changes it meanwhile.
    _destination: str | None = None
    # The bytes of models that libraries save are kept, without a destination too.
    _keeps_models = False

    def upload_artifact(
        self,
        name: str,
        artifact_object: Any,
        metadata: Mapping[str, Any] | None = None,
        delete_after_upload: bool = False,
        auto_pickle: bool | None = None,
        preview: Any = None,
        wait_on_upload: bool = False,
        extension_name: str | None = None,
        serialization_function: Callable[[Any], bytes | bytearray] | None = None,
        retries: int = 0,
        sort_keys: bool = True,
    ) -> bool:
        """Keep an object with the task; when this returns, its bytes are in the store.

        If the task has a destination (`output_uri`), they are copied there in the background.

        Args:
            name: its name; what had that name before is no longer shown.
            artifact_object: the path of a file, of a folder or with wildcards (``"models/*.pt"`` are those of
                folders below, too), or a list of Paths (kept as one zip archive); a URL, which is noted and
                not fetched; other text; a dictionary (JSON); a NumPy array (npz); a pandas DataFrame
                (compressed CSV); an image of Pillow's (PNG); any other object, which is pickled.
            metadata: more to be said of it, kept as text.
            delete_after_upload: delete the file or the folder afterwards.
            auto_pickle: pickle an object of any other type; False refuses it.
            preview: a few lines for a person; by default the beginning.
            wait_on_upload: return once it has arrived at the destination, or was given up.
            extension_name: the format: ".yaml" for a dictionary; ".parquet", ".feather" or ".pickle" for a
                frame; ".csv.gz" for an array; any of Pillow's for an image; ".pkl" for anything.
            serialization_function: makes the bytes of the object, whatever it is.
            retries: how often the copy to the destination is tried again, four times at least.
            sort_keys: write a dictionary's keys in their order.

        Returns:
            False where it was waited for and has not arrived at the destination; it is in the store all the
            same, and goes on at the next `eventlog sync`. Else True.

        Raises:
            InputInvalid: a Path does not exist, a file goes on changing, or such an object cannot be kept.
            StoreFull, StoreReadOnly: there is no room, or no right, to keep it.
        """
        import_whole("eventlog.sdk.uploading")
        from eventlog.sdk.uploading import upload

        has_arrived = upload(
            self._owner(),
            name,
            artifact_object,
            metadata=metadata,
            preview=preview,
            auto_pickle=auto_pickle,
            extension_name=extension_name,
            sort_keys=sort_keys,
            delete=delete_after_upload,
            wait=wait_on_upload,
            serialize=serialization_function,
            retries=retries,
        )
        LastRuns(self._store).note_kept(self._project, self._name, self._type, self._id)
        return has_arrived

    @property
    def artifacts(self) -> "Artifacts":
        """Its artifacts, by name."""
        from eventlog.sdk.artifacts import Artifacts

        return Artifacts(self._store, self._id, self._state().artifacts)

    def delete_artifacts(
        self,
        artifact_names: Sequence[str],
        raise_on_errors: bool = True,
        delete_from_storage: bool = True,
        silent_on_errors: bool = False,
    ) -> bool:
        """Take artifacts out of the task; the log keeps what they were, and the store their bytes.

        Args:
            artifact_names: their names.
            raise_on_errors: False logs what goes wrong instead.
            delete_from_storage: delete the copies at the task's destination too. What was registered by its
                URL alone stays where it is.
            silent_on_errors: do not even log it.

        Returns:
            Whether nothing went wrong.

        Raises:
            NotFound: the task has no such artifact; nothing is deleted then.
            RemoteUnreachable, RemoteInvalid, NotAvailable: a copy cannot be deleted.
        """
        import_whole("eventlog.sdk.deleting")
        from eventlog.sdk.deleting import delete_artifacts, log

        state = self._state()
        self._check_editable(state)
        try:
            names, problems = delete_artifacts(
                self._store, state, artifact_names, from_storage=delete_from_storage
            )
            self._append(ArtifactsDeleted, names)
            if problems:
                raise problems[0]
        except EventlogError as error:
            if raise_on_errors:
                raise
            if not silent_on_errors:
                log.warning("eventlog: %s", error)
            return False
        return True

    def set_artifacts(self, artifacts_list: Sequence[Any] | None = None) -> None:
        """Not here: it takes objects of ClearML's server.

        Raises:
            NotAvailable: always.
        """
        raise NotAvailable(
            "Task.set_artifacts is not available: it takes objects of ClearML's server; use upload_artifact"
            " and delete_artifacts"
        )

    def register_artifact(
        self,
        name: str,
        artifact: "pandas.DataFrame",
        metadata: Mapping[str, Any] | None = None,
        uniqueness_columns: bool | Sequence[str] = True,
    ) -> None:
        """Keep a frame that changes: as it is now, again whenever it was found changed, and at the end.

        It is looked at every minute, at `flush`, and when the task ends.

        Args:
            name: of the artifact; what was registered under it before is not looked at any more.
            artifact: the frame.
            metadata: more to be said of it, kept as text.
            uniqueness_columns: the columns by which the preview counts rows that differ; True for all.

        Raises:
            InputInvalid: it is no pandas DataFrame, or has no such columns.
        """
        import_whole("eventlog.sdk.registered")
        from eventlog.sdk.registered import register

        register(self._owner(), name, artifact, metadata, uniqueness_columns)
        LastRuns(self._store).note_kept(self._project, self._name, self._type, self._id)

    def unregister_artifact(self, name: str) -> None:
        """Keep a registered frame as it is now, and look at it no more; the artifact stays."""
        from eventlog.sdk.registered import unregister

        unregister(self._store, self._id, name)

    def get_registered_artifacts(self) -> "dict[str, pandas.DataFrame]":
        """The frames that are registered, by name; the very ones, to be changed."""
        from eventlog.sdk.registered import registered

        return registered(self._store, self._id)

    @property
    def output_uri(self) -> str | None:
        """The URL of the folder that its artifacts and models are copied to, or None."""
        return self._destination_url() or None

    @output_uri.setter
    def output_uri(self, value: Any) -> None:
        """Change it: a path or a URL, True for the one that is configured, None or False for none."""
        self._set_destination(False if value is None else value)

    @property
    def storage_uri(self) -> str | None:
        """As `output_uri`."""
        return self.output_uri

    @storage_uri.setter
    def storage_uri(self, value: Any) -> None:
        """As of `output_uri`."""
        self.output_uri = value

    def get_output_destination(self, extra_path: str | None = None, **_: Any) -> str | None:
        """As `output_uri`, with a path added to it.

        Args:
            extra_path: the path.
        """
        url = self._destination_url()
        if not url:
            return None
        return f"{url.rstrip('/')}/{extra_path}" if extra_path else url

    @staticmethod
    def _check_destination(output_uri: Any) -> None:
        """Raise InputInvalid if `Task.init` was given what cannot be a destination."""
        if output_uri is not None and not isinstance(output_uri, bool):
            from eventlog.configuration import Configuration
            from eventlog.sdk.destinations import check_destination

            check_destination(output_uri, Configuration())

    def _begin_destination(self, output_uri: Any) -> None:
        """What `Task.init` was given; None leaves a task that goes on what it has, unless one is configured.

        In a task whose stored values win over those in the code, the stored destination does.
        """
        from eventlog.sdk.overrides import overridden

        self._keeps_models = output_uri is True
        if output_uri is None and not self._store.configuration.default_output_uri:
            if self._run is not None and self._run.start.is_new:
                # What is known need not be folded from the log when something is uploaded.
                self._destination = ""
            return
        if overridden() and self._state().destination:
            self._destination = self._state().destination
            return
        self._set_destination(output_uri)

    def _set_destination(self, value: Any) -> None:
        from eventlog.sdk.destinations import check_destination

        self._keeps_models = value is True
        url = check_destination(value, self._store.configuration)
        if url != self._destination:
            self._append(DestinationSet, url)
        self._destination = url if self._run is not None else None

    def _destination_url(self) -> str:
        """Where its artifacts go, or ""; of a task that never said so, where the settings say."""
        if self._destination is not None:
            return self._destination
        from eventlog.sdk.destinations import check_destination

        url = self._state().destination or check_destination(None, self._store.configuration)
        if self._run is not None:
            self._destination = url
        return url

    def _owner(self) -> "Owner":
        from eventlog.sdk.uploading import Owner

        if self._run is None or not self._run.is_open:
            self._check_editable(self._state())
        return Owner(self._store, self._id, self._project, self._name, self._destination_url())

    def _finish_uploads(self, *, wait: bool, is_last: bool = False) -> bool:
        """Keep the registered frames that have changed, and wait for what is under way.

        Args:
            wait: for what is copied to the destination.
            is_last: look at registered frames no more.

        Returns:
            Whether what was waited for has arrived.
        """
        if wait:
            settle_models()
        if (registered := sys.modules.get("eventlog.sdk.registered")) is not None:
            registered.record(self._store, self._id)
            if is_last:
                registered.forget(self._store, self._id)
        delivery = sys.modules.get("eventlog.sdk.delivery")
        return not wait or delivery is None or delivery.wait_for_deliveries(self._store, self._id)
