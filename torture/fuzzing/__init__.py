"""Fuzzing: what reads bytes from elsewhere is given bytes that nobody in their right mind would write.

A target (`torture.fuzzing.target`) is one reader: real bytes that the real writers make, ways to change them,
and how they are read. `torture.fuzzing.targets` lists them all: whoever adds a reader adds an entry there,
and the default tests and `python -m torture` read with it from then on. The one promise: whatever the bytes
are, nothing but the errors of `eventlog.errors` comes out, in bounded memory and time.
"""
