"""Names from anywhere become names that MLflow takes, and two never become one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from eventlog.sdk.exports.mlflow_names import cut, experiment_name, file_part, metric_key, valid_key

NAMES = st.text(max_size=300) | st.text("ab/. :@", max_size=8)


def is_path(key: str) -> bool:
    """Whether a file of this name lies below its folder, and nowhere else."""
    return not key.startswith("/") and all(part not in ("", ".", "..") for part in key.split("/"))


@given(NAMES, NAMES)
def test_keys_are_valid_and_apart(one: str, other: str):
    key = valid_key(one)
    assert re.fullmatch(r"[\w.\- :/]{1,250}", key)
    assert is_path(key)
    assert (key == valid_key(other)) == (one == other)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_series_never_share_a_metric(one: tuple[str, str], other: tuple[str, str]):
    key = metric_key(*one)
    assert re.fullmatch(r"[\w.\- :/]{1,250}", key)
    assert is_path(key)
    assert (key == metric_key(*other)) == (one == other)


@given(NAMES, NAMES)
def test_parts_of_paths_lead_nowhere_else(one: str, other: str):
    part = file_part(one)
    assert re.fullmatch(r"[\w.\- ]{1,100}", part)
    assert part not in (".", "..")
    assert (part == file_part(other)) == (one == other)


def test_usual_names_stay_as_they_are():
    assert valid_key("Args/learning rate") == "Args/learning rate"
    assert metric_key("train/loss", "total") == "train/loss/total"
    assert metric_key(":monitor:machine", "cpu_usage") == ":monitor:machine/cpu_usage"
    assert file_part("model.pt") == "model.pt"
    assert file_part("a#b.txt").endswith(".txt")
    assert experiment_name("digits/mlp") == "digits/mlp"
    assert experiment_name(" ") == "eventlog"
    assert cut("abc", 3) == "abc"
    assert len(cut("abcdef", 5)) == 5
