"""Titles and series of what is written for TensorBoard are ClearML's, made of tags and folders."""

import pytest

from eventlog.sdk.automatic.tensorboard_names import TensorBoardNames


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        ("loss/train", ("loss", "train")),
        ("accuracy", ("accuracy", "accuracy")),
        ("loss/train/deep/er", ("loss_train_deep", "er")),
        ("a//b", ("a_", "b")),
        ("trailing/", ("trailing", "")),
        ("/leading", ("/leading", "leading")),
        ("a b/[c]", ("a b", "[c]")),
    ],
)
def test_a_tag_is_a_title_and_a_series(tag: str, names: tuple[str, str]) -> None:
    assert TensorBoardNames().of_scalar(tag, "/runs/a") == names


def test_the_first_folder_that_writes_a_tag_is_not_mentioned() -> None:
    names = TensorBoardNames()
    folders = ("/x/A/x", "/x/A/y", "/x/A/x", "/x/B/x", "/x/B/y", "/y/A")
    series = [names.of_scalar("loss/train", folder)[1] for folder in folders]
    assert series == ["train", "y: train", "train", "B: train", "B/y: train", "y: train"]
    assert names.of_scalar("loss/test", "/x/B/y") == ("loss", "test")


def test_a_folder_within_the_names_of_the_first_is_called_by_its_own() -> None:
    names = TensorBoardNames()
    assert names.of_scalar("loss", "/runs/a/b") == ("loss", "loss")
    assert names.of_scalar("loss", "/runs/a") == ("loss", "a: loss")


def test_each_curve_of_add_scalars_is_a_series() -> None:
    names = TensorBoardNames()
    assert names.of_scalar("group", "/runs/a/group_one") == ("group", "one")
    assert names.of_scalar("group", "/runs/a/group_the other") == ("group", "the_other")
    assert names.of_scalar("group", "/runs/a") == ("group", "group")
    assert names.of_scalar("group", "/runs/b/group_one") == ("group", "b: one")


def test_scalars_without_a_title_are_drawn_together_where_asked() -> None:
    names = TensorBoardNames()
    assert names.of_scalar("accuracy", "/a", is_grouped=True) == ("Scalars", "accuracy")
    assert names.of_scalar("accuracy", "/b", is_grouped=True) == ("Scalars", "b: accuracy")
    assert names.of_scalar("loss/train", "/a", is_grouped=True) == ("loss", "train")


def test_each_curve_has_a_plot_of_its_own_where_asked() -> None:
    names = TensorBoardNames()
    assert names.of_scalar("loss/train", "/a", is_single=True) == ("loss", "train")
    assert names.of_scalar("loss/train", "/b", is_single=True) == ("loss b", "train")
    assert names.of_scalar("group", "/a/group_one", is_single=True) == ("group one", "one")


def test_images_sounds_and_texts_have_the_first_part_of_the_tag_for_a_title() -> None:
    names = TensorBoardNames()
    assert names.of_medium("Images", "one", "/a") == ("Images", "one")
    assert names.of_medium("Images", "a/b/c", "/a") == ("a", "b_c")
    assert names.of_medium("Images", "a/b/c", "/b") == ("a b", "b_c")
    assert names.of_medium("Audio", "a/b/c", "/b") == ("a", "b_c")


def test_histograms_and_curves_of_precision_are_named_as_clearml_names_them() -> None:
    names = TensorBoardNames()
    assert names.of_histogram("bare", "/a") == ("Histograms", "bare")
    assert names.of_histogram("h/x/y", "/a") == ("h_x", "y")
    assert names.of_histogram("h/x/y", "/b") == ("h_x", "y :b")
    assert names.of_plot("pr/x", "/a") == ("pr/x", "")
    assert names.of_plot("pr/x", "/b") == ("pr/x_2", "")
    assert names.of_plot("pr/x", "/a") == ("pr/x", "")
