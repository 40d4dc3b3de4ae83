"""A draft of a task whose code need not run for it: all that is known of it is given."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid, NotFound
from eventlog.events import CommentSet, ContainerSet, ExecutionRecorded, ParametersSet, TaskCreated
from eventlog.sdk.names import shown
from eventlog.sdk.plain_text import check_text
from eventlog.store import Store

__all__ = ["Code", "append_code", "argument_parameters", "code_fields", "container_of", "create_draft"]

_ARGUMENTS = "Args"


@dataclass(frozen=True)
class Code:
    """What a task is to run, in the words of `Task.create`."""

    repo: str | None = None
    branch: str | None = None
    commit: str | None = None
    script: str | None = None
    working_directory: str | None = None
    packages: Any = None
    requirements_file: str | Path | None = None
    docker: str | None = None
    docker_args: Sequence[str] | str | None = None
    docker_bash_setup_script: Sequence[str] | str | None = None
    argparse_args: Any = None
    binary: str | None = None
    module: str | None = None
    detect_repository: bool = True
    single_script: bool = False


def create_draft(store: Store, project: str, name: str, task_type: str, comment: str = "") -> str:
    """Append what makes a draft, and return its id."""
    task = os.urandom(16).hex()
    store.session.append(TaskCreated, task, name, project, task_type)
    if comment:
        store.session.append(CommentSet, task, comment)
    return task


def code_fields(store: Store, code: Code) -> dict[str, Any]:
    """The fields of `ExecutionRecorded` that are given of some code; the rest is not known.

    Raises:
        InputInvalid: what was given does not go together, or cannot be read.
    """
    for what, given in (
        ("the repository", code.repo),
        ("the script", code.script),
        ("the module", code.module),
    ):
        if given is not None:
            check_text(what, given)
    if code.script and code.module:
        raise InputInvalid("a task runs a script or a module: give one of them")
    if code.repo and not (code.script or code.module):
        raise InputInvalid("with repo, give the script in it that is to be run, or the module")
    fields = _code_fields(store, code)
    if code.working_directory is not None:
        fields["working_folder"] = check_text("the working directory", code.working_directory)
    if code.module:
        fields["entry_point"] = f"-m {check_text('the module', code.module).removeprefix('-m ')}"
    if code.binary is not None:
        fields["binary"] = check_text("the binary", code.binary)
    requirements = _requirements(code)
    if requirements is not None:
        fields["requirements"] = requirements
    return fields


def container_of(code: Code) -> tuple[str, str, str] | None:
    """The fields of `ContainerSet`, if a container is asked for."""
    from eventlog.sdk.script_edits import container_fields

    if code.docker is None and code.docker_args is None and code.docker_bash_setup_script is None:
        return None
    return container_fields(code.docker, code.docker_args, code.docker_bash_setup_script)


def append_code(
    store: Store, task: str, fields: dict[str, Any], container: tuple[str, str, str] | None, code: Code
) -> None:
    """Append what a task is to run: `code_fields` and `container_of`, and its arguments."""
    from eventlog.sdk.script_edits import execution_fields

    append = store.session.append
    if fields:
        append(ExecutionRecorded, task, *execution_fields(None, fields))
    if container is not None:
        append(ContainerSet, task, *container)
    arguments = argument_parameters(code.argparse_args)
    if arguments:
        append(ParametersSet, task, arguments)


def argument_parameters(arguments: Any) -> dict[str, Any]:
    """Arguments of a command line as parameters of the section "Args".

    Args:
        arguments: pairs of name and value, "name=value", or a dictionary.

    Raises:
        InputInvalid: they are none of these.
    """
    from eventlog.sdk.parameters import to_parameters

    if not arguments:
        return {}
    pairs = arguments.items() if isinstance(arguments, Mapping) else arguments
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise InputInvalid(f"arguments must be given as pairs of name and value, not as {shown(arguments)}")
    named: dict[str, Any] = {}
    for pair in pairs:
        parts = pair.split("=", 1) if isinstance(pair, str) else pair
        try:
            name, value = parts
        except (TypeError, ValueError):
            raise InputInvalid(
                f"arguments must be given as pairs of name and value, not as {shown(pair)}"
            ) from None
        named[f"{_ARGUMENTS}/{str(name).lstrip('-')}"] = value
    return to_parameters([named], {})


def _code_fields(store: Store, code: Code) -> dict[str, Any]:
    from eventlog.sdk.script_edits import inspect_repository, is_file, is_folder, text_fields
    from eventlog.sdk.secrets import mask_text, mask_url

    fields: dict[str, Any] = {}
    folder = Path(code.repo).expanduser() if code.repo and "://" not in code.repo else None
    script = Path(code.script).expanduser() if code.script else None
    if code.repo and not (folder and is_folder(folder)):
        # A repository elsewhere: nothing is fetched, everything is as it is given.
        fields["repository"] = check_text("the repository", mask_url(code.repo))
        fields["entry_point"] = check_text("the script", code.script or "")
    else:
        local = folder or (script.absolute().parent if script is not None and is_file(script) else None)
        looks = code.repo is not None or (code.detect_repository and not code.single_script)
        checkout = inspect_repository(store, local) if local is not None and looks else None
        if code.repo and checkout is None:
            raise InputInvalid(
                f"there is no git repository at {shown(code.repo)}: give its URL, or leave repo out"
            )
        if checkout is not None:
            fields |= checkout.fields
            fields["working_folder"] = "."
            if script is not None:
                fields["entry_point"] = _inside(checkout.root, script, local)
        elif script is not None:
            if not is_file(script):
                raise NotFound(
                    f"there is no script {shown(str(script))}: give its path, or the repository that it is in"
                )
            fields["entry_point"] = script.name
            fields |= text_fields(store, "script", mask_text(script.read_text(errors="replace")))
    if code.branch is not None:
        fields["branch"] = check_text("the branch", code.branch)
    if code.commit is not None:
        fields["commit"] = check_text("the commit", code.commit)
    return fields


def _inside(root: Path, script: Path, folder: Path | None) -> str:
    """A script's path from the top of its repository."""
    from eventlog.sdk.script_edits import is_file

    for candidate in (script, *((folder / script,) if folder is not None else ()), root / script):
        if is_file(candidate):
            found = candidate.resolve()
            return (
                str(found.relative_to(root.resolve())) if found.is_relative_to(root.resolve()) else str(found)
            )
    return str(script)


def _requirements(code: Code) -> str | None:
    from eventlog.sdk.requirements import as_lines, read_file

    if code.requirements_file is not None:
        return read_file(code.requirements_file)
    if code.packages is None or code.packages is False:
        return None
    if code.packages is True:
        import sys

        from eventlog.sdk.packages import installed_packages

        packages = installed_packages(list(sys.path))
        return "\n".join(f"{name}=={version}" for name, version in packages.items())
    return as_lines(code.packages)
