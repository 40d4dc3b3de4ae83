"""Automatic logging: what a script does with well-known libraries is recorded with nothing else to write."""
