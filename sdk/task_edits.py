"""What a task is called, where it belongs, what is said of it, and how far it has got."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from eventlog.errors import InputInvalid
from eventlog.events import (
    CommentSet,
    ParentSet,
    ProgressSet,
    SystemTagsAdded,
    SystemTagsRemoved,
    TagsAdded,
    TagsRemoved,
    TaskMoved,
    TaskRenamed,
    TaskTypeSet,
)
from eventlog.sdk import names, task_types
from eventlog.sdk.numbers import as_percent
from eventlog.sdk.plain_text import check_text
from eventlog.sdk.task_base import TaskBase

if TYPE_CHECKING:
    from eventlog.sdk.projects import Project
    from eventlog.sdk.task_data import TaskData

__all__ = ["TaskEdits"]


class TaskEdits(TaskBase):
    """The methods of `Task` that say what it is."""

    archived_tag = "archived"

    @property
    def data(self) -> "TaskData":
        """What is known of the task at this moment: times, outcome, parameters, where its code came from."""
        from eventlog.sdk.task_data import task_data

        return task_data(self._store, self._state())

    # Its name, its project, its type.

    @property
    def name(self) -> str:
        """Its name; assign to it to rename the task."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self.set_name(name)

    def set_name(self, name: str) -> None:
        """Rename it.

        Raises:
            InputInvalid: the name is no text of at least 3 characters, or the task is published.
        """
        text = names.check_name("task", name)
        self._append(TaskRenamed, text)
        # Who asks for a task of the old name does not mean this one any more.
        self._keep()
        self._name = text

    def rename(self, new_name: str) -> bool:
        """As `set_name`; returns True."""
        self.set_name(new_name)
        return True

    def get_project_name(self) -> str:
        """The name of its project."""
        return self._project

    def get_project_object(self) -> "Project":
        """Its project: name, times, number of tasks."""
        from eventlog.sdk.projects import find_project

        return find_project(self._store, self._project)

    def move_to_project(
        self,
        new_project_id: str | None = None,
        new_project_name: str | None = None,
        system_tags: Sequence[str] | None = None,
    ) -> bool:
        """Move it to another project, which need not exist before; returns True.

        Args:
            new_project_id: the project's id, which is its name.
            new_project_name: the same.
            system_tags: for ClearML's sake; a project here is a name alone and has no tags.

        Raises:
            InputInvalid: no name was given, or one that is too short; or the task is published.
        """
        given = new_project_id if new_project_id is not None else new_project_name
        if given is None:
            raise InputInvalid("move_to_project needs the project's name: give new_project_name")
        project = names.check_name("project", given)
        self._append(TaskMoved, project)
        self._keep()
        self._project = project
        return True

    def set_project(self, project_id: str | None = None, project_name: str | None = None) -> None:
        """As `move_to_project`."""
        self.move_to_project(project_id, project_name)

    def set_task_type(self, task_type: task_types.TaskTypes | str) -> None:
        """Say what it is for.

        Raises:
            InputInvalid: there is no such type, or the task is published.
        """
        kind = task_types.type_name(task_type)
        self._append(TaskTypeSet, kind)
        self._keep()
        self._type = kind

    # Its comment, its parent.

    @property
    def comment(self) -> str:
        """What a person says about it."""
        return self._state().comment

    @comment.setter
    def comment(self, comment: str) -> None:
        self.set_comment(comment)

    def set_comment(self, comment: str) -> None:
        """Say something about it; what was said before is no longer shown.

        Raises:
            InputInvalid: it is no text, or longer than 64 KiB; or the task is published.
        """
        self._append(CommentSet, check_text("the comment", comment))

    @property
    def parent(self) -> str | None:
        """The id of the task that it was made from, or None."""
        return self._state().parent or None

    def set_parent(self, parent: "str | Self | None") -> None:
        """Say which task it was made from, by the task or its id; None for none.

        Raises:
            InputInvalid: it would be its own parent, or the task is published.
        """
        task_id = "" if parent is None else check_text("the parent", getattr(parent, "id", parent))
        if task_id == self._id:
            raise InputInvalid(f"task {task_id} cannot be its own parent: give another, or None")
        self._append(ParentSet, task_id)

    # Its tags.

    @property
    def tags(self) -> list[str]:
        """Its tags, sorted; assign to it to have others."""
        return self.get_tags()

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self.set_tags(tags)

    def get_tags(self) -> list[str]:
        """Its tags, sorted."""
        return list(self._state().tags)

    def add_tags(self, tags: Sequence[str] | str) -> None:
        """Add tags; of one text, its words."""
        self._append(TagsAdded, names.tag_list(tags))

    def remove_tags(self, tags: Sequence[str] | str) -> None:
        """Remove tags, those that it has; of one text, its words."""
        self._append(TagsRemoved, names.tag_list(tags))

    def set_tags(self, tags: Sequence[str]) -> None:
        """Have these tags and no others."""
        wanted = names.tag_list(tags)
        gone = [tag for tag in self._state().tags if tag not in wanted]
        if gone:
            self._append(TagsRemoved, gone)
        self._append(TagsAdded, wanted)

    def get_system_tags(self) -> list[str]:
        """The tags that programs give it, such as "archived", sorted."""
        return list(self._state().system_tags)

    def set_system_tags(self, tags: Sequence[str]) -> None:
        """Have these system tags and no others; a published task can be given them, too."""
        wanted = names.tag_list(tags)
        gone = [tag for tag in self._state().system_tags if tag not in wanted]
        if gone:
            self._append_always(SystemTagsRemoved, gone)
        if wanted:
            self._append_always(SystemTagsAdded, wanted)
            self._keep()

    def get_archived(self) -> bool:
        """Whether it is archived."""
        return self.archived_tag in self._state().system_tags

    def set_archived(self, archive: bool) -> None:
        """Archive it, or take it out of the archive; a published task, too.

        It is a system tag: `get_tasks` and `eventlog ls` can leave out what has it.
        """
        self._append_always(SystemTagsAdded if archive else SystemTagsRemoved, [self.archived_tag])
        if archive:
            self._keep()

    # How far it has got.

    def set_progress(self, progress: int) -> None:
        """Say how far it has got, in percent.

        Raises:
            InputInvalid: it is no number from 0 to 100.
        """
        self._append(ProgressSet, as_percent("the progress", progress))

    def get_progress(self) -> int | None:
        """How far it has got, in percent; None if that was never said."""
        return self._state().progress
