"""A field on a grid: write it as NetCDF, fit, forecast into a Zarr store, and look at spread and error.

    python examples/field.py FOLDER [a.b=c ...]

The data are the vorticity of a two-dimensional turbulent flow from Rheos' own solver; a file of your own
with a time dimension works the same way. Words such as training.time=10m change the recipe.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

import rheos
from rheos.data.generator import turbulence

HORIZON = 4


def write_flow(target: Path, frames: int, size: int) -> None:
    """Simulate the flow and write it with its coordinates."""
    values = turbulence(frames=frames, size=size, trajectories=1, seed=0).recordings[0].values[:, 0]
    side = np.arange(size) * 2 * np.pi / size
    flow = xr.Dataset(
        {"vorticity": (("time", "y", "x"), values.astype(np.float32), {"units": "1/s"})},
        coords={"time": np.arange(frames), "y": side, "x": side},
    )
    flow.to_netcdf(target, engine="h5netcdf")


def main(folder: Path, words: Sequence[str] = (), frames: int = 400, size: int = 32) -> xr.Dataset:
    """Everything is left in `folder`; the forecast starts where the held-out frames begin."""
    source = folder / "flow.nc"
    write_flow(source, frames, size)
    chosen = [f"holdout={2 * HORIZON}", "training.time=2m", *words]
    forecaster = rheos.fit(source, HORIZON, words=chosen, out=folder / "model")

    last_known = frames - 2 * HORIZON - 1
    forecast = forecaster.forecast(
        source,
        at=last_known,
        members=16,
        quality="fast",
        settings=rheos.Forecasting(memory="2GB"),
        out=folder / "forecast.zarr",
    )
    with xr.open_dataset(source, engine="h5netcdf") as truth:
        came = truth.vorticity.isel(time=slice(last_known + 1, last_known + 1 + HORIZON)).values
    error = np.sqrt(((forecast.mean.vorticity[0].values - came) ** 2).mean((1, 2)))
    spread = np.sqrt((forecast.spread.vorticity[0].values ** 2).mean((1, 2)))
    print("frames ahead   error of the mean   spread of the members")
    for lead in range(HORIZON):
        print(f"{lead + 1:12}{error[lead]:20.3f}{spread[lead]:24.3f}")
    return forecast.dataset


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "field-example")
    target.mkdir()
    main(target, sys.argv[2:])
