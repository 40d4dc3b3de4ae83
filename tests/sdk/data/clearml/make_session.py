"""Makes a session with the real ClearML: ``python make_session.py FOLDER`` leaves FOLDER/session.zip.

It is run by hand to make the session that is kept beside it (ClearML takes ten seconds for one, and the
tests look at it in many ways), and by one test, so that what is kept is what ClearML writes. Run a copy of it
that lies outside the repository: ClearML reads all of the repository that the script is in.
"""

import argparse
import io
import logging
import os
import shutil
import sys
import wave
from pathlib import Path

folder = Path(sys.argv[1]).absolute()
sys.argv[1:] = ["--batch", "8"]
os.environ["HOME"] = str(folder / "home")
(folder / "home").mkdir(parents=True)
(folder / "work").mkdir()
os.chdir(folder / "work")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from clearml import OutputModel, Task  # noqa: E402
from PIL import Image  # noqa: E402

Task.set_offline(True)
task = Task.init(
    project_name="digits/nested",
    task_name="every reporter",
    tags=["first", "second"],
    auto_connect_frameworks=False,
    auto_resource_monitoring=False,
)
parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, default=4, help="how many at once")
parser.parse_args()

logger = task.get_logger()
for iteration in range(5):
    logger.report_scalar("loss", "train", value=1 / (iteration + 1), iteration=iteration)
    logger.report_scalar("loss", "validation", value=2 / (iteration + 1), iteration=iteration)
logger.report_single_value("accuracy", 0.97)
logger.report_text("a reported text: ünï", print_console=False)
logger.report_text("a warning", level=logging.WARNING, print_console=False)
print("printed by the script")

square = np.eye(3)
logger.report_histogram("histogram", "h", values=[1, 2, 3], iteration=1, xlabels=["a", "b", "c"])
logger.report_table("table", "t", iteration=1, table_plot=pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}))
logger.report_scatter2d("scatter 2d", "s", scatter=np.array([[0, 0], [1, 1], [2, 4]]), iteration=2)
logger.report_scatter3d("scatter 3d", "s", scatter=np.array([[0, 0, 0], [1, 1, 1]]), iteration=2)
logger.report_confusion_matrix("confusion", "c", matrix=square, iteration=1, xlabels=list("abc"))
logger.report_surface("surface", "s", matrix=square, iteration=1)
figure = {"data": [{"type": "bar", "x": [1, 2], "y": [3, 4]}], "layout": {"title": "bars"}}
logger.report_plotly("plotly", "p", figure=figure, iteration=3)
logger.report_plotly("plotly", "large", figure={"data": [{"text": "x" * 70_000}], "layout": {}}, iteration=3)
logger.report_image("image", "array", iteration=1, image=np.zeros((4, 4, 3), "uint8"))
logger.report_image("image", "at a URL", iteration=1, url="https://example.com/picture.png")
logger.report_media("media", "page", iteration=1, stream=io.StringIO("<b>hi</b>"), file_extension=".html")
with wave.open("beep.wav", "wb") as sound:
    sound.setnchannels(1)
    sound.setsampwidth(1)
    sound.setframerate(8000)
    sound.writeframes(bytes(100))
logger.report_media("media", "sound", iteration=1, local_path="beep.wav")

Path("a file.txt").write_text("what is in the file")
Path("folder/inner").mkdir(parents=True)
Path("folder/one.txt").write_text("1")
Path("folder/inner/two.txt").write_text("2")
task.upload_artifact("dict", {"a": 1, "b": [1, 2]}, metadata={"key": "value"})
task.upload_artifact("yaml", {"a": 1}, extension_name=".yaml")
task.upload_artifact("array", np.arange(5))
task.upload_artifact("frame", pd.DataFrame({"x": [1, 2]}))
task.upload_artifact("image", Image.new("RGB", (4, 4), (0, 255, 0)))
task.upload_artifact("text", "just some text")
task.upload_artifact("file", "a file.txt")
task.upload_artifact("folder", "folder")
task.upload_artifact("object", {1, 2, 3})
task.upload_artifact("at a URL", "https://example.com/data.csv")
task.upload_artifact("with/slash", "x")

task.connect({"rate": 0.1, "flag": True, "none": None, "nested": {"deep": {"x": 1}}, "list": [1, 2]})
task.connect({"momentum": 0.9}, name="optimizer")
task.set_parameter("General/described", 3, description="a description", value_type=int)
task.connect_configuration({"model": {"layers": [1, 2]}}, name="dictionary")
Path("conf.yaml").write_text("a: 1\n# kept\nb: [1, 2]\n")
task.connect_configuration(Path("conf.yaml"), name="file")
task.connect_label_enumeration({"cat": 1, "dog": 2})
task.set_comment("a comment\nof two lines")
task.set_user_properties(owner="somebody", count={"value": "2", "description": "how many", "type": "int"})
task.set_base_docker("python:3.11 -v a:b")

Path("weights.bin").write_bytes(b"weights" * 10)
model = OutputModel(
    task=task,
    name="net",
    framework="PyTorch",
    comment="a model",
    tags=["good"],
    label_enumeration={"x": 1},
    config_dict={"layers": 3},
)
# ClearML 2.1.12 asks the stand-in that it has offline for an attribute that it lacks, and no weights can be
# set; with the attribute there, it goes on to write the session that its own import reads.
type(model._get_base_model()).locked = False
model.update_weights("weights.bin", iteration=7)
model.report_scalar("of the model", "s", 0.5, 1)
model.report_single_value("score", 2.0)
OutputModel(task=task, name="without weights").report_scalar("of the model", "s", 0.25, 1)

task.flush(wait_for_uploads=True)
session = Path(task.get_offline_mode_folder())
task.close()
shutil.move(f"{session}.zip", folder / "session.zip")
# Threads of ClearML's may keep the process from ending.
os._exit(0)
