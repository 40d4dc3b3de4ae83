"""The artifacts of a task."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.task_base import TaskBase
from eventlog.sdk.whole_import import import_whole

if TYPE_CHECKING:
    from eventlog.sdk.artifacts import Artifacts

__all__ = ["TaskArtifacts"]


class TaskArtifacts(TaskBase):
    """The methods of `Task` about its artifacts."""

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
        *,
        sort_keys: bool = True,
    ) -> bool:
        """Keep an object with the task; when this returns, its bytes are in the store.

        Args:
            name: its name; what had that name before is no longer shown.
            artifact_object: the path of a file, of a folder (kept as a zip archive) or with wildcards; a
                dictionary or a list (JSON); a NumPy array (npz); a pandas DataFrame (compressed CSV).
            metadata: more to be said of it, kept as text.
            delete_after_upload: delete the file or the folder afterwards.
            auto_pickle: pickle an object of any other type.
            preview: a few lines for a person; by default the beginning.
            wait_on_upload: for ClearML's sake; it is always waited for.
            extension_name: the format: ".parquet" for a frame, ".pkl" for anything.
            sort_keys: write a dictionary's keys in their order.

        Returns:
            True; what goes wrong is raised.

        Raises:
            InputInvalid: the path does not exist, or such an object cannot be kept.
            StoreFull, StoreReadOnly: there is no room, or no right, to keep it.
        """
        import_whole("eventlog.sdk.artifacts")
        from eventlog.sdk.artifacts import upload

        upload(
            self._store,
            self._id,
            name,
            artifact_object,
            metadata=metadata,
            preview=preview,
            auto_pickle=bool(auto_pickle),
            extension_name=extension_name,
            sort_keys=sort_keys,
            delete=delete_after_upload,
        )
        LastRuns(self._store).note_kept(self._project, self._name, self._type, self._id)
        return True

    @property
    def artifacts(self) -> "Artifacts":
        """Its artifacts, by name."""
        from eventlog.sdk.artifacts import Artifacts

        return Artifacts(self._store, self._id, self._state().artifacts)
