"""Images as PNG: from arrays of NumPy, from Pillow's images, and from whatever turns into either."""

import io
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["png_of"]

# What PNG holds as it is.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_CHANNELS = (1, 2, 3, 4)


def png_of(image: Any) -> bytes:
    """The bytes of a PNG file.

    Args:
        image: one of Pillow's images; or an array of (height, width) or of (height, width, channels) with 1
            (grey), 2 (grey, alpha), 3 (red, green, blue) or 4 channels (and alpha); an array of one dimension
            is one column. Whole numbers are levels from 0 to 255, or to 65,535 where unsigned ones of 16 bits
            go beyond; truth values are black and white; floating-point numbers are levels from 0 to 1, or to
            255 where the largest is above 1. What lies outside is cut off, and NaN is black.

    Raises:
        InputInvalid: it is no image, or has another shape.
    """
    if not _is_pillow(image):
        image = _of_array(image)
    elif image.mode not in _PNG_MODES:
        image = _of_grey(image) if image.mode in {"F", "I"} else image.convert("RGB")
    if 0 in image.size:
        raise InputInvalid(f"an image of {image.width} x {image.height} pixels has none")
    file = io.BytesIO()
    # The fastest level; what others save is little for what they cost in a training loop.
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _is_pillow(image: Any) -> bool:
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(image).__mro__)


def _of_grey(image: Any) -> "Image":
    import numpy as np

    return _of_array(np.asarray(image))


def _of_array(image: Any) -> "Image":
    if hasattr(image, "detach"):
        image = image.detach().cpu()
    # A tensor of a type that NumPy has not, such as bfloat16, cannot.
    if not hasattr(image, "__array__") or isinstance(image, type):
        raise InputInvalid(
            f"an image must be an array of NumPy or an image of Pillow, not {type(image).__name__}"
        )
    import numpy as np
    from PIL import Image

    try:
        array = np.asarray(image)
    except Exception as error:
        raise InputInvalid(f"the image cannot be read as an array ({error})") from None
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    elif array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in _CHANNELS):
        raise InputInvalid(
            f"an image must have the shape (height, width) or (height, width, channels) with 1 to 4 channels,"
            f" not {array.shape}{_advice(array.shape)}"
        )
    if 0 in array.shape:
        raise InputInvalid(f"an image of the shape {array.shape} has no pixels")
    return Image.fromarray(np.ascontiguousarray(_as_levels(np, array)))


def _as_levels(np: Any, array: Any) -> Any:
    """Grey levels of 8 bits, or of 16."""
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind in "ui":
        if array.dtype == np.uint8:
            return array
        if array.dtype == np.uint16 and array.max() > 255:
            return array if array.ndim == 2 else (array >> 8).astype(np.uint8)
        return np.clip(array, 0, 255).astype(np.uint8)
    if kind == "f":
        levels = np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
        if levels.max() <= 1:
            levels = levels * 255
        return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    raise InputInvalid(f"an image must be an array of numbers, not of {array.dtype}")


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in _CHANNELS:
        return ": give image.transpose(1, 2, 0)"
    if len(shape) == 4:
        return ": report each image by itself"
    return ""
