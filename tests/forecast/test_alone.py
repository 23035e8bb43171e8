"""Forecasts of some variables alone: the marginal law exactly, what is shown, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

from rheos import Forecast, Forecasting, InputError
from rheos.cli import main
from rheos.core.context import Context
from rheos.core.scope import Scope
from rheos.denoise import GaussianOracle
from rheos.forecast.alone import Alone
from rheos.forecast.engine import Engine
from rheos.process import Process
from rheos.process.schedule import EDM
from rheos.sample import probe
from rheos.sample.grid import LogSNR
from rheos.sample.preset import Preset, preset
from rheos.sample.solver import Exponential

F64 = torch.float64
TABLE = tiny.table(columns=3)
AHEAD = pd.date_range(TABLE.time.iloc[-1] + pd.Timedelta("1h"), periods=2 * tiny.HORIZON, freq="h")
KNOWN = pd.DataFrame({"time": AHEAD[: tiny.HORIZON], "b": [0.3, -0.2, 1.0, 0.5]})
FRAMES, CHANNELS = 3, 3
ROOT = torch.randn(9, 9, generator=torch.Generator().manual_seed(0), dtype=F64)
COVARIANCE, MEAN = ROOT @ ROOT.T / 9 + 0.1 * torch.eye(9, dtype=F64), torch.linspace(-1, 1, 9, dtype=F64)
SEEN = torch.randn(1, FRAMES, CHANNELS, generator=torch.Generator().manual_seed(1), dtype=F64)


@pytest.fixture(scope="module")
def model():
    return tiny.stirred(tiny.fitted(TABLE, (*tiny.SERIES, "times=per_group", "groups=[[b],[a,c]]")))


def drawn(forecaster, *only, **also):
    return forecaster.forecast(members=6, settings=Forecasting(only=only, **also))


def law(context, wanted, evaluations):
    """Mean and covariance of some entries as solvers draw them from the exact denoiser."""
    oracle = GaussianOracle(MEAN, COVARIANCE, Process(EDM(sigma_min=3e-5, sigma_max=1e9)))
    preset = Preset(
        solver=Exponential(order=4), grid=LogSNR(highest=1e9, lowest=3e-5), evaluations=evaluations
    )
    found = probe(oracle, (FRAMES, CHANNELS), preset=preset, context=context)
    return found.mean[wanted], found.covariance[wanted][:, wanted]


@pytest.mark.parametrize(
    ("only", "given"), [(["a", "c"], []), (["b"], []), (["b"], [0]), (["a", "c"], [1])], ids=repr
)
def test_it_is_the_marginal_law_given_the_history(only, given, model):
    """To 1e-8 on a Gaussian law of 3 frames and variables, one frame of it history: Richardson's limit."""
    observed = Context(history_frames=1, history=SEEN[:, :1], observation=SEEN)
    if given:
        observed = Context(
            history_frames=1,
            history=SEEN[:, :1],
            observation=SEEN,
            scope=Scope.of(FRAMES, CHANNELS, given=given),
        )
    context = Alone.of(only, model.model).within(observed, FRAMES)
    numbers = torch.arange(9).reshape(FRAMES, CHANNELS)
    mine = ["abc".index(name) for name in only]
    wanted = numbers[1:, mine].flatten()
    known = torch.cat((numbers[0], numbers[1:, given].flatten()))
    gain = COVARIANCE[wanted][:, known] @ torch.linalg.inv(COVARIANCE[known][:, known])
    exact = (
        MEAN[wanted] + gain @ (SEEN.flatten()[known] - MEAN[known]),
        COVARIANCE[wanted][:, wanted] - gain @ COVARIANCE[known][:, wanted],
    )
    coarse, fine = (law(context, wanted, count) for count in (300, 600))
    for rough, good, truth in zip(coarse, fine, exact, strict=True):
        torch.testing.assert_close((16 * good - rough) / 15, truth, rtol=0, atol=1e-8)


def test_what_is_not_drawn_is_not_there(model, tmp_path):
    found = drawn(model, "b")
    assert found.variables == ("b",)
    assert np.isfinite(found.dataset["b"]).all()
    assert (found.dataset["b"].std("member") > 0).all()
    assert found.dataset["health"].dtype == np.uint8
    assert not (found.dataset["health"] & 1).any(), "what is left out is not unwell"
    assert list(found.to_dataframe()["variable"].unique()) == ["b"]
    stored = model.forecast(members=6, settings=Forecasting(only="b"), out=tmp_path / "f.zarr")
    assert stored.dataset.load().equals(found.dataset)
    assert Forecast.open(tmp_path / "f.zarr").variables == ("b",)
    both = drawn(model, "c", "a")
    assert both.variables == ("a", "c")
    # Other variables at other noise: not the columns of the forecast of all, though of one law.
    assert not np.array_equal(both.dataset["a"], model.forecast(members=6).dataset["a"])
    everything = drawn(model, "a", "b", "c").dataset
    assert everything.equals(model.forecast(members=6).dataset)


def test_members_are_the_same_whatever_their_number(model):
    few = model.forecast(members=3, settings=Forecasting(only="b")).dataset
    assert few.equals(drawn(model, "b").dataset.isel(member=slice(3)))


def test_it_is_calibrated_as_the_column_whose_law_it_has(model):
    usual = model.model.calibration
    found = drawn(model, "b").dataset["b"].values
    model.model.calibration = replace(usual, shift=usual.shift + 7.0)
    np.testing.assert_allclose(drawn(model, "b").dataset["b"].values, found + 7.0, atol=1e-5)
    model.model.calibration = usual
    assert drawn(model, "b").uncalibrated == ""


def test_members_alone_are_moved_as_they_are_among_all(model):
    """What all have in common has a say in the way of each from its anchor, also of those drawn alone."""
    fitted, alone = model.model, Alone.of("b", model.model)
    scale, origin = fitted.calibration.scale[:, 1], fitted.tail.recordings[0].observed
    for number in range(2):
        raw, raw_alone, moved, moved_alone = (
            Engine(fitted, fitted.tail, preset("fast"), calibrated=calibrated, alone=only).block(
                0, origin, number
            )[..., 1]
            for calibrated in (False, True)
            for only in (None, alone)
        )
        assert not np.array_equal(raw, raw_alone)
        np.testing.assert_allclose(moved_alone - scale * raw_alone, moved - scale * raw, atol=1e-5)


def test_given_others_it_is_not_calibrated_and_says_so(model, tmp_path, capsys):
    found = drawn(model, "a", "c", given=KNOWN)
    assert found.variables == ("a", "c")
    assert found.uncalibrated.startswith("these members are not calibrated")
    assert found.uncalibrated in repr(found)
    other = drawn(model, "a", "c", given=KNOWN.assign(b=KNOWN.b + 1))
    assert not np.array_equal(found.dataset["a"], other.dataset["a"])
    model.save(tmp_path / "m")
    KNOWN.to_csv(tmp_path / "known.csv", index=False)
    command = ["forecast", str(tmp_path / "m"), "--given", str(tmp_path / "known.csv"), "--members", "2"]
    with pytest.raises(SystemExit) as left:
        main([*command, "--only", "a", "--only", "c", "--out", str(tmp_path / "f.zarr")])
    assert left.value.code == 0
    assert "these members are not calibrated" in capsys.readouterr().err
    stored = Forecast.open(tmp_path / "f.zarr")
    assert stored.variables == ("a", "c")
    assert stored.uncalibrated == found.uncalibrated
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path / "f.zarr"), "--out", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert "these members are not calibrated" in page
    with pytest.raises(SystemExit):
        main([*command[:2], "--members", "2", "--only", "b", "--out", str(tmp_path / "g.zarr")])
    assert "calibrated" not in capsys.readouterr().err


def test_a_sum_of_which_a_part_is_left_out_is_none(tmp_path):
    total = TABLE.assign(total=TABLE.a + TABLE.b)
    summed = tiny.fitted(total, (*tiny.SERIES, "times=per_group", "sums.total=[a,b]"))
    found = summed.forecast(members=2, settings=Forecasting(only=["a", "total"])).dataset
    assert list(found.data_vars) == ["a", "total"]
    assert np.isfinite(found.to_array()).all()


def test_directions_go_whole():
    turning = tiny.fitted(
        TABLE.assign(b=(TABLE.b * 40) % 360), (*tiny.SERIES, "times=per_group", "circular.b=360")
    )
    assert Alone.of("b", turning.model).channels == (False, True, True, False)
    found = turning.forecast(members=3, settings=Forecasting(only=["b"])).dataset
    assert list(found.data_vars) == ["b"]
    assert found["b"].attrs["circular"] == 360.0
    assert ((found["b"] >= 0) & (found["b"] < 360)).all()


REFUSED = {
    "none": ({"only": []}, "only=[] names no variable"),
    "unknown": ({"only": ["d"]}, "only: no variable is called 'd'; there is a, b, c"),
    "half a group": (
        {"only": ["a"]},
        "only names 'a' but not 'c', and the model was trained with both in one",
    ),
    "given": ({"only": ["b"], "given": KNOWN}, "'b' is given, so it is not to be drawn"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_drawn_alone_is_one_sentence(case, model):
    settings, sentence = REFUSED[case]
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        model.forecast(members=2, settings=Forecasting(**settings))
    assert sentence in str(caught.value)


def test_members_cannot_go_on_from_what_they_lack(model):
    with pytest.raises(InputError, match="beyond the trained horizon of 4 frames"):
        model.forecast(horizon=5, members=2, settings=Forecasting(only="b"))
    assert (
        model.forecast(horizon=3, members=2, settings=Forecasting(only="b")).dataset.sizes["lead_time"] == 3
    )


@pytest.mark.parametrize("times", ["shared", "per_frame"])
def test_models_of_one_time_for_all_variables_are_refused(times):
    other = tiny.fitted(TABLE, (*tiny.SERIES, f"times={times}"))
    with pytest.raises(InputError, match=r"fit it with times=per_group, or forecast all variables"):
        other.forecast(members=2, settings=Forecasting(only="b"))
