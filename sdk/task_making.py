"""Making tasks without running them: from what is given, from another task, from an exported one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from eventlog.errors import InputInvalid, NotAvailable
from eventlog.events import TaskTypeSet
from eventlog.sdk import names, task_types
from eventlog.sdk.plain_text import check_text
from eventlog.sdk.stores import open_store, read_state
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskMaking"]

# How long it is waited for what is found out of a task that has just begun.
_SECONDS = 10.0


class TaskMaking(TaskBase):
    """The methods of `Task` that make drafts."""

    @classmethod
    def create(
        cls,
        project_name: str | None = None,
        task_name: str | None = None,
        task_type: task_types.TaskTypes | str | None = None,
        repo: str | None = None,
        branch: str | None = None,
        commit: str | None = None,
        script: str | None = None,
        working_directory: str | None = None,
        packages: bool | str | Sequence[str] | None = None,
        requirements_file: str | Path | None = None,
        docker: str | None = None,
        docker_args: str | Sequence[str] | None = None,
        docker_bash_setup_script: str | Sequence[str] | None = None,
        argparse_args: Sequence[tuple[str, str]] | None = None,
        base_task_id: str | None = None,
        add_task_init_call: bool = True,
        force_single_script_file: bool = False,
        binary: str | None = None,
        module: str | None = None,
        detect_repository: bool = True,
    ) -> Self:
        """Make a draft, always a new one: nothing of it has run. `eventlog run --task ID` runs it.

        Args:
            project_name: by default that of the current task, or of `base_task_id`.
            task_name: by default that of the script, or "Clone Of …" of `base_task_id`.
            task_type: what it is for; training by default.
            repo: the URL of a git repository, of which nothing is fetched; or the path of a local one, of
                which remote, branch, commit and changes are recorded.
            branch, commit: what is checked out of it.
            script: what is run: its path in the repository, or on this machine.
            working_directory: where it is run, from the repository's top.
            packages: what it needs, as lines of a requirements file; True for what is installed here.
            requirements_file: the same from a file.
            docker: the image of the container that it is meant to run in.
            docker_args: arguments for starting that.
            docker_bash_setup_script: what is run in it first.
            argparse_args: arguments of the script, as pairs of name and value: parameters in "Args".
            base_task_id: a task to copy first; what else is given is then changed in the copy.
            add_task_init_call: for ClearML's sake; `eventlog run` needs no change in the script.
            force_single_script_file: record the script's text, and no repository.
            binary: the interpreter.
            module: what is run instead of a script: "name arguments", as after ``python -m``.
            detect_repository: look for a repository around the script.

        Raises:
            InputInvalid: a name is too short, there is no such type, or what was given does not go together.
            NotFound: there is no such script, or no such task.
        """
        from eventlog.sdk import creating

        code = creating.Code(
            repo=repo,
            branch=branch,
            commit=commit,
            script=script,
            working_directory=working_directory,
            packages=packages,
            requirements_file=requirements_file,
            docker=docker,
            docker_args=docker_args,
            docker_bash_setup_script=docker_bash_setup_script,
            argparse_args=argparse_args,
            binary=binary,
            module=module,
            detect_repository=detect_repository,
            single_script=force_single_script_file,
        )
        store = open_store(create=True)
        fields, container = creating.code_fields(store, code), creating.container_of(code)
        creating.argument_parameters(argparse_args)
        if base_task_id is not None:
            task = cls.clone(base_task_id, name=task_name, project=project_name)
            if task_type is not None:
                task._store.session.append(TaskTypeSet, task.id, task_types.type_name(task_type))
                task.reload()
            if fields:
                task._change_execution(fields)  # type: ignore[attr-defined]
            creating.append_code(store, task.id, {}, container, code)
            store.flush()
            return task
        current = cls.current_task()
        project = project_name if project_name is not None or current is None else current._project
        if project is None:
            raise InputInvalid("Task.create needs a project_name: there is no current task to take it from")
        if task_name is None:
            task_name = Path(script).stem if script else names.default_task_name()
        checked = names.check_name("project", project), names.check_name("task", task_name)
        kind = task_types.type_name(task_type or task_types.TaskTypes.training)
        made = creating.create_draft(store, *checked, kind)
        creating.append_code(store, made, fields, container, code)
        # Whoever is given its id, in another process, finds it.
        store.flush()
        return cls(store, made, *checked, kind)

    @classmethod
    def clone(
        cls,
        source_task: "Self | str | None" = None,
        name: str | None = None,
        comment: str | None = None,
        parent: "Self | str | None" = None,
        project: str | None = None,
    ) -> Self:
        """Make a draft that is a copy of a task: of what it was given, not of what it has done.

        Args:
            source_task: the task, or its id; by default the current one.
            name: by default "Clone Of " and the name of the original.
            comment: by default that of the original.
            parent: by default that of the original or, where it has none, the original.
            project: by default that of the original.

        Raises:
            NotFound: there is no such task.
            InputInvalid: there is no current task, or a name is too short.
        """
        from eventlog.sdk.cloning import clone_task

        source = cls.current_task() if source_task is None else source_task
        if source is None:
            raise InputInvalid("Task.clone needs the task to copy, or its id: there is no current task")
        store = open_store(create=True)
        state = read_state(store, cls._id_of(source))
        made = clone_task(
            store,
            state,
            name=None if name is None else names.check_name("task", name),
            comment=None if comment is None else check_text("the comment", comment),
            parent=None if parent is None else cls._id_of(parent),
            project=None if project is None else names.check_name("project", project),
        )
        return cls._of_row(store, read_state(store, made))

    def create_function_task(
        self,
        func: Callable[..., Any],
        func_name: str | None = None,
        task_name: str | None = None,
        **kwargs: Any,
    ) -> Self | None:
        """Make a draft that calls a function of this script; `eventlog run --task ID` runs it.

        There this same call calls the function, with the arguments that the draft then has, and ends the
        script; the calls for other functions do nothing.

        Args:
            func: the function.
            func_name: its name, by which the draft finds it again.
            task_name: of the draft; by default the name of this task and that of the function.
            kwargs: its arguments: parameters of the draft in the section "Function".

        Returns:
            The draft; None in a process that runs a draft of another function.

        Raises:
            InputInvalid: this is not the task of `Task.init`, it is no function, or an argument cannot be a
                parameter.
        """
        from eventlog.sdk import function_tasks
        from eventlog.sdk.overrides import overridden

        if self._run is None or not self._run.is_open:
            raise InputInvalid("create_function_task needs the task that Task.init began in this process")
        function = function_tasks.function_name(func, func_name)
        if overridden():
            if function_tasks.is_meant(self._state(), function):
                given: Any = self
                arguments = given.connect(dict(kwargs), name=function_tasks.SECTION)
                function_tasks.run_function(func, dict(arguments), given.close)
            return None
        if self._run.execution is not None:
            self._run.execution.wait(_SECONDS)
        made = function_tasks.make_function_task(self._store, self._state(), function, task_name, kwargs)
        self._store.flush()
        return self._of_row(self._store, read_state(self._store, made))

    def execute_remotely(
        self, queue_name: str | None = None, clone: bool = False, exit_process: bool = True
    ) -> Self | None:
        """Leave the run to another process: what was recorded so far is a draft, and this process ends.

        There are no queues: `eventlog run --task ID` runs the draft, on any machine that has it; there this
        call does nothing.

        Args:
            queue_name: taken, and not used.
            clone: make a copy the draft; this task is completed.
            exit_process: end this process, with the exit code 0, as it stands: nothing of the script comes
                after this call; else return the draft.

        Returns:
            The draft; None in a process that runs one.

        Raises:
            InputInvalid: this is not the task of `Task.init`, or the process is to go on and to be the draft.
            NotAvailable: in offline mode a session ends with its task.
        """
        from eventlog.sdk.auto_sync import ask
        from eventlog.sdk.leaving import leave
        from eventlog.sdk.offline import is_offline
        from eventlog.sdk.overrides import overridden
        from eventlog.sdk.telling import tell

        if overridden():
            return None
        if self._run is None or not self._run.is_ours:
            raise InputInvalid("execute_remotely needs the task of Task.init, while it is open")
        if not clone and not exit_process:
            raise InputInvalid(
                "a script that goes on cannot leave its own task: leave out exit_process=False, or make"
                " a copy with clone=True"
            )
        if self._run.start.goes_on and not clone:
            raise InputInvalid(
                f"task {self._id} goes on with what it had, which a draft has not: make a copy the draft,"
                " with clone=True"
            )
        if is_offline():
            raise NotAvailable(
                "execute_remotely is not available in offline mode: run the script where it is to run"
            )
        if self._run.execution is not None:
            self._run.execution.wait(_SECONDS)
        task: Any = self
        draft = self
        if clone:
            draft = type(self).clone(self)
            if exit_process:
                task.close()
        else:
            # Before it has ended: the script, started once more, leaves another draft.
            self._keep()
            task.close()
            task.reset()
            ask(self._store)
        tell(f"task {draft.id} is a draft: `eventlog run --task {draft.id}` runs it, wherever it is")
        if exit_process:
            leave()
        return draft

    def export_task(self) -> dict[str, Any]:
        """What it was given, as a dictionary of plain values in ClearML's shape; for `import_task`."""
        from eventlog.sdk.exporting import export_task

        return export_task(self._store, self._state())

    @classmethod
    def import_task(
        cls,
        task_data: Mapping[str, Any],
        target_task: "Self | str | None" = None,
        update: bool = False,
    ) -> Self:
        """Make a draft of an exported task, or give a task what it was given.

        Args:
            task_data: as `export_task` makes it, here or in ClearML.
            target_task: the task to change, or its id; by default a new one.
            update: keep what is not in `task_data`.

        Returns:
            The task that was made or changed.

        Raises:
            InputInvalid: it is no exported task, or the target is published.
            NotFound: there is no target of that id.
        """
        from eventlog.sdk import exporting

        store = open_store(create=True)
        if target_task is None:
            made = exporting.import_new(store, task_data)
            store.flush()
            return cls._of_row(store, read_state(store, made))
        task = cls._of_row(store, read_state(store, cls._id_of(target_task)))
        state = task._state()
        task._check_editable(state)
        exporting.import_into(store, state, task_data, update=update)
        store.flush()
        task.reload()
        return task

    def update_task(self, task_data: Mapping[str, Any]) -> bool:
        """Give it what an exported task was given, and keep the rest; returns True."""
        type(self).import_task(task_data, self, update=True)
        return True

    @classmethod
    def debug_simulate_remote_task(cls, task_id: str, reset_task: bool = False) -> None:
        """Have the next `Task.init` run this task, as ``EVENTLOG_TASK_ID`` does.

        Args:
            reset_task: show nothing any more of what it has done so far.

        Raises:
            NotFound: there is no such task.
        """
        import os

        store = open_store(create=True)
        task = cls._of_row(store, read_state(store, cls._id_of(task_id)))
        if reset_task:
            task.reset(force=True)  # type: ignore[attr-defined]
        os.environ["EVENTLOG_TASK_ID"] = task.id

    @classmethod
    def resolve_id(cls, obj: Any) -> Any:
        """The id of a task or a model; anything else as it is."""
        return getattr(obj, "id", obj)

    @classmethod
    def normalize_id(cls, id: Any) -> Any:  # noqa: A002
        """An id without blanks around it; anything else as it is."""
        return id.strip() if isinstance(id, str) else id

    @classmethod
    def _id_of(cls, task: Any) -> str:
        return names.check_id(cls.resolve_id(task))
