"""The names of frameworks that models are made with, and which one a file's name tells of."""

from pathlib import PurePosixPath

from eventlog.sdk.plain_text import check_text

__all__ = ["Framework", "framework_name", "framework_of"]


class Framework:
    """The names that ClearML gives to frameworks; any other name will do as well."""

    tensorflow = "TensorFlow"
    tensorflowjs = "TensorFlow_js"
    tensorflowlite = "TensorFlow_Lite"
    pytorch = "PyTorch"
    torchscript = "TorchScript"
    caffe = "Caffe"
    caffe2 = "Caffe2"
    onnx = "ONNX"
    keras = "Keras"
    mknet = "MXNet"
    cntk = "CNTK"
    torch = "Torch"
    darknet = "Darknet"
    paddlepaddle = "PaddlePaddle"
    scikitlearn = "ScikitLearn"
    xgboost = "XGBoost"
    lightgbm = "LightGBM"
    parquet = "Parquet"
    megengine = "MegEngine"
    catboost = "CatBoost"
    tensorrt = "TensorRT"
    openvino = "OpenVINO"


def framework_name(framework: object) -> str:
    """The name of a framework that a caller gave; "" for None.

    Raises:
        InputInvalid: it is no text.
    """
    return "" if framework is None else check_text("the framework of a model", framework)


def framework_of(file_name: str) -> str:
    """The framework that writes files of such a name, or "" where several do, or none is known to."""
    return _BY_ENDING.get(PurePosixPath(file_name.lower()).suffix, "")


_BY_ENDING = {
    ".caffemodel": Framework.caffe,
    ".cbm": Framework.catboost,
    ".h5": Framework.keras,
    ".hdf5": Framework.keras,
    ".keras": Framework.keras,
    ".meta": Framework.tensorflow,
    ".onnx": Framework.onnx,
    ".pb": Framework.tensorflow,
    ".pt": Framework.pytorch,
    ".pth": Framework.pytorch,
    ".tflite": Framework.tensorflowlite,
}
