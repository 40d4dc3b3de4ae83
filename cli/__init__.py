"""The eventlog command: parse, call the layers below, print."""
