"""What `import clearml` gives where eventlog stands in for it; see `eventlog.sdk.clearml_import`."""

from eventlog.sdk.clearml_import import fill
from eventlog.sdk.clearml_modules import VERSION

__version__ = VERSION
# A module with a path is a package: `import clearml.task` asks the finder that `fill` puts in place.
__path__: list[str] = []

fill(__name__)
