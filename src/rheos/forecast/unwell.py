"""The members of a forecast that are not well: a table of them, and one sentence about them."""

import numpy as np
import pandas as pd
import xarray as xr

from rheos.core.errors import InputError
from rheos.forecast.health import HEALTH, MEANINGS

_COLUMNS = ("lead_time", "share", "reasons")


def health_table(dataset: xr.Dataset) -> pd.DataFrame:
    """One row a member that leaves what the training data show; see `Forecast.health`.

    Raises:
        InputError: the forecast does not know.
    """
    if HEALTH not in dataset.coords:
        raise InputError(
            "nothing is known of the members' health: the forecast, or the model it is of, was made by an "
            "earlier version; fit and forecast again."
        )
    health = dataset[HEALTH].transpose(..., "lead_time")
    bits = health.to_numpy()
    dims = health.dims[:-1]
    places = np.argwhere(bits.any(-1))
    table = pd.DataFrame(
        {name: dataset[name].to_index()[places[:, axis]] for axis, name in enumerate(dims)},
        columns=[*dims, *_COLUMNS],
    )
    told = [bits[tuple(place)] for place in places]
    table["lead_time"] = [int(dataset["lead_time"][np.flatnonzero(one)[0]]) for one in told]
    table["share"] = [float(np.mean(one > 0)) for one in told]
    table["reasons"] = [_reasons(int(np.bitwise_or.reduce(one))) for one in told]
    return table.sort_values("lead_time", kind="stable", ignore_index=True)


def health_sentence(dataset: xr.Dataset) -> str | None:
    """What a user should know of them; None where all are well, or nobody knows."""
    if HEALTH not in dataset.coords:
        return None
    table = health_table(dataset)
    if table.empty:
        return None
    count = int(np.prod([dataset.sizes[name] for name in dataset[HEALTH].dims if name != "lead_time"]))
    first = table.iloc[0]
    return (
        f"{len(table)} of {count} members leave what the training data show, member {first['member']} first, "
        f"at lead time {first['lead_time']} ({first['reasons']}); Forecast.health() lists them, and a "
        "shorter horizon or training for the long one may help."
    )


def _reasons(bits: int) -> str:
    return ", ".join(meaning for number, meaning in enumerate(MEANINGS) if bits & (1 << number))
