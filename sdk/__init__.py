"""What a script calls: `Task` and `Logger`, with ClearML's names and meaning.

Nothing is imported here; ``from eventlog import Task`` loads what it needs.
"""
