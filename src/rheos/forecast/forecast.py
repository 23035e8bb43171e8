"""A forecast: an ensemble of joint futures as an xarray Dataset, with what users ask of it."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from rheos.core.circle import mean_direction, signed, wrapped
from rheos.core.errors import InputError
from rheos.forecast.event import Event, first_passage, probability
from rheos.forecast.store import UNCALIBRATED, require_free
from rheos.forecast.unwell import health_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Forecast:
    """An ensemble of joint futures.

    Args:
        dataset: one variable a channel, dimensions `([unique_id,] init_time, member, lead_time, ...)`;
            coordinate `valid_time` `(init_time, lead_time)`; `lead_time` counts frames from 1.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        for name in ("init_time", "member", "lead_time"):
            if name not in dataset.dims:
                raise InputError(f"this is not a forecast: it has no dimension {name!r}.")
        self.dataset = dataset

    @classmethod
    def open(cls, path: str | Path) -> "Forecast":
        """Open a forecast written by :meth:`to_zarr` or `rheos forecast`; values are read when used.

        Raises:
            InputError: there is no such store, or it is not a forecast.
        """
        if not Path(path).is_dir():
            wrong = "is not a Zarr store" if Path(path).exists() else "does not exist"
            raise InputError(f"{path} {wrong}; give the folder that `rheos forecast` wrote.")
        try:
            dataset = xr.open_zarr(path, consolidated=False, chunks=None)
            named = [name for name in dataset.attrs.get("variables", ()) if name in dataset]
            return cls(dataset[named] if named else dataset)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{path} cannot be read as a Zarr store: {error}.") from error

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size}" for name, size in self.dataset.sizes.items())
        told = f"; {self.uncalibrated}" if self.uncalibrated else ""
        return f"Forecast of {', '.join(self.variables)} ({sizes}){told}"

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the forecast variables."""
        return tuple(str(name) for name in self.dataset.data_vars)

    @property
    def uncalibrated(self) -> str:
        """Why the members are as they were drawn, in a sentence; empty where they are calibrated."""
        return str(self.dataset.attrs.get(UNCALIBRATED, ""))

    @property
    def mean(self) -> xr.Dataset:
        """Ensemble mean; of directions near the mean direction."""
        return self._wrapped(self._straight.mean("member", keep_attrs=True))

    @property
    def spread(self) -> xr.Dataset:
        """Ensemble standard deviation, with M - 1."""
        return self._straight.std("member", ddof=1, keep_attrs=True)

    @property
    def _straight(self) -> xr.Dataset:
        """The members, directions on the line about their mean direction, where they can be averaged."""
        out = self.dataset
        for name, period in self._periods.items():
            values = out[name]
            axis = values.get_axis_num("member")
            middle = np.expand_dims(mean_direction(values.to_numpy(), period, axis), axis)
            out = out.assign({name: values.copy(data=middle + signed(values.to_numpy() - middle, period))})
        return out

    def _wrapped(self, values: xr.Dataset) -> xr.Dataset:
        """Directions back in [0, period)."""
        for name, period in self._periods.items():
            values = values.assign({name: values[name].copy(data=wrapped(values[name].to_numpy(), period))})
        return values

    @property
    def _periods(self) -> dict[str, float]:
        """Period of each variable that is a direction."""
        told = {name: float(self.dataset[name].attrs.get("circular", 0.0)) for name in self.variables}
        return {name: period for name, period in told.items() if period}

    def quantile(self, levels: float | Sequence[float] = (0.1, 0.5, 0.9)) -> xr.Dataset:
        """Quantiles of the members at each lead time, linearly interpolated.

        Those of a direction are read clockwise: the 10 % one may be 350 and the 90 % one 10.

        Args:
            levels: in [0, 1].
        """
        with warnings.catch_warnings():
            # Land, and origins that other sequences have, hold no members at all: their quantiles are NaN.
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            return self._wrapped(self._straight.quantile(levels, dim="member", keep_attrs=True))

    def probability(self, event: str, level: float = 0.9) -> xr.Dataset:
        """Chance of an event with the interval that the number of members allows.

        Args:
            event: "Demand > 6000" for every lead time; "max(Demand) > 6000" (max, min, sum, mean) for
                the whole horizon.
            level: of the interval.

        Returns:
            Variables `probability`, `low`, `high`.

        Raises:
            InputError: the event cannot be read.
        """
        parsed = Event.parse(event, self.variables)
        return probability(parsed.occurs(self.dataset[parsed.variable]), level)

    def first_passage(self, event: str) -> xr.DataArray:
        """The lead time at which each member first meets an event without aggregate; NaN if never.

        Raises:
            InputError: the event cannot be read or has an aggregate.
        """
        parsed = Event.parse(event, self.variables)
        if parsed.aggregate:
            raise InputError(f"first passage needs an event at each lead time, not {event!r}.")
        return first_passage(parsed.occurs(self.dataset[parsed.variable]))

    def health(self) -> pd.DataFrame:
        """The members that leave what the training data show, in the order in which they do.

        Returns:
            One row a member that does: where it stands (`unique_id`, `init_time`, `member`), the first
            `lead_time` at which it does, the `share` of its lead times, and all `reasons`: not_finite, size
            (out of range), energy, change (from frame to frame), relief (from cell to cell). By frame they
            are in the coordinate `health` of the data set; of healthy ones one in 10 000 is told at most.

        Raises:
            InputError: nothing is known of the members' health.
        """
        return health_table(self.dataset)

    def to_dataframe(self, levels: Sequence[float] = (0.1, 0.5, 0.9)) -> pd.DataFrame:
        """A table: one row an init time, lead time and variable; columns mean and quantiles.

        Args:
            levels: quantile levels; 0.1 becomes column "P10".
        """
        quantiles, mean = self.quantile(levels), self.mean
        frames = []
        for name in self.variables:
            table = quantiles[name].transpose(..., "quantile").to_series().unstack("quantile")
            table.columns = pd.Index([f"P{100 * level:g}" for level in levels])
            table.insert(0, "mean", mean[name].to_series())
            table.insert(0, "variable", name)
            frames.append(table)
        return self._with_valid_times(pd.concat(frames).dropna(subset="mean").reset_index())

    def chances(self, events: Sequence[str], level: float = 0.9) -> pd.DataFrame:
        """A table of :meth:`probability`: one row an event and init time, and lead time unless it is of all.

        Args:
            events: see :meth:`probability`.
            level: of the interval.

        Raises:
            InputError: an event cannot be read.
        """
        tables = []
        for event in events:
            table = self.probability(event, level).drop_vars("valid_time", errors="ignore").to_dataframe()
            table = table.dropna(subset="probability").reset_index()
            table.insert(0, "event", event)
            tables.append(table)
        whole = pd.concat(tables, ignore_index=True)
        if "lead_time" not in whole:
            return whole
        return self._with_valid_times(whole.astype({"lead_time": "Int64"}))

    def _with_valid_times(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the physical time of each row beside its lead time, where it has one."""
        if "valid_time" in self.dataset.coords:
            stamps = self.dataset["valid_time"].to_series()
            position = table.set_index(["init_time", "lead_time"]).index
            place = list(table.columns).index("lead_time") + 1
            table.insert(place, "valid_time", stamps.reindex(position).to_numpy())
        return table

    def to_zarr(self, path: str | Path) -> None:
        """Write a Zarr v3 store: aside first, then renamed.

        Raises:
            InputError: the path exists.
        """
        target = Path(path)
        require_free(target)
        aside = target.with_name(target.name + ".writing")
        self.dataset.to_zarr(aside, mode="w", zarr_format=3, consolidated=False)
        aside.rename(target)

    def plot(self, variable: str | None = None) -> "Figure":
        """Fan chart of one variable of a table, from the first init time.

        Raises:
            InputError: no such variable.
        """
        from rheos.report.content import Fan
        from rheos.report.figures import fan_chart

        name = self.variables[0] if variable is None else variable
        if name not in self.variables:
            raise InputError(f"the forecast has no variable {name!r}; it has {', '.join(self.variables)}.")
        first = self._straight[name].isel(init_time=0)
        if first.ndim != 2:
            raise InputError(
                f"{name!r} is not one series; select one cell or sequence of .dataset and plot that."
            )
        times = self.dataset["valid_time"].isel(init_time=0).values
        nothing = np.empty(0)
        return fan_chart(
            Fan(
                channel=name,
                history_time=times[:0],
                history=nothing,
                time=times,
                members=first.transpose("member", "lead_time").values,
                unit=str(first.attrs.get("units", "")),
            )
        )

    def members(self, name: str) -> np.ndarray:
        """One variable's values as an array, dimensions as in the dataset."""
        return self.dataset[name].to_numpy()
