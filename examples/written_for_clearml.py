"""A script as it was written for ClearML, and not changed: `eventlog run examples/written_for_clearml.py`."""

import argparse
from pathlib import Path
from tempfile import mkdtemp

import joblib
import numpy as np
from clearml import Logger, OutputModel, Task
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--alpha", type=float, default=1e-4)
    task = Task.init(project_name="digits/clearml", task_name="linear", output_uri=True)
    arguments = parser.parse_args()
    arguments = task.connect(arguments, name="Args")

    images, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images / 16, digits, random_state=0)
    model = SGDClassifier(alpha=arguments.alpha, random_state=0)
    for epoch in range(arguments.epochs):
        model.partial_fit(train_x, train_y, classes=np.arange(10))
        for series, x, y in (("train", train_x, train_y), ("test", test_x, test_y)):
            Logger.current_logger().report_scalar("accuracy", series, model.score(x, y), iteration=epoch)
    matrix = confusion_matrix(test_y, model.predict(test_x))
    task.get_logger().report_confusion_matrix("digits", "test", matrix=matrix, iteration=arguments.epochs)

    output = OutputModel(task=task, name="linear digits", framework="ScikitLearn")
    output.update_labels({str(digit): digit for digit in range(10)})
    path = Path(mkdtemp()) / "model.joblib"
    joblib.dump(model, path)
    output.update_weights(str(path))
    task.upload_artifact("wrong", {"images": int((test_y != model.predict(test_x)).sum())})


if __name__ == "__main__":
    main()
