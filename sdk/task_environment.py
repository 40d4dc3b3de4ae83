"""What a task runs with: its code, its packages, its container, its random numbers, its first iteration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventlog.events import ContainerSet, ExecutionRecorded
from eventlog.sdk.numbers import as_iteration
from eventlog.sdk.overrides import overridden
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskEnvironment"]

# How long it is waited for what is found out in the background.
_SECONDS = 10.0


class TaskEnvironment(TaskBase):
    """The methods of `Task` about what it runs with."""

    # Its code.

    def get_script(self) -> dict[str, str | None]:
        """Where its code is: "working_dir", "entry_point", "branch" and "repository"."""
        execution = self._execution()
        if execution is None:
            return {}
        return {
            "working_dir": execution.working_folder,
            "entry_point": execution.entry_point,
            "branch": execution.branch,
            "repository": execution.repository,
        }

    def set_script(
        self,
        repository: str | None = None,
        branch: str | None = None,
        commit: str | None = None,
        diff: str | None = None,
        working_dir: str | None = None,
        entry_point: str | None = None,
        binary: str | None = None,
    ) -> None:
        """Say where its code is. What is None stays; "" clears.

        Args:
            repository: the URL of a git repository; a secret in it is masked.
            branch, commit: what is checked out of it.
            diff: what is changed beyond that, as a unified diff.
            working_dir: the current folder, from the repository's top.
            entry_point: the script, or ``-m module arguments``.
            binary: the interpreter.

        Raises:
            InputInvalid: one of them is no text, or too long; or the task is published.
        """
        from eventlog.sdk.plain_text import check_text, plain_text
        from eventlog.sdk.script_edits import text_fields
        from eventlog.sdk.secrets import mask_text, mask_url

        given = {
            "repository": None if repository is None else mask_url(check_text("the repository", repository)),
            "branch": branch,
            "commit": commit,
            "working_folder": working_dir,
            "entry_point": entry_point,
            "binary": binary,
        }
        changes = {
            name: check_text(f"the {name.replace('_', ' ')}", text)
            for name, text in given.items()
            if text is not None
        }
        if diff is not None:
            changes |= text_fields(self._store, "diff", mask_text(plain_text(diff)))
        self._change_execution(changes)

    def set_repo(self, repo: str | None = None, branch: str | None = None, commit: str | None = None) -> None:
        """Say which repository its code is in. What is None stays; "" clears.

        Args:
            repo: the URL of a git repository, or the path of a local copy; of that, branch and commit are
                as it is checked out.
            branch, commit: what is checked out of it.

        Raises:
            InputInvalid: one of them is no text, or too long; or the task is published.
        """
        from eventlog.sdk.plain_text import check_text
        from eventlog.sdk.script_edits import inspect_repository, is_folder

        text = "" if repo is None else check_text("the repository", repo)
        folder = Path(text).expanduser() if text and "://" not in text else None
        checkout = inspect_repository(self._store, folder) if folder and is_folder(folder) else None
        if checkout is not None:
            self._change_execution({**checkout.fields, "diff": "", "diff_blob": ""})
        else:
            self.set_script(repository=repo, branch=branch, commit=commit)

    # Its packages.

    def get_requirements(self) -> dict[str, str]:
        """The packages that it needs, as ``{"pip": lines of a requirements file}``.

        Those that were asked for, else those whose modules it imported; `data.script.packages` has all
        that were installed where it ran.
        """
        from eventlog.sdk.script_edits import requirements_of

        return requirements_of(self._execution())

    def set_packages(self, packages: str | Path | Sequence[str]) -> None:
        """Say which packages it needs, whatever was installed.

        Args:
            packages: a list such as ``["tqdm==2.1", "numpy"]``, or the path of a requirements file; "" to
                ask for none.

        Raises:
            InputInvalid: it is neither, or the file cannot be read; or the task is published.
        """
        from eventlog.sdk.script_edits import as_requirements

        self._change_execution({"requirements": as_requirements(packages), "packages": {}, "imported": {}})

    @classmethod
    def add_requirements(cls, package_name: str, package_version: str | None = None) -> None:
        """Have a package among those that the tasks that begin from here on need.

        Args:
            package_name: its name, or the path of a requirements file.
            package_version: "2.4.0", or a condition such as ">=2.4", or "" for any; by default the
                installed one.
        """
        from eventlog.sdk import requirements

        requirements.add(package_name, package_version)

    @classmethod
    def ignore_requirements(cls, package_name: str) -> None:
        """Leave a package out of those that the tasks that begin from here on need."""
        from eventlog.sdk import requirements

        requirements.ignore(package_name)

    @classmethod
    def force_requirements_env_freeze(
        cls, force: bool = True, requirements_file: str | Path | None = None
    ) -> None:
        """List all that is installed as what the tasks that begin from here on need, imported or not.

        Args:
            force: False takes it back.
            requirements_file: list what is in that file instead.

        Raises:
            InputInvalid: the file cannot be read.
        """
        from eventlog.sdk import requirements

        requirements.freeze(force, requirements_file)

    @classmethod
    def force_store_standalone_script(cls, force: bool = True) -> None:
        """Record the script's text in the tasks that begin from here on, and no repository."""
        from eventlog.sdk import execution

        execution.set_standalone(bool(force))

    # Its container.

    def get_base_docker(self) -> str | None:
        """The container's image and its arguments, in one line, or None."""
        from eventlog.sdk.script_edits import container_command

        return container_command(self._state())

    def set_base_docker(
        self,
        docker_cmd: str | None = None,
        docker_image: str | None = None,
        docker_arguments: Sequence[str] | str | None = None,
        docker_setup_bash_script: Sequence[str] | str | None = None,
    ) -> None:
        """Say which container it is meant to run in.

        Args:
            docker_cmd: image and arguments in one line; it goes before the image, and the arguments that
                are given by themselves go before those in it.
            docker_image: the image.
            docker_arguments: arguments for starting it.
            docker_setup_bash_script: what is run in it first: a text, or lines.

        Raises:
            InputInvalid: there is no image, or the task is published.
        """
        from eventlog.sdk.plain_text import check_text
        from eventlog.sdk.script_edits import container_fields

        if docker_cmd is not None:
            docker_image, _, own_arguments = check_text("docker_cmd", docker_cmd).strip().partition(" ")
            docker_arguments = docker_arguments or own_arguments
        self._append(
            ContainerSet, *container_fields(docker_image, docker_arguments, docker_setup_bash_script)
        )

    # Its random numbers and its first iteration.

    @classmethod
    def set_random_seed(cls, random_seed: int | bool | None) -> None:
        """Seed random numbers with this from the next `Task.init` on.

        Args:
            random_seed: a whole number; True for 1337, as it is by default; None or False not to seed.
        """
        from eventlog.sdk.random_seed import set_seed

        set_seed(random_seed)

    @classmethod
    def get_random_seed(cls) -> int | None:
        """What the next `Task.init` seeds random numbers with, or None."""
        from eventlog.sdk.random_seed import random_seed

        return random_seed()

    def set_initial_iteration(self, offset: int = 0) -> int:
        """Add a number to the iterations that this process reports to it from here on; returns it."""
        self._logger._offset = as_iteration(offset)
        return self._logger._offset

    def get_initial_iteration(self) -> int:
        """What is added to the iterations that this process reports to it; 0 by default."""
        return self._logger._offset

    # What the machine is busy with.

    @classmethod
    def set_resource_monitor_iteration_timeout(
        cls,
        seconds_from_start: float = 30.0,
        wait_for_first_iteration_to_start_sec: float = 180.0,
        max_wait_for_first_iteration_to_start_sec: float = 1800.0,
    ) -> bool:
        """Say when the tasks that begin from here on first report what the machine is busy with.

        Args:
            seconds_from_start: how many seconds after their start.
            wait_for_first_iteration_to_start_sec, max_wait_for_first_iteration_to_start_sec: for ClearML's
                sake; such reports are for seconds in any case, not for iterations.

        Returns:
            True.

        Raises:
            InputInvalid: it is no number, or less than 0.
        """
        from eventlog.sdk.automatic.monitor_options import set_first_report

        set_first_report(seconds_from_start)
        return True

    # Where it runs.

    def is_main_task(self) -> bool:
        """Whether it is the current task of this process."""
        current = type(self)._open_task()
        return current is not None and current.id == self._id

    def is_current_task(self) -> bool:
        """As `is_main_task`."""
        return self.is_main_task()

    @staticmethod
    def running_locally() -> bool:
        """Whether the script began its task itself, and ``EVENTLOG_TASK_ID`` did not say which one to run."""
        return not overridden()

    @property
    def last_worker(self) -> str | None:
        """The machine that it last ran on, or None."""
        return self._state().host or None

    @property
    def cache_dir(self) -> Path:
        """A folder for what belongs to it on this machine; may be deleted at any time."""
        folder: Path = self._store.home / "cache" / "tasks" / self._id
        return folder

    @property
    def log(self) -> Any:
        """The logger that eventlog's own messages go to."""
        import logging

        return logging.getLogger("eventlog")

    def get_output_log_web_page(self) -> str:
        """Where it can be looked at: the URL of its store, and its id. `eventlog show ID` shows it."""
        return f"{self._store.home.as_uri()}#{self._id}"

    @classmethod
    def get_task_output_log_web_page(
        cls, task_id: str, project_id: str | None = None, app_server_host: str | None = None
    ) -> str:
        """As `get_output_log_web_page`, of any task; the other arguments are for ClearML's sake."""
        from eventlog.configuration import home_folder

        return f"{home_folder().as_uri()}#{task_id}"

    def get_executed_queue(self, return_name: bool = False) -> None:
        """None: no task here comes from a queue."""

    def _begin_environment(self, offset: int) -> None:
        """What `Task.init` does besides events: seed random numbers, set the first iteration."""
        from eventlog.sdk.random_seed import apply_seed

        if offset:
            self._logger._offset = offset
        apply_seed()

    def _execution(self) -> ExecutionRecorded | None:
        """Where its code came from; of a task that has just begun here, once that is known."""
        if self._run is not None and self._run.execution is not None:
            self._run.execution.wait(_SECONDS)
        return self._state().execution

    def _change_execution(self, changes: dict[str, Any]) -> None:
        from eventlog.sdk.script_edits import execution_fields

        run = self._run
        if run is not None and run.is_ours and run.execution is not None and run.execution.give(**changes):
            return
        self._append(ExecutionRecorded, *execution_fields(self._execution(), changes))
