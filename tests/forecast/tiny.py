"""Small data and small models: what the tests of forecasting, evaluation and the command line share."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

from rheos.calibrate import FittedCalibration
from rheos.calibrate.kept_share import Kept
from rheos.forecast.forecaster import fit, load

LOOP = ("training.steps=12", "training.checks=1", "training.batch=8", "validation=0.06")
SERIES = (*LOOP, "network.width=8", "network.depth=1", "network.heads=2", "network.rank=4", "block=4")
FIELD = (
    *LOOP,
    "network.base=4",
    "network.multipliers=[1]",
    "network.detail=4",
    "network.rank=4",
    "network.patch=2",
    "block=4",
)
CODED = (*FIELD, "codec=[scale,{kind: patches,factor: 2,channels: 3}]", "network.patch=1")
HORIZON = 4


def walk(frames, columns, seed=0, persistence=0.8):
    """Autoregressive columns of unit variance, `(frames, columns)`."""
    shocks = np.random.default_rng(seed).normal(size=(frames, columns))
    return lfilter([np.sqrt(1 - persistence**2)], [1, -persistence], shocks, axis=0)


def table(frames=240, columns=2, freq="h", seed=0):
    """A wide table of columns a, b, ..."""
    values = walk(frames, columns, seed)
    frame = pd.DataFrame(values, columns=[chr(ord("a") + i) for i in range(columns)])
    frame.insert(0, "time", pd.date_range("2021-03-01", periods=frames, freq=freq))
    return frame


def covariates(frames=240, ahead=0):
    """A table of target a, a column known ahead and one known only up to now; a follows both."""
    ahead_of_all = walk(frames, 1, seed=5)[:, 0]
    frame = table(frames, 1)
    frame["plan"], frame["felt"] = ahead_of_all, walk(frames, 1, seed=6)[:, 0]
    frame["a"] += 0.5 * frame["plan"]
    if ahead:
        frame.loc[frames - ahead :, ["a", "felt"]] = np.nan
    return frame


COVARIATES = ("roles.plan=known_future", "roles.felt=past")


def panel(lengths=(200, 170, 140)):
    """A long table of sequences of different lengths, levels and starts."""
    parts = []
    for i, frames in enumerate(lengths):
        part = table(frames, 1, "D", seed=i).rename(columns={"time": "ds", "a": "y"})
        part["ds"] += pd.Timedelta(10 * i, "D")
        part["y"] = 10.0 * i + part["y"] * (1 + i)
        part.insert(0, "unique_id", f"s{i}")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def field(frames=110, holes=True):
    """A gridded variable on 4 x 6 cells, one of them land, with gaps that move."""
    rng = np.random.default_rng(3)
    values = walk(frames, 24, seed=2).reshape(frames, 4, 6).astype(np.float32)
    values = values + np.roll(values, 1, axis=2)
    if holes:
        values[:, 0, 0] = np.nan
        values[rng.random(values.shape) < 0.05] = np.nan
    return xr.Dataset(
        {"sst": (("time", "lat", "lon"), values, {"units": "K"})},
        coords={
            "time": pd.date_range("2021-01-01", periods=frames, freq="D"),
            "lat": np.linspace(30.0, -30.0, 4),
            "lon": np.arange(6) * 60.0,
        },
    )


def fitted(source, words=SERIES, horizon=HORIZON, **options):
    """A model trained for a moment."""
    return fit(source, horizon, words=words, **options)


def stirred(forecaster):
    """The forecaster with a calibration that changes every lead and channel, and draws toward the anchor."""
    shape = forecaster.model.calibration.shift.shape
    rng = np.random.default_rng(9)
    forecaster.model.calibration = FittedCalibration(
        rng.normal(size=shape),
        rng.uniform(0.5, 1.5, size=shape),
        kept=Kept(rng.uniform(1, 2, size=shape), 0.9, 0.5),
    )
    return forecaster


def tensors(model):
    """All that is learned, as one dictionary of arrays."""
    parts = {f"network.{k}": v.numpy() for k, v in model.denoiser.network.state_dict().items()}
    for name in ("codec", "anchor", "calibration"):
        parts |= {f"{name}.{k}": v for k, v in getattr(model, name).to_arrays().items()}
    return parts | {"scale": model.scale, "exists": model.exists, "sigma": model.denoiser.sigma_data}


def same(one, other):
    """Whether two dictionaries of arrays hold the same bits."""
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k], equal_nan=True) for k in one)


def require_whole_trip(model, folder):
    """A model forecasts, is kept and loaded, and a member's bits depend on its number and the seed alone."""
    found = model.forecast(members=6).dataset
    assert np.isfinite(found.to_array()).all()
    assert (found.std("member") > 0).to_array().all()
    kept = load(folder)
    assert kept.forecast(members=6).dataset.equals(found)
    assert model.forecast(members=3).dataset.equals(found.isel(member=slice(3)))
    assert not model.forecast(members=6, seed=1).dataset.equals(found)
    assert model.forecast(members=2, horizon=6).dataset.sizes["lead_time"] == 6
    assert next(model.stream(members=2)).dataset.equals(found.isel(member=slice(2), lead_time=slice(1)))
    return kept, found
