"""Known values of some variables or frames: a known law, held values, and one sentence for what cannot be."""

import numpy as np
import pandas as pd
import pytest
import tiny

from rheos.cli import main
from rheos.core.errors import InputError
from rheos.data.generator import GaussianPanel, crps_normal
from rheos.forecast.forecaster import fit, load, options
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe
from rheos.forecast.settings import Forecasting
from rheos.score import crps

LAW = GaussianPanel(frames=2400, channels=2, memory=6.0, correlation=0.9)
HORIZON = 2
ORIGINS = np.arange(2210, 2390, 5)
WORDS = (
    *("training.steps=600", "training.batch=32", "training.checks=1", "validation=0.08"),
    *("network.width=16", "network.depth=1", "network.heads=2", "network.rank=8"),
    *("block=32", "history=2", "holdout=200", "lags=[]", "harmonics={}", "times=per_group"),
)


def stamped(values, names):
    frame = pd.DataFrame(values, columns=names)
    frame.insert(0, "time", pd.date_range("2021-01-01", periods=len(frame), freq="h"))
    return frame


def test_forecasts_given_the_other_variable_gain_what_the_law_says():
    """x0 and x1 are AR(1) in step: given x1, the deviation of x0 falls by sqrt(1 - 0.9^2) = 0.44.

    CRPS of either forecast within 5 % (joint) and 20 % (given x1) of the exact law's on the same windows.
    """
    values = LAW.generate(seed=1).recordings[0].values
    table = stamped(values, ["x0", "x1"])
    model = fit(table, HORIZON, words=WORDS)
    ask = {"at": [str(table.time[o - 1]) for o in ORIGINS], "members": 32}
    truth = np.stack([values[o : o + HORIZON] for o in ORIGINS])
    lead = np.arange(1, HORIZON + 1)
    memory, rest = LAW.persistence**lead, np.sqrt(1 - LAW.persistence ** (2 * lead))
    last = values[ORIGINS - 1, :, None]
    own = last[:, 0] - 0.9 * last[:, 1]
    exact = {
        "joint": (memory * last[:, 0], rest),
        "given": (0.9 * truth[..., 1] + memory * own, rest * np.sqrt(1 - 0.9**2)),
    }
    scores = {}
    for task, given in (("joint", None), ("given", table[["time", "x1"]])):
        drawn = model.forecast(table, settings=Forecasting(given=given), **ask).dataset
        ours = crps(np.moveaxis(drawn["x0"].values, 1, 0), truth[..., 0]).mean()
        scores[task] = ours, ours / crps_normal(*exact[task], truth[..., 0]).mean()
        if given is not None:
            held = truth[..., 1][:, None].astype(np.float32)
            assert np.array_equal(drawn["x1"].values, np.broadcast_to(held, drawn["x1"].shape))
    assert 0.97 < scores["joint"][1] < 1.05
    assert 0.97 < scores["given"][1] < 1.2
    assert scores["given"][0] < 0.55 * scores["joint"][0]


TABLE = tiny.table(columns=3)
AHEAD = pd.date_range(TABLE.time.iloc[-1] + pd.Timedelta("1h"), periods=2 * tiny.HORIZON, freq="h")
KNOWN = pd.DataFrame({"time": AHEAD[: tiny.HORIZON], "b": [0.3, -0.2, 1.0, 0.5]})


@pytest.fixture(scope="module")
def model():
    return tiny.stirred(tiny.fitted(TABLE, (*tiny.SERIES, "times=per_group", "groups=[[b],[a,c]]")))


@pytest.fixture(scope="module")
def frames():
    return tiny.fitted(TABLE, (*tiny.SERIES, "times=per_frame"))


def test_members_hold_what_is_given_and_differ_in_the_rest(model, tmp_path):
    found = model.forecast(settings=Forecasting(given=KNOWN), members=6).dataset
    held = found["b"].values.reshape(6, tiny.HORIZON)
    assert np.array_equal(held, np.broadcast_to(KNOWN.b.to_numpy(np.float32), held.shape))
    for name in ("a", "c"):
        assert (found[name].std("member") > 0).all()
    usual = model.forecast(members=6).dataset
    assert not np.array_equal(found["a"], usual["a"])
    # The order of rows and columns that are empty do not matter, nor how many members are asked for.
    padded = KNOWN.iloc[::-1].assign(a=np.nan, c="")
    padded.to_csv(tmp_path / "known.csv", index=False)
    again = model.forecast(settings=Forecasting(given=tmp_path / "known.csv"), members=3).dataset
    assert again.equals(found.isel(member=slice(3)))
    # Other values of b are other forecasts of a.
    other = model.forecast(settings=Forecasting(given=KNOWN.assign(b=KNOWN.b + 1)), members=6).dataset
    assert not np.array_equal(found["a"], other["a"])


def test_calibration_is_of_other_forecasts(model):
    found = model.forecast(settings=Forecasting(given=KNOWN), members=4).dataset
    usual = model.model.calibration
    model.model.calibration = type(usual)(0 * usual.shift, 0 * usual.scale + 1)
    assert model.forecast(settings=Forecasting(given=KNOWN), members=4).dataset.equals(found)
    model.model.calibration = usual


def test_beyond_the_trained_horizon_each_stretch_has_its_own(model):
    """Given over the first stretch alone, the second is drawn whole; members go on from what was given."""
    found = model.forecast(settings=Forecasting(given=KNOWN), members=3, horizon=6).dataset
    near = model.forecast(settings=Forecasting(given=KNOWN), members=3).dataset
    assert np.array_equal(found["a"][..., : tiny.HORIZON], near["a"])
    assert (found["b"][..., tiny.HORIZON :].std("member") > 0).all()
    both = pd.DataFrame({"time": AHEAD, "b": np.arange(8.0) / 8})
    whole = model.forecast(settings=Forecasting(given=both), members=3, horizon=6).dataset["b"].values
    assert np.array_equal(whole.reshape(3, 6)[0], both.b[:6].to_numpy(np.float32))


def test_frames_between_known_ones(frames):
    """All variables at the last frame: with times of frames, that is interpolation."""
    last = pd.DataFrame({"time": AHEAD[3:4], "a": [1.0], "b": [2.0], "c": [-1.0]})
    found = frames.forecast(settings=Forecasting(given=last), members=4).dataset
    for name, value in (("a", 1.0), ("b", 2.0), ("c", -1.0)):
        assert (found[name].values[..., 3] == value).all()
        assert (found[name][..., :3].std("member") > 0).all()


def test_an_interrupted_store_of_other_values_is_another(model, tmp_path):
    stored = model.forecast(settings=Forecasting(given=KNOWN), members=3, out=tmp_path / "f.zarr").dataset
    assert stored.load().equals(model.forecast(settings=Forecasting(given=KNOWN), members=3).dataset)


def given(**columns):
    return pd.DataFrame({"time": AHEAD[: tiny.HORIZON], **columns})


REFUSED = {
    "no such variable": (
        given(d=1.0),
        "'d' of 'the DataFrame' is no variable of the model; there is a, b, c",
    ),
    "no value": (given(b=np.nan), "gives no value of a, b, c"),
    "another time": (KNOWN.assign(time=TABLE.time[:4]), "none of the given values is of the frames"),
    "a stamp short": (KNOWN[:3], "'b' is given but not at 2021-03-11T03:00:00; it takes a value at every"),
    "half a group": (given(a=1.0), "'a' is given but 'c' is not, and the model was trained with both in one"),
    "all": (given(a=1.0, b=1.0, c=1.0), "so there is nothing to forecast"),
    "far below": (KNOWN.assign(b=-1000.0), "standard deviations beyond the last data"),
    "unit": (KNOWN.assign(b=1000.0), "standard deviations beyond the last data; give it in their"),
    "infinite": (KNOWN.assign(b=np.inf), "'b' is given as inf; give finite values"),
    "twice": (pd.concat([KNOWN, KNOWN]), "has two rows for 2021-03-11"),
    "text": (KNOWN.assign(b=[1, 2, "many", 3]), "has text among its numbers: 'many'"),
    "no table": (7, "known values of type int cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_held_is_one_sentence(case, model):
    source, sentence = REFUSED[case]
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        model.forecast(settings=Forecasting(given=source), members=2)
    assert sentence in str(caught.value)


def test_frames_are_given_whole(frames):
    with pytest.raises(InputError, match="give all or none, or fit it with times=per_group"):
        frames.forecast(settings=Forecasting(given=KNOWN), members=2)


def test_limits_and_sums_are_told():
    words = (*tiny.SERIES, "times=per_group")
    limited = tiny.fitted(TABLE, (*words, "bounds.b=[-9,9]"))
    with pytest.raises(InputError, match="outside its limits of -9 to 9"):
        limited.forecast(settings=Forecasting(given=KNOWN.assign(b=10.0)), members=2)
    total = TABLE.assign(total=TABLE.a + TABLE.b)
    summed = tiny.fitted(total, (*words, "sums.total=[a,b]"))
    with pytest.raises(InputError, match="'b' is given but is part of a sum"):
        summed.forecast(settings=Forecasting(given=KNOWN), members=2)


def test_covariates_belong_into_the_source():
    model = tiny.fitted(
        tiny.covariates(ahead=6).assign(b=1.0 * np.arange(240)),
        (*tiny.SERIES, *tiny.COVARIATES, "times=per_group"),
    )
    with pytest.raises(
        InputError, match="'plan' of 'the DataFrame' is no variable that is forecast but known_future"
    ):
        model.forecast(settings=Forecasting(given=given(plan=1.0)), members=2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["groups=[[a,b]]"], "with times=per_group only, not with times=shared"),
        (["groups=[[a],[a,b]]", "times=per_group"], "names 'a' twice"),
    ],
)
def test_groups_go_with_their_times(words, sentence):
    with pytest.raises(InputError, match=sentence):
        build(Recipe, {"horizon": 4, "history": 8} | options(None, words), "the recipe")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("groups=[[a,d]]",), "groups: no variable is called 'd'; there is a, b, c"),
        (("groups=[[a,b,c]]",), "is one group; use times=shared"),
    ],
)
def test_groups_are_of_the_data(words, sentence):
    with pytest.raises(InputError, match=sentence):
        tiny.fitted(TABLE, (*tiny.SERIES, "times=per_group", *words))


def test_directions_and_fields_are_given_whole(tmp_path):
    words = (*tiny.SERIES, "times=per_group", "circular.b=360")
    turning = tiny.fitted(TABLE.assign(b=(TABLE.b * 40) % 360), words)
    assert turning.model.groups == (0, 1, 1, 2)
    assert turning.model.denoiser.by_channel
    found = turning.forecast(
        settings=Forecasting(given=KNOWN.assign(b=[350.0, 10.0, 0.0, 359.0])), members=3
    ).dataset["b"]
    assert np.array_equal(found.values.reshape(3, 4)[1], np.float32([350.0, 10.0, 0.0, 359.0]))
    turning.save(tmp_path / "m")
    assert load(tmp_path / "m").model.denoiser.by_channel
    field = tiny.field()
    pair = field.assign(ice=field["sst"] * 0.5 + 1)
    wet = tiny.fitted(pair, (*tiny.FIELD, "times=per_group"))
    stamps = pd.date_range(pair.time.values[-1], periods=5, freq="D")[1:]
    known = pair[["ice"]].isel(time=slice(40, 44)).fillna(0.5).assign_coords(time=stamps)
    drawn = wet.forecast(settings=Forecasting(given=known), members=2).dataset
    held = known["ice"].where(pair["ice"].notnull().any("time")).values.astype(np.float32)
    np.testing.assert_array_equal(drawn["ice"].values.reshape(2, *held.shape)[1], held)
    assert (drawn["sst"].std("member").max() > 0).all()
    with pytest.raises(InputError, match="in some places of the field only"):
        wet.forecast(settings=Forecasting(given=known.where(known.lat > 0)), members=2)


def test_the_command_line_says_it_in_one_sentence(tmp_path, capsys):
    plain = tiny.fitted(TABLE, tiny.SERIES, out=tmp_path / "m")
    assert plain.model.groups == (0, 1, 2)
    KNOWN.to_csv(tmp_path / "known.csv", index=False)
    command = ["forecast", str(tmp_path / "m"), "--given", str(tmp_path / "known.csv"), "--members", "2"]
    with pytest.raises(SystemExit) as left:
        main([*command, "--out", str(tmp_path / "f.zarr")])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "fit it with times=per_group to give variables" in told
    assert not (tmp_path / "f.zarr").exists()
