"""``python -m eventlog`` is the command `eventlog`."""

from eventlog.cli.main import main

if __name__ == "__main__":
    main()
