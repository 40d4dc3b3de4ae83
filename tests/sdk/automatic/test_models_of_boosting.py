"""What XGBoost, LightGBM and CatBoost save and load is a model, by whichever of their classes."""

import pytest

from tests.sdk.automatic.model_scripts import Trained, needs

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180)]

DATA = """
import numpy as np
X = np.random.default_rng(0).random((40, 3))
y = (X[:, 0] > 0.5).astype(int)
"""


@needs("xgboost")
def test_xgboost(train: Trained) -> None:
    done = train(
        DATA
        + """
import xgboost
booster = xgboost.train({}, xgboost.DMatrix(X, y), num_boost_round=2)
booster.save_model("booster.json")
xgboost.Booster(model_file="booster.json")
classifier = xgboost.XGBClassifier(n_estimators=2).fit(X, y)
classifier.save_model("classifier.ubj")
xgboost.XGBClassifier().load_model("classifier.ubj")
xgboost.Booster().load_model(bytearray(booster.save_raw()))
"""
    )
    assert done.models("output") == done.models("input") == ["booster", "classifier"]
    assert {model.framework for model in done.task.models["output"]} == {"XGBoost"}


@needs("lightgbm")
def test_lightgbm(train: Trained) -> None:
    done = train(
        DATA
        + """
import lightgbm
booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, y), num_boost_round=2)
booster.save_model("booster.txt")
lightgbm.Booster(model_file="booster.txt")
lightgbm.Booster(model_str=booster.model_to_string())
lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y).booster_.save_model("classifier.txt")
"""
    )
    assert done.models("output") == ["booster", "classifier"]
    assert done.models("input") == ["booster"]
    assert {model.framework for model in done.task.models["output"]} == {"LightGBM"}


@needs("catboost")
def test_catboost(train: Trained) -> None:
    done = train(
        DATA
        + """
import catboost
arguments = dict(iterations=2, verbose=0, allow_writing_files=False)
catboost.CatBoostClassifier(**arguments).fit(X, y).save_model("classifier.cbm")
catboost.CatBoostRegressor(**arguments).fit(X, y).save_model("regressor.json", format="json")
catboost.CatBoost().load_model("classifier.cbm")
"""
    )
    assert done.models("output") == ["classifier", "regressor"]
    assert done.models("input") == ["classifier"]
    assert {model.framework for model in done.task.models["output"]} == {"CatBoost"}


@needs("xgboost", "lightgbm")
def test_files_are_chosen_by_framework(train: Trained) -> None:
    done = train(
        DATA
        + """
import lightgbm, xgboost
booster = xgboost.train({}, xgboost.DMatrix(X, y), num_boost_round=2)
booster.save_model("a.json")
booster.save_model("a.ubj")
lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y).booster_.save_model("b.txt")
""",
        auto_connect_frameworks={"xgboost": "*.ubj", "lightgbm": False},
    )
    assert [model.url.rpartition("/")[2] for model in done.task.models["output"]] == ["a.ubj"]
