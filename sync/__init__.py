"""Copies of the log: push and pull."""
