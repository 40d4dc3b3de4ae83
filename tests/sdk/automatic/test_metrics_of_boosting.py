"""What XGBoost, LightGBM and CatBoost measure while they train is reported, under ClearML's names."""

import pytest

from eventlog import Task
from tests.sdk.automatic.model_scripts import Trained, needs

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180)]

DATA = """
import numpy as np
X = np.random.default_rng(0).random((60, 3))
y = X[:, 0] + X[:, 1]
"""


def iterations(task: Task) -> dict[str, list[float]]:
    """At which iterations each series has a value."""
    return {
        f"{title}/{name}": series["x"]
        for title, all_series in task.get_reported_scalars().items()
        if not title.startswith(":")
        for name, series in all_series.items()
    }


@needs("xgboost")
def test_xgboost_reports_each_data_set_by_the_number_of_the_training(train: Trained) -> None:
    done = train(
        DATA
        + """
import xgboost
data = xgboost.DMatrix(X, y)
evaluated = [(data, "train"), (data, "test")]
seen = {}
xgboost.train({}, data, 3, evals=evaluated, verbose_eval=False, evals_result=seen)
print(seen["test"]["rmse"][-1])
xgboost.train({}, data, 2)
xgboost.XGBRegressor(n_estimators=2, eval_metric=["rmse", "mae"]).fit(X, y, eval_set=[(X, y)], verbose=False)
xgboost.cv({}, data, 2, nfold=2)
"""
    )
    assert iterations(done.task) == {
        "train/rmse": [0, 1, 2],
        "test/rmse": [0, 1, 2],
        "validation_0 - 2/rmse": [0, 1],
        "validation_0 - 2/mae": [0, 1],
    }
    last = done.task.get_reported_scalars()["test"]["rmse"]["y"][-1]
    assert last == pytest.approx(float(done.out))


@needs("lightgbm")
def test_lightgbm_reports_also_where_a_training_goes_on_and_no_folds(train: Trained) -> None:
    done = train(
        DATA
        + """
import lightgbm
from lightgbm import cv
quiet = {"verbose": -1}
data = lightgbm.Dataset(X, y, free_raw_data=False)
booster = lightgbm.train(quiet, data, 3, valid_sets=[data], valid_names=["train"])
other = lightgbm.Dataset(X, y, reference=data)
lightgbm.train(quiet, data, 2, valid_sets=[other], valid_names=["more"], init_model=booster)
lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(X, y, eval_set=[(X, y)])
cv(quiet, data, 2, nfold=2, stratified=False)
"""
    )
    series = iterations(done.task)
    assert series.pop("train/l2") == [0, 1, 2]
    assert series.pop("more/l2") == [3, 4]
    assert list(series.values()) == [[0, 1]]
    assert done.task.get_parameter("General/verbose", cast=True) == -1


@needs("catboost")
def test_catboost_reports_at_the_iterations_that_were_measured(train: Trained) -> None:
    done = train(
        DATA
        + """
import catboost
arguments = dict(verbose=0, allow_writing_files=False)
catboost.CatBoostRegressor(iterations=3, custom_metric=["MAE"], **arguments).fit(X, y, eval_set=(X, y))
catboost.CatBoostRegressor(iterations=6, metric_period=2, **arguments).fit(X, y)
"""
    )
    assert iterations(done.task) == {
        "learn/RMSE": [1, 2, 3],
        "learn/MAE": [1, 2, 3],
        "validation/RMSE": [1, 2, 3],
        "validation/MAE": [1, 2, 3],
        "learn - 1/RMSE": [1, 3, 5, 6],
    }


@needs("xgboost")
def test_what_is_switched_off_is_not_reported(train: Trained) -> None:
    done = train(
        DATA
        + """
import xgboost
data = xgboost.DMatrix(X, y)
xgboost.train({}, data, 1, evals=[(data, "train")], verbose_eval=False)
""",
        auto_connect_frameworks={"xgboost": False},
    )
    assert iterations(done.task) == {}
