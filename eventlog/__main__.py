"""The command `eventlog`, also as ``python -m eventlog``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run `eventlog` with the arguments of the process, and exit."""
    try:
        from eventlog.cli.main import main as run

        run()
    except KeyboardInterrupt:
        # While modules were imported: there is nothing to be said of it yet.
        sys.exit(130)


if __name__ == "__main__":
    main()
