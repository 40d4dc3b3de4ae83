"""Train a small neural network to read handwritten digits, and keep the whole run in eventlog.

    python examples/train_digits.py --steps 600

The data is scikit-learn's own (1,797 images of 8 by 8 pixels), so nothing is downloaded. Afterwards:

    eventlog ls
    eventlog scalars digits/mlp/baseline loss
"""

import argparse
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from eventlog import Task


def main() -> None:
    arguments = parse_arguments()
    task = Task.init(project_name="digits/mlp", task_name=arguments.name, tags=["scikit-learn", "digits"])
    logger = task.get_logger()

    digits = load_digits()
    x, x_validation, y, y_validation = train_test_split(
        digits.data / 16.0, digits.target, test_size=0.25, stratify=digits.target, random_state=arguments.seed
    )
    logger.report_text(f"{len(x)} images to train on, {len(x_validation)} to validate with")

    model = MLPClassifier(
        hidden_layer_sizes=(arguments.hidden,),
        learning_rate_init=arguments.learning_rate,
        random_state=arguments.seed,
    )
    random = np.random.default_rng(arguments.seed)
    best = 0.0
    for step in range(1, arguments.steps + 1):
        chosen = random.choice(len(x), size=arguments.batch_size, replace=False)
        model.partial_fit(x[chosen], y[chosen], classes=digits.target_names)

        guesses = model.predict_proba(x_validation)
        loss = log_loss(y_validation, guesses, labels=digits.target_names)
        accuracy = accuracy_score(y_validation, guesses.argmax(axis=1))
        logger.report_scalar("loss", "train", value=model.loss_, iteration=step)
        logger.report_scalar("loss", "validation", value=loss, iteration=step)
        logger.report_scalar(
            "accuracy", "train", value=accuracy_score(y[chosen], model.predict(x[chosen])), iteration=step
        )
        logger.report_scalar("accuracy", "validation", value=accuracy, iteration=step)
        if step * 100 // arguments.steps > (step - 1) * 100 // arguments.steps:
            task.set_progress(step * 100 // arguments.steps)
        if step % arguments.print_every == 0:
            print(f"step {step}: loss {loss:.3f}, accuracy {accuracy:.3f}", flush=True)
        if accuracy > best:
            best = accuracy
            if accuracy >= 0.95:
                logger.report_text(f"step {step}: validation accuracy {accuracy:.3f}, the best so far")

    logger.report_single_value("best validation accuracy", best)
    upload_results(task, model, x_validation, y_validation)
    print(f"the best validation accuracy was {best:.3f}; this run is task {task.id}")
    task.close()


def upload_results(task: Task, model: MLPClassifier, x: np.ndarray, truth: np.ndarray) -> None:
    """Attach what the run produced: a confusion matrix, figures, the mistakes, the model."""
    guessed = model.predict(x)
    wrong = np.flatnonzero(guessed != truth)
    sure = model.predict_proba(x).max(axis=1)
    task.upload_artifact("confusion matrix", confusion_matrix(truth, guessed))
    task.upload_artifact(
        "metrics",
        {
            "accuracy": float(accuracy_score(truth, guessed)),
            "loss": float(log_loss(truth, model.predict_proba(x))),
            "mistakes": len(wrong),
        },
    )
    task.upload_artifact(
        "misclassified",
        pd.DataFrame({"truth": truth[wrong], "guessed": guessed[wrong], "confidence": sure[wrong]}),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.joblib"
        joblib.dump(model, path)
        task.upload_artifact("model", path)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small neural network on scikit-learn's digits.")
    parser.add_argument("--name", default="baseline", help="the task's name")
    parser.add_argument("--steps", type=int, default=600, help="mini-batches to train on")
    parser.add_argument("--batch-size", type=int, default=64, help="images in a mini-batch")
    parser.add_argument("--hidden", type=int, default=48, help="neurons in the hidden layer")
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--print-every", type=int, default=100, help="steps between two printed lines")
    return parser.parse_args()


if __name__ == "__main__":
    main()
