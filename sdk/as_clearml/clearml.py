"""What `import clearml` gives where eventlog stands in for it; see `eventlog.sdk.clearml_import`."""

try:
    from eventlog.sdk.clearml_import import fill
    from eventlog.sdk.clearml_modules import VERSION
except ModuleNotFoundError as error:
    if error.name != "eventlog":
        raise
    raise ImportError(
        "clearml stands for eventlog here, as PYTHONPATH says, and this interpreter has no eventlog: install"
        f" it there, or take {__file__.rpartition('/')[0]} out of PYTHONPATH"
    ) from None

__version__ = VERSION
# A module with a path is a package: `import clearml.task` asks the finder that `fill` puts in place.
__path__: list[str] = []

fill(__name__)
