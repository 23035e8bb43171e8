"""A forecast as a table of quantiles or of the chances of events: shown in part, or written whole."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rheos.core.errors import InputError
from rheos.forecast.forecast import Forecast
from rheos.forecast.store import require_free

SUFFIXES = (".csv", ".parquet")
_SHOWN = 48  # rows


def levels_of(text: str) -> tuple[float, ...]:
    """Quantile levels such as "0.1,0.5,0.9".

    Raises:
        InputError: one is no number between 0 and 1.
    """
    try:
        levels = tuple(sorted({float(word) for word in text.split(",")}))
    except ValueError:
        levels = (-1.0,)
    if not all(0.0 <= level <= 1.0 for level in levels):
        raise InputError(f"--levels {text} are not numbers between 0 and 1; give some such as 0.1,0.5,0.9.")
    return levels


def table_of(forecast: Forecast, levels: Sequence[float], events: Sequence[str] = ()) -> pd.DataFrame:
    """The chances of events where some are asked for, else quantiles.

    Raises:
        InputError: an event cannot be read.
    """
    return forecast.chances(events) if events else forecast.to_dataframe(levels)


def shown(table: pd.DataFrame) -> str:
    """The first rows, without columns of one value that say nothing, and how many more there are."""
    if "lead_time" in table:
        over = table["lead_time"].astype(object)
        table = table.assign(lead_time=over.where(over.notna(), "all"))
    told = [name for name in table.columns if name == "lead_time" or table[name].nunique() > 1]
    places = [name for name in table.columns if name in ("event", "variable", "init_time", "unique_id")]
    alone = {name: table[name].iloc[0] for name in places if name not in told}
    kept = [name for name in table.columns if name not in alone]
    head = "\n".join(f"{name}: {value}" for name, value in alone.items())
    body = table[kept].head(_SHOWN).to_string(index=False, na_rep="", float_format="{:.5g}".format)
    more = len(table) - _SHOWN
    rest = f"\n... and {more} more rows; --out FILE.csv writes all" if more > 0 else ""
    return f"{head}\n\n{body}{rest}"


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write all rows as CSV or Parquet: aside first, then renamed.

    Raises:
        InputError: the file exists, or its name is of another kind.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is no table's name; let it end in {' or '.join(SUFFIXES)}.")
    require_free(path)
    aside = path.with_name(path.name + ".writing")
    if path.suffix.lower() == ".csv":
        table.to_csv(aside, index=False)
    else:
        table.to_parquet(aside, index=False)
    aside.rename(path)
