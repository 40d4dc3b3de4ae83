"""The entry point: finds the command, runs it, and turns what went wrong into one line and an exit code.

0 is success, 1 a failure that the line on stderr explains, 2 wrong usage, 130 Ctrl-C. A command's module
is imported when it is called, and imports what is heavy where it uses it: `eventlog ls` starts in the time
that Python, click and LMDB need.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from eventlog import __version__
from eventlog.configuration import store_folder
from eventlog.errors import EventlogError

__all__ = ["command_line", "main"]

MODULES = {
    "run": "run",
    "ls": "listing",
    "show": "show",
    "log": "log",
    "console": "console",
    "scalars": "scalars",
    "plots": "plots",
    "artifacts": "artifacts",
    "models": "models",
    "diff": "diff",
    "replay": "replay",
    "status": "status",
    "sync": "sync",
    "fork": "fork",
    "bundle": "bundle",
    "import": "importing",
    "export": "exporting",
    "verify": "verify",
    "head": "head",
    "audit": "audit",
    "rebuild": "rebuild",
}

HIGHEST_STANDARD = 2
EPILOG = """
\b
Examples:
  eventlog ls --project digits
  eventlog show digits/baseline --at '10 minutes ago'

\b
TASK is the beginning of a task's id, or project/name (the one that changed
last). TIME is local, as '2026-11-20 14:00', '14:00' (today), '10 minutes ago'
or '5m'; or has a zone, as '2026-11-20T13:00Z'. In --json, times are ISO 8601
in UTC, and NaN and infinity are strings.

\b
Shell completion: put the line of your shell into its start-up file.
  bash  eval "$(_EVENTLOG_COMPLETE=bash_source eventlog)"
  zsh   eval "$(_EVENTLOG_COMPLETE=zsh_source eventlog)"
  fish  _EVENTLOG_COMPLETE=fish_source eventlog | source
"""


class _Commands(click.Group):
    """Commands by name, imported when asked for, listed in the order of `MODULES`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MODULES:
            return None
        module = import_module(f"eventlog.cli.{MODULES[cmd_name]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in MODULES and name[:1].isalnum():
            from difflib import get_close_matches

            meant = " or ".join(f"'{one}'" for one in get_close_matches(name, MODULES))
            ctx.fail(f"there is no command '{name}'" + (f": did you mean {meant}?" if meant else "."))
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="The folder of the store; by default EVENTLOG_HOME, or ~/.eventlog.",
)
@click.version_option(__version__, prog_name="eventlog", message="%(prog)s %(version)s")
@click.pass_context
def command_line(context: click.Context, home: Path | None) -> None:
    """Experiment tracking in which the log is the truth."""
    context.obj = store_folder(home.expanduser().absolute()) if home else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `eventlog` with these arguments, by default those of the process, and exit."""
    # Commands make many objects and hardly any cycles: collecting these would take longer than all the rest.
    gc.set_threshold(50_000, 20, 50)
    _have_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows fewer characters gets question marks, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.exit(_run(arguments))


def _have_standard_streams() -> None:
    """Open those that whoever called has closed, to nowhere.

    Else the log would be opened under the number of one of them, and what is printed be written into it.
    """
    try:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= HIGHEST_STANDARD:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    except OSError as error:
        # Where no number is free, none of theirs is.
        if error.errno != errno.EMFILE:
            raise
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = command_line.main(arguments, prog_name="eventlog", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _failed(error.format_message())
    except EventlogError as error:
        return _failed(str(error))
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read has seen enough; what is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in (errno.EMFILE, errno.ENFILE):
            why += ": raise the limit on open files (ulimit -n)"
        return _failed(f"{error.filename}: {why}" if error.filename else why)
    except MemoryError:
        return _failed("there is not enough memory: raise the limit (ulimit -v), or end other programs")
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        return _failed("no thread can be started: raise the limits on processes and memory (ulimit -u, -v)")
    return code if isinstance(code, int) else 0


def _failed(message: str) -> int:
    from eventlog.cli.printing import clean

    sys.stderr.write(f"eventlog: {clean(message)}\n")
    return 1
