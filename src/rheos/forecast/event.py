"""Events over joint members, and how sure a finite ensemble is of their chance.

An event is written as a user would say it: "Demand > 6000", "max(Demand) > 6000", "min(T) <= 0",
"sum(rain) > 50", "mean(sst) > 27". Without an aggregate it is asked for every lead time; with one, for
the whole horizon of each member's path.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from rheos.core.errors import InputError

_COMPARE: dict[str, Callable[[xr.DataArray, float], xr.DataArray]] = {
    ">=": lambda values, limit: values >= limit,
    "<=": lambda values, limit: values <= limit,
    ">": lambda values, limit: values > limit,
    "<": lambda values, limit: values < limit,
}
_AGGREGATES = ("max", "min", "sum", "mean")


@dataclass(frozen=True, slots=True)
class Event:
    """A threshold on a variable, or on an aggregate of its path over the horizon."""

    variable: str
    relation: str
    limit: float
    aggregate: str | None = None

    @classmethod
    def parse(cls, text: str, variables: Iterable[str]) -> "Event":
        """Read an event such as "max(Demand) > 6000".

        Raises:
            InputError: not an event, or of a variable that the forecast does not have.
        """
        match = re.fullmatch(r"\s*(.+?)\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*", text)
        try:
            limit = float(match[3]) if match else None
        except ValueError:
            limit = None
        if match is None or limit is None:
            raise InputError(f'{text!r} is not an event; write for example "max(Demand) > 6000".')
        known, name, aggregate = list(variables), match[1], None
        wrapped = re.fullmatch(rf"({'|'.join(_AGGREGATES)})\((.+)\)", name)
        if name not in known and wrapped:
            aggregate, name = wrapped[1], wrapped[2].strip()
        if name not in known:
            raise InputError(f"the forecast has no variable {name!r}; it has {', '.join(known)}.")
        return cls(name, match[2], limit, aggregate)

    def occurs(self, values: xr.DataArray) -> xr.DataArray:
        """For each member (and lead time, without an aggregate) 1.0 or 0.0; NaN where values are."""
        if self.aggregate:
            values = getattr(values, self.aggregate)("lead_time", skipna=False)
        return _COMPARE[self.relation](values, self.limit).where(values.notnull()).astype(float)


def probability(occurs: xr.DataArray, level: float = 0.9) -> xr.Dataset:
    """Chance of an event from the members, with the interval that their number allows.

    The interval is Jeffreys' for a binomial proportion (Brown, Cai, DasGupta, Stat. Sci. 2001): it holds
    the sampling error of a finite ensemble, not the model's error.

    Args:
        occurs: 1, 0 or NaN with a `member` dimension.
        level: of the interval.

    Returns:
        Variables `probability`, `low`, `high`, without `member`.
    """
    count = occurs.count("member")
    hits = occurs.sum("member")
    chance = (hits / count).where(count > 0)
    tail = (1 - level) / 2
    low = xr.apply_ufunc(lambda h, n: stats.beta.ppf(tail, h + 0.5, n - h + 0.5), hits, count)
    high = xr.apply_ufunc(lambda h, n: stats.beta.ppf(1 - tail, h + 0.5, n - h + 0.5), hits, count)
    return xr.Dataset(
        {
            "probability": chance,
            "low": low.where(hits > 0, 0.0).where(count > 0),
            "high": high.where(hits < count, 1.0).where(count > 0),
        }
    )


def first_passage(occurs: xr.DataArray) -> xr.DataArray:
    """The first lead time at which the event occurs in each member; NaN where it never does."""
    when = (occurs == 1).argmax("lead_time")
    lead = occurs["lead_time"].values.astype(float)
    first = xr.apply_ufunc(lambda index: lead[index], when)
    return first.where((occurs == 1).any("lead_time"), np.nan).rename("first_passage")
