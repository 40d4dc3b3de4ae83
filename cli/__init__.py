"""The `eventlog` command: it parses, calls the layers below, and prints."""
