"""Values as JSON has them, for readers that know nothing of eventlog's structs."""

from typing import Any

import msgspec

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Structs by the names of their fields, bytes in hexadecimal, NaN and the infinities as strings."""
    if isinstance(value, float) and value - value != 0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, msgspec.Struct):
        return {field: plain(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
