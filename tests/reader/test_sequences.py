"""Long tables of any names: which columns tell sequences apart, and what becomes of them."""

import numpy as np
import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.inspect import inspect
from rheos.data.reader import read
from rheos.data.reader.sequences import likely_names

DAYS = pd.date_range("2024-01-01", periods=20, freq="D")


def shop(*, stores=("A", "B", "C"), items=(7,), **more):
    """Rows of every day, store and item, each number telling where it belongs."""
    rows = [
        (day, store, item, 1000.0 * s + 100.0 * item + d)
        for d, day in enumerate(DAYS)
        for s, store in enumerate(stores)
        for item in items
    ]
    return pd.DataFrame(rows, columns=["date", "store", "item", "sales"]).assign(**more)


def test_a_column_of_names_makes_recordings_of_its_own():
    found = read(shop().drop(columns="item"), {"series": "store"})
    assert [r.name for r in found.recordings] == ["A", "B", "C"]
    assert found.layout.channels == ("sales",)
    assert found.layout.sequence == "store"
    for s, recording in enumerate(found.recordings):
        np.testing.assert_array_equal(recording.values[:, 0], 1000.0 * s + 700.0 + np.arange(20))


def test_several_columns_name_sequences_together():
    found = read(shop(items=(7, 8)), {"series": ["store", "item"]})
    assert [r.name for r in found.recordings] == ["A, 7", "A, 8", "B, 7", "B, 8", "C, 7", "C, 8"]
    np.testing.assert_array_equal(found.recordings[3].values[:, 0], 1800.0 + np.arange(20))


def test_sequences_are_offered_and_never_averaged():
    found = inspect(shop(items=(7, 8)))
    assert found.options == "data.series=[store,item]"
    assert found.recordings == 6
    assert found.problems[0].fatal


def test_whole_numbers_may_name_sequences():
    table = shop(stores=(1, 2)).drop(columns="item")
    with pytest.raises(InputError, match=r"one for each 'store'; give data\.series=\[store\]"):
        read(table)


def test_words_are_preferred_to_numbers():
    table = shop()
    table.insert(0, "number", table["store"].map({"A": 1, "B": 2, "C": 3}))
    assert likely_names(table, "date") == ("store",)


def test_a_stamp_that_comes_twice_is_no_sequence():
    """Were one slip enough, any column that differs in it would be taken for names."""
    one = shop(stores=("A",)).drop(columns=["store", "item"])
    one["grade"] = np.where(np.arange(len(one)) % 2, "good", "fair")
    twice = pd.concat([one, one.iloc[3:4].assign(grade="poor")], ignore_index=True)
    twice = twice.sort_values("date", kind="stable")
    assert likely_names(twice, "date") == ()
    with pytest.raises(InputError, match=r"1 duplicate stamp"):
        read(twice)


def test_measurements_are_no_names():
    """Counts that happen to differ on each day tell rows apart and still name nothing."""
    table = shop().drop(columns=["store", "item"])
    table["count"] = np.arange(len(table))
    assert likely_names(table, "date") == ()


def test_columns_of_numbers_are_targets_unless_one_is_y():
    table = shop(price=2.0).drop(columns="item")
    assert read(table, {"series": "store"}).layout.channels == ("sales", "price")
    said = {"series": "store", "roles": {"price": "known_future"}}
    assert read(table, said).layout.known_future == ("price",)
    assert read(table.rename(columns={"sales": "y"}), {"series": "store"}).layout.past == ("price",)


def test_a_row_without_a_name_is_refused():
    table = shop(items=(7, 8)).astype({"item": float})
    table.loc[4, "item"] = np.nan
    with pytest.raises(InputError, match="no 'store_item' in data row 5"):
        read(table, {"series": ["store", "item"]})


def test_names_that_are_not_there():
    with pytest.raises(InputError, match="did you mean 'store'"):
        read(shop(), {"series": "stores"})


def test_sequences_may_be_channels():
    found = read(shop().drop(columns="item"), {"series": "store", "joint": True})
    assert found.layout.channels == ("A", "B", "C")


def test_three_columns_may_be_needed_and_constant_ones_are_passed_over():
    """Nine columns of one word each stand before those that tell rows apart."""
    constant = {f"c{i}": "same" for i in range(9)}
    each = [shop(items=(7, 8)).assign(region=region, **constant) for region in ("north", "south")]
    table = pd.concat(each).sort_values("date", kind="stable", ignore_index=True)
    table = table[["date", *constant, "region", "store", "item", "sales"]]
    assert likely_names(table, "date") == ("region", "store", "item")


def test_an_average_over_sequences_is_taken_where_it_is_asked_for():
    found = read(shop().drop(columns=["store", "item"]), {"duplicates": "mean"})
    whole = read(shop().drop(columns="item"), {"duplicates": "mean"})
    np.testing.assert_array_equal(whole.recordings[0].values, found.recordings[0].values)
