"""A model around a learned anchor: kept, loaded and continued; refused where there is no table."""

import pytest
import tiny

from rheos.core.errors import InputError
from rheos.data.anchor import Perceptron

SIZES = ("history=4", "lags=[]", "harmonics={day: 0, week: 0}")
WORDS = (*tiny.SERIES, *SIZES, "anchor=perceptron", "anchor.steps=300", "anchor.width=8")


def test_it_is_kept_loaded_and_continued(tmp_path):
    """The table bends: b follows |a|, so that there is something for the perceptron to say."""
    table = tiny.table(700)
    table["b"] = (table["a"].abs().shift(1) + 0.2 * table["b"]).fillna(0.0)
    model = tiny.fitted(table, (*WORDS, "process=mean_reverting"), out=tmp_path / "m")
    assert model.model.anchor.share.any()
    kept, _ = tiny.require_whole_trip(model, tmp_path / "m")
    assert kept.model.recipe.anchor == Perceptron(steps=300, width=8)


def test_fields_are_refused_before_any_work():
    with pytest.raises(InputError, match="anchor=perceptron is for tables, and the data are a field"):
        tiny.fitted(tiny.field(), (*tiny.FIELD, "anchor=perceptron"), horizon=3)
